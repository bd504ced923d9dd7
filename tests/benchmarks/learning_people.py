"""Who is learned in the learning bench, from which pictures, and what is asked for afterwards: a function of numbers alone."""

import dataclasses
import random
from dataclasses import dataclass

import numpy as np

from studio.disk import locked, write_atomic
from studio.evaluation.clip_files import write_clip
from studio.tiny import world
from studio.tiny.pixel_drawing import draw_clip, draw_photo
from studio.workspace import Project, Workspace

TRIGGER, CLASS_NOUN = "ohwx", "person"
SUBJECT = f"{TRIGGER}, a {CLASS_NOUN}"
CLIP_FRAMES = 9
REFERENCES = 12  # photos of the person that no arm learns from: what likeness is measured against
MOST_PHOTOS, MOST_CLIPS = 24, 12
WAIT_SECONDS = 3600  # for another process that writes the same thing


@dataclass(frozen=True)
class Amounts:
    """How much is drawn to measure one pair."""

    photos: int = 8  # of the person
    strangers: int = 8  # photos of other people, without the trigger
    clips: int = 3  # of the person, each with another motion


class Trial:
    """A held-out person, and the prompts of one seed: scenes and other people that the base never saw either."""

    def __init__(self, number, seed, amounts):
        self.number, self.seed = number, seed
        self.person = world.draw_identity(random.Random(f"learning bench, person {number}"), held_out=True)
        rng = random.Random(f"learning bench, prompts {number} {seed}")
        self.photos = [world.draw_scene(rng, held_out=True) for _ in range(amounts.photos)]
        self.strangers = [(self._draw_stranger(rng), world.draw_scene(rng, held_out=True)) for _ in range(amounts.strangers)]
        motions = rng.sample(world.MOTION, len(world.MOTION)) * (amounts.clips // len(world.MOTION) + 1)
        self.clips = [world.draw_scene(rng, motion, held_out=True) for motion in motions[: amounts.clips]]

    def _draw_stranger(self, rng):
        while world.describe(other := world.draw_identity(rng, held_out=True)) == world.describe(self.person):
            pass
        return other

    def prompts(self, described=False):
        """{kind of picture: its prompts}; described: the person in words, as one asks the base model for them."""
        subject = world.describe(self.person) if described else SUBJECT
        return {
            "photos": [world.caption(scene, subject) for scene in self.photos],
            "strangers": [world.caption(scene, world.describe(who)) for who, scene in self.strangers],
            "clips": [world.caption(scene, subject) for scene in self.clips],
        }

    def references(self):
        """(REFERENCES, 80, 80, 3) uint8: real photos in scenes of their own."""
        rng = random.Random(f"learning bench, references {self.number}")
        return np.stack([np.asarray(draw_photo(self.person, world.draw_scene(rng, held_out=True))) for _ in range(REFERENCES)])


def dataset_scenes(number, dataset):
    """(scenes of the photos, scenes of the clips) of a person's dataset; none of a shirt and place that are held out."""
    rng = random.Random(f"learning bench, dataset {number}")
    first = world.draw_scene(rng)
    fixed = ({"shirt": first.shirt} if dataset.one_shirt else {}) | ({"place": first.place} if dataset.one_place else {})
    photos = [_draw_seen(rng, "", fixed) for _ in range(MOST_PHOTOS)]
    rng = random.Random(f"learning bench, clips {number}")
    clips = [_draw_seen(rng, world.MOTION[i % len(world.MOTION)], fixed) for i in range(MOST_CLIPS)]
    rng.shuffle(clips)
    return photos[: dataset.photos], clips[: dataset.clips]


def _draw_seen(rng, motion, fixed):
    while world.is_held_out_scene(scene := dataclasses.replace(world.draw_scene(rng, motion), **fixed)):
        pass
    return scene


def project_slug(number, dataset):
    return f"p{number}-{dataset.name}"


def open_project(workspace: Workspace, trial, dataset, fps):
    """The project with that person's dataset in it, made if it is not there; safe when two processes ask at once."""
    slug = project_slug(trial.number, dataset)
    project, finished = Project(workspace.projects_dir / slug), workspace.projects_dir / slug / "dataset-is-whole"
    with locked(workspace.projects_dir / slug, WAIT_SECONDS):
        if not finished.is_file():
            if not project.file.is_file():
                project = workspace.create_project(slug, trigger=TRIGGER, class_noun=CLASS_NOUN, base_model="tiny")
            write_dataset(project, trial, dataset, fps)
            write_atomic(finished, b"")
    return project


def write_dataset(project, trial, dataset, fps):
    """Photos and clips with their captions beside them, put into dataset/ as people do."""
    photos, clips = dataset_scenes(trial.number, dataset)
    project.dataset_dir.mkdir(exist_ok=True)
    for i, scene in enumerate(photos, 1):
        draw_photo(trial.person, scene).save(project.dataset_dir / f"{i:04d}.png")
        _write_caption(project.dataset_dir / f"{i:04d}.txt", scene, dataset)
    for i, scene in enumerate(clips, 1):
        write_clip(project.dataset_dir / f"clip-{i:02d}.mp4", draw_clip(trial.person, scene, CLIP_FRAMES), fps)
        _write_caption(project.dataset_dir / f"clip-{i:02d}.txt", scene, dataset)


def _write_caption(path, scene, dataset):
    path.write_text(world.caption(scene, SUBJECT, dataset.omit) + "\n", encoding="utf-8")
