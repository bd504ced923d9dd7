"""Likeness is a share of how alike the person's own photos are, copies are found by pixels, and what a prompt says is looked for in the clip."""

import random
from dataclasses import replace

import numpy as np
import pytest
from model_kit import find_observer

from studio.evaluation.judge.likeness import Copies, Likeness, thumbnail
from studio.evaluation.judge.measuring import measure
from studio.evaluation.judge.references import read_references
from studio.evaluation.judge.scores import eye_scores
from studio.evaluation.judge.scores._obedience import prompt_accuracy
from studio.evaluation.judge.watching import Watcher
from studio.evaluation.sweep_facts import Prompt
from studio.models.observer import ObserverConfig
from studio.models.observer_prompts import named_in
from studio.tiny import demo_project, world
from studio.tiny.pixel_drawing import draw_clip, draw_photo

CONFIG = ObserverConfig(
    person={"hair": list(world.HAIR), "style": list(world.STYLE), "skin": list(world.SKIN), "beard": [False, True]},
    scene={
        "shirt": list(world.SHIRT),
        "place": list(world.PLACE),
        "view": list(world.VIEW),
        "framing": list(world.FRAMING),
        "light": list(world.LIGHT),
        "glasses": [False, True],
    },
    motion=list(world.MOTION),
)


def rows_near(direction, count, spread, seed=0):
    """Unit rows around a direction of 8 dimensions."""
    rng = np.random.default_rng(seed)
    rows = np.eye(8)[direction] + spread * rng.normal(size=(count, 8))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# -- likeness


def test_other_photos_of_the_person_reach_the_ceiling_and_strangers_nothing():
    likeness = Likeness(rows_near(0, 12, 0.2))
    assert 0.7 < likeness.ceiling < 1
    assert likeness.shares(rows_near(0, 200, 0.2, seed=1)).mean() == pytest.approx(1, abs=0.05)
    assert abs(likeness.shares(rows_near(3, 200, 0.2, seed=1)).mean()) < 0.1


def test_the_ceiling_leaves_the_photo_itself_out():
    references = np.eye(4)[:3]  # three photos that have nothing in common but a little
    references = (references + 0.5) / np.linalg.norm(references + 0.5, axis=1, keepdims=True)
    others = references[1:].mean(0) / np.linalg.norm(references[1:].mean(0))
    assert Likeness(references).ceiling == pytest.approx(float(references[0] @ others))


def test_frames_of_one_clip_do_not_count_as_other_photos():
    clips = np.concatenate([np.repeat(rows_near(0, 1, 0.3, seed), 5, axis=0) for seed in range(4)])
    alone, grouped = Likeness(clips), Likeness(clips, np.repeat(np.arange(4), 5))
    assert grouped.ceiling < alone.ceiling


def test_a_clip_counts_as_its_median_frame_and_its_fall_is_told():
    likeness = Likeness(rows_near(0, 12, 0.1))
    person, stranger = rows_near(0, 1, 0, 0), rows_near(3, 1, 0, 0)
    share, fall = likeness.identity(np.concatenate([person] * 6 + [stranger] * 3))
    assert share > 0.9 and fall > 0.9
    assert likeness.identity(np.concatenate([person] * 9))[1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("references", "words"), [
    (rows_near(0, 2, 0.1), "at least 3 pictures"),
    (np.concatenate([rows_near(i, 1, 0) for i in range(4)]), "do not show one person"),
])  # fmt: skip
def test_too_few_or_too_different_pictures_are_no_measure(references, words):
    with pytest.raises(ValueError, match=words):
        Likeness(references)


# -- copies


def photos(count=12):
    return [np.asarray(draw_photo(demo_project.PERSON, demo_project.scene_of(i))) for i in range(count)]


def test_a_repeated_photo_is_found_in_any_size_and_a_new_scene_is_not():
    copies = Copies(photos())
    noise = np.random.default_rng(0).normal(0, 6, (9, 160, 160, 3))
    repeated = np.clip(photos()[4].repeat(2, 0).repeat(2, 1) + noise, 0, 255).astype(np.uint8)
    assert copies.nearness(repeated) > 2
    rng = random.Random(0)
    new = [copies.nearness(draw_clip(demo_project.PERSON, world.draw_scene(rng, None, held_out=True))) for _ in range(8)]
    assert np.median(new) < 1.6


def test_a_photo_of_another_shape_is_seen_in_its_middle():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 200
    assert np.all(thumbnail(picture, 1.0) == np.float32(200 / 255))


# -- prompts


@pytest.mark.parametrize(("text", "named"), [
    ("ohwx, a person, wearing a red shirt", {"shirt": "red"}),
    ("a person with short red hair and tan skin, wearing a blue shirt and glasses",
     {"style": "short", "hair": "red", "skin": "tan", "shirt": "blue", "glasses": True}),
    ("a person with a blond bun and a beard", {"style": "bun", "hair": "blond", "beard": True}),
    ("a person with no hair, no glasses", {"style": "bald", "glasses": False}),
    ("A person, grey background, facing slightly left, close-up, Evening light, walking left",
     {"place": "grey", "view": "facing slightly left", "framing": "close-up", "light": "evening light", "motion": "walking left"}),
    ("long blue hair", {"style": "long", "hair": "blue"}),
    ("blue hair", {"hair": "blue"}),
    ("a redshirt, eyeglasses", {}),
])  # fmt: skip
def test_what_a_prompt_names_is_read_longest_phrase_first(text, named):
    assert named_in(text, CONFIG) == named


