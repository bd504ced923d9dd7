"""What the browser tests share: a studio started as a person starts it, a browser, and the ways of looking into a window."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.data.dataset import set_caption
from studio.data.importer import import_media
from studio.project_facts import Permission
from studio.tiny.demo_project import was_made
from studio.workspace import Workspace, slugify

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if not CHROMIUM:
    pytest.skip("no Chromium on this computer; install Debian's package chromium to run the browser tests", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")

ROOT = Path(__file__).resolve().parent.parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Patience costs nothing where things go well, and two cores may be shared with others.
JOB_MS = 600_000  # a job
LOOK_MS = 90_000  # what the page itself does
playwright.expect.set_options(timeout=LOOK_MS)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_studio(home, port):
    command = [sys.executable, "app.py", "--port", str(port), "--no-browser", "--home", str(home)]
    with open(home / "studio.log", "ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "2"}
        )
    try:
        wait_for_port(port, process, home / "studio.log")
        wait_for_demo(Workspace(home), process)
    except BaseException:
        stop_studio(process)
        raise
    return process


def stop_studio(process):
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()


def wait_for_port(port, process, log):
    """However long that takes on a busy machine: a studio that can't start ends by itself."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        time.sleep(0.1)


def wait_for_demo(workspace, process):
    """Until every picture of the Demo has come: what a test calls the last picture must not change under it."""
    while not was_made(workspace):
        assert process.poll() is None
        time.sleep(0.1)


@contextlib.contextmanager
def running_studio(home, *, with_demo=False):
    """(address, workspace) of a studio; without the Demo, whose drawing takes seconds, where a test makes its own persons."""
    home.mkdir(exist_ok=True)
    workspace, port = Workspace(home), free_port()
    if not with_demo:
        workspace.update(demo_created=True)
    process = start_studio(home, port)
    try:
        yield f"http://127.0.0.1:{port}", workspace
    finally:
        stop_jobs(workspace)
        stop_studio(process)


@dataclass(frozen=True)
class Shared:
    """The studio that all browser tests use that make their own persons. opened: what the desktop's program for folders was given."""

    address: str
    workspace: Workspace
    opened: Path


@contextlib.contextmanager
def shared_studio(folder):
    program, opened = folder / "bin/xdg-open", folder / "opened.txt"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n', encoding="utf-8")
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        with running_studio(folder / "home of all") as (address, workspace):
            yield Shared(address, workspace, opened)


@contextlib.contextmanager
def as_found(workspace):
    """What a test makes in the shared studio's workspace is gone after it."""
    before = {project.slug for project in workspace.list_projects()}
    try:
        yield
    finally:
        stop_jobs(workspace)
        for project in [project for project in workspace.list_projects() if project.slug not in before]:
            remove(project.root)
        remove(workspace.models_dir)
        workspace.update(comfyui="")


def remove(folder):
    """Also where a job that was told to stop still writes."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def stop_jobs(workspace):
    from studio.jobs import launcher, state

    for job in state.list_jobs(workspace):
        launcher.cancel(job.run_dir)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def window(browser, address, width, height, **options):
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(LOOK_MS)
    opened, complaints = context.new_page(), []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: complaints.append(f"outside: {request.url}") if is_foreign(request.url, address) else None)
    opened.on("response", lambda answer: complaints.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    try:
        opened.goto(address)
        opened.wait_for_selector("#next-dataset .next-step")
        yield opened
    finally:
        context.close()  # a page that failed must not go on playing
    assert not complaints


def is_foreign(url, address):
    return not url.startswith((address, "data:", "blob:"))


def open_tab(page, name):
    page.click(f"#tab-{name}-button")
    page.wait_for_selector(f"#next-{name} .next-step", state="visible")


def expect(locator):
    return playwright.expect(locator)


def wait_until(page, is_so):
    """For what the studio does and no page shows."""
    for _ in range(LOOK_MS // 200):
        if is_so():
            return
        page.wait_for_timeout(200)
    raise AssertionError("it did not happen")


def make_person(workspace, name, *photos):
    project = workspace.create_project(name, trigger="ohwx", base_model="tiny", permission=Permission(granted=True))
    import_media(project, [ROOT / "tests" / "media" / photo for photo in photos])
    set_caption(project, "0001", f"ohwx, {name} by a window")
    return project


def choose_project(page, name):
    begin_to_choose(page, name)
    wait_for_project(page, name)


def begin_to_choose(page, name):
    """Without waiting for that person's page."""
    page.locator("#project input").click()
    page.get_by_role("option", name=name, exact=True).click()


def wait_for_project(page, name):
    """Until the whole page is of the person of that name."""
    page.wait_for_function(
        "slug => JSON.parse(document.querySelector('#studio-shows [data-shown], #studio-shows[data-shown]').dataset.shown).project === slug",
        arg=slugify(name),
    )


def caption_on_disk(project, name):
    return (project.dataset_dir / f"{name}.txt").read_text(encoding="utf-8").strip()
