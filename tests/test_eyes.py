"""Another eye is one file: found by its folder, it is asked who the pictures show, and its version is part of what was seen."""

import json
import sys
from dataclasses import replace

import pytest
from PIL import Image

from studio import cli
from studio.data import curation
from studio.evaluation.judge.measuring import score_keys
from studio.models import eyes
from studio.models.eyes.of_base_model import EYE as OBSERVER
from studio.models.preset import list_models, model_preset

MEMBER = '''
"""Knows people by the colour of their pictures."""
from pathlib import Path
import numpy as np
from studio.models.eyes import EMBEDDINGS

class Sight:
    def embed(self, frames):
        mean = frames.reshape(len(frames), -1, 3).mean(1) - 100.0
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)

    def knows(self, frames):
        return np.ones(len(frames), bool)

class Eye:
    name, version, title, gives, needs_base = "colours", 1, "Colours", frozenset({EMBEDDINGS}), False
    milliseconds, licence, unseen = 1.0, "MIT", "no colours are seen"

    def is_for(self, preset):
        return True

    def files(self, base):
        return [Path(__file__)]

    def open(self, base):
        return Sight()

EYE = Eye()
'''


@pytest.fixture
def another_eye(tmp_path, monkeypatch):
    folder = tmp_path / "eyes of my own"
    folder.mkdir()
    (folder / "colour_eye.py").write_text(MEMBER, encoding="utf-8")
    monkeypatch.setattr(eyes, "__path__", [*eyes.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "studio.models.eyes.colour_eye", raising=False)
    return folder / "colour_eye.py"


def person(project, colours):
    """Photos of these colours, unlike in their pattern."""
    for number, colour in enumerate(colours, 1):
        noise = Image.effect_mandelbrot((900, 900), (-2 + number / 3, -1.5, 1, 1.5), 40).convert("L")
        Image.merge("RGB", [noise.point(lambda v, c=c: min(235, c + v // 4)) for c in colour]).save(
            project.dataset_dir / f"{number:04d}.png"
        )


def test_an_eye_in_a_file_of_its_own_finds_the_stranger_through_the_command(workspace, another_eye, capsys):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    project.dataset_dir.mkdir(exist_ok=True)
    person(project, [(170, 60, 60)] * 5 + [(60, 170, 60)])
    assert cli.main(["curate", "anna", "--home", str(workspace.home), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "shows a different person" in told["items"]["0006"]["reason"]
    assert [reason["code"] for reason in told["verdicts"]["0006"]["reasons"]] == ["stranger"]
    assert {look.eye for look in curation.looks_by_item(project).values()} == {
        eyes.key_of(eyes.find_eye(model_preset("wan22-t2v-a14b")), None)
    }


def test_another_version_of_an_eye_looks_again(workspace, another_eye, monkeypatch):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    project.dataset_dir.mkdir(exist_ok=True)
    person(project, [(170, 60, 60)] * 3)
    assert curation.curate(project).measured == 3 and curation.curate(project).measured == 0 and curation.is_settled(project)
    eye = eyes.find_eye(model_preset("wan22-t2v-a14b"))
    monkeypatch.setattr(type(eye), "version", 2)
    assert not curation.is_settled(project) and curation.curate(project).measured == 3


def test_the_eye_that_comes_with_a_base_model_goes_before_one_for_all(another_eye):
    assert [eye.name for eye in eyes.list_eyes()] == ["colours", "faces", "observer"]
    assert eyes.find_eye(model_preset("tiny")).name == "observer" and eyes.find_eye(model_preset("wan22-t2v-a14b")).name == "colours"


def test_real_people_are_seen_with_any_base_model_and_drawn_people_by_their_own_observer():
    assert {eyes.find_eye(model_preset(name)).name for name in list_models() if name != "tiny"} == {"faces"}
    assert eyes.find_eye(model_preset("tiny")).name == "observer"


def test_raising_an_eyes_version_measures_and_scores_anew(project, tiny_base, monkeypatch):
    first = eyes.key_of(OBSERVER, tiny_base), score_keys(project, tiny_base)
    monkeypatch.setattr("studio.models.eyes.of_base_model.EYE", replace(OBSERVER, version=OBSERVER.version + 1))
    eye = eyes.find_eye(tiny_base.preset)
    assert eye.version == OBSERVER.version + 1 and first[0] != eyes.key_of(eye, tiny_base) and first[1] != score_keys(project, tiny_base)


def test_what_an_eye_costs_and_may_is_said(another_eye):
    for eye in eyes.list_eyes():
        assert eye.title and eye.licence and eye.milliseconds > 0 and eyes.EMBEDDINGS in eye.gives and eye.version > 0 and eye.unseen
