"""What is measured, what is left out and why, and that the proposal is one step which hands can overrule."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from studio.data import curation, dataset
from studio.data.importer import import_media
from studio.data.media.photos import load_photo
from studio.workspace import Project, Workspace


@pytest.fixture(scope="module")
def portrait():
    return load_photo(Path(__file__).parent / "media" / "person_b_1.jpg")


@pytest.fixture
def big_project(workspace):
    return workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A project with the real photos and the clip, and the same one measured; copied for each test."""
    home = Workspace(tmp_path_factory.mktemp("imported"))
    plain = home.create_project("plain", trigger="ohwx", base_model="wan22-t2v-a14b")
    media = Path(__file__).parent / "media"
    import_media(plain, sorted([*media.glob("*.jpg"), media / "astronaut.png", media / "bigbuckbunny.mp4"]))
    shutil.copytree(plain.root, plain.root.with_name("measured"))
    curation.curate(Project(plain.root.with_name("measured")))
    return home


def copy_of(home, name, workspace):
    return Project(Path(shutil.copytree(home.projects_dir / name, workspace.projects_dir / name)))


@pytest.fixture
def real(imported, workspace):
    return copy_of(imported, "plain", workspace)


@pytest.fixture
def measured(imported, workspace):
    return copy_of(imported, "measured", workspace)


def judged(project, tmp_path, image, **options):
    path = tmp_path / ("x.jpg" if options else "x.png")
    image.save(path, **options)
    item = dataset.get_item(project, import_media(project, [path]).added[0])
    curation.curate(project)
    return dataset.get_item(project, item.id)


def test_a_good_photo_is_kept_without_remark(big_project, tmp_path, portrait):
    item = judged(big_project, tmp_path, portrait)
    assert item.keep and item.reason == "" and item.measurements.warnings == ()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda image: image.filter(ImageFilter.GaussianBlur(9)), "the face is blurred"),
        (lambda image: image.point(lambda v: v // 6), "too dark"),
        (lambda image: image.point(lambda v: min(255, v * 4)), "blown out"),
        (lambda image: image.resize((180, 226)), "too small: 180 px"),
    ],
)
def test_a_spoilt_photo_is_left_out_with_the_reason(big_project, tmp_path, portrait, spoil, said):
    item = judged(big_project, tmp_path, spoil(portrait))
    assert not item.keep and said in item.reason and item.decided_by == "curate"


def test_strong_jpeg_compression_is_seen(big_project, tmp_path, portrait):
    assert "JPEG" in judged(big_project, tmp_path, portrait, quality=8).reason


def test_a_dark_picture_is_not_taken_for_a_blurred_one(big_project, tmp_path, portrait):
    item = judged(big_project, tmp_path, portrait.point(lambda v: v // 3))
    assert "blurred" not in item.reason


def test_small_pictures_do_for_a_small_model(project, tmp_path):
    path = tmp_path / "tiny.png"
    Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(path)
    import_media(project, [path])
    curation.curate(project)
    assert "small" not in dataset.list_items(project)[0].reason


def test_of_twins_the_better_one_stays(big_project, tmp_path, portrait):
    portrait.save(tmp_path / "good.png")
    portrait.filter(ImageFilter.GaussianBlur(1.5)).save(tmp_path / "soft.png")
    portrait.resize((600, 754)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    import_media(big_project, [tmp_path])
    curation.curate(big_project)
    verdicts = {i.original: (i.keep, i.reason) for i in dataset.list_items(big_project)}
    assert verdicts["good.png"] == (True, "") and verdicts["mirrored.png"] == (False, "a mirrored copy of 0001")
    assert not verdicts["soft.png"][0] and "nearly the same picture as 0001" in verdicts["soft.png"][1]


def test_the_best_varied_set_is_kept_and_the_rest_says_why(measured):
    """Two people, each in two photos, three others, and a clip of a rabbit: nobody is called a stranger, and it is asked who is meant."""
    result = curation.curate(measured, keep=3)
    items = dataset.list_items(measured)
    assert [i.kind for i in items if i.keep] == ["photo"] * 3 and result.kept == 3 and result.question.code == "which-person"
    assert all(i.reason for i in items if not i.keep)
    assert any("3 better or more different ones are kept" in i.reason for i in items)
    assert [reason.code for reason in items[-1].reasons] == ["no-face"] and not any("different person" in i.reason for i in items)


def test_the_proposal_is_one_step_and_leaves_decisions_by_hand_alone(measured):
    dataset.set_keep(measured, "0001", False, "not her")
    dataset.set_keep(measured, "0004", True, "I want this one")
    before = {i.id: i.keep for i in dataset.list_items(measured)}
    curation.curate(measured, keep=2)
    assert dataset.get_item(measured, "0001").reason == "not her" and dataset.get_item(measured, "0004").keep
    assert "Proposed choice" in dataset.undo(measured)
    assert {i.id: i.keep for i in dataset.list_items(measured)} == before


def test_everything_is_measured_once_and_a_stop_changes_no_verdict(real):
    events = []
    stopped = curation.curate(real, report=lambda event, **fields: events.append(fields), should_stop=lambda: bool(events))
    assert stopped.stopped and 1 <= stopped.measured < 8 and stopped.changed == 0
    assert events[0]["stage"] == "curate" and events[0]["total"] == 8
    assert curation.curate(real).measured == 8 - stopped.measured
    again = curation.curate(real)
    assert again.measured == 0 and again.changed == 0


def test_an_empty_project_is_curated_in_peace(big_project):
    assert curation.curate(big_project).kept == 0
    with pytest.raises(ValueError, match="at least 1"):
        curation.curate(big_project, keep=0)


def test_items_that_could_not_be_measured_are_kept_as_they_are(big_project, media):
    import_media(big_project, [media / "astronaut.png"])
    assert curation.choose(big_project).proposals["0001"].keep
