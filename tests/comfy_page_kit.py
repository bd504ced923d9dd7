"""ComfyUI's own page in a browser, served from its package with the few answers that it asks a server for. There is no ComfyUI behind it."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from comfy_judge import object_info, part

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PLAIN: dict[str, Any] = {  # what its server would say of itself
    "/api/users": {"storage": "server", "migrated": True},
    "/api/settings": {"Comfy.TutorialCompleted": True},
    "/api/extensions": [],
    "/api/embeddings": [],
    "/api/queue": {"queue_running": [], "queue_pending": []},
    "/api/system_stats": {"system": {"os": "linux", "argv": [], "comfyui_version": "0.3.80"}, "devices": []},
}
OPEN = """async (workflow) => {
  const app = window.comfyAPI.app.app;
  await app.loadGraphData(workflow);
  const graph = app.graph, links = graph.links instanceof Map ? [...graph.links.values()] : Object.values(graph.links);
  const prompt = await app.graphToPrompt();
  return {
    nodes: graph.nodes.map(node => ({type: node.type, errors: !!node.has_errors,
      boxes: Object.fromEntries((node.widgets || []).map(widget => [widget.name, widget.value])),
      known: !!window.LiteGraph.registered_node_types[node.type]})),
    links: links.filter(Boolean).map(link => [Number(link.id), Number(link.origin_id),
      link.origin_slot, Number(link.target_id), link.target_slot, link.type]),
    prompt: prompt.output,
  };
}"""
OPEN_API = """async (prompt) => {
  const app = window.comfyAPI.app.app;
  await app.loadApiJson(prompt, "test");
  const again = await app.graphToPrompt();
  return {types: app.graph.nodes.map(node => node.type), prompt: again.output};
}"""


class _Server(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, answers: dict[str, Any], **options: Any) -> None:
        self.answers = answers
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: Any) -> None:
        """Quietly."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith(("/api/", "/ws")):
            self._answer(self.answers.get(path), 200 if path in self.answers else 404)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer({}, 200)

    def _answer(self, data: Any, code: int) -> None:
        body = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def comfyui_page(nodes: list[str], choices: dict[tuple[str, str], list[str]]) -> Iterator[Any]:
    """A browser's page that shows ComfyUI's, which knows these types of nodes and what can be chosen in them."""
    static = part("comfyui_frontend_package") / "static"
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")
    if not CHROMIUM:
        pytest.skip("no Chromium on this computer; install Debian's package chromium to run the browser tests")
    answers = PLAIN | {"/api/object_info": {node: object_info(node, choices) for node in nodes}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, answers=answers, directory=static))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.route("**/*", lambda route: route.continue_() if "127.0.0.1" in route.request.url else route.abort())
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            page.wait_for_function(
                "() => window.comfyAPI?.app?.app?.graph && window.LiteGraph?.registered_node_types?.SaveVideo", timeout=120_000
            )
            yield page
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
