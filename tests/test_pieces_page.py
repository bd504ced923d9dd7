"""The line of time under a clip, as the page sends it: what is trained, what was found, and what its buttons do."""

import pytest
from page_kit import Window
from test_pieces import MEDIA

from studio.data import dataset
from studio.data.importer import import_media
from studio.data.pieces.piece_finder import find_pieces
from studio.jobs import launcher, state
from studio.project_facts import Permission


@pytest.fixture
def window(workspace, monkeypatch):
    project = workspace.create_project("Kim", trigger="ohwx", base_model="tiny", permission=Permission(granted=True))
    import_media(project, [MEDIA / "astronaut.png", MEDIA / "bigbuckbunny.mp4"])
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)  # the queue is looked at as it stands
    return Window(workspace, "kim"), project


def test_a_clip_says_what_of_it_is_trained_and_a_photo_has_no_line_of_time(window):
    page, project = window
    assert not page.value("studio-timeline")
    page.press("studio-grid", "pick", id="clip-01")
    page.look()
    line = page.value("studio-timeline")
    assert line["trained"].startswith("The first 0.6 of 5.3 s are trained (9 frames, 16 a second,")
    assert line["trained_src"].startswith("/media/kim/trained/clip-01?v=") and abs(line["trained_seconds"] - 9 / 16) < 1e-6
    assert line["bands"] == [] and line["found"] == []
    find_pieces(project, ["clip-01"])
    page.look()
    line = page.value("studio-timeline")
    assert line["found"][0] == "No piece of it could be found." and not any(band["is_piece"] for band in line["bands"])
    assert line["bands"][0]["start"] == 0 and line["bands"][-1]["end"] == 5.28


def test_a_part_is_cut_to_or_kept_as_a_clip_of_its_own(window):
    page, project = window
    page.press("studio-grid", "pick", id="clip-01")
    page.look()
    line = page.value("studio-timeline")
    shown = {"id": line["id"], "version": line["version"]}
    assert "2.0 s of it are clip-02 now" in page.press("studio-timeline", "cut", **shown, start=1.0, end=3.0, as_new=True)["text"]
    assert "Cut to 4.0 s" in page.press("studio-timeline", "cut", **shown, start=0.0, end=4.0, as_new=False)["text"]
    assert [round(item.seconds, 1) for item in dataset.list_items(project) if item.kind == "clip"] == [4.0, 2.0]
    assert "is another picture now" in page.press("studio-timeline", "cut", **shown, start=0.0, end=4.0, as_new=False)["text"]


def test_looking_for_pieces_and_photos_are_jobs_and_are_not_asked_for_twice(window):
    page, project = window
    page.press("studio-grid", "pick", id="clip-01")
    page.look()
    line = page.value("studio-timeline")
    shown = {"id": line["id"], "version": line["version"]}
    assert "clip-01 is being looked through" in page.press("studio-timeline", "find", **shown)["text"]
    assert "That is being done already." in page.press("studio-timeline", "find", **shown)["text"]
    assert "Photos are being taken out of clip-01." in page.press("studio-timeline", "stills", **shown)["text"]
    page.look()
    assert page.value("studio-timeline")["busy"]
    assert sorted(job.kind for job in state.list_jobs(project.workspace, project)) == ["pieces", "stills"]