def test_every_caption_of_the_world_is_understood():
    rng = random.Random(3)
    for _ in range(200):
        person, scene = world.draw_identity(rng), world.draw_scene(rng, None)
        named = named_in(world.caption(scene, world.describe(person)), CONFIG)
        expected = {"style": person.style, "skin": person.skin, "shirt": scene.shirt, "place": scene.place}
        expected |= {"framing": scene.framing, "light": scene.light, "motion": scene.motion}
        expected |= {} if scene.motion.startswith("turning") else {"view": scene.view}
        expected |= {} if person.style == "bald" else {"hair": person.hair}
        assert named == expected | {name: True for name in ("beard", "glasses") if getattr(person if name == "beard" else scene, name)}


def test_what_a_prompt_says_is_seen_and_what_it_does_not_show_is_missed(tiny_base):
    observer = find_observer(tiny_base)
    scene = world.Scene("red", "sky", "facing forward", "close-up", "daylight", motion="walking right")
    frames = draw_clip(demo_project.PERSON, scene)
    right = prompt_accuracy(observer, world.caption(scene, "ohwx, a person"), frames)
    wrong = world.caption(scene, "ohwx, a person").replace("red shirt", "green shirt").replace("walking right", "walking left")
    assert right > 0.8 and prompt_accuracy(observer, wrong, frames) == pytest.approx(right - 2 / 6)
    assert prompt_accuracy(observer, "something else", frames) is None


# -- a project's own pictures


def put_photos(project, count):
    project.dataset_dir.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        draw_photo(demo_project.PERSON, demo_project.scene_of(i), 4).save(project.dataset_dir / f"{i + 1:04d}.jpg", quality=95)


def test_clips_stand_in_where_photos_are_too_few(project):
    put_photos(project, 1)
    for i in (1, 2):
        demo_project.write_clip(
            project.dataset_dir / f"clip-{i:02d}.mp4", draw_clip(demo_project.PERSON, demo_project.scene_of(i, "nodding"), 33, 4)
        )
    pictures, groups = read_references(project)
    assert sorted(set(groups.tolist())) == [0, 1, 2] and len(pictures) == len(groups) > 8
    put_photos(project, 3)
    assert len(read_references(project)[0]) == 3


def seen(watcher, frames, text, kind):
    """What an eye measures of a clip."""
    return measure(watcher.look(frames, Prompt(label="", text=text, kind=kind)), eye_scores())


def test_the_person_is_told_from_a_stranger_and_a_copy_from_a_picture(project, tiny_base):
    put_photos(project, 12)
    watcher = Watcher(project, tiny_base)
    scene = world.Scene("red", "sky", "facing forward", "upper body", "daylight", motion="nodding")
    text = world.caption(scene, "ohwx, a person")
    person = seen(watcher, draw_clip(demo_project.PERSON, scene), text, "person")
    assert all(value == round(value, 4) for value in person.values())
    assert all(person[name] != round(person[name], 3) for name in ("identity", "identity_fall", "memorised"))
    assert person["identity"] > 0.7 and abs(person["identity_fall"]) < 0.3 and person["memorised"] < 2 and person["follows"] > 0.8
    stranger = seen(watcher, draw_clip(demo_project.STRANGER, scene), text, "class")
    assert stranger["resemblance"] == round(stranger["resemblance"], 4) != round(stranger["resemblance"], 3)
    assert stranger["resemblance"] < 0.5 and stranger.keys() == {"resemblance", "follows"}
    assert person.keys() == {"identity", "identity_fall", "memorised", "follows"}
    copied = seen(watcher, np.stack([photos()[3]] * 9), text, "person")
    assert copied["memorised"] > 2
    of_three = seen(watcher, draw_clip(demo_project.PERSON, scene), "a red shirt, daylight, walking left", "person")
    assert of_three["follows"] == 0.6667


def test_without_photos_obedience_is_measured_and_likeness_says_why_not(project, tiny_base):
    watcher = Watcher(project, tiny_base)
    scene = world.Scene("red", "sky", motion="nodding")
    scores = seen(watcher, draw_clip(demo_project.PERSON, scene), "a red shirt", "person")
    assert scores == {"follows": 1.0} and "at least 3" in watcher.trouble


def test_pictures_of_a_base_without_an_observer_are_judged_by_the_eye_for_faces(project, tiny_base):
    watcher = Watcher(project, replace(tiny_base, preset=replace(tiny_base.preset, observer="")))
    assert watcher.eye is not None and watcher.eye.name == "faces" and watcher.keys.keys() >= {score.name for score in eye_scores()}
    assert (
        seen(watcher, np.zeros((5, 32, 32, 3), np.uint8), "a red shirt", "person") == {"visible": 0.0} and "at least 5" in watcher.trouble
    )
