"""A project that version 0.1.0 made opens, resumes, compares and exports unchanged.

tests/kept/project-0.1.0.zip: six drawn photos of one drawn person, one left out; a training of 12 steps that was stopped after 6, with the
pair of step 4; a comparison of that pair at two strengths. Made with that version's own commands.
"""

import json
import zipfile
from pathlib import Path

import pytest

from studio.cli import main
from studio.data.dataset import list_items
from studio.disk import file_sha256
from studio.workspace import Workspace

PAIR = "train-001/step-000004"
PROMPTS = "Portrait | [trigger], a [class], facing forward\nOther | a [class], facing forward\n"
SIZES = ("width=32", "height=32", "num_frames=5", "num_inference_steps=2")


@pytest.fixture
def old(tmp_path, monkeypatch):
    """The project in a workspace of its own."""
    home = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(home))
    with zipfile.ZipFile(Path(__file__).parent / "kept" / "project-0.1.0.zip") as archive:
        archive.extractall(home / "projects")
    return Workspace(home).project("anna")


def command(capsys, *words):
    """What a command answers as JSON."""
    code = main([*words, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def draw(capsys, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text(PROMPTS, encoding="utf-8")
    settings = [word for size in SIZES for word in ("--set", size)]
    return command(capsys, "sweep", "anna", "--prompts", str(prompts), "--strengths", "0.7,1.0", *settings)


def test_its_photos_keep_their_captions_and_what_was_decided(old, capsys):
    (found,) = command(capsys, "list")["projects"]
    assert (found["slug"], found["name"]) == ("anna", "Anna")
    before = {item.id: (item.keep, item.reason, item.caption) for item in list_items(old)}
    assert [keep for keep, _, _ in before.values()].count(True) == 5
    by_hand = {item.id: item.decision() for item in list_items(old) if item.decided_by == "hand"}
    command(capsys, "curate", "anna", "--keep", "5")  # a check of today may propose otherwise, and changes nothing else
    assert {item.id: item.caption for item in list_items(old)} == {item_id: caption for item_id, (*_, caption) in before.items()}
    assert {item.id: item.decision() for item in list_items(old) if item.decided_by == "hand"} == by_hand
    assert sum(item.keep for item in list_items(old)) == 5
    assert len(list(old.dataset_dir.glob("*.txt"))) == 6


def test_its_clips_are_not_drawn_again_and_the_verdict_is_the_same(old, capsys, tmp_path):
    said = command(capsys, "verdict", "anna")
    assert (said["pair"], said["strength"]) == (PAIR, 0.7)
    assert said["summary"] == "Identity 1 % of your photos; motion 100 % of the base."
    before = {file.name: file.read_bytes() for file in (old.sweeps_dir / "sweep-001" / "cells").iterdir()}
    drawn = draw(capsys, tmp_path)
    assert (drawn["sweep"], drawn["rendered"], drawn["total"]) == ("sweep-001", 0, 6)
    assert {file.name: file.read_bytes() for file in (old.sweeps_dir / "sweep-001" / "cells").iterdir()} == before
    assert command(capsys, "verdict", "anna")["pair"] == PAIR


def test_its_pair_is_exported_byte_for_byte(old, capsys):
    done = command(capsys, "export", "anna", "--to", "comfyui", "--pair", PAIR, "--lora-format", "fp32")
    saved = {file_sha256(file) for file in (old.runs_dir / PAIR.replace("/", "/checkpoints/")).glob("*.safetensors")}
    exported = {file_sha256(file) for file in (old.exports_dir / f"comfyui-{PAIR.replace('/', '-')}").glob("*.safetensors")}
    assert exported == saved and len(saved) == 2
    assert done["pair"] == PAIR


def test_its_training_goes_on_where_it_was_stopped(old, capsys):
    done = command(capsys, "train", "anna", "--resume")
    assert done["state"] == "done"
    events = [json.loads(line) for line in (old.run_dir("train-001") / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [event["step"] for event in events if event["event"] == "step"]
    assert sorted(steps) == list(range(1, 13)), "no step was done twice, and none is missing"
    assert {folder.name for folder in (old.run_dir("train-001") / "checkpoints").iterdir()} == {"step-000004", "step-000008", "step-000012"}
