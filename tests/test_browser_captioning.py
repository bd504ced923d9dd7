"""How captions are written, in a real browser: a server is tested and writes a caption, a trait is learned, and one word is taken for one thing."""

import shutil

import pytest
from caption_server_kit import caption_server

pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in tests/requirements.txt")
if not shutil.which("chromium"):
    pytest.skip("no Chromium on this computer; install Debian's package chromium to run the browser tests", allow_module_level=True)

from test_browser import JOB_MS, WIDER_THAN_THE_PHONE, browser, expect, free_port, start_studio, stop_jobs, stop_studio, window  # noqa: F401

from studio.data import dataset
from studio.project_facts import Permission
from studio.workspace import Workspace


@pytest.fixture
def anna(tmp_path, media):
    """(address, project) of a studio with three photos, two of which a captioner has captioned."""
    home, port = tmp_path / "home", free_port()
    workspace = Workspace(home)
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    project.dataset_dir.mkdir(parents=True)
    for name, source in (("0001.jpg", "person_a_1.jpg"), ("0002.jpg", "person_a_2.jpg"), ("0003.jpg", "astronaut.png")):
        shutil.copy(media / source, project.dataset_dir / name)
    dataset.set_caption(project, "0001", "ohwx, a person, wearing a tee and glasses, a bar", source="auto")
    dataset.set_caption(project, "0002", "ohwx, a person, wearing a T-shirt, on a sofa", source="auto")
    process = start_studio(home, port)
    try:
        yield f"http://127.0.0.1:{port}", project
    finally:
        stop_jobs(workspace)
        stop_studio(process)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_has_a_server_write_captions_and_sets_how_they_are_written(browser, anna, width, tmp_path):  # noqa: F811
    address, project = anna
    with caption_server("ollama", "", tmp_path / "log") as server, window(browser, address, width, 860) as page:
        page.locator("#caption-settings > button").click()
        says = page.locator("#captioner-says")
        expect(says).to_contain_text("There is no graphics card that can be used", timeout=JOB_MS)
        page.fill("#caption-server input, #caption-server textarea", server)
        page.click("#try-server")
        expect(says).to_contain_text("Ollama 0.12.6 answers. qwen3-vl:8b was shown a red disc and said", timeout=JOB_MS)
        expect(says).to_contain_text("Nothing leaves this computer")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert width > 390 or page.evaluate(WIDER_THAN_THE_PHONE) == []

        page.locator("#trait-glasses").get_by_label("Learn it as the person").check()
        expect(page.locator("#studio-notice")).to_contain_text("taken out of 1 caption")
        page.click("#find-words")
        expect(page.locator("#vocabulary")).to_contain_text("1 caption would change")
        page.click("#use-words")
        expect(page.locator("#studio-notice")).to_contain_text("1 automatic caption changed")
        expect(page.locator("#vocabulary")).to_contain_text("No two words for one thing")

        page.locator("#next-dataset").get_by_role("button", name="Write captions").click()
        expect(page.locator("#last-job")).to_contain_text("1 caption was written", timeout=JOB_MS)
    texts = [item.caption for item in dataset.list_items(project)]
    assert texts[2] == "ohwx, a person, wearing a red coat, smiling, a park, soft light"
    assert "glasses" not in texts[0] and len({("tee" in text.split()) for text in texts}) == 1
    assert dataset.get_item(project, "0003").caption_by.captioner == "qwen3-vl:8b"
