"""The window: one page, a sidebar, three tabs; served to this computer only."""

import logging
import os
import socket
import threading
import time

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response

from studio.data import limits
from studio.errors import Problem
from studio.jobs.launcher import ensure_worker
from studio.ui import components, dataset_tab, evaluate_tab, sidebar, train_tab
from studio.ui.instance import open_in_browser
from studio.ui.media import media_routes
from studio.ui.page import Page
from studio.ui.security import Guard
from studio.ui.theme import ICON, make_theme

log = logging.getLogger(__name__)
TITLE = "Likeness Studio"


def build(workspace):
    """The page as gradio Blocks. Holds no state: everything is read from the workspace when the page is opened."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as demo:
        page = Page(workspace)
        with gr.Row(elem_id="studio"):
            with gr.Column(elem_id="side", scale=0, min_width=0):
                sidebar.build(page)
            with gr.Column(elem_id="main", scale=1, min_width=0):
                page.notice.render()
                with gr.Tabs(elem_id="tabs") as tabs:
                    for number, part in enumerate((dataset_tab, train_tab, evaluate_tab), 1):
                        with gr.Tab(f"{number} {part.TITLE}", id=part.ID, elem_id=f"tab-{part.ID}", render_children=True) as tab:
                            part.build(page)
                        page.tab_items.append(tab)
        sidebar.restore(page, demo, tabs)
        page.connect()
    return demo


def make_app(workspace, lan_password=None):
    """The web application: the page, its style, the media it shows, behind the guard."""
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(media_routes(workspace))
    version = components.stylesheet_version()

    @app.get("/look/studio.css")
    def get_stylesheet():
        return Response(components.stylesheet(), media_type="text/css", headers={"cache-control": "private, max-age=86400"})

    @app.get("/look/icon.svg")
    @app.get("/favicon.ico")
    def get_icon():
        return Response(ICON, media_type="image/svg+xml", headers={"cache-control": "private, max-age=86400"})

    head = f'<link rel="stylesheet" href="/look/studio.css?v={version}"><link rel="icon" type="image/svg+xml" href="/look/icon.svg">'
    options = dict(
        footer_links=[], run_history=False, show_error=False, pwa=False, ssr_mode=False, mcp_server=False, enable_monitoring=False
    )
    size = f"{limits.MAX_CLIP_BYTES}b"
    gr.mount_gradio_app(app, build(workspace), "/", theme=make_theme(), head=head, allowed_paths=[], max_file_size=size, **options)
    app.add_middleware(Guard, lan_password=lan_password)
    return app


def serve(workspace, port=7860, open_browser=True, lan_password=None):
    """Run the studio until Ctrl-C. Listens on this computer only; with a password, on the local network."""
    prepare(workspace)
    host = "0.0.0.0" if lan_password else "127.0.0.1"
    check_port(host, port)
    config = uvicorn.Config(make_app(workspace, lan_password), host=host, port=port, log_level="warning", server_header=False, ws="none")
    server = uvicorn.Server(config)
    threading.Thread(target=announce, args=(server, port, open_browser), daemon=True).start()
    server.run()


def prepare(workspace):
    """Private places for uploads, no reports to anyone, the demo project, and the queue of a studio that was closed."""
    workspace.projects_dir.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(workspace.home / "uploads"), HF_HUB_OFFLINE="1", DO_NOT_TRACK="1"
    )
    threading.Thread(target=make_demo, args=(workspace,), daemon=True).start()
    ensure_worker(workspace)


def make_demo(workspace):
    from studio.tiny.demo import ensure_demo_project

    try:
        ensure_demo_project(workspace)
    except (OSError, ValueError):
        log.exception("the project Demo could not be made; everything else works")


def check_port(host, port):
    with socket.socket() as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise Problem(f"port {port} is used by another program", fix=f"start with --port {port + 1}") from None


def announce(server, port, open_browser):
    """Say where the studio is as soon as it answers, and open it there."""
    while not server.started:
        if server.should_exit:
            return
        time.sleep(0.05)
    address = f"http://127.0.0.1:{port}"
    print(f"{TITLE} is running at {address}\nClose it with Ctrl-C; a running job goes on by itself.", flush=True)
    if open_browser:
        open_in_browser(address)
