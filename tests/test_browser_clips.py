"""A clip's line of time in a real browser: what is trained is said and shown, and a part is chosen with handles, keys and buttons."""

import re

import pytest
import test_browser as browser
from test_browser import JOB_MS, choose_project, expect, free_port, make_person, start_studio, stop_jobs, stop_studio, window

from studio.data import dataset
from studio.data.importer import import_media
from studio.workspace import Workspace

engine = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")
CLIP = browser.ROOT / "tests" / "media" / "bigbuckbunny.mp4"
WIDTHS = (1280, 390)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_part_of_a_clip_is_chosen_on_its_line_of_time_and_kept_as_a_clip_of_its_own(tmp_path, width):
    workspace, port = Workspace(tmp_path / "home"), free_port()
    (tmp_path / "home").mkdir()
    kim = make_person(workspace, "Kim", "person_a_1.jpg")
    import_media(kim, [CLIP])
    process = start_studio(tmp_path / "home", port)
    try:
        with engine.sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=browser.CHROMIUM, args=browser.FLAGS)
            with window(chromium, f"http://127.0.0.1:{port}", width, 860) as page:
                choose_project(page, "Kim")
                line = page.locator("#studio-timeline")
                expect(line.locator(".time-line")).to_have_count(0)  # a photo has no time
                page.locator(".thumb", has_text="5.3 s").click()
                expect(line.locator(".what-is-trained")).to_have_text(
                    re.compile(r"Trained: The first 0\.6 of 5\.3 s are trained \(9 frames")
                )
                page.click("#see-trained")
                expect(line.locator("video.as-trained")).to_have_attribute("src", re.compile("/media/kim/trained/clip-01"))
                assert page.request.get(page.url.rstrip("/") + line.locator("video.as-trained").get_attribute("src")).ok
                choose_two_seconds(page, line)
                page.click("#copy-part")
                expect(page.locator(".thumb", has_text="2.0 s")).to_have_count(1, timeout=JOB_MS)
                assert [round(item.seconds, 1) for item in dataset.list_items(kim) if item.kind == "clip"] == [5.3, 2.0]
                page.locator(".thumb", has_text="5.3 s").click()
                page.click("#find-pieces")
                expect(line.locator(".found").first).to_have_text("No piece of it could be found.", timeout=JOB_MS)
                assert line.locator(".band.is-out").count() >= 1
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        stop_jobs(workspace)
        stop_studio(process)


def choose_two_seconds(page, line):
    """From 1 to 3 s: the beginning by keys on its handle, the end with the mouse, then by keys to the tenth."""
    start, end = line.get_by_label("Beginning of the part"), line.get_by_label("End of the part")
    start.focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(line.locator(".chosen-time")).to_contain_text("0:01.0 to 0:05.3")
    box, handle = line.locator(".time-line").bounding_box(), end.bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2 - 1, handle["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 5.28, handle["y"] + 10, steps=4)
    page.mouse.up()
    expect(line.locator(".chosen-time")).to_contain_text(re.compile("0:01.0 to 0:0(2.9|3.0|3.1)"))
    end.focus()
    for _ in range(8):
        text = line.locator(".chosen-time").inner_text()
        if "0:03.0" in text:
            break
        page.keyboard.press("ArrowRight" if "0:02" in text else "ArrowLeft")
    expect(line.locator(".chosen-time")).to_have_text(re.compile(r"0:01\.0 to 0:03\.0, 2\.0 s"))
