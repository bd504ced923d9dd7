"""The rehearsal: real steps whose measurements correct the plan, and nothing else of which stays."""

from dataclasses import replace

import pytest
from test_long_runs import BusyDevice
from training_kit import Events, add_clip, add_photo, new_project, small_config

from studio.config import to_dict
from studio.disk import read_json, write_json
from studio.jobs import launcher, state
from studio.jobs.kinds.rehearse import RehearseJob
from studio.jobs.problems import Failure
from studio.jobs.worker import run_job
from studio.machine import Gpu, Machine, TorchBuild
from studio.project_facts import Permission
from studio.training.events import REHEARSAL
from studio.training.plan import planner
from studio.training.plan.measured import same_work
from studio.training.plan.planner import propose
from studio.training.plan.run_reports import RehearsalReport
from studio.training.rehearsal import rehearse
from studio.training.work import Work
from studio.ui.train.rehearsals import read_rehearsal
from studio.ui.train.view import next_step

MACHINE = Machine(gpus=(), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)


def rehearsal_of(project, config):
    plan = propose(project, MACHINE, workspace=project.workspace, overrides=to_dict(config))
    return launcher.prepare(project, RehearseJob(**plan.job_config(project))), plan.config


def test_ten_steps_are_taken_most_on_the_largest_item_and_nothing_of_them_stays(tiny_base, monkeypatch):
    project = new_project(tiny_base)
    add_clip(project, 1)
    run_dir, config = rehearsal_of(project, small_config(preservation={"enabled": True}))
    shapes = []

    def spy(step):
        def train_step(work):
            shapes.append({tuple(row.latents.shape) for row in work.batches.group(work.expert_step).rows})
            return step(work)

        return train_step

    monkeypatch.setattr(Work, "train_step", spy(Work.train_step))
    events = Events()
    measured = rehearse(config, run_dir, report=events)
    assert len(shapes) == 10 and all(len(some) == 1 for some in shapes[:6]) and len(set.union(*shapes[6:])) == 2
    assert next(iter(shapes[0]))[1] == 2  # latent frames: the clip
    assert measured.seconds_largest > 0 and measured.seconds_per_step > 0 and measured.ram_gb > 0.1 and measured.vram_gb is None
    assert not (run_dir / "resume").exists() and not (run_dir / "checkpoints").exists()
    assert not events.of("step") and {p["code"] for p in events.of("progress") if "code" in p} == {REHEARSAL}


def test_pictures_of_others_are_rehearsed_at_their_size_and_not_drawn(tiny_base, monkeypatch):
    """Beside clips they are much the smaller, so that the clips in their place would take longer, and more memory, than the training."""
    project, groups = new_project(tiny_base, photos=0), []
    add_clip(project, 1)
    run_dir, config = rehearsal_of(project, small_config(preservation={"pictures": 3, "every": 1}, data={"photo_size": 64}))
    step = Work.train_step
    monkeypatch.setattr(Work, "train_step", lambda work: groups.append(work.batches.group(work.expert_step)) or step(work))
    events = Events()
    assert rehearse(config, run_dir, report=events).seconds_per_step > 0
    assert len(groups) == 10
    for group in groups:
        assert {row.latents.shape[1] for row in group.rows} == {2}
        assert {tuple(row.latents.shape[1:]) for row in group.class_rows} == {(1, 16, 16)} and len(group.class_rows) == config.accumulation
    assert "Other people" not in {p["stage"] for p in events.of("progress")}


def test_what_was_measured_corrects_the_plan_of_the_same_work_alone(tiny_base):
    project = new_project(tiny_base)
    run_dir, _ = rehearsal_of(project, small_config())
    run_job(run_dir)
    assert state.read_status(run_dir).state == "done"
    overrides = to_dict(small_config())

    def plan(**changes):
        return propose(project, MACHINE, workspace=project.workspace, overrides=overrides | changes).predicted

    assert plan().how_sure == "measured in rehearse-001" == plan(steps=400).how_sure
    assert plan().seconds_per_step == read_json(run_dir / "rehearsal.json")["seconds_per_step"]
    assert "measured" not in plan(accumulation=1).how_sure
    imagined = propose(project, MACHINE, workspace=project.workspace, overrides=overrides, vram_gb=8)
    assert "measured" not in imagined.predicted.how_sure


