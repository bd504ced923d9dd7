"""A large photo's training copy is made when it is kept: until then its file in dataset/ is the original under a second name, which stays as it is."""

import os
import zipfile

import numpy as np
import pytest
from export_kit import make_pair
from PIL import Image

from studio.data import curation, dataset, limits
from studio.data.cropping import training_copy
from studio.data.cropping.training_copy import copy_kept
from studio.data.importer import import_media
from studio.data.item_record import OTHER, Said
from studio.data.looking import looks
from studio.data.media.photos import load_photo
from studio.export.exporting import export_pair

SIZE = (2600, 2000)  # px: more than any training takes


def photo(path, size=SIZE, seed=0, orientation=1, **options):
    """A JPEG of coarse noise in colour that a camera says something of."""
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 52, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "secret description"
    small.resize(size, Image.Resampling.BICUBIC).save(path, exif=exif, quality=80, **options)
    return path


def bring_in(project, *paths):
    result = import_media(project, paths)
    assert len(result.added) == len(paths), result
    return [dataset.get_item(project, item_id) for item_id in result.added]


def original_of(project, item):
    return project.originals_dir / item.original


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_photo_is_not_copied_before_it_is_kept_and_then_upright_without_metadata(project, tmp_path, orientation):
    path = photo(tmp_path / "large.jpg", orientation=orientation)
    (item,) = bring_in(project, path)
    assert item.is_uncopied and item.path.samefile(original_of(project, item))
    as_trained = load_photo(path, max_pixels=limits.MAX_TRAINED_PIXELS)
    assert (item.width, item.height) == as_trained.size and (item.height > item.width) == (orientation == 6)
    undone, before = dataset.can_undo(project), path.read_bytes()
    copy_kept(project)
    copied = dataset.get_item(project, item.id)
    with Image.open(copied.path) as image:
        assert image.size == as_trained.size == (copied.width, copied.height) and not image.getexif()
    assert not copied.is_uncopied and b"secret" not in copied.path.read_bytes()
    assert copied.sha256 == item.sha256 and copied.is_original and dataset.can_undo(project) == undone
    assert original_of(project, item).read_bytes() == before


def test_a_check_copies_what_it_keeps_or_holds_out_and_looks_at_nothing_twice(project, tmp_path):
    items = bring_in(project, *(photo(tmp_path / f"{n}.jpg", seed=n) for n in range(3)))
    dataset.set_keep(project, items[0].id, False)
    curation.curate(project)
    for item in dataset.list_items(project):
        assert item.is_uncopied == (not item.keep and not item.held_out)
    assert dataset.get_item(project, items[0].id).is_uncopied
    dataset.set_keep(project, items[0].id, True)
    copy_kept(project)
    assert not any(item.is_uncopied for item in dataset.kept_items(project))
    assert all(looks.seen(project, item) for item in dataset.list_items(project)) and curation.curate(project).measured == 0


def test_a_small_photo_or_one_of_another_kind_is_copied_at_once(project, tmp_path):
    other = tmp_path / "large.png"
    Image.new("RGB", SIZE, "red").save(other)
    small, large = bring_in(project, photo(tmp_path / "small.jpg", (900, 700)), other)
    assert not small.is_uncopied and not large.is_uncopied and b"secret" not in small.path.read_bytes()
    assert large.width * large.height <= limits.MAX_TRAINED_PIXELS


def test_where_a_file_can_have_one_name_only_the_copy_is_made_at_once(project, tmp_path, monkeypatch):
    def refuse(*names, **options):
        raise OSError("this disk knows no second names")

    monkeypatch.setattr(os, "link", refuse)
    (item,) = bring_in(project, photo(tmp_path / "large.jpg"))
    assert not item.is_uncopied and not item.path.samefile(original_of(project, item)) and b"secret" not in item.path.read_bytes()


def test_a_large_photo_that_is_cut_off_is_refused_although_its_thumbnail_is_whole(project, tmp_path):
    path = photo(tmp_path / "large.jpg", comment=b"a thumbnail ends so: \xff\xd9")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = import_media(project, [path])
    assert not result.added and "damaged or incomplete" in result.rejected[0][1]


def test_a_kill_before_the_copy_took_its_place_costs_nothing_that_was_said(project, tmp_path, monkeypatch):
    (item,) = bring_in(project, photo(tmp_path / "large.jpg"))
    dataset.set_said(project, {item.id: Said(who=OTHER)}, "Somebody else")
    with monkeypatch.context() as cut:
        cut.setattr(training_copy, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            copy_kept(project)
    after = dataset.get_item(project, item.id)
    assert after.is_uncopied and after.sha256 == item.sha256 and after.said == Said(who=OTHER) and after.keep
    assert (after.width, after.height) == (item.width, item.height)
    copy_kept(project)
    assert not dataset.get_item(project, item.id).is_uncopied


def test_what_turns_out_damaged_is_left_out_with_the_reason(project, tmp_path):
    (item,) = bring_in(project, photo(tmp_path / "large.jpg"))
    original = original_of(project, item)
    whole, written = original.read_bytes(), original.stat()
    with open(original, "r+b") as file:  # a disk that fails: other bytes under the same name, size and time
        file.seek(len(whole) // 4)
        file.write(b"\xff\xc4\x00\x03\x00" * (len(whole) // 8))
    os.utime(original, ns=(written.st_atime_ns, written.st_mtime_ns))
    copy_kept(project)
    after = dataset.get_item(project, item.id)
    assert after.problem and not after.keep and [reason.code for reason in after.reasons] == ["unreadable"]


@pytest.mark.parametrize("target", ["musubi", "bundle"])
def test_an_export_never_carries_what_a_camera_wrote(project, tmp_path, target):
    project.update(base_model="wan22-t2v-a14b")
    (item,) = bring_in(project, photo(tmp_path / "large.jpg"))
    dataset.set_caption(project, item.id, "ohwx")
    make_pair(project)
    exported = export_pair(project, "train-001/step-000030", target, include_photos=True)
    for packed in exported.rglob("*.zip"):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(packed.parent)
    photos = list(exported.rglob(f"{item.id}.jpg"))
    assert photos and all(b"secret" not in path.read_bytes() for path in photos)
