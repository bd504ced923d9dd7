"""demo: every step on the built-in model and drawn people. A stage whose result exists for the same inputs is not done again."""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from studio import config as settings
from studio.commands import results
from studio.commands.output import Output, finish_here, run_here
from studio.commands.training import make_plan
from studio.data.curation import is_settled
from studio.data.dataset import kept_items, list_items
from studio.evaluation.judge.verdict import Verdict
from studio.evaluation.report import has_current_report, write_report
from studio.evaluation.sweep_plan import select_pairs
from studio.evaluation.sweeps import open_sweep
from studio.export.exporting import export_pair
from studio.jobs import launcher
from studio.jobs.kind import read_config
from studio.jobs.kinds.caption import CaptionJob
from studio.jobs.kinds.curate import CurateJob
from studio.jobs.kinds.train import TrainJob
from studio.jobs.state import JobStatus, list_jobs
from studio.tiny.demo_project import ensure_demo_project
from studio.training.pairs import list_pairs
from studio.workspace import Project, Workspace


def demo(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    stages = Stages(out)
    project = stages.run("project", _make_project, workspace)
    stages.run("curate", _curate, project, out)
    stages.run("captions", _write_captions, project, out)
    run = stages.run("training", _train, project, workspace, out, args.steps)
    sweep = stages.run("test clips", _draw, project, out)
    found = stages.run("verdict", _judge, project, sweep, out)
    exported = stages.run("export", _export, project, found)
    report = stages.run("report", _report, project, sweep)
    out.print()
    out.table([[stage.name, f"{stage.seconds:.1f}", stage.did] for stage in stages.done], ["stage", "seconds", "what was done"])
    if all(stage.skipped for stage in stages.done):
        out.print("\nEverything was there already; nothing was done again.")
    out.print(f"\nReport: {report}")
    summary = {"pairs": len(run["pairs"]), "cells": {k: getattr(sweep, k) for k in ("rendered", "reused", "failed", "total")}}
    return summary | {
        "project": project.slug,
        "stages": [asdict(stage) for stage in stages.done],
        "run": run["run"],
        "sweep": sweep.sweep,
        "report": report,
        "exported": exported,
        "verdict": {k: getattr(found, k) for k in ("pair", "strength", "sure", "why")},
        "seconds": sum(stage.seconds for stage in stages.done),
    }


@dataclass(frozen=True)
class Stage:
    name: str
    did: str
    skipped: bool
    seconds: float


class Stages:
    """Times each stage and keeps what it says it did."""

    def __init__(self, out: Output):
        self.out = out
        self.done: list[Stage] = []

    def run(self, name: str, function: Callable[..., tuple[Any, str, bool]], *args: Any) -> Any:
        self.out.note(f"{name} ...")
        start = time.monotonic()
        result, did, skipped = function(*args)
        self.done.append(Stage(name, did, skipped, round(time.monotonic() - start, 2)))
        self.out.note(f"{name}: {did}")
        return result


def _make_project(workspace: Workspace) -> tuple[Project, str, bool]:
    before = len(workspace.list_projects())
    project = ensure_demo_project(workspace)
    made = len(workspace.list_projects()) > before
    text = f"{'made' if made else 'found'} the project {project.facts().name} with {len(list_items(project))} photos and clips"
    return project, text, not made


def _curate(project: Project, out: Output) -> tuple[None, str, bool]:
    settled = is_settled(project)
    if not settled:
        _require_finished(run_here(project, CurateJob(), out))
    return None, ("found the same choice: " if settled else "") + _describe_choice(project), settled


def _describe_choice(project: Project) -> str:
    items = list_items(project)
    left_out = "; ".join(f"{item.id} {item.reason or 'by hand'}" for item in items if not item.keep)
    return f"{sum(item.keep for item in items)} of {len(items)} kept" + (f"; left out: {left_out}" if left_out else "")


def _write_captions(project: Project, out: Output) -> tuple[None, str, bool]:
    missing = [item.id for item in kept_items(project) if not item.caption.strip()]
    if not missing:
        return None, "every picture has a caption; none was written", True
    config = settings.to_dict(settings.CaptionConfig())
    job = run_here(project, CaptionJob(config=config, only=tuple(missing)), out)
    _require_finished(job)
    return None, f"wrote {len(missing)} captions", False


def _train(project: Project, workspace: Workspace, out: Output, steps: int | None) -> tuple[dict[str, Any], str, bool]:
    wanted = TrainJob(**make_plan(project, workspace, _plan_arguments(steps)).job_config(project))
    job = _find_run(project, wanted)
    skipped = job is not None and job.state == "done"
    if job is None or not skipped:
        run_dir = launcher.resume(job.run_dir, foreground=True) if job else launcher.prepare(project, wanted)
        job = finish_here(run_dir, out)
        _require_finished(job)
    pairs = [pair.id for pair in list_pairs(project) if pair.run == job.name]
    done = f"found {job.name} trained with the same settings and pictures; nothing was trained" if skipped else f"trained {job.name}"
    return {"run": job.name, "pairs": pairs}, f"{done}: {wanted.config['steps']} steps, {len(pairs)} checkpoint pairs", skipped


def _plan_arguments(steps: int | None) -> Namespace:
    """What `plan` would be asked on the command line; a shorter training saves four pairs too."""
    return Namespace(set=[f"save_every={max(2, steps // 4)}"] if steps else [], steps=steps, recipe="")


def _find_run(project: Project, wanted: TrainJob) -> JobStatus | None:
    """The run with these very settings on these very pictures: the finished one whose pairs are all there, else one that can be resumed."""
    jobs = [job for job in list_jobs(project.workspace, project) if job.kind == "train"]
    same = [job for job in jobs if _asks_the_same(read_config(TrainJob, job.run_dir), wanted)]
    last_steps = {(pair.run, pair.step) for pair in list_pairs(project)}
    whole = [job for job in same if job.state == "done" and (job.name, wanted.config["steps"]) in last_steps]
    return next(iter([*whole, *(job for job in same if job.can_resume)]), None)


def _asks_the_same(one: TrainJob, other: TrainJob) -> bool:
    return replace(one, kind="", created=0.0, title="") == replace(other, kind="", created=0.0, title="")


def _draw(project: Project, out: Output) -> tuple[results.Drawn, str, bool]:
    folder = open_sweep(project, results.make_sweep_config(project))
    sweep = results.draw(project, folder, out)
    if sweep.rendered:
        return sweep, f"drew {sweep.rendered} clips, {sweep.reused} were there already", False
    return sweep, f"all {sweep.reused} clips were there already; nothing was drawn", True


def _judge(project: Project, sweep: results.Drawn, out: Output) -> tuple[Verdict, str, bool]:
    found = results.say_verdict(project, project.sweep_dir(sweep.sweep), out)
    text = f"{found.pair} at {found.strength:g}, {found.sure}" if found.pair else "no pair can be named"
    return found, text, not sweep.rendered  # the same clips, the same verdict


def _export(project: Project, found: Verdict) -> tuple[Path, str, bool]:
    pair = select_pairs(project, [found.pair] if found.pair else None)[-1]
    before = _stamps(project)
    folder = export_pair(project, pair, "comfyui", strength=found.strength)
    same = _stamps(project) == before
    return folder, f"{'found' if same else 'wrote'} {pair.id} for ComfyUI in exports/{folder.name}", same


def _stamps(project: Project) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in project.exports_dir.rglob("*") if path.is_file()}


def _report(project: Project, sweep: results.Drawn) -> tuple[Path, str, bool]:
    folder = project.sweep_dir(sweep.sweep)
    report = folder / "report.html"
    if has_current_report(folder) and report.stat().st_mtime_ns >= (folder / "sweep.json").stat().st_mtime_ns:
        return report, "is up to date", True
    return write_report(project, folder), "written", False


def _require_finished(job: JobStatus) -> None:
    if job.state != "done":
        raise KeyboardInterrupt  # stopped by the person; what was finished is kept
