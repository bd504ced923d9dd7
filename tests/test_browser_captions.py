"""Captions as a list, in a real browser: sixty photos with the keyboard alone, nothing typed is lost, many edited at once and undone."""

import contextlib
import json
import re

import pytest
import test_browser as browser
from PIL import Image, ImageDraw
from test_browser import choose_project, expect, free_port, make_person, start_studio, stop_jobs, stop_studio, window

from studio.data import dataset
from studio.workspace import Workspace

engine = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")
NUM_PHOTOS = 60
MOST_KEYS = 3  # beside the typing
PLACES = ("street", "park", "beach", "office", "stage", "kitchen", "forest", "station", "library", "garden")


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    home, port = tmp_path_factory.mktemp("captions é"), free_port()
    make_person(Workspace(home), "Kim", "person_a_1.jpg")
    process = start_studio(home, port)
    try:
        with engine.sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=browser.CHROMIUM, args=browser.FLAGS)
            yield chromium, f"http://127.0.0.1:{port}", Workspace(home)
            chromium.close()
    finally:
        stop_jobs(Workspace(home))
        stop_studio(process)


def fill(workspace, name, captions):
    """A person with a drawn photo for each caption; "" for none."""
    project = make_person(workspace, name, "person_a_1.jpg")
    for path in project.dataset_dir.iterdir():
        path.unlink()
    for number, caption in enumerate(captions, 1):
        picture = Image.new("RGB", (96, 128), (37 * number % 256, 91 * number % 256, 53 * number % 256))
        ImageDraw.Draw(picture).text((20, 50), str(number), fill="white")
        picture.save(project.dataset_dir / f"p{number:03d}.png")
        if caption:
            (project.dataset_dir / f"p{number:03d}.txt").write_bytes(caption.encode() + b"\r\n")
    assert len(dataset.list_items(project)) == len(captions)
    return project


@contextlib.contextmanager
def open_captions(studio, name, width=1280, height=800, count=None):
    """A window that shows the captions of a person."""
    chromium, address, _ = studio
    with window(chromium, address, width, height) as page:
        choose_project(page, name)
        if count:
            expect(page.locator("#studio-grid [data-show=all]")).to_have_text(f"All {count}")
        page.locator(".caption-switch button", has_text="Captions").click()
        expect(page.locator(".caption-row").first).to_be_visible()
        yield page


def box(page, item):
    return page.locator(f".caption-row[data-id='{item}'] textarea")


def captions_of(project):
    return {item.id: item.caption for item in dataset.list_items(project)}


def wait_until(page, project, wanted):
    """Until the files say so; the page saves behind the typing."""
    for _ in range(300):
        if wanted(captions_of(project)):
            return
        page.wait_for_timeout(200)
    raise AssertionError(captions_of(project))


class Keyboard:
    """A person's keyboard, which counts what is pressed beside the typing."""

    def __init__(self, page):
        self.keyboard, self.pressed = page.keyboard, []

    def type(self, text):
        self.keyboard.insert_text(text)

    def press(self, key):
        self.keyboard.press(key)
        self.pressed += key.split("+")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_sixty_photos_are_captioned_with_the_keyboard_alone(studio, width, height):
    project = fill(studio[2], f"Keys {width}", [""] * NUM_PHOTOS)
    with open_captions(studio, f"Keys {width}", width, height, NUM_PHOTOS) as page:
        page.locator(".caption-switch button[aria-pressed=true]").focus()
        for _ in range(30):  # Tab alone leads into the list
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.caption-row textarea')"):
                break
        keyboard = Keyboard(page)
        for number in range(1, NUM_PHOTOS + 1):
            focused = page.locator(".caption-row textarea:focus")
            expect(page.locator(f".caption-row[data-id='p{number:03d}'] textarea")).to_be_focused()
            assert focused.input_value() == "ohwx, "  # the trigger stands there already
            keyboard.type(f"wearing a coat, in the {PLACES[number % 10]}, number {number}")
            keyboard.press("Control+Enter")
        assert len(keyboard.pressed) <= MOST_KEYS * NUM_PHOTOS
        assert len(keyboard.pressed) == 2 * NUM_PHOTOS
        expect(page.locator(".caption-told")).to_contain_text("last caption")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wait_until(page, project, lambda saved: all(saved.values()))
        expect(page.locator(".caption-head [data-show='no-caption']")).to_have_count(0)
    wanted = {f"p{n:03d}": f"ohwx, wearing a coat, in the {PLACES[n % 10]}, number {n}" for n in range(1, NUM_PHOTOS + 1)}
    assert captions_of(project) == wanted


def test_arrows_and_letters_go_through_the_list_keep_and_leave_out(studio):
    project = fill(studio[2], "Arrows", [f"ohwx, in the {place}" for place in PLACES[:4]])
    with open_captions(studio, "Arrows", count=4) as page:
        box(page, "p001").focus()
        page.keyboard.press("ArrowDown")
        expect(box(page, "p002")).to_be_focused()
        page.keyboard.press("Alt+x")
        expect(page.locator(".caption-row[data-id=p002].is-out")).to_be_visible()
        page.keyboard.press("Tab")
        expect(box(page, "p003")).to_be_focused()
        page.keyboard.press("Escape")
        page.keyboard.press("x")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        expect(box(page, "p002")).to_be_focused()
        expect(page.locator(".caption-row.is-out")).to_have_count(1)
        for _ in range(150):
            if [item.keep for item in dataset.list_items(project)] == [True, True, False, True]:
                break
            page.wait_for_timeout(200)
        assert [item.keep for item in dataset.list_items(project)] == [True, True, False, True]
        page.wait_for_timeout(4000)  # the page reads anew meanwhile
        expect(box(page, "p002")).to_be_focused()


