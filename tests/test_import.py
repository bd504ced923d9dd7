"""Import: what comes in, in which shape, and what hostile or broken files get instead: a sentence, and nothing else is lost."""

import dataclasses
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from import_kit import num_accounted
from PIL import Image, ImageCms

from studio.config import DataConfig
from studio.data import dataset, limits
from studio.data.buckets import choose_bucket
from studio.data.importer import import_media
from studio.data.incoming.survey import survey
from studio.data.records import portable_name
from studio.errors import Problem

LEFT, RIGHT = (200, 30, 30), (30, 30, 200)


def halves(size=(96, 64)):
    """A picture that is red on the left and blue on the right."""
    image = Image.new("RGB", size, LEFT)
    image.paste(RIGHT, (size[0] // 2, 0, *size))
    return image


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def one_item(project, path):
    result = import_media(project, [path])
    assert result.rejected == [] and len(result.added) == 1, result
    return dataset.get_item(project, result.added[0])


def pixel(item, place):
    with Image.open(item.path) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        return np.array(image.getpixel((int(place[0] * image.width), int(place[1] * image.height))), int)


def near(pixel, colour, tolerance=12):
    return np.abs(pixel - np.array(colour)).max() <= tolerance


def refused(project, path):
    """The one sentence that a file gets; nothing of it stays behind."""
    result = import_media(project, [path])
    assert result.added == [] and len(result.rejected) == 1, result
    assert (
        dataset.list_items(project) == [] and not list(project.originals_dir.glob("*")) and not list((project.root / ".incoming").iterdir())
    )
    return result.rejected[0][1]


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    exif[0x010E] = "secret description"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    return exif.tobytes()


# -- photos


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_photo_turned_by_its_exif_is_stored_upright_without_metadata(project, tmp_path, kind):
    from pillow_heif import register_heif_opener

    register_heif_opener()
    path = save(tmp_path / f"photo.{kind.lower()}", halves(), format=kind, exif=orientation(6))
    item = one_item(project, path)
    assert (item.width, item.height) == (64, 96)
    assert near(pixel(item, (0.5, 0.2)), LEFT, 30) and near(pixel(item, (0.5, 0.8)), RIGHT, 30)
    with Image.open(item.path) as image:
        assert not image.getexif() and not {"icc_profile", "comment", "xmp", "exif"} & image.info.keys()
        assert image.layer[0][1:3] == (1, 1) and image.layer[1][1:3] == (1, 1)  # 4:4:4
    assert b"secret" not in item.path.read_bytes()
    assert (project.originals_dir / item.original).read_bytes() == path.read_bytes()
    assert item.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_exif_orientation_ends_upright(project, tmp_path):
    corner = Image.new("RGB", (96, 64), "white")
    corner.paste((0, 0, 0), (0, 0, 48, 32))
    ways = {2: 0, 3: 3, 4: 1, 5: 4, 6: 4, 7: 6, 8: 2}
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposes that undo what each orientation asks for
    for value in ways:
        stored = corner.transpose(Image.Transpose(inverse[value]))
        item = one_item(project, save(tmp_path / f"{value}.png", stored, exif=orientation(value)))
        assert (item.width, item.height) == (96, 64)
        assert near(pixel(item, (0.2, 0.2)), (0, 0, 0)) and near(pixel(item, (0.8, 0.8)), (255, 255, 255)), value


def test_unusual_kinds_of_pixels_become_plain_rgb(project, tmp_path):
    grey16 = Image.fromarray((np.linspace(0, 65535, 96)[None].repeat(64, 0)).astype(np.uint16))
    clear = halves().convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 48, 64))
    palette = halves().quantize(4)
    cases = {
        "grey16.png": (grey16, {}, (0.9, 0.5), (230, 230, 230)),
        "cmyk.jpg": (halves().convert("CMYK"), {"quality": 95}, (0.9, 0.5), RIGHT),
        "palette.png": (palette, {}, (0.9, 0.5), RIGHT),
        "alpha.png": (clear, {}, (0.1, 0.5), (255, 255, 255)),
        "alpha.webp": (clear, {"lossless": True}, (0.1, 0.5), (255, 255, 255)),
        "grey_alpha.png": (clear.convert("LA"), {}, (0.1, 0.5), (255, 255, 255)),
        "palette_alpha.png": (clear.quantize(8), {}, (0.1, 0.5), (255, 255, 255)),
        "bits.png": (halves().convert("1", dither=0), {}, (0.9, 0.5), (0, 0, 0)),
        "grey.jpg": (halves().convert("L"), {"quality": 95}, (0.9, 0.5), (49, 49, 49)),
        "still.gif": (halves(), {}, (0.9, 0.5), RIGHT),
    }
    for name, (image, options, place, colour) in cases.items():
        item = one_item(project, save(tmp_path / name, image, **options))
        assert near(pixel(item, place), colour), (name, pixel(item, place))


