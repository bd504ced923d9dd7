"""A folder dropped on the window, in a real browser: its folders stay apart, and what is asked about is answered with one press."""
# ruff: noqa: F401, F811 (browser is a fixture)

import contextlib

import pytest
from browser_kit import JOB_MS, ROOT, browser, choose_project, expect, make_person, running_studio, window
from PIL import Image

from studio.data import dataset

PHOTOS = {"person_a_2.jpg": "ohwx, at the beach", "person_b_1.jpg": "ohwx, in the street"}


def lay_out(folder):
    """Two photos of one name with a caption each, a folder that may hold masks, and a mask of OneTrainer's."""
    for (photo, caption), place in zip(PHOTOS.items(), ("beach", "street")):
        (folder / place).mkdir(parents=True)
        (folder / place / "001.jpg").write_bytes((ROOT / "tests" / "media" / photo).read_bytes())
        (folder / place / "001.txt").write_text(caption, encoding="utf-8")
    (folder / "masks").mkdir()
    (folder / "masks" / "venice.jpg").write_bytes((ROOT / "tests" / "media" / "impostor_1.jpg").read_bytes())
    (folder / "beach" / "001-masklabel.png").write_bytes((ROOT / "tests" / "media" / "astronaut.png").read_bytes())
    return folder


def drop(page, folder):
    """What the system does when a person lets a folder go over the drop zone."""
    if not page.locator("#upload input[type=file]").count():
        page.click("#add-media > button")
    box = page.locator("#upload button").first.bounding_box()
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def test_a_folder_dropped_on_the_window_keeps_its_folders_and_asks_once(browser, shared, tmp_path):
    kim = make_person(shared.workspace, "Kim", "person_a_1.jpg")
    with window(browser, shared.address, 1280, 860) as page:
        choose_project(page, "Kim")
        expect(page.locator(".thumb")).to_have_count(1)
        drop(page, lay_out(tmp_path / "holiday"))
        expect(page.locator(".thumb")).to_have_count(3, timeout=JOB_MS)
        results = page.locator("#last-job")
        expect(results).to_contain_text("holiday/masks (1 file): this may be masks, not photos")
        expect(results).to_contain_text("holiday/beach (masks)")
        assert sorted(item.caption for item in dataset.list_items(kim)) == ["ohwx, Kim by a window", *PHOTOS.values()]
        results.get_by_role("button", name="They show Kim: holiday/masks").click()
        expect(page.locator(".thumb")).to_have_count(4, timeout=JOB_MS)
        expect(results).not_to_contain_text("Please say what these are")
        results.get_by_role("button", name="Take them in: holiday/beach (masks)").click()
        expect(page.locator(".thumb")).to_have_count(5, timeout=JOB_MS)
    assert not [path for path in (kim.root / "uploads").rglob("*") if path.is_file()]


@contextlib.contextmanager
def few_open_files(most):
    """What is started meanwhile begins with so small a limit, as systems set it."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_many_photos_dropped_at_once_arrive_and_the_window_answers_meanwhile(browser, tmp_path):
    """More files than may be open at the start; by hand with 2,000."""
    for number in range(180):
        Image.new("RGB", (40 + number, 40), (number, 90, 250 - number)).save(folder_of(tmp_path) / f"{number:03d}.jpg")
        (folder_of(tmp_path) / f"{number:03d}.txt").write_text(f"ohwx, place {number}", encoding="utf-8")
    with contextlib.ExitStack() as open_until_the_end:
        with few_open_files(150):
            address, workspace = open_until_the_end.enter_context(running_studio(tmp_path / "home"))
        kim = make_person(workspace, "Kim", "person_a_1.jpg")
        with window(browser, address, 1280, 860) as page:
            choose_project(page, "Kim")
            expect(page.locator(".thumb")).to_have_count(1)
            drop(page, folder_of(tmp_path))
            expect(page.locator(".thumb").nth(3)).to_be_visible(timeout=JOB_MS)
            page.get_by_role("tab", name="Train").click()
            page.get_by_role("tab", name="Dataset").click()
            expect(page.locator("#last-job")).to_contain_text("Imported 180 items.", timeout=JOB_MS)
    captions = {item.width - 40: item.caption for item in dataset.list_items(kim) if item.height == 40}
    assert captions == {number: f"ohwx, place {number}" for number in range(180)}


def folder_of(home):
    folder = home / "holiday"
    folder.mkdir(exist_ok=True)
    return folder
