"""A training that breaks down, and the button that lets it go on: the real loop on the tiny model."""

import ast
import errno
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from training_kit import SMALL, add_photo

from studio.config import TrainConfig, merge, to_dict
from studio.data.dataset import kept_items, set_caption
from studio.disk import append_jsonl, read_json, write_json
from studio.errors import Problem
from studio.jobs import launcher, state, worker
from studio.jobs.kinds.train import TrainJob
from studio.jobs.problems import explain
from studio.jobs.recorder import Recorder
from studio.machine import Gpu, read_machine
from studio.project_facts import Permission, SweepChoice
from studio.training.history import read_history
from studio.training.plan.prediction import Pace
from studio.ui import actions
from studio.ui.evaluate import choice as evaluate_choice
from studio.ui.evaluate import sample_clips as train_samples
from studio.ui.evaluate import view as evaluate_view
from studio.ui.settings_form import label_of
from studio.ui.train import choice as train_choice
from studio.ui.train import plan as train_plan
from studio.ui.train import view as train_view
from studio.ui.train.expert_progress import Turn
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def project(tmp_path, tiny_base):
    workspace = Workspace(tmp_path / "home")
    shutil.copytree(tiny_base.folder, workspace.models_dir / tiny_base.folder.name)
    project = workspace.create_project("Anna", trigger="ohwx", base_model="tiny", permission=Permission(granted=True))
    for number in (1, 2, 3):
        add_photo(project, number)
    return project


def run(run_dir):
    assert worker._claim(run_dir)
    worker.execute(run_dir)
    return state.read_status(run_dir)


def test_the_next_step_of_a_training_is_never_one_that_is_prevented(project):
    assert train_view.next_step(project).button.name == "start-training"
    set_caption(project, kept_items(project)[0].id, "")
    step = train_view.next_step(project)
    assert step.button.name == "open-dataset" and "no caption" in step.text


@pytest.mark.parametrize(
    ("name", "value"), [("preservation.pictures", 9999), ("preservation.pictures", -1), ("optimizer.learning_rate", 3.0)]
)
def test_a_value_out_of_its_limits_is_answered_with_the_forms_own_label(project, name, value):
    before = project.facts()
    with pytest.raises(ValueError, match=f"^{label_of(TrainConfig, name)} must be at (most|least) "):
        train_choice.save_edits(project, {name: value})
    assert project.facts() == before


def test_an_optimizer_that_cannot_be_used_here_prevents_the_start_in_words(project):
    train_choice.save_edits(project, {"optimizer.name": "adamw8bit"})
    start = train_plan.start_button(project, train_choice.make_plan(project))
    assert "8-bit AdamW" in start.remark.text and start.remark.tone == "remark" and not start.interactive
    with pytest.raises(Problem, match="8-bit AdamW"):
        train_choice.start(project)


def test_a_running_training_shows_two_lanes_with_turns_bands_and_when_the_next_pair_is_due(project):
    config = merge(to_dict(TrainConfig()), {"steps": 400, "save_every": 100})
    run_dir = launcher.prepare(project, TrainJob(config=config, device="cuda"))
    state.write_record(run_dir, replace(state.read_record(run_dir), state="running"))
    append_jsonl(run_dir / "events.jsonl", {"event": "phase", "expert": "high_noise", "first_step": 1, "last_step": 50})
    for step in (0, 20):
        bands = [{"low": 0.875, "high": 0.89, "loss": 0.5 - step / 100}, {"low": 0.89, "high": 1.0, "loss": 0.4}]
        append_jsonl(run_dir / "events.jsonl", {"event": "held_out", "step": step, "expert": "high_noise", "loss": 0.4, "bands": bands})
    facts = {"loss": 0.2, "learning_rate": 1e-4, "seconds": 6.0, "memory_gb": 21.4, "ram_gb": 40.0}
    for step in range(1, 21):
        append_jsonl(run_dir / "events.jsonl", {"event": "step", "step": step, "expert": "high_noise"} | facts)

    view = train_view.describe_run(project, state.read_status(run_dir))

    high, low = view.lanes
    assert (high.name, high.turn) == ("Layout and motion", Turn("learns now, to step 50", now=True))
    assert (low.step, low.bands, low.turn.text) == ([], (), "its turn comes after step 50")
    assert [(band.limits, band.loss, band.change) for band in high.bands] == [
        ("89.0 to 100.0 %", [0.4, 0.4], "as at first"),
        ("87.5 to 89.0 %", [0.5, 0.3], "40 % lower"),
    ]
    told = {number.what: number.much for number in view.numbers}
    assert told["Next pair"] == "step 100 in about 8 min" and told["Speed"] == "6.0 s a step"
    assert told["GPU memory at its peak"].startswith("21.4 GB") and told["RAM"] == "40.0 GB"
    append_jsonl(run_dir / "events.jsonl", {"event": "phase", "expert": "low_noise", "first_step": 351, "last_step": 400})
    turns = [lane.turn.text for lane in train_view.describe_run(project, state.read_status(run_dir)).lanes]
    assert turns == ["has learned all its steps", "learns now, to step 400"]
    config = read_json(run_dir / "config.json")
    write_json(run_dir / "config.json", config | {"config": config["config"] | {"processes": 2}})
    turns = [lane.turn for lane in train_view.describe_run(project, state.read_status(run_dir)).lanes]
    assert turns == [Turn("learns on a graphics card of its own", now=True)] * 2
    write_json(run_dir / "config.json", config | {"config": config["config"] | {"processes": 4}})
    view = train_view.describe_run(project, state.read_status(run_dir))
    assert [lane.turn.text for lane in view.lanes] == ["learns on 2 graphics cards"] * 2


