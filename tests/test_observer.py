"""The observer sees pictures of any size alike, says in words what is wrong with its files, learns reproducibly, and knows new faces."""

import io
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from model_kit import find_observer
from PIL import Image
from safetensors.torch import load_file, save_file

from studio.data import curation
from studio.data.dataset import list_items
from studio.data.importer import import_media
from studio.data.remarks import STRANGER
from studio.errors import Problem
from studio.evaluation.judge.watching import Watcher
from studio.models.catalogue import find_model
from studio.models.observer import CONFIG_FILE, WEIGHTS_FILE, Observer, save_observer, to_cells
from studio.models.preset import model_preset
from studio.tiny import world
from studio.tiny.eye import observer_training
from studio.tiny.eye.observer_measures import draw_sibling, measure_observer
from studio.tiny.eye.observer_training import (
    PERSON,
    SCENE,
    Person,
    build_network,
    build_observer,
    codes_of,
    draw_family,
    draw_picture,
    similarity_targets,
    wear,
)
from studio.tiny.pixel_drawing import CELL, draw_cells, draw_clip, draw_photo
from studio.training.step.randomness import generator


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An observer with random weights."""
    folder = tmp_path_factory.mktemp("observer")
    save_observer(folder, build_network()[0].eval())
    return folder


@pytest.fixture(scope="module")
def observer(folder):
    return Observer.load(folder)


def draw_photos(count, scale=1, seed=0):
    rng = random.Random(seed)
    return np.stack([np.asarray(draw_photo(world.draw_identity(rng), world.draw_scene(rng), scale)) for _ in range(count)])


# -- what it answers


def test_embeddings_are_unit_rows(observer):
    rows = observer.embed(draw_photos(3))
    assert rows.shape == (3, observer.config.dimensions) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_reading_names_everything_in_the_words_of_the_world(observer):
    (reading,) = observer.read(draw_photos(1))
    assert list(reading) == [*PERSON, *SCENE, "confidence"]
    assert all(reading[name] in names for name, names in (PERSON | SCENE).items())
    assert isinstance(reading["beard"], bool) and isinstance(reading["glasses"], bool) and 0 <= reading["confidence"] <= 1


def as_jpeg(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("scale", [1, 3, 8])
def test_it_knows_drawn_people_and_says_that_it_does_not_know_photographs(observer, media, scale):
    drawn = [as_jpeg(picture, quality) for picture in draw_photos(6, scale) for quality in (75, 95)]
    assert observer.knows(np.stack(drawn)).all()
    rng = random.Random(1)
    assert observer.knows(draw_clip(world.draw_identity(rng), world.draw_scene(rng, "walking left"), 5, scale)).all()
    for name in ("person_a_1.jpg", "person_b_1.jpg", "impostor_1.jpg", "astronaut.png"):
        photo = Image.open(media / name).convert("RGB")
        photo.thumbnail((100 * scale, 100 * scale))
        assert not observer.knows(np.asarray(photo)[None]).any()


def test_what_it_measures_is_not_said_of_photographs(project, media, tiny_base):
    import_media(project, [media / f"{name}.jpg" for name in ("person_a_1", "person_a_2", "person_b_1", "impostor_1", "impostor_2")])
    curation.curate(project)
    assert {item.measurements.person.embedding for item in list_items(project)} == {""}
    assert not any(reason.code == STRANGER for item in list_items(project) for reason in item.reasons)
    watcher = Watcher(project, tiny_base)
    assert watcher.likeness is None and "drawn people alone" in watcher.trouble


@pytest.mark.parametrize("num_frames", [5, 9, 17, 33])
def test_motion_is_read_from_clips_of_any_length(observer, num_frames):
    rng = random.Random(0)
    assert observer.read_motion(draw_clip(world.draw_identity(rng), world.draw_scene(rng, None), num_frames)) in world.MOTION


def test_no_frames_give_no_rows(observer):
    frames = np.zeros((0, 80, 80, 3), np.uint8)
    assert observer.embed(frames).shape == (0, observer.config.dimensions) and observer.read(frames) == []


def test_many_frames_are_seen_as_each_alone(observer):
    frames = draw_photos(200)
    assert np.allclose(observer.embed(frames)[[0, 150]], observer.embed(frames[[0, 150]]), atol=1e-5)


@pytest.mark.parametrize("scale", [2, 4])
def test_size_does_not_matter(observer, scale):
    assert np.allclose(observer.embed(draw_photos(2)), observer.embed(draw_photos(2, scale)), atol=1e-5)


def test_a_picture_that_is_not_square_is_seen_in_its_middle(observer):
    frames = draw_photos(2)
    wide = np.pad(frames, ((0, 0), (0, 0), (24, 24), (0, 0)))
    tall = np.pad(frames, ((0, 0), (10, 10), (0, 0), (0, 0)), constant_values=255)
    assert np.array_equal(observer.embed(wide), observer.embed(frames)) and np.array_equal(observer.embed(tall), observer.embed(frames))


@pytest.mark.parametrize("side", [7, 50, 99])
def test_cells_of_odd_sizes_keep_the_mean_colour(side):
    frames = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.uint8)
    cells = to_cells(frames, 20)
    assert cells.shape == (1, 3, 20, 20) and torch.allclose(
        cells.mean((2, 3)), torch.from_numpy(frames / 255).float().mean((1, 2)), atol=1e-5
    )


def test_cells_of_a_drawn_picture_are_the_drawn_cells():
    rng = random.Random(3)
    identity, scene = world.draw_identity(rng), world.draw_scene(rng)
    cells = draw_cells(identity, scene, 0.5)
    large = cells.repeat(3 * CELL, 0).repeat(3 * CELL, 1)
    assert np.array_equal((to_cells(large[None], 20)[0] * 255).round().permute(1, 2, 0).numpy(), cells)


@pytest.mark.parametrize("frames", [np.zeros((80, 80, 3), np.uint8), np.zeros((1, 80, 80, 3)), np.zeros((1, 80, 80, 4), np.uint8)])
def test_what_is_not_frames_is_refused_in_words(observer, frames):
    with pytest.raises(ValueError, match="frames must be"):
        observer.embed(frames)


def test_a_clip_too_short_for_its_motion_is_refused_in_words(observer):
    with pytest.raises(ValueError, match="at least 5 frames"):
        observer.read_motion(np.zeros((4, 80, 80, 3), np.uint8))


# -- files


def test_a_model_without_an_observer_has_none(tmp_path):
    assert find_observer(SimpleNamespace(preset=replace(model_preset("tiny"), observer=""), folder=tmp_path)) is None


def test_a_models_observer_is_found_in_its_folder(tmp_path):
    save_observer(tmp_path / "eye", build_network()[0])
    assert isinstance(find_observer(SimpleNamespace(preset=replace(model_preset("tiny"), observer="eye"), folder=tmp_path)), Observer)


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder, tmp_path, name):
    copy(folder, tmp_path, without=name)
    with pytest.raises(Problem, match=f"{name} of the observer is missing"):
        Observer.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "other", "format": 1}', '{"kind": "observer", "format": 1, "colour": 2}'])
def test_a_strange_config_is_refused_in_words(folder, tmp_path, text):
    copy(folder, tmp_path, without=CONFIG_FILE)
    (tmp_path / CONFIG_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match="not the config of an observer"):
        Observer.load(tmp_path)


def test_damaged_weights_are_refused_in_words(folder, tmp_path):
    copy(folder, tmp_path, without=WEIGHTS_FILE)
    (tmp_path / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:1000])
    with pytest.raises(Problem, match="is damaged"):
        Observer.load(tmp_path)


@pytest.mark.parametrize("change", ["missing", "strange", "size"])
def test_weights_that_do_not_fit_the_config_are_refused_in_words(folder, tmp_path, change):
    copy(folder, tmp_path, without=WEIGHTS_FILE)
    tensors = load_file(folder / WEIGHTS_FILE)
    bias = tensors.pop("embedding.bias")
    tensors |= {"missing": {}, "strange": {"embedding.bias": bias, "more": bias.clone()}, "size": {"embedding.bias": bias[:3].clone()}}[
        change
    ]
    save_file(tensors, tmp_path / WEIGHTS_FILE)
    with pytest.raises(Problem, match="does not fit"):
        Observer.load(tmp_path)


def copy(source, target, without):
    for path in source.iterdir():
        if path.name != without:
            (target / path.name).write_bytes(path.read_bytes())


# -- lessons


def test_a_training_that_was_stopped_ends_with_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(observer_training, "FAMILIES", 6)
    monkeypatch.setattr(observer_training, "CLIPS", 4)
    quiet = {"report": lambda text: None, "steps": 4}
    whole = build_observer(tmp_path / "whole", tmp_path / "work-whole", **quiet)
    asked = iter([False, False, True])
    assert build_observer(tmp_path / "halves", tmp_path / "work", should_stop=lambda: next(asked), **quiet) is None
    assert not (tmp_path / "halves").exists()
    halves = build_observer(tmp_path / "halves", tmp_path / "work", **quiet)
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        assert (whole / name).read_bytes() == (halves / name).read_bytes()
    assert Observer.load(halves).config.motion == [*world.MOTION]


def test_lessons_hold_no_person_and_no_scene_that_is_held_out():
    rng = random.Random(0)
    people = [person for _ in range(100) for person in draw_family(rng)]
    assert not any(world.is_held_out_identity(p) for person in people for p in (person.identity, person.other) if p)
    assert not any(world.is_held_out_scene(draw_picture(person, rng)[0]) for person in people)


def test_people_are_alike_by_what_they_share():
    rng = random.Random(1)
    person = world.Identity("red", "long", "tan", mark=(0.55, 0.38, world.MARK[0]), streak=world.STREAK[0])
    people = [person, person, draw_sibling(person, rng), world.Identity("blue", "bun", "dark", True, world.EYES[2], 0.85)]
    codes = {name: torch.tensor([codes_of(Person(p))[name] for p in people]) for name in codes_of(Person(person))}
    row = similarity_targets(codes, torch.tensor([[p.width, p.size] for p in people]))[0]
    assert row[1] == 1 > row[2] > row[3] and row[3] < 0.05


def test_wear_changes_pictures_a_little_and_reproducibly():
    cells = to_cells(draw_photos(64), 20)[:, None].expand(-1, 2, -1, -1, -1)
    worn, again = (wear(cells, generator("wear")) for _ in range(2))
    assert torch.equal(worn, again) and worn.shape == cells.shape and worn.min() >= 0 and worn.max() <= 1
    assert 0.005 < (worn - cells).abs().mean() < 0.05


# -- the trained one


def test_the_built_in_observer_sees_people_and_scenes_it_never_saw(workspace):
    base = find_model("tiny", workspace)
    figures = measure_observer(base.folder / base.preset.observer, seed=5, people=30, clips=45)
    assert {name: share for name, share in figures.items() if name.startswith("read ") and share < 0.9} == {}
    assert figures["photo with mean of 12, median"] > 0.9 and figures["stranger with mean of 12, p99"] < 0.65
    assert figures["sibling with mean of 12, median"] < 0.6 * figures["photo with mean of 12, median"]
