"""Photos that are one picture twice: bursts, crops, turned and mirrored copies, and none that only look alike. Made from free photos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.data.choosing import twins
from studio.data.choosing.twins import find_twins, gather
from studio.data.media.photos import load_photo

MEDIA = Path(__file__).parent / "media"
PHOTOS = sorted([*MEDIA.glob("*.jpg"), MEDIA / "astronaut.png"])


def thumbnail(image, side=64):
    scale = side / max(image.size)
    small = image.convert("L").resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX)
    return np.asarray(small)


def crop(image, left, top, right, bottom):
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))


COPIES = {
    "a burst": ("", lambda i: crop(i, 0.01, 0.012, 1, 1).point(lambda v: min(255, v * 1.06))),
    "a crop": ("", lambda i: crop(i, 0.05, 0, 1, 0.95)),
    "another crop": ("", lambda i: crop(i, 0, 0.05, 0.95, 1)),
    "saved small": ("", lambda i: i.resize((i.width // 3, i.height // 3))),
    "in grey": ("", lambda i: i.convert("L").convert("RGB")),
    "mirrored": ("mirrored", lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "turned": ("turned", lambda i: i.transpose(Image.Transpose.ROTATE_90)),
    "on its head": ("turned", lambda i: i.transpose(Image.Transpose.ROTATE_180)),
    "turned and mirrored": ("mirrored", lambda i: i.transpose(Image.Transpose.TRANSPOSE)),
}


@pytest.fixture(scope="module")
def images():
    return {path.stem: load_photo(path, 800) for path in PHOTOS}


@pytest.mark.parametrize("copy", COPIES)
def test_every_kind_of_copy_is_found_of_each_photo(images, copy):
    how, make = COPIES[copy]
    for name, image in images.items():
        found = find_twins({"0001": thumbnail(image), "0002": thumbnail(make(image))})
        assert [(twin.one, twin.other, twin.how) for twin in found] == [("0001", "0002", how)], name


def test_different_photos_are_no_twins_also_of_one_person(images):
    assert find_twins({name: thumbnail(image) for name, image in images.items()}) == []


def test_pictures_that_show_nothing_are_no_twins():
    assert find_twins({str(n): np.full((64, 64), 100 + n, np.uint8) for n in range(4)}) == []


def test_no_photos_have_no_twins():
    assert find_twins({}) == [] and gather([], []) == []


def test_twins_of_twins_are_one_group_in_the_order_of_the_photos(images):
    image = images["astronaut"]
    pictures = {f"{n:04d}": thumbnail(crop(image, 0.02 * n, 0, 1 - 0.01 * n, 1)) for n in range(3)} | {
        "0009": thumbnail(images["person_a_1"])
    }
    assert gather(list(pictures), find_twins(pictures)) == [["0000", "0001", "0002"]]


def test_the_limits_stand_where_they_were_measured():
    """FACTS.md, "Faces and curation": bursts and 5 % crops 100 %, one false pair in 2,947."""
    assert (twins.HASH_BITS, twins.SAME_LEAST, twins.MIDDLE, len(twins.SCALES)) == (22, 0.90, 0.84, 5)
    assert "1 false pair in 2,947" in Path(twins.__file__).read_text(encoding="utf-8")


def test_a_burst_costs_a_comparison_a_picture_and_not_one_a_pair(monkeypatch):
    asked, compare = [], twins.likeness
    monkeypatch.setattr(twins, "likeness", lambda one, other: asked.append(1) or compare(one, other))
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    burst = {f"{n:03d}": np.roll(picture, n % 2, 1) for n in range(60)}
    found = find_twins(burst)
    assert gather(list(burst), found) == [list(burst)] and len(found) == 59 and len(asked) <= 2 * len(burst)


def test_asking_again_compares_nothing_again(monkeypatch):
    asked, compare = [], twins.likeness
    monkeypatch.setattr(twins, "likeness", lambda one, other: asked.append(1) or compare(one, other))
    rng = np.random.default_rng(5)
    picture = np.kron(rng.integers(0, 255, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    both = {"1": picture, "2": np.roll(picture, 1, 0), "3": picture.T.copy()}
    first = find_twins(both)
    assert first and asked
    asked.clear()
    assert find_twins(both) == first and not asked