ENDS = [
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error", "/photos"),
    PermissionError(errno.EACCES, "Permission denied", "events.jsonl"),
    Problem("The loss broke down.", fix="Halve it.", action="halve-learning-rate"),
    Problem("Something odd happened.", action="a-button-of-tomorrow"),
    ValueError("steps must be a number"),
    KeyError("a fault of ours"),
]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: f"{type(error).__name__}-{error}"[:40])
@pytest.mark.parametrize("step", [0, 50])
def test_whatever_ends_a_training_is_told_in_words_with_one_button_that_gets_on(project, error, step):
    run_dir = launcher.prepare(project, TrainJob(config=to_dict(TrainConfig())))
    with Recorder(run_dir) as recorder:
        recorder.fail(error)
    if step:
        (run_dir / "resume" / f"step-{step:06d}").mkdir(parents=True)
    view, next_step = train_view.describe_run(project, state.read_status(run_dir)), train_view.next_step(project)
    assert len(view.sentence) > 10 and "Error" not in view.sentence.replace("KeyError", "")
    assert view.button.action and view.button.label and next_step.button.label == view.button.label
    if not explain(error).action:
        assert view.button.action == (f"resume:{run_dir.name}" if step else "start-training")


def test_every_action_that_an_error_names_has_a_button():
    named = set()
    for path in (ROOT / "studio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem":
                named |= {k.value.value for k in node.keywords if k.arg == "action" and isinstance(k.value, ast.Constant)}
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_words" and path.name == "problems.py":
                named |= {argument.value for argument in node.args[3:] if isinstance(argument, ast.Constant)}
    assert len(named) > 5 and [action for action in named - {""} if not actions.find_button(action)] == []


def test_what_happened_in_a_night_is_told_the_newest_first(project):
    run_dir = launcher.prepare(project, TrainJob(config=to_dict(TrainConfig())))
    with Recorder(run_dir) as recorder:
        for number in range(30):
            recorder.report("note", message=f"Note {number}.")
        recorder.report("asleep", seconds=5400)
        view = train_view.describe_run(project, state.read_status(run_dir))
        assert [note.text for note in view.notes][:2] == ["The computer slept for 1 h 30 min; the training went on.", "Note 29."]
        assert len(view.notes) == 6 and len(read_history(run_dir).notes) == 20
        recorder.end("done")


def test_the_log_of_a_run_is_turned_page_by_page(project):
    run_dir = launcher.prepare(project, TrainJob(config=to_dict(TrainConfig())))
    assert train_view.read_run(project).log is None
    lines = [f"2026-01-01 00:00:00 note: line {number}" for number in range(400)]
    (run_dir / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    last = train_view.read_run(project).log
    assert last.text.endswith("line 399\n") and last.end is None
    before = train_view.read_run(project, None, train_view.LogPage(run_dir.name, last.begin)).log
    shown = (before.text + last.text).splitlines()
    assert shown == lines[-len(shown) :] and 0 < before.begin < last.begin
    assert train_view.read_run(project, None, train_view.LogPage("train-009", last.begin)).log == last


def test_a_sample_of_the_newest_pair_is_drawn_by_a_job_and_is_no_comparison_yet(project, monkeypatch):
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    config = merge(to_dict(TrainConfig()), SMALL, {"steps": 4, "save_every": 2, "preservation": {"enabled": False}})
    assert run(launcher.enqueue(project, TrainJob(config=config))).state == "done"
    small = {"width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 2, "strengths": [0.7, 1.0]}
    project.update(sweep_choice=SweepChoice(settings=small))
    newest, older = train_view.read_run(project).pairs
    assert newest.can_draw and not newest.sample

    assert train_samples.draw(project, older.id) == "The clip is being drawn."
    with pytest.raises(Problem, match="already"):
        train_samples.draw(project, newest.id)
    shown = train_view.read_run(project).pairs[1]
    assert shown.waits and not shown.can_draw and not shown.sample.clip
    assert run(project.list_runs("sweep")[-1]).result["rendered"] == 2
    assert train_samples.draw(project, older.id) == "This clip is there already."
    train_samples.draw(project, newest.id)

    shown = {p.label: p for p in train_view.read_run(project).pairs}
    assert list(shown) == ["Step 4", "Step 2", "Base"] and shown["Step 4"].waits  # the base is drawn once
    assert all(shown[label].sample.clip.startswith("/media/anna/sweeps/sweep-001/cells/") for label in ("Step 2", "Base"))
    assert evaluate_view.read_clips(project, "") is None and evaluate_view.next_step(project).button.label == "Draw the test clips"

    launcher.cancel(project.list_runs("sweep")[-1])
    sample = train_samples.sample_config(project)
    evaluate_choice.save_choice(project, prompts="\n".join(sample.prompts), strengths=sample.strengths)
    evaluate_choice.start(project)  # asked for as a comparison, it is one
    assert evaluate_view.read_clips(project, "").sweep == "sweep-001"


def test_a_training_that_learns_too_fast_goes_on_with_half_the_speed_at_one_press(project, monkeypatch):
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    fast = {"steps": 60, "save_every": 60, "optimizer": {"learning_rate": 1.0, "warmup_steps": 0}, "preservation": {"enabled": False}}
    config = merge(to_dict(TrainConfig()), SMALL, fast)
    run_dir = launcher.enqueue(project, TrainJob(config=config))
    job = run(run_dir)
    assert job.state == "failed" and job.error.action == "halve-learning-rate"
    view, step = train_view.describe_run(project, job), train_view.next_step(project)
    assert view.button.action == f"halve-learning-rate:{run_dir.name}" and step.button.label == view.button.label
    before = read_json(run_dir / "config.json")

    said = actions.act(None, project, view.button.action)

    after = read_json(run_dir / "config.json")
    assert after["config"]["optimizer"] == before["config"]["optimizer"] | {"learning_rate": 0.5}
    assert after == before | {"config": after["config"]} and "0.5 now (it was 1)" in said
    assert state.read_status(run_dir).state == "queued"
    with pytest.raises(ValueError, match="has not ended"):
        launcher.change_settings(run_dir, {})
    launcher.request_stop(run_dir)
    assert run(run_dir).state == "stopped"  # it takes the new speed without complaint


def test_a_training_for_more_graphics_cards_than_there_are_goes_on_with_fewer_at_one_press(project, monkeypatch):
    import torch

    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    run_dir = launcher.enqueue(project, TrainJob(config=merge(to_dict(TrainConfig()), SMALL, {"processes": 4})))
    job = run(run_dir)
    assert job.state == "failed" and "for 4 graphics cards, and 3 can be used" in job.error.message
    view = train_view.describe_run(project, job)
    assert view.button.action == f"use-fewer-cards:{run_dir.name}"
    card = Gpu(0, "RTX 4090", 24.0, 23.0, "550")
    monkeypatch.setattr(actions, "read_machine", lambda: replace(read_machine(), gpus=(card,) * 3))
    assert "2 graphics cards now" in actions.act(None, project, view.button.action)
    assert read_json(run_dir / "config.json")["config"]["processes"] == 2 and state.read_status(run_dir).state == "queued"


def test_a_person_chooses_what_a_test_clip_shows(project):
    choices = train_samples.read_prompts(project)
    assert len(choices["choices"]) > 2 and choices["value"] == choices["choices"][0][1]
    name, prompt = choices["choices"][2]
    assert prompt.startswith(name) and "|" not in name
    train_samples.choose_prompt(project, prompt)
    assert train_samples.read_prompts(project)["value"] == prompt and train_samples.sample_config(project).prompts == (prompt,)
    evaluate_choice.save_choice(project, prompts="[trigger] smiling")  # the test prompts are others now
    assert train_samples.sample_config(project).prompts == ("[trigger] smiling",)
    assert train_samples.read_prompts(None)["choices"] == []


def test_the_plan_says_how_far_a_training_gets_before_its_end(project):
    train_choice.save_edits(project, {"finish_by": "07:00", "steps": 3000})
    plan = train_choice.make_plan(project)
    six = time.mktime((2026, 3, 3, 6, 0, 0, 0, 0, -1))

    def text(hours, seconds_per_step, processes=1):
        config = replace(plan.config, processes=processes)
        known = replace(plan, config=config, predicted=replace(plan.predicted, hours=hours, pace=Pace(seconds_per_step, "measured")))
        return train_plan.finish_text(known, six)

    assert text(None, None) == "07:00, with a saved pair" and text(0.9, 1.0) == "07:00; there is time for all of it"
    assert text(5.1, 6.0).endswith("time for about 540 of 3,000 steps")  # 360 s go beside the steps
    assert text(2.6, 6.0, processes=2).endswith("time for about 1,100 of 3,000 steps")  # both experts learn at once
    assert text(90.0, 6.0).endswith("about 0 of 3,000 steps")
    assert "Finish by" in [row.label for row in train_plan.describe_plan(plan).rows]
