"""The dataset folder and curation.json: what is listed, every change and its undo, and files that people touch by hand."""

import json
import subprocess
import sys
import threading

import pytest
from PIL import Image

from studio.data import dataset, limits
from studio.data.caption_files import decode_text
from studio.data.importer import import_media
from studio.data.thumbnails import preview, thumbnail


@pytest.fixture
def filled(project, tmp_path):
    """A project with three small photos, captioned by hand."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(3):
        Image.effect_mandelbrot((80, 64 + n), (-2, -1.5, 1, 1.5), 20 + n).convert("RGB").save(folder / f"photo {n}.png")
    import_media(project, [folder])
    for n, item in enumerate(dataset.list_items(project)):
        dataset.set_caption(project, item.id, f"ohwx, in a red coat, street {n}")
    return project


def captions(project):
    return [item.caption for item in dataset.list_items(project)]


def test_items_carry_what_is_known_of_them(filled):
    first = dataset.list_items(filled)[0]
    assert (first.id, first.kind, first.path.name, first.width, first.height) == ("0001", "photo", "0001.jpg", 80, 64)
    assert first.caption_source == "hand" and first.keep and first.original == "photo 0.png" and len(first.sha256) == 64
    assert (filled.dataset_dir / "0001.txt").read_text(encoding="utf-8") == "ohwx, in a red coat, street 0"


def test_an_empty_project_has_no_items_and_nothing_to_undo(project):
    assert dataset.list_items(project) == [] and dataset.kept_items(project) == []
    assert dataset.can_undo(project) == "" and dataset.undo(project) == ""


def test_a_caption_edit_is_undone(filled):
    assert dataset.set_caption(filled, "0001", "ohwx, at the  sea\n ")
    assert captions(filled)[0] == "ohwx, at the sea"
    assert dataset.can_undo(filled) == "Caption of 0001"
    assert dataset.undo(filled) == "Undone: Caption of 0001."
    assert captions(filled)[0] == "ohwx, in a red coat, street 0"


def test_writing_the_same_caption_again_changes_nothing(filled):
    before = dataset.can_undo(filled), json.loads(filled.curation_file.read_bytes())
    assert not dataset.set_caption(filled, "0003", "ohwx, in a red coat, street 2")
    assert before == (dataset.can_undo(filled), json.loads(filled.curation_file.read_bytes()))


def test_replace_in_all_captions_is_one_step(filled):
    before = captions(filled)
    assert dataset.replace_in_captions(filled, "red", "blue") == 3
    assert captions(filled)[1] == "ohwx, in a blue coat, street 1"
    assert "3 captions" in dataset.undo(filled)
    assert captions(filled) == before


def test_replace_can_be_held_to_whole_words_and_takes_signs_literally(filled):
    dataset.set_caption(filled, "0001", "ohwx, hundred red (red) hats")
    assert dataset.replace_in_captions(filled, "red", r"\1 blue", whole_words=True) == 3
    assert captions(filled)[0] == r"ohwx, hundred \1 blue (\1 blue) hats"
    assert dataset.replace_in_captions(filled, "(", "[") == 1
    with pytest.raises(ValueError, match="empty"):
        dataset.replace_in_captions(filled, "", "x")


def test_keep_and_reject_are_undone(filled):
    assert dataset.set_keep(filled, "0002", False, "eyes closed")
    assert [i.id for i in dataset.kept_items(filled)] == ["0001", "0003"]
    assert dataset.get_item(filled, "0002").reason == "eyes closed"
    dataset.undo(filled)
    assert len(dataset.kept_items(filled)) == 3


def test_a_removed_item_comes_back_with_its_caption(filled):
    before = dataset.list_items(filled)
    dataset.remove_item(filled, "0002")
    assert [i.id for i in dataset.list_items(filled)] == ["0001", "0003"]
    assert not (filled.dataset_dir / "0002.txt").exists() and (filled.originals_dir / "photo 1.png").exists()
    dataset.undo(filled)
    assert dataset.list_items(filled) == before
    assert not any((filled.root / "trash").iterdir())


def test_steps_are_undone_in_reverse_order_to_the_very_beginning(filled):
    dataset.set_caption(filled, "0001", "one")
    dataset.set_keep(filled, "0001", False, "x")
    dataset.remove_item(filled, "0001")
    dataset.replace_in_captions(filled, "coat", "hat")
    while dataset.undo(filled):
        pass
    assert captions(filled) == ["", "", ""] and len(dataset.kept_items(filled)) == 3


def test_ids_are_never_given_twice(filled, tmp_path):
    dataset.remove_item(filled, "0003")
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "new.png")
    assert import_media(filled, [tmp_path / "new.png"]).added == ["0004"]
    dataset.undo(filled)
    assert [i.id for i in dataset.list_items(filled)] == ["0001", "0002", "0003", "0004"]


def test_automatic_captions_never_replace_those_of_people(filled):
    assert not dataset.set_caption(filled, "0001", "ohwx, a guess", source="auto")
    dataset.set_caption(filled, "0001", "")
    assert dataset.set_caption(filled, "0001", "ohwx, a guess", source="auto")
    assert dataset.get_item(filled, "0001").caption_source == "auto"
    assert dataset.set_caption(filled, "0001", "ohwx, a better guess", source="auto")
    dataset.set_caption(filled, "0001", "ohwx, mine")
    assert not dataset.set_caption(filled, "0001", "ohwx, a guess", source="auto")


def test_automatic_captions_of_one_run_are_one_step(filled):
    dataset.set_captions(filled, {f"000{n}": "" for n in (1, 2, 3)})
    for n in (1, 2, 3):
        dataset.set_caption(filled, f"000{n}", f"ohwx, guess {n}", source="auto")
    assert dataset.can_undo(filled) == "Automatic captions (3)"
    dataset.undo(filled)
    assert captions(filled) == ["", "", ""]


def test_a_caption_file_edited_outside_counts_as_written_by_hand(filled):
    dataset.set_captions(filled, {"0001": ""})
    dataset.set_caption(filled, "0001", "ohwx, a guess", source="auto")
    (filled.dataset_dir / "0001.txt").write_bytes("\ufeffohwx, übers Meer\r\n".encode())
    item = dataset.get_item(filled, "0001")
    assert item.caption == "ohwx, übers Meer" and item.caption_source == "hand"
    assert not dataset.set_caption(filled, "0001", "ohwx, a guess", source="auto")
    assert "outside" in dataset.undo(filled)
    assert dataset.get_item(filled, "0001").caption == "ohwx, übers Meer"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("schön".encode(), "schön"),
        ("\ufeffschön".encode(), "schön"),
        ("schön".encode("utf-16"), "schön"),
        ("schön".encode("cp1252"), "schön"),
        ("café".encode("cp1252"), "café"),
        (("x" + "ö" * limits.MAX_CAPTION_BYTES).encode()[: limits.MAX_CAPTION_BYTES], "x" + "ö" * (limits.MAX_CAPTION_BYTES // 2 - 1)),
        (b"", ""),
    ],
)
def test_captions_are_read_in_whatever_encoding_they_came(raw, text):
    assert decode_text(raw) == text


def test_a_file_dropped_into_the_folder_is_picked_up_and_a_missing_one_left_out(filled):
    Image.new("RGB", (90, 70)).save(filled.dataset_dir / "Ferien 🌊.png")
    (filled.dataset_dir / "Ferien 🌊.txt").write_bytes("ohwx, am Strand, schön".encode("cp1252"))
    (filled.dataset_dir / "0002.jpg").unlink()
    (filled.dataset_dir / ".hidden.jpg").write_bytes(b"x")
    (filled.dataset_dir / "notes.md").write_bytes(b"x")
    items = dataset.list_items(filled)
    assert [i.id for i in items] == ["0001", "0003", "Ferien 🌊"]
    assert items[-1].caption == "ohwx, am Strand, schön" and (items[-1].width, items[-1].original) == (90, "")
    assert dataset.set_caption(filled, "Ferien 🌊", "ohwx, beach")


def test_a_broken_file_in_the_folder_is_listed_with_its_reason_and_not_used(filled):
    (filled.dataset_dir / "broken.jpg").write_bytes(b"not a photo")
    item = dataset.get_item(filled, "broken")
    assert not item.keep and "neither a photo nor a clip" in item.reason == item.problem
    with pytest.raises(ValueError, match="can't be used"):
        dataset.set_keep(filled, "broken", True)
    with Image.open(thumbnail(filled, item)) as card:
        assert card.format == "JPEG"
    Image.new("RGB", (64, 64)).save(filled.dataset_dir / "broken.jpg")
    assert dataset.get_item(filled, "broken").keep


def test_a_file_changed_by_hand_has_another_hash_and_one_merely_touched_has_not(filled):
    before = dataset.get_item(filled, "0001")
    before.path.touch()
    assert dataset.get_item(filled, "0001") == before
    Image.new("RGB", (70, 70), "red").save(before.path)
    after = dataset.get_item(filled, "0001")
    assert after.sha256 != before.sha256 and (after.width, after.caption) == (70, before.caption)


def test_a_mistaken_id_and_a_damaged_curation_file_are_said_in_words(filled):
    for change in (lambda: dataset.set_caption(filled, "9999", "x"), lambda: dataset.remove_item(filled, "../project")):
        with pytest.raises(ValueError, match="there is no item"):
            change()
    with pytest.raises(ValueError, match="characters"):
        dataset.set_caption(filled, "0001", "x" * (limits.MAX_CAPTION_CHARACTERS + 1))
    filled.curation_file.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        dataset.list_items(filled)


def test_a_deleted_curation_file_loses_no_photo_and_no_caption(filled):
    before = captions(filled)
    filled.curation_file.unlink()
    assert captions(filled) == before


def test_the_history_is_bounded_and_frees_what_it_kept(filled, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_STEPS", 5)
    dataset.remove_item(filled, "0003")
    for n in range(8):
        dataset.set_caption(filled, "0001", f"ohwx, {n}")
    assert len(json.loads(filled.curation_file.read_bytes())["history"]) == 5
    assert not any((filled.root / "trash").iterdir())
    monkeypatch.setattr(limits, "HISTORY_BYTES", 10)
    dataset.set_caption(filled, "0001", "ohwx, last")
    assert len(json.loads(filled.curation_file.read_bytes())["history"]) == 1


def test_changes_from_many_threads_are_all_kept(filled):
    def write(n):
        dataset.set_caption(filled, f"000{n % 3 + 1}", f"ohwx, thread {n}")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(filled.curation_file.read_bytes())["history"]) == 3 + 9
    assert all("thread" in caption for caption in captions(filled))


def test_listing_reads_no_media_again(filled, monkeypatch):
    dataset.list_items(filled)
    monkeypatch.setattr(dataset.records, "describe", lambda *a: pytest.fail("an unchanged file was read again"))
    assert len(dataset.list_items(filled)) == 3


def test_thumbnails_and_previews_are_small_files_of_the_cache(filled, tmp_path):
    Image.effect_noise((2000, 1500), 60).convert("RGB").save(tmp_path / "large.png")
    item = dataset.get_item(filled, import_media(filled, [tmp_path / "large.png"]).added[0])
    for make, side in ((thumbnail, 320), (preview, 1280)):
        path = make(filled, item)
        stamp = path.stat().st_mtime_ns
        with Image.open(path) as image:
            assert max(image.size) == side and path.is_relative_to(filled.cache_dir)
        assert make(filled, item).stat().st_mtime_ns == stamp


def test_the_room_imports_without_torch_and_heavy_libraries():
    code = (
        "import sys; import studio.data.importer, studio.data.dataset, studio.data.captions, studio.data.thumbnails, studio.data.clips,"
        "studio.data.quality, studio.data.curation, studio.data.transcode;"
        "print([m for m in ('torch', 'skimage', 'moviepy', 'wordfreq', 'av', 'scipy', 'imagehash') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
