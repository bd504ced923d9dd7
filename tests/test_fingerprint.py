"""What an open page asks every two seconds answers otherwise when something changed that it shows, and costs little while nothing does."""

import pytest
from page_kit import build_page

from studio.config import load_preset
from studio.disk import append_jsonl, write_json
from studio.ui.app import QUEUE_SECONDS, let_queue_sleep, make_app
from studio.ui.serving.fingerprint import fingerprint

CHANGES = {
    "another person's job": ("projects/kim/runs/train-001/status.json", "{}"),
    "another person": ("projects/kim/project.json", "{}"),
    "a download": ("models/.downloads/projects/wan/runs/download-001/status.json", "{}"),
    "a base model that was linked": ("models/wan.path", "C:/models"),
    "the workspace": ("workspace.json", "{}"),
    "a photo": ("projects/anna/dataset/0001.jpg", "x"),
    "a caption": ("projects/anna/dataset/0001.txt", "ohwx, a person"),
    "what is known of the photos": ("projects/anna/curation.json", "{}"),
    "the steps of a training": ("projects/anna/runs/train-001/events.jsonl", "{}\n"),
    "a checkpoint pair": ("projects/anna/runs/train-001/checkpoints/step-000100/manifest.json", "{}"),
    "a comparison": ("projects/anna/sweeps/sweep-001/sweep.json", "{}"),
    "a side-by-side video": ("projects/anna/sweeps/sweep-001/comparisons/prompt-01-seed-42.mp4", "x"),
    "an export": ("projects/anna/exports/comfyui-001/readme.txt", "x"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_the_page_shows_is_another_fingerprint(workspace, project, name):
    path, text = CHANGES[name]
    before = fingerprint(workspace, project.slug)
    assert fingerprint(workspace, project.slug) == before
    (workspace.home / path).parent.mkdir(parents=True, exist_ok=True)
    (workspace.home / path).write_text(text, encoding="utf-8")
    made = fingerprint(workspace, project.slug)
    (workspace.home / path).write_text(text + " ", encoding="utf-8")
    changed = fingerprint(workspace, project.slug)
    (workspace.home / path).unlink()
    assert before != made and fingerprint(workspace, project.slug) not in (made, changed)
    assert made != changed or path.startswith("projects/anna/exports/")  # of an export the page shows only that it is there


def test_what_a_job_writes_is_seen(workspace, project):
    run_dir = project.new_run_dir("train")
    seen = {fingerprint(workspace, project.slug)}
    for step in range(3):
        append_jsonl(run_dir / "events.jsonl", {"event": "step", "step": step})
        seen.add(fingerprint(workspace, project.slug))
        write_json(run_dir / "status.json", {"step": "1" * step})
        seen.add(fingerprint(workspace, project.slug))
    assert len(seen) == 7


@pytest.mark.parametrize("slug", ["", "nobody", "../anna", "..", "/etc", "a\0b", "con"])
def test_a_name_that_is_no_project_s_looks_at_nothing_of_one(workspace, project, slug):
    before = fingerprint(workspace, slug)
    (project.dataset_dir).mkdir(exist_ok=True)
    (project.dataset_dir / "0001.jpg").write_bytes(b"x")
    assert fingerprint(workspace, slug) == before


def test_nobody_waits_in_gradio_s_queue_and_it_hardly_looks(workspace):
    make_app(workspace)
    _, demo = build_page(workspace)
    let_queue_sleep(demo)
    assert not any(function.queue for function in demo.fns.values())
    assert demo._queue.sleep_when_free == QUEUE_SECONDS >= 10


def test_a_preset_is_read_once_and_nobody_can_change_it_for_the_next():
    first = load_preset("models", "tiny")
    first["experts"].clear()
    assert load_preset("models", "tiny")["experts"]
