"""Each caption knows who wrote it and how; what a captioner wrote can be changed as a whole, what a person wrote never is."""

import json
import shutil

import pytest

from studio.data import dataset
from studio.data.captions.authorship import Authorship
from studio.ui.dataset.view import say_source

QWEN = Authorship(captioner="Qwen3-VL-4B-Instruct", version="4-bit", style="standard", time=1.0)


@pytest.fixture
def filled(project, media):
    project.dataset_dir.mkdir(parents=True)
    for name, source in (("0001.jpg", "person_a_1.jpg"), ("0002.jpg", "person_a_2.jpg"), ("0003.jpg", "astronaut.png")):
        shutil.copy(media / source, project.dataset_dir / name)
    return project


def read(project, item_id):
    dataset._list.cache_clear()  # as another process reads it
    return dataset.get_item(project, item_id)


def test_a_caption_says_which_captioner_wrote_it_and_in_which_style(filled):
    dataset.set_caption(filled, "0001", "ohwx, a tee", source="auto", by=QWEN)
    assert read(filled, "0001").caption_by == QWEN
    assert say_source(read(filled, "0001")) == "written by Qwen3-VL-4B-Instruct (4-bit), style standard"
    assert json.loads(filled.curation_file.read_text(encoding="utf-8"))["items"]["0001"]["caption_by"]["captioner"] == QWEN.captioner


def test_a_caption_that_a_person_changed_is_the_persons(filled):
    dataset.set_caption(filled, "0001", "ohwx, a tee", source="auto", by=QWEN)
    dataset.set_caption(filled, "0001", "ohwx, a shirt")
    assert (read(filled, "0001").caption_by, read(filled, "0001").caption_source) == (None, "hand")
    dataset.set_caption(filled, "0002", "ohwx, a tee", source="auto", by=QWEN)
    (filled.dataset_dir / "0002.txt").write_text("ohwx, typed in an editor", encoding="utf-8")
    assert (read(filled, "0002").caption_by, read(filled, "0002").caption_source) == (None, "hand")


def test_undo_brings_back_who_wrote_it(filled):
    dataset.set_caption(filled, "0001", "ohwx, a tee", source="auto", by=QWEN)
    dataset.set_caption(filled, "0001", "ohwx, a shirt")
    dataset.undo(filled)
    assert (read(filled, "0001").caption, read(filled, "0001").caption_by) == ("ohwx, a tee", QWEN)


def test_rewriting_what_captioners_wrote_touches_nothing_of_the_persons_and_is_one_undo(filled):
    dataset.set_caption(filled, "0001", "ohwx, a tee", source="auto", by=QWEN)
    dataset.set_caption(filled, "0002", "ohwx, my tee", source="hand")
    dataset.set_caption(filled, "0003", "ohwx, their tee", source="imported")
    before = {p.name: p.read_bytes() for p in filled.dataset_dir.glob("*.txt")}
    changed = dataset.rewrite_automatic(filled, lambda text: text.replace("tee", "T-shirt"), "terms unified", "Unified terms")
    assert changed == ["0001"]
    assert read(filled, "0001").caption == "ohwx, a T-shirt"
    assert say_source(read(filled, "0001")).endswith("; terms unified")
    assert [read(filled, i).caption for i in ("0002", "0003")] == ["ohwx, my tee", "ohwx, their tee"]
    assert dataset.undo(filled) == "Undone: Unified terms."
    assert {p.name: p.read_bytes() for p in filled.dataset_dir.glob("*.txt")} == before
    assert read(filled, "0001").caption_by == QWEN
