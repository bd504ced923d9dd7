"""The check on photos of real people, seen by the real eye: who is who, what is chosen. The photos are not part of the project."""

import random
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from studio.data import curation
from studio.data.dataset import list_items
from studio.data.importer import import_media
from studio.data.media.photos import load_photo

FACES = Path(__file__).resolve().parents[2] / "shared" / "faces"
MEDIA = Path(__file__).parent / "media"
GOOD = {
    "person_1": [4, 6, 7, 8, 11, 22, 24, 28, 31, 35, 36, 37, 38, 44],
    "person_2": [4, 6, 20, 31, 35, 40, 43, 61, 65, 71, 88, 93, 97, 99],
}


def photos(person, numbers):
    return [next((FACES / person).glob(f"IMG_{number:03d}.*")) for number in numbers]


@pytest.mark.skipif(not FACES.is_dir(), reason="needs ../shared/faces, photos of real people that are no part of the project")
@pytest.mark.parametrize("person", sorted(GOOD))
def test_the_person_is_found_without_any_reference_and_strangers_and_faults_are_not_chosen(workspace, tmp_path, person):
    other = next(name for name in GOOD if name != person)
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    spoilt = tmp_path / "spoilt.png"
    load_photo(photos(person, GOOD[person][:1])[0]).filter(ImageFilter.GaussianBlur(12)).save(spoilt)
    own, strangers = photos(person, GOOD[person][1:]), photos(other, random.Random(0).sample(GOOD[other], 3))
    import_media(project, [*own, *strangers, spoilt, MEDIA / "astronaut.png"])
    report = curation.curate(project, keep=10)
    items = {item.original: item for item in list_items(project)}
    assert report.person == 0 and report.groups[0].photos >= 12 and report.question is None
    for path in [*strangers, MEDIA / "astronaut.png"]:
        item = items[path.name] if path.name in items else next(i for name, i in items.items() if name.startswith(path.stem))
        codes = {remark.code for remark in (*item.reasons, *item.measurements.warnings)}
        assert not item.keep and not item.held_out and codes & {"stranger", "please-look", "cant-tell"}, item
    assert "blur" in {reason.code for reason in items["spoilt.png"].reasons}
    kept = {item.original for item in items.values() if item.keep}
    assert kept <= {path.name for path in own} and len(kept) == 10


def test_free_photos_of_several_people_accuse_nobody(workspace):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    import_media(project, sorted([*MEDIA.glob("*.jpg"), MEDIA / "astronaut.png"]))
    report = curation.curate(project)
    assert not [i.id for i in list_items(project) if "stranger" in {reason.code for reason in i.reasons}]
    assert report.question is not None and report.person is None


def test_a_photo_that_shows_nobody_is_no_face_and_not_somebody_else(workspace, tmp_path):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    Image.effect_mandelbrot((900, 900), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(tmp_path / "nobody.png")
    import_media(project, [tmp_path / "nobody.png", MEDIA / "person_a_1.jpg"])
    curation.curate(project)
    assert [reason.code for reason in list_items(project)[0].reasons][-1] in ("no-face", "drawing")
