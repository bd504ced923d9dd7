"""The window: one page, a sidebar, the tabs; served to this computer only."""

import logging
import os
import secrets
import socket
import threading
import time
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response

from studio.data import limits
from studio.jobs.launcher import ensure_worker
from studio.machine import allow_open_files
from studio.models.fetch.offers import note_wish
from studio.ui import components, uploads
from studio.ui.instance import open_in_browser
from studio.ui.page import Page
from studio.ui.serving.fingerprint import fingerprint
from studio.ui.serving.patience import PatientProtocol
from studio.ui.serving.security import Guard, lan_addresses
from studio.ui.serving.served_files import media_routes
from studio.ui.side import chooser
from studio.ui.tabs import find_tabs
from studio.ui.theme import ICON, make_theme
from studio.workspace import Workspace

log = logging.getLogger(__name__)
TITLE = "Likeness Studio"
QUEUE_SECONDS = 60.0


def build(workspace: Workspace) -> gr.Blocks:
    """The page as gradio Blocks. Holds no state: everything is read from the workspace when the page is opened."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, 1800)) as demo:
        page = Page(workspace)
        with gr.Row(elem_id="studio"):
            with gr.Column(elem_id="side", scale=0, min_width=0):
                chooser.build(page)
            with gr.Column(elem_id="main", scale=1, min_width=0):
                page.notice.render()
                page.news.render()
                page.shows.render()
                page.sent_from.render()
                page.trouble.render()
                tabs = build_tabs(page)
        chooser.restore(page, demo, tabs)
        page.connect()
    return demo


def build_tabs(page: Page) -> gr.Tabs:
    """Every tab, in its place, with what it shows; the first one is shown first."""
    with gr.Tabs(elem_id="tabs") as tabs:
        for number, part in enumerate(find_tabs(), 1):
            with gr.Tab(f"{number} {part.TITLE}", id=part.ID, elem_id=f"tab-{part.ID}", render_children=True) as tab:
                part.build(page)
            page.tab_items.append(tab)
    page.tab.value = page.tab_items[0].id
    return tabs


def make_app(workspace: Workspace, lan_password: str | None = None) -> FastAPI:
    """The web application: the page, its style, the media it shows, behind the guard."""
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(media_routes(workspace))
    version, start = components.stylesheet_version(), secrets.token_hex(8)

    @app.get("/look/studio.css")
    def get_stylesheet() -> Response:
        return Response(components.stylesheet(), media_type="text/css", headers={"cache-control": "private, max-age=86400"})

    @app.get("/look/alive")
    def get_alive() -> dict[str, str]:
        """Which start of the studio answers: an open page asks, to say so when the studio was closed and to begin anew when it is back."""
        return {"start": start}

    @app.get("/look/news")
    def get_news(project: str = "") -> dict[str, str]:
        """What an open page asks before it reads anything anew: another answer where the disk holds something else."""
        return {"news": fingerprint(workspace, project)}

    @app.get("/look/icon.svg")
    @app.get("/favicon.ico")
    def get_icon() -> Response:
        return Response(ICON, media_type="image/svg+xml", headers={"cache-control": "private, max-age=86400"})

    head = f'<link rel="stylesheet" href="/look/studio.css?v={version}"><link rel="icon" type="image/svg+xml" href="/look/icon.svg">'
    options: dict[str, Any] = dict(
        footer_links=[], run_history=False, show_error=False, pwa=False, ssr_mode=False, mcp_server=False, enable_monitoring=False
    )
    size = f"{limits.MAX_CLIP_BYTES}b"
    page = build(workspace)
    gr.mount_gradio_app(app, page, "/", theme=make_theme(), head=head, allowed_paths=[], max_file_size=size, **options)
    let_queue_sleep(page)
    app.add_middleware(Guard, lan_password=lan_password)
    return app


def let_queue_sleep(page: gr.Blocks) -> None:
    """gradio looks a thousand times a second whether somebody is in its queue, for as long as the program lives; no event of the page is."""
    assert not any(function.queue for function in page.fns.values()), "an event of the page goes through gradio's queue"
    page._queue.sleep_when_free = page._queue.progress_update_sleep_when_free = QUEUE_SECONDS


def serve(workspace: Workspace, port: int = 7860, open_browser: bool = True, lan_password: str | None = None) -> None:
    """Run the studio until Ctrl-C. Listens on this computer only; with a password, on the local network."""
    prepare(workspace)
    allow_open_files()
    host = "0.0.0.0" if lan_password else "127.0.0.1"
    options: dict[str, Any] = dict(
        log_level="warning",
        server_header=False,
        http=PatientProtocol,
        ws="none",
        timeout_graceful_shutdown=1,
        workers=1,
        proxy_headers=False,
    )
    config = uvicorn.Config(make_app(workspace, lan_password), host=host, port=port, **options)
    server, closing = Server(config), threading.Event()
    threading.Thread(target=announce, args=(server, port, open_browser, bool(lan_password)), daemon=True).start()
    threading.Thread(target=uploads.keep_clean, args=(workspace, closing), daemon=True).start()
    try:
        server.run()
    finally:
        closing.set()
        uploads.clear_leftovers(workspace)


class Server(uvicorn.Server):
    """Closes at once: an open page holds a connection for as long as it is open, and cutting that is no error worth a traceback."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def prepare(workspace: Workspace) -> None:
    """Private places for uploads, no reports to anyone, the demo project, and the queue of a studio that was closed."""
    workspace.projects_dir.mkdir(parents=True, exist_ok=True)
    uploads.clear_leftovers(workspace)
    os.environ.update(
        note_wish(os.environ),
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_TEMP_DIR=str(uploads.browser_dir(workspace)),
        HF_HUB_OFFLINE="1",
        DO_NOT_TRACK="1",
    )
    threading.Thread(target=make_demo, args=(workspace,), daemon=True).start()
    ensure_worker(workspace)
    ensure_worker(workspace.downloads)


def make_demo(workspace: Workspace) -> None:
    """The project Demo, once in the life of a workspace: who deletes it does not see it again. (The command "demo" still makes it.)"""
    from studio.tiny.demo_project import ensure_demo_project, was_made  # keeps what draws people out of the start

    try:
        if not was_made(workspace):
            ensure_demo_project(workspace)
    except (OSError, ValueError):
        log.exception("the project Demo could not be made; everything else works")


def announce(server: Server, port: int, open_browser: bool, is_shared: bool = False) -> None:
    """Say where the studio is as soon as it answers, and open it there."""
    while not server.started:
        if server.should_exit:
            return
        time.sleep(0.05)
    address = f"http://127.0.0.1:{port}"
    elsewhere = f"\nFor other computers here, with the password: {', '.join(lan_addresses(port))}" if is_shared else ""
    print(f"{TITLE} is running at {address}{elsewhere}\nClose it with Ctrl-C; a running job goes on by itself.", flush=True)
    if open_browser:
        open_in_browser(address)
