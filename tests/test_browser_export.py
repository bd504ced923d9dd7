"""The export in a real browser: a person chooses a program, presses Export, reads what will come of it and opens the folder."""

import os
import sys

import pytest
from export_kit import make_pair
from training_kit import add_photo

pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")
if not __import__("shutil").which("chromium"):
    pytest.skip("no Chromium on this computer; install Debian's package chromium to run the browser tests", allow_module_level=True)

from test_browser import JOB_MS, browser, expect, free_port, open_tab, start_studio, stop_studio, window  # noqa: F401 (browser is a fixture)

from studio.project_facts import Permission
from studio.workspace import Workspace


@pytest.fixture
def anna(tmp_path, monkeypatch):
    """(address, project, what the desktop's program for folders was given) of a studio with one pair."""
    program = tmp_path / "bin/xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/opened.txt"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    home, port = tmp_path / "home", free_port()
    project = Workspace(home).create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    for number in range(1, 4):
        add_photo(project, number)
    make_pair(project)
    process = start_studio(home, port)
    try:
        yield f"http://127.0.0.1:{port}", project, tmp_path / "opened.txt"
    finally:
        stop_studio(process)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stand-in is a program of Linux desktops")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_exports_for_another_trainer_and_opens_the_folder(browser, anna, width):  # noqa: F811
    address, project, opened = anna
    with window(browser, address, width, 860) as page:
        open_tab(page, "evaluate")
        page.locator("#export > button").click()
        page.get_by_label("Musubi-tuner").check()
        expect(page.locator("#export-about")).to_contain_text("your photos, clips and captions")
        page.click("#start-export")
        expect(page.locator("#exported")).to_contain_text("musubi-tuner trains on 3 of 3 items", timeout=JOB_MS)
        page.get_by_text("Settings that it does not get").click()
        expect(page.locator("#exported table")).to_contain_text("only the studio does that")
        page.click("#open-export")
        expect(page.locator("#studio-notice")).to_contain_text("is opened")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        [folder] = project.exports_dir.iterdir()
        page.wait_for_timeout(500)
        assert opened.read_text(encoding="utf-8").splitlines()[-1] == str(folder)
        assert (folder / "start.sh").is_file()