def test_colours_of_a_wide_gamut_profile_are_brought_to_srgb(project, tmp_path):
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, profile in enumerate((srgb, lab, linear, b"broken profile")):
        item = one_item(project, save(tmp_path / f"{number}.jpg", halves((96, 64 + number)), quality=95, icc_profile=profile))
        with Image.open(item.path) as image:
            assert "icc_profile" not in image.info
        if profile is not linear:
            assert near(pixel(item, (0.9, 0.5)), RIGHT), number


def test_a_very_large_photo_is_scaled_down_and_its_original_kept(project, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_TRAINED_PIXELS", 200 * 100)
    for name in ("large.jpg", "large.png"):
        item = one_item(project, save(tmp_path / name, halves((900, 300 + len(name)))))
        assert 0.97 * 200 * 100 < item.width * item.height <= 200 * 100 and abs(item.width / item.height - 900 / (300 + len(name))) < 0.03
        with Image.open(project.originals_dir / item.original) as original:
            assert original.width == 900


@pytest.mark.parametrize("size", [(4000, 3000), (2600, 2500), (2300, 5100)])
def test_the_copy_of_a_photo_has_all_that_training_takes(project, tmp_path, size):
    """At the largest setting: all px of it where a photo has to be scaled, seven tenths where a JPEG is decoded at half; at 1,536 px the same."""
    most = next(field for field in dataclasses.fields(DataConfig) if field.name == "photo_size").metadata["setting"].maximum
    assert most**2 == limits.MAX_TRAINED_PIXELS
    item = one_item(project, save(tmp_path / "large.jpg", halves(size)))
    assert 0.7 * most**2 <= item.width * item.height <= most**2
    of_both = [choose_bucket(*shape, 1536, 32) for shape in (size, (item.width, item.height))]
    assert max(abs(a - b) for a, b in zip(*of_both)) <= 32


def test_content_decides_and_not_the_extension(project, tmp_path, media):
    (tmp_path / "photo.jpg").write_bytes((media / "astronaut.png").read_bytes())
    (tmp_path / "photo.mp4").write_bytes((media / "person_a_1.jpg").read_bytes())
    (tmp_path / "clip").write_bytes((media / "bigbuckbunny.mp4").read_bytes())
    result = import_media(project, [tmp_path])
    assert sorted(result.added) == ["0001", "0002", "clip-01"] and not result.rejected


def png_header(width, height):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"these are words, not a photo", "neither a photo nor a clip"),
        ("page.png", b"<html><body>404</body></html>", "neither a photo nor a clip"),
        ("noise.jpg", b"\xff\xd8\xff" + bytes(range(256)) * 20, "damaged or incomplete"),
        ("stub.png", b"\x89PNG\r\n\x1a\n", "damaged or incomplete"),
        ("stub.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "damaged or incomplete"),
        ("stub.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged or incomplete"),
        ("stub.tif", b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 64, "damaged or incomplete"),
        ("bomb.png", png_header(30_000, 30_000), "megapixels"),
        ("wide.png", png_header(2_000_000_000, 1), "megapixels"),
        ("big.png", png_header(15_000, 11_000), "15,000 x 11,000 pixels"),
        ("short.png", png_header(2_000, 2_000), "damaged or incomplete"),
        ("dot.png", png_header(1, 1), "only 1 x 1"),
        ("strip.png", png_header(9_000, 40), "strip"),
        ("raw.nef", b"nikon raw", "camera's raw file"),
        ("raw.CR2", b"II*\0\x10\0\0\0CR\2\0", "camera's raw file"),
        ("film.avi", b"RIFF\x10\0\0\0AVI ", "not supported"),
        ("stub.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "damaged or incomplete"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", "neither a photo nor a clip"),
        ("stub.webm", b"\x1a\x45\xdf\xa3" + b"\0" * 100, "damaged or incomplete"),
        ("broken.zip", b"PK\x03\x04" + b"\0" * 50, "archive is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_gets_a_sentence(project, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in refused(project, tmp_path / name)


def test_the_small_preview_in_a_raw_file_is_not_taken_for_the_photo(project, tmp_path):
    Image.new("RGB", (160, 120), "red").save(tmp_path / "a.tif")
    (tmp_path / "IMG_1.DNG").write_bytes((tmp_path / "a.tif").read_bytes())
    with zipfile.ZipFile(tmp_path / "card.zip", "w") as archive:
        archive.write(tmp_path / "IMG_1.DNG", "DCIM/IMG_1.DNG")
    for name in ("IMG_1.DNG", "card.zip"):
        assert "camera's raw file" in refused(project, tmp_path / name)


def test_a_truncated_photo_is_refused_and_the_others_come_in(project, tmp_path, media):
    whole = (media / "person_b_1.jpg").read_bytes()
    (tmp_path / "a cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b whole.jpg").write_bytes(whole)
    (tmp_path / "c text.jpg").write_text("x", encoding="utf-8")
    (tmp_path / "notes.md").write_text("ignored", encoding="utf-8")
    result = import_media(project, [tmp_path])
    assert result.added == ["0001"] and [Path(name).name for name, _ in result.rejected] == ["a cut.jpg", "c text.jpg"]


def test_damaged_exif_costs_no_photo(project, tmp_path):
    for number, exif in enumerate(
        (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    ):
        one_item(project, save(tmp_path / f"{number}.jpg", halves((96, 64 + number)), exif=exif))


def test_nothing_to_import_is_said_in_words(project, tmp_path):
    with pytest.raises(Problem, match="no photos or clips"):
        import_media(project, [tmp_path])
    result = import_media(project, [tmp_path / "missing.jpg"])
    assert "no such file" in result.rejected[0][1]


# -- names, duplicates, captions


def test_names_never_collide_and_odd_ones_become_portable(project, tmp_path):
    names = [
        "a/Photo.PNG",
        "b/photo.png",
        "c/PHOTO.png",
        "d/ünï 😀 'q\".png",
        f"e/{'long' * 60}.png",
        "f/CON.png",
        "g/ .. .png",
        "h/-rf *.png",
    ]
    for number, name in enumerate(names):
        save(tmp_path / "in" / name, halves((96, 64 + number)), format="PNG")
    assert len(import_media(project, [tmp_path / "in"]).added) == len(names)
    kept = sorted(p.name for p in project.originals_dir.iterdir())
    assert len({name.casefold() for name in kept}) == len(names)
    assert "Photo.PNG" in kept and "photo (2).png" in kept and "PHOTO (3).png" in kept and "file-CON.png" in kept
    assert all(len(name.encode()) <= 100 and not set('<>:"|?*/\\') & set(name) for name in kept)


@pytest.mark.parametrize(
    ("name", "expected"), [("../../x.jpg", "x.jpg"), ("C:\\a\\b.jpg", "b.jpg"), ("nul.jpg", "file-nul.jpg"), ("...", "file")]
)
def test_a_name_is_made_portable(name, expected):
    assert "".join(portable_name(name)) == expected


def test_duplicates_by_content_come_in_once_and_are_reported(project, tmp_path):
    photo = save(tmp_path / "in" / "a.png", halves())
    (tmp_path / "in" / "b.png").write_bytes(photo.read_bytes())
    first = import_media(project, [tmp_path / "in"])
    assert first.added == ["0001"] and first.duplicates == [("in/b.png", "0001")]
    with zipfile.ZipFile(tmp_path / "again.zip", "w") as archive:
        archive.write(photo, "z.png")
    again = import_media(project, [tmp_path / "in", tmp_path / "again.zip"])
    assert again.added == [] and [of for _, of in again.duplicates] == ["0001"] * 3
    assert len(list(project.originals_dir.iterdir())) == 1


def test_a_removed_photo_can_be_imported_again_without_a_second_original(project, tmp_path):
    photo = save(tmp_path / "a.png", halves())
    one_item(project, photo)
    dataset.remove_item(project, "0001")
    assert one_item(project, photo).id == "0002"
    assert [p.name for p in project.originals_dir.iterdir()] == ["a.png"]


def test_folders_of_other_trainers_bring_their_captions(project, tmp_path):
    texts = {
        "a.txt": b"[Trigger], with a hat",
        "b.TXT": "\ufeffohwx, am Meer\r\nzweite Zeile".encode(),
        "c.caption": "ohwx, schön".encode("cp1252"),
        "d.txt": "ohwx, wide".encode("utf-16"),
        "e.txt": b"",
        "f.txt": b"ohwx, " + b"very " * 800 + b"long",
    }
    for number, (name, content) in enumerate(texts.items()):
        (tmp_path / name).write_bytes(content)
        save(tmp_path / f"{name[0]}.png", halves((96, 64 + number)))
    result = import_media(project, [tmp_path])
    items = dataset.list_items(project)
    assert [i.caption for i in items[:5]] == ["ohwx, with a hat", "ohwx, am Meer zweite Zeile", "ohwx, schön", "ohwx, wide", ""]
    assert [i.caption_source for i in items[:5]] == ["imported"] * 4 + [""]
    assert items[5].caption.endswith("very") and len(items[5].caption) <= limits.MAX_CAPTION_CHARACTERS
    said = " ".join(words for _, words in result.notes)
    assert (
        len(result.notes) == 4
        and "studio's own folder" in said
        and "read as Windows-1252: ohwx, schön" in said
        and "joined to one" in said
        and "was cut to" in said
    )
    assert not dataset.set_caption(project, "0001", "ohwx, a guess", source="auto")
    assert (project.dataset_dir / "0001.txt").read_text(encoding="utf-8") == "ohwx, with a hat"


def test_photos_and_texts_chosen_one_by_one_belong_together(project, tmp_path):
    photo = save(tmp_path / "1" / "a.png", halves())
    for name in ("2/a.txt", "3/stray.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("ohwx, chosen", encoding="utf-8")
    result = import_media(project, [photo, tmp_path / "2" / "a.txt", tmp_path / "3" / "stray.txt"])
    assert dataset.list_items(project)[0].caption == "ohwx, chosen"
    assert [(group.name, group.code) for group in result.left_out] == [("stray.txt", "text")]
    assert "text without a photo" in result.left_out[0].words and result.rejected == []


def test_hidden_files_are_named_and_links_are_followed_in_bounds(project, tmp_path):
    root = tmp_path / "in"
    for number, name in enumerate(["sub/deep/ok.png", ".hidden.png", ".git/x.png", "__MACOSX/._a.png", "sub/Thumbs.db"]):
        save(root / name, halves((96, 64 + number)), format="PNG")
    outside = save(tmp_path / "outside.png", halves((70, 70)))
    try:
        (root / "link.png").symlink_to(outside)
        (root / "loop").symlink_to(root)
        (root / "dangling.png").symlink_to(root / "nothing.png")
        (root / "round.png").symlink_to(root / "round.png")
    except OSError:  # Windows without the right to make links
        pass
    result = import_media(project, [root])
    has_links = (root / "link.png").is_symlink()
    assert {item.original for item in dataset.list_items(project)} == ({"ok.png", "link.png"} if has_links else {"ok.png"})
    assert [Path(name).name for name, _ in result.rejected] == (["dangling.png", "loop", "round.png"] if has_links else [])
    assert {name for group in result.left_out for name in group.files} == {
        f"in/{name}" for name in (".hidden.png", ".git/x.png", "__MACOSX/._a.png", "sub/Thumbs.db")
    }
    assert num_accounted(result) == result.num_given


def test_too_many_files_are_refused_before_anything_is_copied(project, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FILES", 3)
    for number in range(5):
        save(tmp_path / f"{number}.png", halves((96, 64 + number)))
    with pytest.raises(ValueError, match="more than 3 files"):
        import_media(project, [tmp_path])
    assert dataset.list_items(project) == []


# -- archives


def png_bytes(height=64):
    buffer = io.BytesIO()
    halves((96, height)).save(buffer, "PNG")
    return buffer.getvalue()


def zip_of(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_an_archive_brings_photos_and_captions(project, tmp_path):
    entries = [
        ("set/eins.png", png_bytes()),
        ("set/eins.txt", "[trigger], im Café"),
        ("__MACOSX/set/._eins.png", b"x"),
        ("readme.md", b"x"),
    ]
    result = import_media(project, [zip_of(tmp_path / "set.zip", entries)])
    assert result.added == ["0001"] and result.rejected == []
    item = dataset.list_items(project)[0]
    assert (item.caption, item.caption_source, item.original) == ("ohwx, im Café", "imported", "eins.png")


def test_unsafe_entries_are_refused_one_by_one_and_the_rest_comes_in(project, tmp_path):
    inner = zip_of(tmp_path / "inner.zip", [("x.png", png_bytes(80))]).read_bytes()
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    entries = [
        ("../evil.png", png_bytes(65)),
        ("/etc/evil.png", png_bytes(66)),
        ("a/../../evil.png", png_bytes(67)),
        ("C:/evil.png", png_bytes(68)),
        ("..\\evil.png", png_bytes(69)),
        ("nul.png", png_bytes(70)),
        ("inner.zip", inner),
        (link, "/etc/passwd"),
        ("text.jpg", b"words"),
        ("good 😀.png", png_bytes(71)),
    ]
    before = sorted(p for p in tmp_path.rglob("*") if project.root not in p.parents)
    result = import_media(project, [zip_of(tmp_path / "evil.zip", entries)])
    assert len(result.added) == 1 and dataset.list_items(project)[0].original == "good 😀.png"
    reasons = {name.removeprefix("evil.zip/"): reason for name, reason in result.rejected}
    for name in ("../evil.png", "/etc/evil.png", "a/../../evil.png", "C:/evil.png", "nul.png"):
        assert "not unpacked" in reasons[name]
    assert (
        "archive within an archive" in reasons["inner.zip"] and "link" in reasons["link.png"] and "neither a photo" in reasons["text.jpg"]
    )
    assert len(result.rejected) == 9
    after = sorted(p for p in tmp_path.rglob("*") if project.root not in p.parents)
    assert set(after) - set(before) == {tmp_path / "evil.zip"}


def test_an_encrypted_entry_is_refused(project, tmp_path):
    path = zip_of(tmp_path / "locked.zip", [("a.png", png_bytes())])
    raw = bytearray(path.read_bytes())
    raw[6] |= 1  # the flag in the local header ...
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # ... and in the directory
    path.write_bytes(raw)
    assert "password" in refused(project, path)


def test_a_zip_bomb_is_stopped_by_counting_what_really_comes_out(project, tmp_path):
    bomb = b"\x89PNG\r\n\x1a\n" + bytes(64 * 1024**2)
    path = zip_of(tmp_path / "bomb.zip", [("a bomb.png", bomb), ("b good.png", png_bytes())])
    assert path.stat().st_size < len(bomb) / 500
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02") + 20
    raw[at : at + 8] = struct.pack("<II", struct.unpack_from("<I", raw, at)[0], 1000)  # the directory claims 1,000 bytes
    for number, content in enumerate((path.read_bytes(), bytes(raw))):
        (tmp_path / f"{number}.zip").write_bytes(content)
        result = import_media(project, [tmp_path / f"{number}.zip"])
        assert len(result.rejected) == 1 and "bomb" in result.rejected[0][0]
    assert len(dataset.list_items(project)) == 1 and not list((project.root / ".incoming").iterdir())


def test_an_archive_may_not_unpack_to_far_more_than_its_size_in_all(project, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ZIP_RATIO_FLOOR", 40_000)
    monkeypatch.setattr(limits, "MAX_ZIP_RATIO", 1)
    noise = [(f"{n}.png", b"\x89PNG\r\n\x1a\n" + bytes(39_000)) for n in range(30)]
    result = import_media(project, [zip_of(tmp_path / "many.zip", noise)])
    assert "zip bomb" in result.rejected[-1][1]


def test_an_archive_with_too_many_entries_or_a_damaged_entry_is_said(project, tmp_path, monkeypatch):
    path = zip_of(tmp_path / "a.zip", [("a.png", png_bytes()), ("b.png", png_bytes(70))], zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[200] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(raw)
    result = import_media(project, [tmp_path / "damaged.zip"])
    assert len(result.added) == 1 and "can't be unpacked" in result.rejected[0][1]
    monkeypatch.setattr(limits, "MAX_ZIP_ENTRIES", 1)
    assert "holds 2 files" in import_media(project, [path]).rejected[0][1]


# -- interruptions


def test_a_stop_between_files_keeps_what_is_done(project, tmp_path):
    for number in range(4):
        save(tmp_path / f"{number}.png", halves((96, 64 + number)))
    events = []
    result = import_media(
        project,
        [tmp_path],
        report=lambda event, **fields: events.append((event, fields)),
        should_stop=lambda: len(dataset.list_items(project)) >= 2,
    )
    assert result.stopped and len(result.added) == len(dataset.list_items(project)) == 2
    assert all(event == "progress" and {"stage", "done", "total", "unit", "message"} <= fields.keys() for event, fields in events)
    assert import_media(project, [tmp_path]).added == ["0003", "0004"]


KILLED = """
import os, sys
from pathlib import Path
from studio.data import records
from studio.data.importer import import_media
from studio.data.incoming import intake
from studio.workspace import Project
calls = [0]
def dies(function):
    def wrapped(*args, **kwargs):
        calls[0] += 1
        if calls[0] > int(sys.argv[3]):
            os._exit(9)
        return function(*args, **kwargs)
    return wrapped
intake.replace, intake.write_caption, records.add, records.save = map(dies, (intake.replace, intake.write_caption, records.add, records.save))
import_media(Project(Path(sys.argv[1])), [Path(sys.argv[2])])
"""


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5])
def test_a_killed_import_leaves_no_half_item_and_can_be_run_again(project, tmp_path, moment):
    for number in range(2):
        save(tmp_path / "in" / f"{number}.png", halves((96, 64 + number)))
        (tmp_path / "in" / f"{number}.txt").write_text(f"ohwx, number {number}", encoding="utf-8")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(project.root), str(tmp_path / "in"), str(moment)], check=False)
    assert killed.returncode == 9
    for item in dataset.list_items(project):
        assert item.caption == f"ohwx, number {item.height - 64}" and not item.problem
    import_media(project, [tmp_path / "in"])
    items = dataset.list_items(project)
    assert [i.caption for i in items] == ["ohwx, number 0", "ohwx, number 1"] and len(list(project.originals_dir.iterdir())) == 2
    assert not list((project.root / ".incoming").iterdir())


FULL = """
import resource, signal, sys
from pathlib import Path
from studio.data.importer import import_media
from studio.errors import Problem
from studio.workspace import Project
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    import_media(Project(Path(sys.argv[1])), [Path(sys.argv[2])])
except Problem as e:
    print(e.message, "|", e.cost, "|", e.fix)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on file size for a process")
def test_a_full_disk_is_a_problem_in_words_and_keeps_what_is_done(project, tmp_path):
    save(tmp_path / "in" / "a.png", halves())
    save(tmp_path / "in" / "b.png", Image.effect_noise((800, 800), 80).convert("RGB"))
    run = subprocess.run([sys.executable, "-c", FULL, str(project.root), str(tmp_path / "in")], capture_output=True, text=True, check=True)
    assert "disk is full" in run.stdout and "1 of 2 files" in run.stdout and "kept" in run.stdout, run.stderr
    assert [i.original for i in dataset.list_items(project)] == ["a.png"] and not list((project.root / ".incoming").iterdir())
    assert len(import_media(project, [tmp_path / "in"]).added) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on file size for a process")
def test_a_disk_that_fills_while_a_clip_is_converted_is_no_damaged_clip(project, tmp_path):
    (tmp_path / "in").mkdir()
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "nullsrc=s=320x240:d=0.4,geq=random(1)*255:128:128"]
    subprocess.run([*ffmpeg, "-c:v", "mpeg4", "-b:v", "1k", "-qmin", "31", tmp_path / "in" / "a.mkv"], check=True)
    run = subprocess.run([sys.executable, "-c", FULL, str(project.root), str(tmp_path / "in")], capture_output=True, text=True, check=True)
    assert (tmp_path / "in" / "a.mkv").stat().st_size < 300_000 and "disk is full" in run.stdout, run.stderr
    assert dataset.list_items(project) == []


def test_two_imports_at_once_make_no_doubles(project, tmp_path):
    for number in range(6):
        save(tmp_path / f"{number}.png", halves((96, 64 + number)))
    results = []
    threads = [threading.Thread(target=lambda: results.append(import_media(project, [tmp_path]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(dataset.list_items(project)) == len(list(project.originals_dir.iterdir())) == 6
    assert sum(len(r.added) for r in results) == sum(len(r.duplicates) for r in results) == 6


def test_the_real_photos_and_clip_come_in(project, media):
    result = import_media(project, [media])
    items = dataset.list_items(project)
    assert len(result.added) == 8 and result.rejected == [] and [i.kind for i in items] == ["photo"] * 7 + ["clip"]
    assert sorted(p.name for p in project.dataset_dir.iterdir()) == [f"000{n}.jpg" for n in range(1, 8)] + ["clip-01.mp4"]
    for item in items:
        assert (project.originals_dir / item.original).read_bytes() == (media / item.original).read_bytes()
    assert json.loads(project.curation_file.read_bytes())["format"] == 1


def test_sources_read_nothing_twice_and_list_in_order(tmp_path):
    for name in ("b.png", "a.png", "sub/c.png"):
        save(tmp_path / name, halves())
    assert [Path(s.name).name for s in survey([tmp_path]).sources] == ["a.png", "b.png", "c.png"]


def test_a_folder_that_holds_the_workspace_gives_only_what_is_outside_it(project, tmp_path):
    save(tmp_path / "mine.png", halves((96, 64)))
    other = project.workspace.create_project("Other")
    other.originals_dir.mkdir()
    save(other.originals_dir / "theirs.png", halves((96, 80)))
    assert import_media(project, [tmp_path]).added == ["0001"]
    assert [item.original for item in dataset.list_items(project)] == ["mine.png"]
    assert import_media(project, [other.originals_dir]).added == ["0002"]  # asked for by name


# -- one bad file never ends an import


def test_equal_files_and_equal_names_in_one_import_are_taken_once_and_named(project, tmp_path):
    first = save(tmp_path / "in" / "photo (1).png", halves())
    (tmp_path / "in" / "photo (2).png").write_bytes(first.read_bytes())
    here, there = save(tmp_path / "a" / "face.png", halves((96, 70))), save(tmp_path / "b" / "face.png", halves((96, 80)))
    result = import_media(project, [first, tmp_path / "in" / "photo (2).png", here, there, there])
    assert result.added == ["0001", "0002", "0003"] and result.rejected == []
    assert result.duplicates == [("photo (2).png", "0001"), ("b/face.png", "0003")]


def test_captions_chosen_with_photos_of_equal_names_go_by_their_folder(project, tmp_path):
    chosen = []
    for number, folder in enumerate("ab"):
        chosen.append(save(tmp_path / folder / "face.png", halves((96, 64 + number))))
        (tmp_path / folder / "face.txt").write_text(f"ohwx, in {folder}", encoding="utf-8")
        chosen.append(tmp_path / folder / "face.txt")
    result = import_media(project, chosen)
    assert [item.caption for item in dataset.list_items(project)] == ["ohwx, in a", "ohwx, in b"] and result.rejected == []


def three_photos(folder):
    """After two that come first: while one file is taken in, those right behind it are in the project already."""
    for number, name in enumerate(("0", "1", "a", "b", "c")):
        save(folder / f"{name}.png", halves((96, 64 + number)))
    return folder


def at(name, act):
    """A listener that acts once, when the import comes to the file of that name."""
    waiting = [act]
    return lambda event, **fields: waiting.pop()() if waiting and fields["message"].endswith(name) else None


def test_a_file_that_vanishes_in_the_middle_is_named_and_the_others_come_in(project, tmp_path):
    folder = three_photos(tmp_path / "in")
    result = import_media(project, [folder], report=at("0.png", (folder / "b.png").unlink))
    assert len(result.added) == 4 and [name for name, _ in result.rejected] == ["in/b.png"]
    assert "is not there any more" in result.rejected[0][1]


def test_a_file_that_becomes_a_folder_is_named_and_the_others_come_in(project, tmp_path):
    folder = three_photos(tmp_path / "in")
    result = import_media(project, [folder], report=at("0.png", lambda: ((folder / "b.png").unlink(), (folder / "b.png").mkdir())))
    assert len(result.added) == 4 and [name for name, _ in result.rejected] == ["in/b.png"]


def test_a_caption_that_vanishes_while_photos_come_in_is_kept(project, tmp_path):
    folder = three_photos(tmp_path / "in")
    (folder / "b.txt").write_text("ohwx, a person", encoding="utf-8")
    result = import_media(project, [folder], report=at("0.png", (folder / "b.txt").unlink))
    assert len(result.added) == 5 and [item.caption for item in dataset.list_items(project)] == ["", "", "", "ohwx, a person", ""]


@pytest.mark.parametrize("change", ["gone", "damaged", "another"])
def test_an_archive_that_changes_in_the_middle_ends_nothing(project, tmp_path, change):
    folder = three_photos(tmp_path / "in")
    path = folder / "b2.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "b.png", "x.png")

    def spoil():
        path.unlink()
        if change == "damaged":
            path.write_bytes(b"PK\x03\x04 and then nothing")
        if change == "another":
            with zipfile.ZipFile(path, "w") as archive:
                archive.write(folder / "c.png", "y.png")

    result = import_media(project, [folder], report=at("0.png", spoil))
    assert len(result.added) == 5 and [name for name, _ in result.rejected] == ["in/b2.zip/x.png"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders and no /proc")
def test_what_can_not_even_be_looked_at_is_named_and_the_others_come_in(project, tmp_path):
    good = save(tmp_path / "good.png", halves())
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would wait for ever
    (tmp_path / "round.jpg").symlink_to(tmp_path / "round.jpg")
    (tmp_path / "broken disk.jpg").symlink_to("/proc/self/mem")  # opens, and can't be read
    bad = [
        tmp_path / "pipe.jpg",
        tmp_path / "round.jpg",
        tmp_path / "broken disk.jpg",
        tmp_path / ("long" * 80 + ".jpg"),
        "a\0b.jpg",
        "~no such person/a.jpg",
    ]
    result = import_media(project, [*bad, good])
    assert result.added == ["0001"] and len(result.rejected) == len(bad) and all(reason for _, reason in result.rejected)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every folder is open to an administrator")
def test_a_folder_that_may_not_be_opened_is_named_and_the_others_come_in(project, tmp_path):
    folder = three_photos(tmp_path / "in")
    (folder / "private").mkdir(mode=0)
    result = import_media(project, [folder])
    assert len(result.added) == 5 and [name for name, _ in result.rejected] == ["in/private"]


def test_the_command_names_each_file_that_it_leaves_out(project, media, tmp_path):
    for folder, name in (("a", "person_a_1.jpg"), ("b", "person_a_2.jpg"), ("c", "person_a_1.jpg")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "photo.jpg").write_bytes((media / name).read_bytes())
    paths = [*(str(tmp_path / folder / "photo.jpg") for folder in "abc"), str(tmp_path / ("long" * 80 + ".jpg"))]
    command = [sys.executable, "-m", "studio", "--home", str(project.workspace.home), "import", "anna", *paths]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Added 2 pictures and clips" in done.stdout and "photo.jpg is the same as 0001" in done.stdout
    assert "was left out" in done.stdout and "Traceback" not in done.stderr
