"""plan, import-config, rehearse, train, jobs. What reads clips is imported where it is used: it doubles the time that `list` takes to start."""

import json
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio import config as settings
from studio.commands.output import Output, find_project, finish_here
from studio.data.dataset import list_items
from studio.errors import Problem
from studio.jobs import launcher
from studio.jobs.follower import follow
from studio.jobs.kinds.rehearse import RehearseJob
from studio.jobs.kinds.train import TrainJob
from studio.jobs.machines import Place, find_place
from studio.jobs.state import JobStatus, list_jobs
from studio.jobs.turns import all_turns
from studio.machine import read_machine
from studio.models.preset import model_preset
from studio.training.material import why_nothing_to_learn
from studio.training.pairs import list_pairs
from studio.training.plan.optimizer_facts import how_to_use, why_not_usable
from studio.training.plan.planner import Plan, propose
from studio.training.plan.run_reports import FINISH_BY, TrainReport
from studio.words import count, duration, gigabytes
from studio.workspace import Project, Workspace


def plan(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    proposed = make_plan(project, workspace, args, vram_gb=args.vram, ram_gb=args.ram, gpu_name=args.gpu)
    say_plan(proposed, out)
    return {"project": project.slug} | proposed.to_dict()


def import_config(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    """Settings of another trainer, for the Train form; said as `--set` too, which `train` and `plan` take."""
    from studio.export.reading.taking_over import take_over

    project = find_project(workspace, args.project, out)
    found = take_over(project, args.files)
    out.print(f"{found.program}: {len(found.settings)} settings are in the Train form of {project.facts().name} now. For a terminal:")
    out.print("  " + " ".join(f"--set {name}={json.dumps(value)}" for name, value in found.settings.items()))
    if found.without:
        out.print("Not taken over:")
        out.table([list(entry) for entry in found.without], ["name", "value", "why"])
    return {"project": project.slug} | found.to_dict()


def rehearse(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    _require_pictures(project)
    proposed = make_plan(project, workspace, args)
    if proposed.device == "cpu" and not proposed.fits:
        raise Problem(f"this does not fit here. {proposed.reasons[-1]}")
    job = finish_here(launcher.prepare(project, RehearseJob(**proposed.job_config(project))), out)
    corrected = make_plan(project, workspace, args)
    if job.state == "done":
        say_plan(corrected, out)
    return {"project": project.slug, "run": job.name, "state": job.state, "measured": job.result} | corrected.to_dict()


def train(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project, place = find_project(workspace, args.project, out), find_place()
    if place and place.rank:
        return _follow(project, place, out)
    if place and args.background:
        raise Problem("processes that a launcher started can't go into the background", fix="Leave out --background.")
    if args.resume:
        run_dir = _resume(args, project, {"processes": place.size} if place else {})
    else:
        _require_pictures(project)
        args.set = [*args.set, f"finish_by={args.finish_by}"] if args.finish_by else args.set
        args.set = [*args.set, f"processes={place.size}"] if place else args.set
        proposed = make_plan(project, workspace, args, num_here=place.local_size if place else 0)
        _check_device(args.device, proposed)
        _check_optimizer(proposed.config.optimizer.name, proposed.device)
        say_plan(proposed, out)
        if not proposed.fits and not args.anyway:
            raise Problem(f"this does not fit here. {proposed.reasons[-1]}", fix="To start all the same, add --anyway.")
        make = launcher.enqueue if args.background else launcher.prepare
        hours = proposed.predicted.hours
        run_dir = make(project, TrainJob(**proposed.job_config(project)), expected_seconds=None if hours is None else hours * 3600)
    if args.background:
        launcher.ensure_worker(workspace)
        out.print(f"{run_dir.name} is in the queue; see `python -m studio jobs`.")
        return {"project": project.slug, "run": run_dir.name, "state": "queued"}
    return _describe(finish_here(run_dir, out), project, out)


def jobs(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    if asked := next((name for name in ("up", "down", "remove") if getattr(args, name)), ""):
        _change_queue(find_project(workspace, args.project, out), getattr(args, asked), asked)
    found = list_jobs(workspace, find_project(workspace, args.project, out) if args.project else None)
    found += [] if args.project else list_jobs(workspace.downloads)
    rows = [
        [j.project.slug, j.name, j.state, _progress(j), duration(j.seconds), duration(j.seconds_left) if j.is_running else ""]
        for j in found
    ]
    out.table(rows, ["project", "job", "state", "progress", "time", "left"])
    for job in found:
        if job.error:
            out.print(f"{job.name}: {job.error.message} {job.error.fix}")
        elif job.is_running and job.notice:
            out.print(f"{job.name}: {job.notice}")
    for turn in all_turns(workspace, found):
        out.print(f"{turn.job.name} {turn.words()}.")
    return {"jobs": [job.to_dict() for job in found]}


def _change_queue(project: Project, run: str, asked: str) -> None:
    """Move a waiting job up or down in its queue, or take it out; a running one is asked to stop."""
    job = next((job for job in list_jobs(project.workspace, project) if job.name == run), None)
    if job is None:
        raise Problem(f"{project.slug} has no job {run!r}.", fix="See `jobs` for their names.")
    if asked == "remove":
        launcher.cancel(job.run_dir)
    elif not launcher.move(job.run_dir, {"up": -1, "down": 1}[asked]):
        words = "is at that end of the queue already" if job.waits else "does not wait in the queue"
        raise Problem(f"{run} {words}.")


def make_plan(project: Project, workspace: Workspace, args: Namespace, **options: Any) -> Plan:
    overrides = parse_settings(args.set)
    if args.steps is not None:
        overrides = settings.merge(overrides, {"steps": args.steps})
    return propose(project, read_machine(), workspace=workspace, recipe=args.recipe, overrides=overrides, **options)


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """["lora.rank=16", "timesteps.distribution=uniform"] -> nested dict; values are JSON where they can be, else text."""
    flat = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: write NAME=VALUE, for example lora.rank=16")
        try:
            flat[name.strip()] = json.loads(text)
        except ValueError:
            flat[name.strip()] = text
    return settings.nest(flat)


def say_plan(plan: Plan, out: Output) -> None:
    p = plan.predicted
    out.print(
        f"Recipe {plan.recipe}, {plan.config.steps} steps, on the {'GPU, preset ' + plan.hardware if plan.hardware else 'processor'}."
    )
    for label, need, free in (
        ("VRAM", p.vram_gb, p.vram_free_gb),
        ("RAM", p.ram_gb, p.ram_free_gb),
        ("disk", p.disk_gb, p.disk_free_gb),
    ):
        if need is not None:
            out.print(f"  {label:5} about {gigabytes(need)} of {gigabytes(free)} free")
    pace, hours = p.seconds_per_step, p.hours
    if pace is None or hours is None:
        out.print(f"  time  {p.how_sure}.")
    else:
        out.print(f"  time  about {duration(hours * 3600)}, {pace:.1f} s a step ({p.how_sure})")
    for reason in plan.reasons:
        out.print(f"  - {reason}")


def _require_pictures(project: Project) -> None:
    items, data = list_items(project), project.facts()
    name = data.name
    if not items:
        fix = f"Add some with: python -m studio import {project.slug} PHOTOS"
        raise Problem(f"{name} has no photos or clips to train with", fix=fix)
    if not any(item.keep for item in items):
        fix = f"Keep some on the Dataset page, or have the best chosen with: python -m studio curate {project.slug}"
        raise Problem(f"every photo and clip of {name} is left out ({len(items)} in all)", fix=fix)
    if reason := why_nothing_to_learn([item for item in items if item.keep], model_preset(data.base_model)):
        raise Problem(reason)


def _check_device(device: str, plan: Plan) -> None:
    if device == "cuda" and plan.device != "cuda":
        raise Problem(f"no GPU can be used here. {plan.reasons[0]}", fix="Leave --device out to train on the processor.")
    if device == "cpu" and plan.device == "cuda":
        raise Problem(
            "this computer's GPU would be used",
            fix="Set the environment variable CUDA_VISIBLE_DEVICES to an empty text to train on the processor.",
        )


def _check_optimizer(name: str, device: str) -> None:
    if reason := why_not_usable(name, device):
        raise Problem(reason, fix=how_to_use(name, device))


def _follow(project: Project, place: Place, out: Output) -> dict[str, Any]:
    """What every process but the first does that a launcher started."""
    out.note(
        f"Process {place.rank + 1} of {place.size} takes part; the first one tells how it goes. Ctrl-C here stops them all, and saves."
    )
    run, code = follow(project, place)
    if code:
        raise Problem(f"this part of {run} has ended before its time", fix="What the first process says, and the lines above, say why.")
    out.print(f"{run} has ended.")
    return {"project": project.slug, "run": run, "state": "followed"}


def _resume(args: Namespace, project: Project, change: dict[str, Any]) -> Path:
    change = parse_settings(args.set) | change
    if args.steps is not None or args.recipe or change.keys() - {"processes"}:
        fix = "Leave out --steps, --recipe and --set (but for --set processes=N), or start a new run without --resume."
        raise Problem("a resumed run keeps its settings", fix=fix)
    runs = [job for job in list_jobs(project.workspace, project) if job.kind == "train"]
    if not runs:
        raise Problem(f"{project.facts().name} has no training run yet", fix=f"Start one with: python -m studio train {project.slug}")
    change = change | ({"finish_by": args.finish_by} if args.finish_by else {})
    if change:
        settings.from_dict(settings.TrainConfig, change, "settings")
        launcher.change_settings(runs[0].run_dir, change)
    return launcher.resume(runs[0].run_dir, foreground=not args.background)


def _describe(job: JobStatus, project: Project, out: Output) -> dict[str, Any]:
    pairs = [pair.id for pair in list_pairs(project) if pair.run == job.name]
    if job.state == "stopped":
        report = job.read_result(TrainReport)
        due = " in time, with a pair" if report and report.stopped_by == FINISH_BY else ""
        out.print(f"Stopped and saved{due}. Go on with: python -m studio train {project.slug} --resume")
    else:
        out.print(f"{job.name} is done after {duration(job.seconds)}: {count(len(pairs), 'checkpoint pair')}.")
    return {"project": project.slug, "run": job.name, "state": job.state, "seconds": job.seconds, "pairs": pairs, "result": job.result}


def _progress(job: JobStatus) -> str:
    progress = job.progress
    return f"{progress.done} of {progress.total} {progress.unit}".strip() if progress.total else ""
