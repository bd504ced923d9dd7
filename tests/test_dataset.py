"""The dataset folder and curation.json: what is listed, every change and its undo, and files that people touch by hand."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from studio import disk
from studio.data import dataset, limits
from studio.data.captions.caption_files import decode_text
from studio.data.cutting import cut_clip
from studio.data.importer import import_media
from studio.data.media.thumbnails import preview, thumbnail
from studio.errors import Problem


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


def test_looking_again_at_an_unchanged_folder_reads_no_file(filled, monkeypatch):
    before, last = dataset.list_items(filled), dataset.can_undo(filled)
    monkeypatch.setattr(dataset.records, "load", None)
    assert dataset.list_items(filled) == before
    assert dataset.can_undo(filled) == last != ""


def test_a_caption_that_another_program_wrote_in_place_is_seen_at_once(filled):
    dataset.list_items(filled)
    with open(filled.dataset_dir / "0002.txt", "r+", encoding="utf-8") as file:
        file.write("ohwx, at the lake, summer")
        file.truncate()
    assert captions(filled)[1] == "ohwx, at the lake, summer"
    assert dataset.version(filled) == dataset.version(filled)


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
        "import sys; import studio.data.importer, studio.data.dataset, studio.data.captions, studio.data.media.thumbnails, studio.data.media.clips,"
        "studio.data.quality, studio.data.curation, studio.data.media.transcode;"
        "print([m for m in ('torch', 'skimage', 'moviepy', 'wordfreq', 'av', 'scipy', 'imagehash') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# -- on Windows a file that a player or another program has open can be neither replaced nor moved


def held(suffix):
    real = os.replace

    def replace(source, target):
        if str(target).endswith(suffix):
            raise PermissionError(
                errno.EACCES, "The process cannot access the file because it is being used by another process", str(source)
            )
        return real(source, target)

    return replace


def test_an_item_that_is_open_elsewhere_is_not_half_removed(filled, monkeypatch):
    before, undo = dataset.list_items(filled), dataset.can_undo(filled)
    with monkeypatch.context() as windows:
        windows.setattr(disk, "RETRY_SECONDS", 0.0)
        windows.setattr(os, "replace", held("0001.jpg"))
        with pytest.raises(Problem, match=r"0001\.jpg is open in another program") as error:
            dataset.remove_item(filled, "0001")
    assert error.value.fix and error.value.cost
    assert dataset.list_items(filled) == before and dataset.can_undo(filled) == undo
    dataset.remove_item(filled, "0001")
    assert len(dataset.list_items(filled)) == 2


def test_a_clip_that_is_open_elsewhere_is_not_half_cut(project, media, monkeypatch):
    import_media(project, [next(media.glob("*.mp4"))])
    before, undo = dataset.list_items(project), dataset.can_undo(project)
    monkeypatch.setattr(disk, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(os, "replace", held("dataset/clip-01.mp4"))
    with pytest.raises(Problem, match=r"clip-01\.mp4 is open in another program"):
        cut_clip(project, "clip-01", 0.0, 0.5)
    assert dataset.list_items(project) == before and dataset.can_undo(project) == undo


def test_many_removals_within_one_tick_of_the_clock(filled, monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 5)  # Windows' clock stands still for 15 ms
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5)
    for item in dataset.list_items(filled):
        dataset.remove_item(filled, item.id)
    with dataset.incoming(filled) as first, dataset.incoming(filled) as second:
        assert first != second
    while dataset.can_undo(filled).startswith("Removal"):
        dataset.undo(filled)
    assert len(dataset.list_items(filled)) == 3


def test_an_import_goes_on_when_a_virus_scanner_still_holds_the_last_file(project, media, monkeypatch):
    real = Path.unlink

    def unlink(path, **options):
        if path.parent.parent.name == ".incoming":
            raise PermissionError(errno.EACCES, "in use", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "unlink", unlink)
    found = import_media(project, sorted(media.glob("*.jpg"))[:3])
    assert len(found.added) == 3 and found.rejected == []
