"""What is measured of photos and clips: on the face, once for a content, by processes that may be stopped and killed; what can't be told is not bad."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage.measure import blur_effect

from studio.data import curation, dataset
from studio.data.importer import import_media
from studio.data.looking import detail, looks, palette
from studio.data.looking.look import FaceLook, Look
from studio.data.looking.lookers import look_at_all
from studio.data.looking.packing import unpack_roots
from studio.data.media.photos import open_for_measuring
from studio.tiny import world
from studio.tiny.pixel_drawing import draw_photo
from studio.workspace import Project

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def real_project(workspace):
    return workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")


@pytest.fixture
def astronaut(media):
    return Image.open(media / "astronaut.png").convert("RGB")


def look(project, report=lambda event, **fields: None, should_stop=lambda: False):
    return look_at_all(project, dataset.list_items(project), report, should_stop)


def look_of(project, path):
    """The one look of a photo after it is imported and looked at."""
    result = import_media(project, [path])
    assert len(result.added) == 1, result
    look(project)
    (only,) = looks.seen(project, dataset.get_item(project, result.added[0]))
    return only


def saved(image, path, **options):
    image.save(path, **options)
    return path


# -- on the face


def test_faults_are_measured_on_the_face_and_not_on_what_is_around_it(real_project, tmp_path, astronaut):
    face = (160, 50, 290, 190)

    def spoilt(name, spoil):
        image = astronaut.copy()
        image.paste(spoil(image.crop(face)), face[:2])
        return look_of(real_project, saved(image, tmp_path / f"{name}.png")).face

    clean = look_of(real_project, saved(astronaut, tmp_path / "clean.png")).face
    assert clean.blur < 0.6 and clean.upscaled < 0.49 and clean.blown < 0.26 and clean.luma > 42 and clean.width > 64
    blurred = spoilt("blurred", lambda part: part.filter(ImageFilter.GaussianBlur(5)))
    assert blurred.blur > 0.66
    small = spoilt(
        "upscaled",
        lambda part: part.resize((part.width // 4, part.height // 4), Image.Resampling.LANCZOS).resize(part.size, Image.Resampling.BICUBIC),
    )
    assert small.upscaled > 0.49
    assert spoilt("blown", lambda part: part.point(lambda value: min(255, value * 3))).blown > 0.26
    dark = look_of(real_project, saved(astronaut.point(lambda value: value // 8), tmp_path / "dark.png"))
    assert dark.face is None or dark.face.luma < 42


def test_blur_is_measured_as_scikit_image_measures_it():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
    for sigma in (0, 0.5, 1, 2, 4, 8):
        part = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(sigma)))
        assert detail.blur_effect(part.astype(np.float32)) == pytest.approx(float(blur_effect(part, h_size=detail.BLUR_REACH)), abs=1e-5)
    assert detail.blur(np.full((64, 64), 7, np.uint8)) == 1.0  # nothing that could be sharp


def test_the_tables_of_the_original_tell_what_jpeg_took_although_the_copy_is_a_good_one(real_project, tmp_path, astronaut):
    bad, good = (look_of(real_project, saved(astronaut, tmp_path / f"{q}.jpg", quality=q)) for q in (10, 92))
    assert bad.jpeg_tables > 6000 > 1200 > good.jpeg_tables and bad.blocks > 1.8 > good.blocks
    assert look_of(real_project, saved(astronaut.rotate(1), tmp_path / "rotated.png")).jpeg_tables is None


def test_places_are_of_the_photo_as_it_is_seen_however_it_is_stored(real_project, tmp_path, astronaut):
    upright = np.asarray(astronaut.crop((0, 0, 512, 400)).convert("L"))
    for orientation, stored in enumerate(("", 0, 3, 1, 5, 2, 6, 4), 1):  # the turn that undoes each of EXIF's
        image = astronaut.crop((0, 0, 512, 400))
        if stored != "":
            image = image.transpose(Image.Transpose(stored))
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = saved(image, tmp_path / f"{orientation}.jpg", quality=97, subsampling=0, exif=exif.tobytes())
        photo = open_for_measuring(path, 256)
        assert (photo.width, photo.height) == (512, 400), orientation
        part = photo.grey(160, 50, 290, 190)
        assert np.abs(part.astype(int) - upright[50:190, 160:290]).mean() < 3, orientation
        whole = np.asarray(Image.fromarray(photo.small).convert("L").resize((512, 400))).astype(int)
        assert np.abs(whole - upright).mean() < 12, orientation


def test_angles_framing_and_mouths_are_decided_when_they_are_read():
    def face(**fields):
        return FaceLook(left=0, top=0, width=100, height=100, score=0.9, landmarks=(0.0,) * 10, **fields)

    assert [face(turn=turn).angle for turn in (-60, -30, 0, 30, 60)] == ["profile-left", "left", "front", "right", "profile-right"]
    assert face().angle == "" and face().mouth_open is None and face(mouth=0.1).mouth_open and not face(mouth=0.02).mouth_open
    shares = {0.5: "close", 0.3: "upper", 0.18: "waist", 0.05: "full"}
    assert {share: Look(eye="", width=1000, height=round(100 / share)).framing_of(face()) for share in shares} == shares
    assert Look(eye="", width=10, height=10).framing_of(None) == ""


def test_colours_of_places_differ_where_places_do():
    chance = np.random.default_rng(0)
    beach, office = (np.clip(chance.normal(mean, 14, (4000, 3)), 0, 255).astype(np.uint8) for mean in ((150, 120, 100), (90, 140, 160)))
    rows = [np.sqrt(palette.histogram(pixels)).ravel() for pixels in (beach[:2000], beach[2000:], office)]
    distances = [float(np.sqrt(max(0, 1 - rows[0] @ row))) for row in rows[1:]]
    assert distances[0] < 0.15 < 0.41 < distances[1]


def test_a_look_survives_its_file(real_project, tmp_path, astronaut):
    found = look_of(real_project, saved(astronaut, tmp_path / "a.png"))
    again = Look.from_json(json.loads(json.dumps(found.to_json())), "test")
    assert again == found and again.thumbnail_pixels().shape == (64, 64)
    assert abs(np.linalg.norm(unpack_roots(again.background)) - 1) < 1e-5 and abs(np.linalg.norm(unpack_roots(again.outfit)) - 1) < 1e-5


# -- all kinds of photos


def test_whatever_comes_is_measured_or_not_measured_and_never_an_error(real_project, tmp_path, astronaut, media):
    import pillow_heif

    pillow_heif.register_heif_opener()
    folder = tmp_path / "what people have"
    folder.mkdir()
    deep = (np.asarray(astronaut.convert("L"), np.uint16) << 8) + 128
    black = Image.new("RGB", (900, 700))
    screenshot = Image.new("RGB", (1170, 2532), "white")
    draw = ImageDraw.Draw(screenshot)
    draw.rectangle((0, 0, 1170, 180), fill=(30, 60, 120))
    for row in range(300, 2400, 60):
        draw.text((60, row), "a line of text on a screen " * 4, fill="black")
    made = {
        "heic.heic": (astronaut, {}), "deep.png": (Image.fromarray(deep), {}), "cmyk.jpg": (astronaut.convert("CMYK"), {}),
        "grey.jpg": (astronaut.convert("L"), {}), "palette.gif": (astronaut.convert("P"), {}), "black.jpg": (black, {}),
        "panorama.jpg": (astronaut.resize((3000, 400)), {}), "tiny.png": (astronaut.resize((40, 40)), {}), "screen.png": (screenshot, {}),
        "alpha.png": (astronaut.convert("RGBA"), {}), "wide.tif": (astronaut.rotate(3), {}),
    }  # fmt: skip
    for name, (image, options) in made.items():
        image.save(folder / name, **options)
    notes = []
    added = import_media(real_project, [folder, media / "bigbuckbunny.mp4"])
    assert len(added.added) == len(made) + 1, added
    look(real_project, report=lambda event, **fields: notes.append(fields["message"]) if event == "note" else None)
    assert not notes
    items = {item.original: item for item in dataset.list_items(real_project)}
    seen = {name: looks.seen(real_project, item) for name, item in items.items()}
    assert all(len(found) == 1 for name, found in seen.items() if name in made) and len(seen["bigbuckbunny.mp4"]) == 3
    for name in ("heic.heic", "deep.png", "cmyk.jpg", "grey.jpg", "palette.gif", "alpha.png", "wide.tif"):
        assert abs(seen[name][0].face.left - 178) < 25 and seen[name][0].face.embedding, name
    assert seen["grey.jpg"][0].colour < 1 < 5 < seen["cmyk.jpg"][0].colour
    assert seen["black.jpg"][0].face is None and seen["black.jpg"][0].blocks is None and seen["black.jpg"][0].middle.luma < 2
    assert seen["tiny.png"][0].middle.blur is None and seen["screen.png"][0].flat > 0.8
    assert all(frame.jpeg_tables is frame.blocks is None for frame in seen["bigbuckbunny.mp4"])
    curation.curate(real_project)
    assert curation.is_settled(real_project)


def test_a_project_of_drawn_people_sees_both_drawn_and_real_ones(project, tmp_path, astronaut):
    chance = random.Random(0)
    drawn = draw_photo(world.draw_identity(chance), world.draw_scene(chance), 4)
    one, other = look_of(project, saved(drawn, tmp_path / "drawn.png")), look_of(project, saved(astronaut, tmp_path / "real.png"))
    who = looks.find_eyes(project)
    assert other.eye == who.face_key and other.face.landmarks and other.framing_of(other.face) == "upper"
    assert one.eye == who.drawn_key and one.face.embedding and not one.face.landmarks and one.framing_of(one.face) == one.face.angle == ""


# -- kept and gone on with


@pytest.fixture
def eight(real_project, tmp_path, media):
    """A project with eight photos that differ."""
    folder = tmp_path / "photos of Anna"
    folder.mkdir()
    for number, path in enumerate(sorted(media.glob("*.jpg"))[:4]):
        with Image.open(path) as image:
            image.convert("RGB").save(folder / f"{number}.jpg", quality=93)
            image.convert("RGB").rotate(2).save(folder / f"{number}-turned.jpg", quality=93)
    import_media(real_project, [folder])
    return real_project


def test_two_processes_see_what_one_sees_and_nothing_is_looked_at_twice(eight, tmp_path):
    events = []
    assert look(eight, report=lambda event, **fields: events.append(fields)) == (8, False)
    assert [event["done"] for event in events] == list(range(1, 9)) and {event["total"] for event in events} == {8}
    together = dict(looks.looks_of(eight))
    assert look(eight) == (0, False)
    looks.looks_file(eight).unlink()
    for item in dataset.list_items(eight):
        look_at_all(eight, [item], lambda event, **fields: None, lambda: False)
    assert dict(looks.looks_of(eight)) == together


def test_a_torn_line_and_a_file_that_was_replaced_cost_only_themselves(eight):
    look(eight)
    file, whole = looks.looks_file(eight), dict(looks.looks_of(eight))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:5]) + lines[5][: len(lines[5]) // 2])
    assert len(looks.looks_of(eight)) == 5
    assert look(eight) == (3, False) and dict(looks.looks_of(eight)) == whole


def test_a_stop_keeps_what_was_seen(eight):
    events = []
    looked, stopped = look(eight, report=lambda event, **fields: events.append(event), should_stop=lambda: len(events) >= 2)
    assert stopped and 2 <= looked <= 6 and len(looks.looks_of(eight)) == looked
    assert look(eight) == (8 - looked, False)


CHECK = """
import sys
from pathlib import Path
from studio.data.curation import curate
from studio.workspace import Project
if __name__ == "__main__":
    curate(Project(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_kill_loses_at_most_what_is_in_hand_and_leaves_no_process_behind(eight, tmp_path):
    import psutil

    script = tmp_path / "check.py"
    script.write_text(CHECK, encoding="utf-8")
    child = subprocess.Popen([sys.executable, str(script), str(eight.root)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    file = looks.looks_file(eight)
    while child.poll() is None and not (file.is_file() and file.read_bytes().count(b"\n") >= 2):
        time.sleep(0.01)
    helpers = psutil.Process(child.pid).children(recursive=True) if child.poll() is None else []
    child.send_signal(signal.SIGKILL)
    child.wait()
    _, alive = psutil.wait_procs(helpers, timeout=60)
    assert not alive
    kept = len(looks.looks_of(eight))
    assert kept >= 2
    result = curation.curate(Project(eight.root))
    assert result.measured == 8 - kept and len(looks.looks_of(eight)) == 8  # those that were seen are not looked at again:
    assert len(file.read_bytes().splitlines()) <= 8 + 1


def test_a_process_that_dies_costs_its_own_picture_only(eight, monkeypatch):
    monkeypatch.setattr("studio.data.looking.lookers.look_in_process", die_at_0003)
    notes = []
    looked, stopped = look(eight, report=lambda event, **fields: notes.append(fields["message"]) if event == "note" else None)
    assert (looked, stopped) == (7, True) or (looked, stopped) == (7, False)
    assert len(notes) == 1 and notes[0].startswith("0003 could not be measured")


def die_at_0003(face, key, task):
    from studio.data.looking.lookers import _open_face, look_at

    if task.item_id == "0003":
        os._exit(9)
    return look_at(_open_face(face, key), task)


def test_what_was_changed_is_looked_at_again(eight):
    look(eight)
    path = dataset.get_item(eight, "0002").path
    Image.open(path).convert("L").save(path)
    assert look(eight) == (1, False)
    assert looks.seen(eight, dataset.get_item(eight, "0002"))[0].colour < 1


def test_the_cost_of_a_check_in_curation_does_not_grow_with_what_is_there(eight, monkeypatch):
    from studio.data import records

    written = []
    save = records.save
    monkeypatch.setattr(records, "save", lambda project, data: written.append(1) or save(project, data))
    curation.curate(eight)
    assert len(written) <= 3
