"""The face eye on free photos: it finds faces at every size, tells people apart, sees where they look, and says when its files are damaged."""

import shutil

import numpy as np
import pytest
from PIL import Image

from studio.commands import doctor
from studio.errors import Problem
from studio.models import eyes
from studio.models.eyes.of_faces import EYE
from studio.models.faces import face_files


@pytest.fixture(scope="module")
def sight():
    return EYE.open(None)


@pytest.fixture
def astronaut(media):
    return np.asarray(Image.open(media / "astronaut.png").convert("RGB"))


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_it_finds_the_face_where_it_is_at_any_size_of_photo(sight, astronaut):
    for scale in (0.5, 1, 4, 8):
        size = round(512 * scale)
        large = np.asarray(Image.fromarray(astronaut).resize((size, size), Image.Resampling.BICUBIC))
        face = sight.find(large)[0]
        assert abs(face.left / scale - 178) < 12 and abs(face.width / scale - 90) < 16 and face.score > 0.85
        assert np.abs(face.landmarks[0] / scale - (200, 102)).max() < 6  # the right eye, which is the picture's left one


def test_faces_of_spectators_and_pictures_without_people_have_none(sight, astronaut):
    small = Image.new("RGB", (1024, 1024), (90, 110, 130))
    small.paste(Image.fromarray(astronaut).resize((96, 96)), (400, 400))  # a face of 17 px
    assert sight.find(np.asarray(small)) == []
    assert sight.find(np.random.default_rng(0).integers(0, 255, (600, 800, 3), np.uint8)) == []
    assert not sight.knows(np.zeros((2, 300, 300, 3), np.uint8)).any()


def test_photos_of_one_person_are_alike_and_of_two_are_not(sight, media):
    rows = {
        name: sight.embed(read(media / f"{name}.jpg")[None])[0]
        for name in ("person_a_1", "person_a_2", "person_b_1", "person_b_2", "impostor_1")
    }
    assert all(abs(np.linalg.norm(row) - 1) < 1e-5 for row in rows.values())
    same = [rows["person_a_1"] @ rows["person_a_2"], rows["person_b_1"] @ rows["person_b_2"]]
    other = [rows[a] @ rows[b] for a, b in (("person_a_1", "person_b_1"), ("person_a_2", "person_b_2"), ("person_a_1", "impostor_1"))]
    assert min(same) > 0.4 > 0.3 > max(other)


def test_a_face_is_the_same_person_at_every_size_and_in_the_mirror(sight, astronaut):
    large = np.asarray(Image.fromarray(astronaut).resize((3000, 3000), Image.Resampling.BICUBIC))
    small, big, mirror = (sight.embed(picture[None])[0] for picture in (astronaut, large, astronaut[:, ::-1]))
    assert small @ big > 0.9 and small @ mirror > 0.95


def test_the_mirror_image_looks_the_other_way(sight, media):
    picture = read(media / "person_b_1.jpg")
    turned = [sight.mesh(view, sight.find(view)[0]).turn for view in (picture, np.ascontiguousarray(picture[:, ::-1]))]
    assert abs(turned[0] + turned[1]) < 8 and abs(turned[0]) < 60


def test_the_outline_covers_the_person_and_not_the_corner(sight, astronaut):
    mask = sight.mask(astronaut)
    assert mask.shape == (256, 256) and mask[60:120, 90:140].mean() > 0.9 and mask[:60, :30].mean() < 0.3


def test_frames_in_which_nobody_is_seen_have_a_row_of_zeros(sight, astronaut):
    rows = sight.embed(np.stack([astronaut, np.zeros_like(astronaut)]))
    assert rows.shape == (2, 128) and np.linalg.norm(rows[0]) > 0.99 and not rows[1].any()
    assert sight.embed(np.zeros((0, 64, 64, 3), np.uint8)).shape == (0, 128)


@pytest.mark.parametrize("name", face_files.HASHES)
def test_a_damaged_or_missing_file_is_a_sentence(tmp_path, monkeypatch, name):
    folder = tmp_path / "a folder of files"
    shutil.copytree(face_files.FOLDER, folder)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(face_files, "FOLDER", folder)
    with pytest.raises(Problem, match="damaged") as told:
        EYE.open(None)
    assert name in str(told.value) and told.value.fix
    path.unlink()
    with pytest.raises(Problem, match="missing"):
        EYE.open(None)


def test_the_licence_of_every_file_is_named_beside_it():
    told = (face_files.FOLDER / "README.md").read_text(encoding="utf-8")
    for name, sha256 in face_files.HASHES.items():
        assert name in told and sha256 in told
    assert "MIT" in EYE.licence and "Apache-2.0" in EYE.licence and len(list(face_files.FOLDER.glob("LICENSE*"))) == 3
    assert sum(path.stat().st_size for path in EYE.files(None)) < 14e6


def test_the_doctor_opens_the_eye_and_shows_its_licences(monkeypatch, tmp_path):
    (found,) = [finding for finding in doctor._eyes() if finding.what == "eye faces"]
    assert found.state == "good" and "MIT" in found.text and "Apache-2.0" in found.text
    monkeypatch.setattr(face_files, "FOLDER", tmp_path)
    (found,) = [finding for finding in doctor._eyes() if finding.what == "eye faces"]
    assert found.state == "bad" and "missing" in found.text


def test_the_eye_for_faces_has_all_that_its_door_promises(sight):
    assert isinstance(sight, eyes.FaceSight) and eyes.FACES in EYE.gives
