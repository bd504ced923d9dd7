"""Which addresses the studio answers at all, to whom, and that it fetches nothing for anybody."""

import contextlib
import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import uvicorn
from starlette.testclient import TestClient

from studio.ui.app import make_app
from studio.workspace import Workspace

NOTHING_HERE, NOT_YOU = "The studio has nothing at this address.", "Another website may not change or read anything here."
PAGE_USES = {  # recorded from a browser that walks through the whole page; whatever else gradio can do is shut
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/favicon.ico"),
    ("GET", "/theme.css"),
    ("GET", "/assets/{path:path}"),
    ("GET", "/static/{path:path}"),
    ("GET", "/look/studio.css"),
    ("GET", "/look/alive"),
    ("GET", "/look/news"),
    ("GET", "/look/icon.svg"),
    ("GET", "/media/{slug}/thumbnails/{item_id}"),
    ("GET", "/media/{slug}/faces/{item_id}"),
    ("GET", "/media/{slug}/previews/{item_id}"),
    ("GET", "/media/{slug}/trained/{item_id}"),
    ("GET", "/media/{slug}/sweeps/{sweep}/cells/{name}"),
    ("GET", "/media/{slug}/sweeps/{sweep}/comparisons/{name}"),
    ("GET", "/media/{slug}/sweeps/{sweep}/report.html"),
    ("GET", "/gradio_api/heartbeat/{session_hash}"),
    ("GET", "/gradio_api/upload_progress"),
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/run/{api_name}"),
    ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/component_server/"),
}
EXAMPLES = {"/assets/{path:path}": "/assets/index-abc_1.js", "/static/{path:path}": "/static/js/iframeResizer.contentWindow.min.js"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return make_app(Workspace(tmp_path_factory.mktemp("doors")))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, base_url="http://127.0.0.1:7860") as web:
        yield web


@pytest.fixture(scope="module")
def port(app):
    """The studio behind a real web server: what a client library tidies up in an address arrives there as it was sent."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def elsewhere():
    """(port, requests) of another server, which stands for any host of the internet."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"fetched")

        do_HEAD = do_POST = do_GET

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1], asked
    server.shutdown()
    server.server_close()


def ask(port, method, address, **headers):
    """(status, text) for an address that is sent letter by letter."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, address, headers=headers)
        answer = connection.getresponse()
        return answer.status, "" if answer.status == 200 else answer.read().decode(errors="replace")


def all_routes(routes, below=""):
    """(method, path) of every route of an application and of what is mounted in it."""
    for route in routes:
        inner = getattr(getattr(route, "original_router", route), "routes", None)
        if inner:
            yield from all_routes(inner, below + getattr(route, "path", ""))
        for method in getattr(route, "methods", None) or ():
            yield method, below + route.path


def example(path):
    return EXAMPLES.get(path) or re.sub(r"\{(?P<name>[^}]*)\}", "predict", path)


def test_every_route_that_the_page_does_not_use_is_shut(app, client):
    routes = set(all_routes(app.routes))
    assert routes >= PAGE_USES and ("GET", "/gradio_api/file={path_or_url:path}") in routes and len(routes) > 80
    for method, path in sorted(routes - PAGE_USES):
        answer = client.request(method, example(path))
        assert (answer.status_code, method == "HEAD" or answer.text) == (404, method == "HEAD" or NOTHING_HERE), (method, path)


def test_every_route_that_the_page_uses_is_open(port):
    for method, path in sorted(PAGE_USES):
        status, text = ask(port, method, example(path))
        assert text not in (NOTHING_HERE, NOT_YOU), (method, path)
        assert status < 500, (method, path)


def test_other_methods_are_shut_everywhere(port):
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"):
        assert ask(port, method, "/gradio_api/upload") == (404, NOTHING_HERE)


FETCHES = (
    "/gradio_api/file={url}",
    "/gradio_api/file/{url}",
    "/gradio_api/proxy={url}",
    "/gradio_api//file={url}",
    "//gradio_api/file={url}",
    "/./gradio_api/file={url}",
    "/x/../gradio_api/file={url}",
    "/assets/../gradio_api/file={url}",
    "/media/../gradio_api/file={url}",
    "/media/%2e%2e/gradio_api/file={url}",
    "/gradio_api%2ffile={url}",
    "/gradio_api/file%3d{url}",
    "/%67radio_api/file={url}",
    "/GRADIO_API/file={url}",
    "/gradio_api/file={url}/",
    "/gradio_api/file={url}?__theme=dark",
    "http://127.0.0.1/gradio_api/file={url}",
    "/?__theme=dark&url={url}",
    "/file={url}",
    "/proxy={url}",
    "/gradio_api/stream/a/1/2/playlist-file?url={url}",
    "/gradio_api/custom_component/{url}/client/component/index.js",
    "/gradio_api/deep_link?url={url}",
)


def spellings(url):
    yield url
    yield url.replace("http:", "HTTP:")
    yield url.replace("://", "%3a%2f%2f")
    yield url.replace("://", "%253a%252f%252f")
    yield url.replace("http", "%68ttp")
    yield url.replace("://", ":/")
    yield url.replace("://", ":\\\\").replace("\\", "%5c")


@pytest.mark.parametrize("address", FETCHES)
def test_the_studio_fetches_no_address_for_anybody(port, elsewhere, address):
    there, asked = elsewhere
    for host in (f"127.0.0.1:{there}", "93.184.215.14", "photos.example.com"):
        for url in spellings(f"http://{host}/secret.jpg"):
            for method in ("GET", "HEAD"):
                status, text = ask(port, method, address.format(url=url))
                if address.startswith("/?"):
                    assert status == 200  # the page itself, whatever stands behind the question mark
                else:
                    assert (status, text) == (404, "" if method == "HEAD" else NOTHING_HERE), (method, address, url)
    assert asked == []


def test_no_file_of_this_computer_is_served_by_gradio(port, tmp_path):
    sent = tmp_path / "photo.jpg"
    sent.write_bytes(b"private")
    for address in (f"/gradio_api/file={sent}", f"/gradio_api/file/{sent}", f"/assets/..%2f..%2f{sent}", f"/static/fonts/..%2f..{sent}"):
        assert ask(port, "GET", address)[0] == 404


LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
EMBEDDED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FOREIGN = (
    EMBEDDED,
    EMBEDDED | {"Sec-Fetch-Site": "same-site"},  # another program's page on this computer
    LINK,
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Referer": "https://evil.example/page"},
)


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_reads_nothing(port, headers):
    for address in ("/media/anna/thumbnails/0001", "/look/alive", "/theme.css", "/gradio_api/heartbeat/abc", "/gradio_api/upload_progress"):
        assert ask(port, "GET", address, **headers) == (403, NOT_YOU), address


def test_a_link_on_another_site_opens_the_page_and_a_frame_or_a_script_does_not(port):
    assert ask(port, "GET", "/", **LINK)[0] == 200
    assert ask(port, "GET", "/", Referer="https://friend.example/")[0] == 200  # an old browser
    for headers in (EMBEDDED, LINK | {"Sec-Fetch-Dest": "iframe"}, LINK | {"Origin": "https://evil.example"}):
        assert ask(port, "GET", "/", **headers) == (403, NOT_YOU)


def test_our_own_page_is_nobody_s_other_site(port):
    own = f"http://127.0.0.1:{port}"
    for headers in (
        {"Origin": own},
        {"Referer": f"{own}/"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": ""},
    ):
        assert ask(port, "GET", "/look/alive", **headers)[0] == 200