def test_where_the_memory_ran_out_the_plan_takes_what_sufficed_and_says_so(workspace, monkeypatch):
    monkeypatch.setattr(planner, "read_torch_build", lambda: TorchBuild("2.14.1+cu130", (13, 0)))
    project = workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    machine = replace(MACHINE, gpus=(Gpu(0, "RTX 4090", 24, 22.1, "555"),))
    before = propose(project, machine, workspace=workspace)
    run_dir = project.new_run_dir("rehearse")
    write_json(run_dir / "config.json", {"kind": "rehearse"} | before.job_config(project))
    less = to_dict(before.config.memory) | {"rows_per_walk": 2, "inputs_in_ram": True}
    write_json(run_dir / "rehearsal.json", {"memory": less, "vram_gb": 21.5, "ram_gb": 40.0, "seconds_per_step": 31.0})
    after = propose(project, machine, workspace=workspace)
    assert (after.config.memory.rows_per_walk, after.config.memory.inputs_in_ram) == (2, True)
    assert after.predicted.vram_gb == 21.5 and after.predicted.seconds_per_step == 31.0
    assert any("ran out" in reason for reason in after.reasons) and any("21.5 GB of GPU memory" in reason for reason in after.reasons)
    write_json(run_dir / "rehearsal.json", {"memory": less})  # one that was cut off
    assert propose(project, machine, workspace=workspace).config == before.config


def test_memory_that_runs_out_in_a_rehearsal_takes_notches_as_training_does(tiny_base):
    project = new_project(tiny_base)
    run_dir, config = rehearsal_of(project, small_config())
    events, device = Events(), BusyDevice()

    def report(event, **fields):
        events(event, **fields)
        if event == "progress" and fields.get("code") == REHEARSAL and not events.of("memory"):
            device.refusals = 2

    with device:
        measured = rehearse(config, run_dir, report=report)
    assert len(events.of("memory")) == 2 and measured.memory != to_dict(config.memory)
    assert not (run_dir / "resume").exists()


@pytest.mark.parametrize("after", [0, 3])
def test_a_rehearsal_can_be_stopped(tiny_base, after):
    project = new_project(tiny_base)
    run_dir, config = rehearsal_of(project, small_config())
    steps = []

    def report(event, **fields):
        if event == "progress" and fields.get("code") == REHEARSAL:
            steps.append(fields["done"])

    assert rehearse(config, run_dir, report=report, should_stop=lambda: len(steps) > after) == RehearsalReport(stopped=True)
    assert not (run_dir / "rehearsal.json").exists()


def test_the_number_of_steps_and_the_time_of_day_do_not_make_other_work():
    config = small_config()
    assert same_work(config, replace(config, steps=5000, save_every=1000, finish_by="07:00"))
    assert not same_work(config, replace(config, accumulation=1))


def test_the_train_tab_tells_of_the_rehearsal(project):
    assert "ten real steps" in read_rehearsal(project).remark.text
    run_dir = launcher.enqueue(project, RehearseJob(config=to_dict(small_config())))
    note = read_rehearsal(project)
    assert note.is_busy and "waits in the queue" in note.remark.text
    add_photo(project, 1)
    assert "wait for the rehearsal" in next_step(project).text
    record = replace(state.read_record(run_dir), state="failed", error=Failure(message="There are no photos.", fix="Add some."))
    state.write_record(run_dir, record)
    note = read_rehearsal(project)
    assert not note.is_busy and "There are no photos. Add some." in note.remark.text
