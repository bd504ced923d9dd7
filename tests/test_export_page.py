"""The window exports to every target: what goes along and what is private is said before, how it goes and what came of it after."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from export_kit import make_pair
from page_kit import Window
from training_kit import add_photo

from studio.config import USUAL_STRENGTH
from studio.export.targets import target_names
from studio.jobs import launcher, state
from studio.jobs.kind import PROCESSOR
from studio.project_facts import ChosenPair, Permission
from studio.training.pairs import list_pairs

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def anna(workspace, monkeypatch):
    """Anna with three photos and two checkpoint pairs; jobs stay in the queue until `work`."""
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    for number in range(1, 4):
        add_photo(project, number)
    for step in (30, 60):
        make_pair(project, step)
    return project


def work(project):
    """The worker takes the queue, as it does beside the window."""
    command = [sys.executable, "-m", "studio.jobs.worker", str(project.workspace.home), PROCESSOR]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)


def choose(window, elem_id, value):
    window.held[window.control(elem_id)._id] = value
    window.press(elem_id, "input")
    window.look()


def open_window(project):
    window = Window(project.workspace, project.slug)
    window.open("evaluate")
    return window


def remarks(window):
    return " ".join(remark["text"] for remark in window.value("export-about")["remarks"])


def test_every_target_of_the_door_is_offered_and_says_what_is_private(anna):
    window = open_window(anna)
    for name in target_names():
        choose(window, "export-to", name)
        assert window.value("export-to") == name
        assert "Private in it: " in remarks(window)
    choose(window, "export-to", "ai-toolkit")
    assert "Photos, clips and captions always go along." in remarks(window) and "your photos" in remarks(window)
    choose(window, "export-to", "comfyui")
    assert "No photos go along." in remarks(window)


def test_a_trainer_s_export_is_made_by_a_job_and_tells_what_will_come_of_it(anna):
    window = open_window(anna)
    assert window.value("export-pair") == "train-001/step-000060" and window.value("exported") == {}
    choose(window, "export-to", "diffusion-pipe")
    choose(window, "export-pair", "train-001/step-000030")
    window.press("start-export", "click")
    window.look()
    assert window.value("exported")["tone"] == "busy"
    assert "being made already" in window.press("start-export", "click")["text"]
    work(anna)
    window.look()
    shown = window.value("exported")
    assert shown["tone"] == "done" and Path(shown["folder"]) == anna.exports_dir / "diffusion-pipe-train-001-step-000030"
    assert shown["lines"][0] == "diffusion-pipe trains on 3 of 3 items: 3 pictures and 0 clips."
    assert "your photos" in shown["private"] and ["resume_every", "50", "only the studio does that"] in shown["left"]
    assert (Path(shown["folder"]) / "start.bat").is_file()


@pytest.mark.parametrize("photos", [True, False])
def test_a_bundle_is_made_with_or_without_photos(anna, photos):
    window = open_window(anna)
    choose(window, "export-to", "bundle")
    choose(window, "export-photos", photos)
    window.press("start-export", "click")
    work(anna)
    window.look()
    [bundle] = Path(window.value("exported")["folder"]).glob("*.zip")
    assert (b"dataset/photos/0001." in bundle.read_bytes()) is photos


def test_the_strength_that_is_chosen_stands_in_the_guide_and_belongs_to_its_pair(anna):
    anna.update(chosen=ChosenPair(pair="train-001/step-000060", step=60, strength=0.8, folder=""))
    window = open_window(anna)
    choose(window, "export-to", "comfyui")
    assert window.value("export-strength") == 0.8  # as it was taken for their own
    window.hold("export-strength", 0.95)
    window.press("export-strength", "release")
    window.press("start-export", "click")
    work(anna)
    window.look()
    assert "Set strength_model to 0.95" in (Path(window.value("exported")["folder"]) / "README.txt").read_text(encoding="utf-8")
    assert window.value("export-strength") == 0.95
    choose(window, "export-pair", "train-001/step-000030")
    assert window.value("export-strength") == USUAL_STRENGTH


def test_an_export_that_was_stopped_leaves_nothing_and_says_so(anna):
    window = open_window(anna)
    choose(window, "export-to", "musubi")
    window.press("start-export", "click")
    [job] = [job for job in state.list_jobs(anna.workspace, anna) if job.kind == "export"]
    launcher.cancel(job.run_dir)
    work(anna)
    window.look()
    assert window.value("exported")["tone"] == "bad" and "stopped" in window.value("exported")["text"]
    assert not anna.exports_dir.exists() or not list(anna.exports_dir.iterdir())


def test_a_damaged_pair_is_said_where_the_export_stands(anna):
    path = list_pairs(anna)[-1].low_noise
    path.write_bytes(path.read_bytes()[:-4])
    window = open_window(anna)
    window.press("start-export", "click")
    work(anna)
    window.look()
    assert window.value("exported")["tone"] == "bad" and "damaged" in window.value("exported")["text"]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="the stand-in is a program of Linux desktops")
def test_the_folder_opens_in_the_desktop_s_own_program(anna, tmp_path, monkeypatch):
    window = open_window(anna)
    window.press("start-export", "click")
    work(anna)
    window.look()
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert "no program that opens folders" in window.press("exported", "open")["text"]
    note, program = tmp_path / "opened.txt", tmp_path / "bin/xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" > "{note}.part" && /bin/mv "{note}.part" "{note}"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert "is opened" in window.press("exported", "open")["text"]
    while not note.exists():
        os.sched_yield()
    assert note.read_text().strip() == window.value("exported")["folder"]


def test_without_a_pair_the_export_says_what_to_do(workspace, monkeypatch):
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    project = workspace.create_project("Bea", trigger="ohwx", base_model="tiny", permission=Permission(granted=True))
    window = open_window(project)
    assert "Train first" in remarks(window)
    assert "no checkpoint pair yet" in window.press("start-export", "click")["text"]
