"""Real photos in a real browser: checked by the eye for faces, then looked through with the mouse, on a phone, and with the keyboard alone."""

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")
if not __import__("shutil").which("chromium"):
    pytest.skip("no Chromium on this computer; install Debian's package chromium to run the browser tests", allow_module_level=True)

from test_browser import JOB_MS, ROOT, browser, choose_project, expect, free_port, start_studio, stop_studio, window  # noqa: F401 (browser is a fixture)

from studio.data import dataset
from studio.data.importer import import_media
from studio.project_facts import Permission
from studio.workspace import Workspace

OWN = sorted((ROOT / "tests" / "media").glob("*_[12].jpg")) + [ROOT / "tests" / "media" / "astronaut.png"]
FACES = ROOT.parent / "shared" / "faces"  # raw photos of two people; not part of the program


def many_faces() -> list[Path]:
    """Twenty photos of one person and four of another, where they are there."""
    return [*sorted((FACES / "person_1").glob("*"))[:20], *sorted((FACES / "person_2").glob("*"))[:4]]


@pytest.fixture(scope="module", params=["own", "many"])
def checked(request, browser, tmp_path_factory):  # noqa: F811
    """(address, project) of a studio whose photos were checked by a press of the button."""
    photos = OWN if request.param == "own" else many_faces()
    if len(photos) < 7:
        pytest.skip("the folder of raw photos of people is not beside the program")
    home, port = tmp_path_factory.mktemp("board"), free_port()
    project = Workspace(home).create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    import_media(project, photos)
    process = start_studio(home, port)
    try:
        with window(browser, f"http://127.0.0.1:{port}", 1280, 800) as page:
            choose_anna(page)
            expect(page.locator(".board-unmeasured")).to_contain_text("not measured yet")
            page.click("#check-photos")
            expect(page.locator(".coverage .board")).to_have_count(1, timeout=JOB_MS)
            expect(page.locator("#last-job")).to_contain_text("The photos are checked", timeout=JOB_MS)
        yield f"http://127.0.0.1:{port}", project
    finally:
        stop_studio(process)


def choose_anna(page):
    choose_project(page, "Anna")
    page.wait_for_selector(".thumb[data-id='0001']")


def bottom_of(page, selector):
    box = page.locator(selector).bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize("width, height, dark", [(1280, 800, False), (390, 844, True)])
def test_the_board_leads_to_its_photos_and_says_what_to_photograph(browser, checked, width, height, dark):  # noqa: F811
    address, _ = checked
    with window(browser, address, width, height, color_scheme="dark" if dark else "light") as page:
        choose_anna(page)
        expect(page.locator(".readiness")).to_contain_text(re.compile("Ready|Good|Usable|Weak"))
        page.locator(".coverage .board > summary").click()
        cell = page.locator(".cell.is-filled").first
        count = int(cell.inner_text())
        cell.click()
        expect(page.locator(".cell.is-filled[aria-pressed=true]")).to_have_count(1)
        expect(page.locator(".thumb")).to_have_count(count)
        page.locator(".cell.is-filled[aria-pressed=true]").click()  # pressed again, all are back
        expect(page.locator(".filters button[data-show=all]")).to_have_attribute("aria-pressed", "true")
        page.locator(".cell.is-empty").first.click()
        expect(page.locator(".asked")).to_contain_text("To photograph:")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_caption_and_buttons_are_in_sight_and_follow_the_grid(browser, checked):  # noqa: F811
    address, _ = checked
    with window(browser, address, 1280, 800) as page:
        choose_anna(page)
        for number in range(1, 4):
            page.locator(f".thumb[data-id='{number:04d}']").click()
            expect(page.locator(".viewer .facts b")).to_have_text(f"{number:04d}")
            page.wait_for_function("document.querySelector('.stage img').complete")
            page.evaluate("window.scrollTo(0, 0)")
            for selector in ("#keep-item", "#caption-text", "#save-caption", "#save-next"):
                assert bottom_of(page, selector) <= 800, selector
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        for selector in (".stage", "#keep-item", "#save-next"):
            box = page.locator(selector).bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 800, selector


