"""The export in a real browser: a person chooses a program, presses Export, reads what will come of it and opens the folder."""
# ruff: noqa: F401, F811 (browser is a fixture)

import sys

import pytest
from browser_kit import JOB_MS, browser, choose_project, expect, open_tab, wait_until, window
from export_kit import make_pair
from training_kit import add_photo

from studio.project_facts import Permission


@pytest.fixture
def anna(shared):
    """A person with one pair."""
    project = shared.workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    for number in range(1, 4):
        add_photo(project, number)
    make_pair(project)
    return project


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stand-in is a program of Linux desktops")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_exports_for_another_trainer_and_opens_the_folder(browser, shared, anna, width):
    with window(browser, shared.address, width, 860) as page:
        choose_project(page, "Anna")
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
        [folder] = anna.exports_dir.iterdir()
        wait_until(page, lambda: shared.opened.exists() and str(folder) in shared.opened.read_text(encoding="utf-8").splitlines())
        assert (folder / "start.sh").is_file()