def test_what_is_typed_survives_a_poll_a_second_window_and_a_reload(studio):
    project = fill(studio[2], "Drafts", [f"ohwx, in the {place}" for place in PLACES[:3]])
    with open_captions(studio, "Drafts", count=3) as page:
        box(page, "p001").focus()
        page.keyboard.press("End")
        page.keyboard.insert_text(", smiling")
        dataset.set_caption(project, "p002", "ohwx, from another window")
        expect(box(page, "p002")).to_have_value("ohwx, from another window")
        expect(box(page, "p001")).to_be_focused()
        expect(box(page, "p001")).to_have_value("ohwx, in the street, smiling")
        dataset.set_caption(project, "p001", "ohwx, theirs")  # the very one that is being typed
        expect(page.locator(".caption-conflict")).to_contain_text("Now it is: ohwx, theirs")
        expect(box(page, "p001")).to_have_value("ohwx, in the street, smiling")
        box(page, "p003").focus()
        assert captions_of(project)["p001"] == "ohwx, theirs"
        page.reload()
        page.wait_for_selector(".caption-switch button")
        page.locator(".caption-switch button", has_text="Captions").click()
        expect(box(page, "p001")).to_have_value("ohwx, in the street, smiling")
        page.get_by_role("button", name="Save mine").click()
        wait_until(page, project, lambda saved: saved["p001"] == "ohwx, in the street, smiling")
        expect(page.locator(".caption-conflict")).to_have_count(0)


def test_a_caption_typed_when_the_page_goes_away_is_saved_when_it_is_back(studio):
    project = fill(studio[2], "Reload", ["ohwx, in the park", ""])
    with open_captions(studio, "Reload", count=2) as page:
        box(page, "p002").focus()
        page.keyboard.insert_text("half a word")
        page.reload()
        page.wait_for_selector(".caption-switch button")
        page.locator(".caption-switch button", has_text="Captions").click()
        wait_until(page, project, lambda saved: saved["p002"] == "ohwx, half a word")
        expect(box(page, "p002")).to_have_value("ohwx, half a word")


def test_many_captions_are_edited_after_a_look_and_undone_to_the_same_bytes(studio):
    project = fill(studio[2], "Many", [f"ohwx, wearing a red coat, in the {PLACES[n % 10]}, {n}" for n in range(100)])
    before = {path.name: path.read_bytes() for path in project.dataset_dir.glob("*.txt")}
    with open_captions(studio, "Many", count=100) as page:
        page.locator("#bulk-edit summary").click()
        page.locator("#bulk-find").fill("red coat")
        page.locator("#bulk-text").fill("blue hat")
        expect(page.locator(".bulk-title")).to_contain_text("100 captions of 100 would change")
        expect(page.locator(".bulk-changes li").first.locator("del")).to_have_text("red coat")
        expect(page.locator(".bulk-changes li").first.locator("ins")).to_have_text("blue hat")
        page.click("#bulk-apply")
        expect(page.locator("#studio-notice")).to_contain_text("Changed 100 captions")
        expect(box(page, "p001")).to_have_value(re.compile("blue hat"))
        expect(page.locator(".caption-undo")).to_contain_text("Replacement in 100 captions")
        page.click(".caption-undo")
        expect(box(page, "p001")).to_have_value(re.compile("red coat"))
    assert {path.name: path.read_bytes() for path in project.dataset_dir.glob("*.txt")} == before


def test_a_finding_leads_to_its_captions_with_the_edit_filled_in(studio):
    captions = [f"ohwx, wearing a red coat, in the {place}" for place in PLACES] + ["ohwx, ohwx_woman in a hat"]
    project = fill(studio[2], "Finding", captions)
    with open_captions(studio, "Finding", count=11) as page:
        page.locator(".findings summary").click()
        finding = page.locator(".findings li", has_text="ohwx_woman")
        finding.get_by_role("button", name="Edit these captions").click()
        expect(page.locator(".caption-row")).to_have_count(1)
        expect(page.locator("#bulk-find")).to_have_value("ohwx_woman")
        expect(page.locator("#bulk-text")).to_have_value("ohwx woman")
        expect(page.locator("#bulk-find")).to_be_focused()
        page.click("#bulk-apply")
        wait_until(page, project, lambda saved: saved["p011"] == "ohwx, ohwx woman in a hat")
        expect(page.locator(".findings li", has_text="ohwx_woman")).to_have_count(0)
        expect(page.locator(".caption-row")).to_have_count(1)  # what was mended stays in sight
        page.locator(".findings li", has_text="wearing a red coat").get_by_role("button", name="Show them").click()
        expect(page.locator(".caption-row")).to_have_count(10)


def test_a_list_of_two_thousand_shows_a_page_at_a_time(studio):
    fill(studio[2], "Thousands", [f"ohwx, in the {PLACES[n % 10]}, {n}" for n in range(2000)])
    with open_captions(studio, "Thousands", count=2000) as page:
        rows = page.locator(".caption-row")
        expect(rows).to_have_count(30)
        box(page, "p030").focus()
        page.keyboard.press("ArrowDown")
        expect(box(page, "p031")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(box(page, "p030")).to_be_focused()
        sent = page.evaluate("JSON.stringify(document.querySelectorAll('.caption-row').length)")
        assert json.loads(sent) == 30