def test_a_fold_that_is_longer_than_the_window_can_be_reached(browser, checked):  # noqa: F811
    address, _ = checked
    with window(browser, address, 1280, 800) as page:
        choose_anna(page)
        page.locator("#fold-measured > summary").click()
        page.locator("#fold-changes > summary").click()
        mirror = page.locator("[data-how=mirror]")
        mirror.scroll_into_view_if_needed()
        assert mirror.bounding_box()["y"] + mirror.bounding_box()["height"] <= 800
        expect(page.locator(".measured dl")).to_contain_text("Face")


def test_the_keyboard_alone_keeps_leaves_out_undoes_captions_and_finds_help(browser, checked):  # noqa: F811
    address, project = checked
    before = {item.id: item.keep for item in dataset.list_items(project)}
    with window(browser, address, 1280, 800) as page:
        choose_anna(page)
        page.locator(".thumb[aria-selected=true]").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".viewer .facts b")).to_have_text("0002")
        for key, is_out in (("k", False), ("x", True)):
            page.keyboard.press(key)
            expect(page.locator(".thumb[data-id='0002'].is-out")).to_have_count(int(is_out))
            assert page.evaluate("document.activeElement.dataset.id") == "0002"
        expect(page.locator(".thumb[data-id='0002'] .badge.out")).to_have_text("left out by you")
        page.keyboard.press("u")
        expect(page.locator(".thumb[data-id='0002'].is-out")).to_have_count(0)
        expect(page.locator(".thumb[data-id='0002'] .pin")).to_have_count(1)
        page.keyboard.press("u")
        expect(page.locator(".thumb[data-id='0002'] .pin")).to_have_count(0)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("Escape")
        caption_with_two_keys(page)
    assert {item.id: item.keep for item in dataset.list_items(project)} == before
    assert dataset.get_item(project, "0002").caption == "ohwx, a person in a studio"


def caption_with_two_keys(page):
    """C, what is typed, Ctrl+Enter: the next caption is under the caret; Escape leads back to its picture."""
    page.locator(".thumb[aria-selected=true]").focus()
    page.keyboard.press("c")
    page.keyboard.type("ohwx, a person in a studio")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".viewer .facts b")).to_have_text("0003")
    page.wait_for_function("document.activeElement.id === 'caption-text' && document.activeElement.dataset.key.endsWith('/0003')")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.dataset.id === '0003'")


def test_a_photo_that_leaves_the_shown_ones_hands_the_focus_to_the_next(browser, checked):  # noqa: F811
    address, project = checked
    kept = [item.id for item in dataset.kept_items(project)]
    with window(browser, address, 1280, 800) as page:
        choose_anna(page)
        page.locator(".filters button[data-show=kept]").click()
        expect(page.locator(".thumb")).to_have_count(len(kept))
        page.locator(f".thumb[data-id='{kept[0]}']").click()
        page.locator(f".thumb[data-id='{kept[0]}']").focus()
        page.keyboard.press("x")
        expect(page.locator(".thumb")).to_have_count(len(kept) - 1)
        if len(kept) > 1:
            page.wait_for_function(f"document.activeElement.dataset.id === '{kept[1]}'")
            page.keyboard.press("u")
        else:
            page.click("#undo")
        expect(page.locator(".thumb")).to_have_count(len(kept))


def test_who_is_meant_is_answered_with_a_press_and_undone(browser, checked):  # noqa: F811
    address, project = checked
    with window(browser, address, 1280, 800) as page:
        choose_anna(page)
        if not page.locator(".person-group").count():
            expect(page.locator(".people")).to_contain_text("one photo only")  # of so few photos no face is seen twice
            return
        page.locator(".person-group").first.scroll_into_view_if_needed()
        page.wait_for_function(
            "(faces => faces.length && faces.every((face) => face.naturalWidth))([...document.querySelectorAll('.face')])"
        )
        page.locator(".person-group [data-do=choose]").first.click()
        expect(page.locator(".people > summary")).to_contain_text("The person:")
        assert any(item.said for item in dataset.list_items(project))
        page.click("#undo")
        expect(page.locator(".people > summary")).not_to_contain_text("The person:")
