"""A window opens whatever a person's environment says to other programs; a download goes by it, or says in words why it can't."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from hub_kit import MODEL, FakeHub, make_repository

from studio.jobs import launcher, state
from studio.jobs.kinds.download import DownloadJob
from studio.surroundings import as_found, put_aside
from studio.ui import instance

ROOT = Path(__file__).resolve().parent.parent
OTHER_PROGRAMS = {  # what shells, desktops and other gradio applications leave in an environment
    "GRADIO_SERVER_PORT": "abc",
    "GRADIO_NUM_PORTS": "many",
    "GRADIO_NODE_SERVER_PORT": "abc",
    "GRADIO_NODE_NUM_PORTS": "abc",
    "GRADIO_NODE_PATH": "/no/such/node",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_ROOT_PATH": "/elsewhere",
    "GRADIO_SHARE": "True",
    "GRADIO_SSR_MODE": "True",
    "GRADIO_MCP_SERVER": "True",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_TEMP_DIR": "/no/such/folder",
    "GRADIO_DEFAULT_CONCURRENCY_LIMIT": "abc",
    "GRADIO_HEARTBEAT_INTERVAL": "abc",
    "GRADIO_ANALYTICS_ENABLED": "True",
    "UVICORN_WORKERS": "abc",
    "WEB_CONCURRENCY": "abc",
    "FORWARDED_ALLOW_IPS": "*",
    "REQUESTS_CA_BUNDLE": "/no/such/file.pem",
    "CURL_CA_BUNDLE": "/no/such/file.pem",
}
NETWORK = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")


@pytest.fixture
def start(workspace):
    """Start the window as a person does, with more in its environment; its address, once the page is there."""
    running = []

    def start_with(**variables):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, ROOT / "app.py", "--no-browser", "--port", str(port), "--home", str(workspace.home)]
        log = workspace.home / "studio.log"
        workspace.home.mkdir(exist_ok=True)
        with open(log, "ab") as output:
            running.append(subprocess.Popen(command, env=clean_environment() | variables, stdout=output, stderr=output))
        return open_page(f"http://127.0.0.1:{port}", running[-1], log)

    yield start_with
    for process in running:
        process.terminate()
        process.wait(30)
    for job in [*state.list_jobs(workspace), *state.list_jobs(workspace.downloads)]:
        launcher.cancel(job.run_dir)


def clean_environment():
    return {
        name: value
        for name, value in os.environ.items()
        if name.casefold() not in NETWORK and not name.startswith(("GRADIO_", "HF_", "TRANSFORMERS_OFFLINE", "STUDIO_"))
    }


def open_page(address, process, log):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        try:
            return opener.open(address, timeout=60).read().decode()
        except OSError:
            time.sleep(0.1)


def queue_download(workspace):
    """A download that waits for a worker: the next window starts one, as after a closed studio."""
    run = launcher.enqueue(workspace.download_jobs(MODEL), DownloadJob(model=MODEL))

    def wait_for_end():
        while not (job := state.read_status(run)).is_over:
            time.sleep(0.1)
        return job

    return wait_for_end


def test_beside_a_desktop_s_proxies_the_window_opens_and_a_download_takes_the_one_for_http(workspace, start):
    """As GNOME writes them: the one for all else is a SOCKS proxy under a name that no library knows."""
    end_of_download = queue_download(workspace)
    with FakeHub(make_repository()) as proxy:
        proxies = dict(
            http_proxy=proxy.endpoint, https_proxy=proxy.endpoint, all_proxy="socks://127.0.0.1:9", ALL_PROXY="socks://127.0.0.1:9"
        )
        page = start(**proxies, HF_ENDPOINT="http://hub.example", no_proxy="localhost,127.0.0.0/8,::1", **OTHER_PROGRAMS)
        job = end_of_download()
    assert "Likeness Studio" in page and '"analytics_enabled":false' in page and "/elsewhere" not in page
    assert job.state == "done", job.error
    assert proxy.requests and all(request.path.startswith("http://hub.example/") for request in proxy.requests)


def test_beside_settings_that_nothing_can_use_the_window_opens_and_a_download_says_which_it_is(workspace, start):
    end_of_download = queue_download(workspace)
    broken = dict(SSL_CERT_DIR="/no/such/folder", SSLKEYLOGFILE="/no/such/folder/keys", HTTP_PROXY="http://no port:abc")
    page = start(ALL_PROXY="socks5://me:secret@127.0.0.1:9", SSL_CERT_FILE="/no/such/file.pem", **broken)
    assert "Likeness Studio" in page
    job = end_of_download()
    assert job.state == "failed" and "SSL_CERT_FILE names a file of certificates that is not there" in job.error.message


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ALL_PROXY": "socks5://me:secret@127.0.0.1:9"}, "ALL_PROXY names a SOCKS proxy"),
        ({"all_proxy": "socks://127.0.0.1:9"}, "all_proxy names a SOCKS proxy"),
        ({"ALL_PROXY": "SOCKS4://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}, "ALL_PROXY names a SOCKS proxy"),  # not for https, too
        ({"https_proxy": "gopher://me:secret@127.0.0.1:9"}, "https_proxy holds no address"),
        ({"HTTP_PROXY": "http://127.0.0.1:secret"}, "HTTP_PROXY holds no address"),
        ({"SSL_CERT_DIR": "/no/such/folder"}, "SSL_CERT_DIR names a folder of certificates that is not there"),
        ({"SSL_CERT_FILE": str(ROOT / "README.md")}, "SSL_CERT_FILE can't be used"),
    ],
)
def test_a_download_names_the_setting_that_it_can_not_use_and_repeats_no_password(workspace, variables, words):
    command = [sys.executable, "-m", "studio", "download", MODEL, "--yes", "--json"]
    environment = clean_environment() | {"STUDIO_HOME": str(workspace.home), "HF_ENDPOINT": "http://127.0.0.1:9"} | variables
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and words in json.loads(done.stdout)["error"]["message"], (done.stdout, done.stderr)
    assert "secret" not in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_what_the_window_starts_has_the_person_s_environment_again(monkeypatch):
    person = {"ALL_PROXY": "socks5://a", "https_proxy": "http://b", "No_Proxy": "c", "SSL_CERT_FILE": "/d", "HOME": "/e"} | OTHER_PROGRAMS
    window = dict(person)
    put_aside(window)
    assert not {name.casefold() for name in window} & (set(NETWORK) - {"no_proxy"}) and window["NO_PROXY"] == "*"
    assert [name for name in window if name.startswith(("GRADIO_", "UVICORN_", "WEB_"))] == ["GRADIO_ANALYTICS_ENABLED"]
    window["GRADIO_TEMP_DIR"] = "/the window's own"
    put_aside(window)  # a second time changes nothing
    assert as_found(window) == person == as_found(person)
    monkeypatch.setattr(os, "environ", window)
    assert launcher.worker_environment().items() >= person.items()


@pytest.mark.skipif(os.name == "nt", reason="Windows opens its browser without a command")
def test_the_browser_that_the_window_opens_has_the_person_s_proxy(monkeypatch, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1 $ALL_PROXY $NO_PROXY." > "{tmp_path}/opened"\n', encoding="utf-8")
    browser.chmod(0o755)
    window = clean_environment() | {"BROWSER": str(browser), "DISPLAY": ":99", "ALL_PROXY": "socks5://127.0.0.1:9"}
    put_aside(window)
    monkeypatch.setattr(os, "environ", window)
    instance.open_in_browser("http://127.0.0.1:7860")
    assert (tmp_path / "opened").read_text(encoding="utf-8") == "http://127.0.0.1:7860 socks5://127.0.0.1:9 .\n"
