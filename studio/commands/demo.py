"""demo: every step on the built-in model and drawn people. A stage whose result exists for the same inputs is not done again."""

import time
from types import SimpleNamespace

from studio import config as settings
from studio.commands import results
from studio.commands.output import finish_here, run_here
from studio.commands.training import make_plan


def demo(args, workspace, out):
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
    out.table([[s["name"], f"{s['seconds']:.1f}", s["did"]] for s in stages.done], ["stage", "seconds", "what was done"])
    if all(stage["skipped"] for stage in stages.done):
        out.print("\nEverything was there already; nothing was done again.")
    out.print(f"\nReport: {report}")
    summary = {"pairs": len(run["pairs"]), "cells": {k: sweep[k] for k in ("rendered", "reused", "failed", "total")}}
    return summary | {
        "project": project.slug,
        "stages": stages.done,
        "run": run["run"],
        "sweep": sweep["sweep"],
        "report": report,
        "exported": exported,
        "verdict": {k: found[k] for k in ("pair", "strength", "sure", "why")},
        "seconds": sum(s["seconds"] for s in stages.done),
    }


class Stages:
    """Times each stage and keeps what it says it did."""

    def __init__(self, out):
        self.out, self.done = out, []

    def run(self, name, function, *args):
        self.out.note(f"{name} ...")
        start = time.monotonic()
        result, did, skipped = function(*args)
        self.done.append({"name": name, "did": did, "skipped": skipped, "seconds": round(time.monotonic() - start, 2)})
        self.out.note(f"{name}: {did}")
        return result


def _make_project(workspace):
    from studio.data.dataset import list_items
    from studio.tiny.demo import ensure_demo_project

    before = len(workspace.list_projects())
    project = ensure_demo_project(workspace)
    made = len(workspace.list_projects()) > before
    text = f"{'made' if made else 'found'} the project {project.facts().name} with {len(list_items(project))} photos and clips"
    return project, text, not made


def _curate(project, out):
    from studio.data.curation import is_settled

    settled = is_settled(project)
    if not settled:
        _require_finished(run_here(project, "curate", {}, out))
    return None, ("found the same choice: " if settled else "") + _describe_choice(project), settled


def _describe_choice(project):
    from studio.data.dataset import list_items

    items = list_items(project)
    left_out = "; ".join(f"{item.id} {item.reason or 'by hand'}" for item in items if not item.keep)
    return f"{sum(item.keep for item in items)} of {len(items)} kept" + (f"; left out: {left_out}" if left_out else "")


def _write_captions(project, out):
    from studio.data.dataset import kept_items

    missing = [item.id for item in kept_items(project) if not item.caption.strip()]
    if not missing:
        return None, "every picture has a caption; none was written", True
    config = settings.to_dict(settings.CaptionConfig())
    job = run_here(project, "caption", {"config": config, "only": missing, "overwrite_auto": False}, out)
    _require_finished(job)
    return None, f"wrote {len(missing)} captions", False


def _train(project, workspace, out, steps):
    from studio.jobs import launcher
    from studio.training.pairs import list_pairs

    wanted = make_plan(project, workspace, _plan_arguments(steps)).job_config(project)
    job = _find_run(project, wanted)
    skipped = job is not None and job.state == "done"
    if not skipped:
        run_dir = launcher.resume(job.run_dir, foreground=True) if job else launcher.prepare(project, "train", wanted)
        job = finish_here(run_dir, out)
        _require_finished(job)
    pairs = [pair.id for pair in list_pairs(project) if pair.run == job.name]
    done = f"found {job.name} trained with the same settings and pictures; nothing was trained" if skipped else f"trained {job.name}"
    return {"run": job.name, "pairs": pairs}, f"{done}: {wanted['config']['steps']} steps, {len(pairs)} checkpoint pairs", skipped


def _plan_arguments(steps):
    """What `plan` would be asked on the command line; a shorter training saves four pairs too."""
    return SimpleNamespace(set=[f"save_every={max(2, steps // 4)}"] if steps else [], steps=steps, recipe="")


def _find_run(project, wanted):
    """The run with these very settings on these very pictures: the finished one whose pairs are all there, else one that can be resumed."""
    from studio.jobs.state import list_jobs, read_config
    from studio.training.pairs import list_pairs

    jobs = [job for job in list_jobs(project.workspace, project) if job.kind == "train"]
    same = [job for job in jobs if all(read_config(job.run_dir).get(key) == value for key, value in wanted.items())]
    last_steps = {(pair.run, pair.step) for pair in list_pairs(project)}
    whole = [job for job in same if job.state == "done" and (job.name, wanted["config"]["steps"]) in last_steps]
    return next(iter([*whole, *(job for job in same if job.can_resume)]), None)


def _draw(project, out):
    from studio.evaluation.sweeps import open_sweep

    folder = open_sweep(project, results.make_sweep_config(project))
    sweep = results.draw(project, folder, out)
    if sweep["rendered"]:
        return sweep, f"drew {sweep['rendered']} clips, {sweep['reused']} were there already", False
    return sweep, f"all {sweep['reused']} clips were there already; nothing was drawn", True


def _judge(project, sweep, out):
    found = results.say_verdict(project, project.sweep_dir(sweep["sweep"]), out)
    text = f"{found['pair']} at {found['strength']:g}, {found['sure']}" if found["pair"] else "no pair can be named"
    return found, text, not sweep["rendered"]  # the same clips, the same verdict


def _export(project, found):
    from studio.evaluation.sweeps import select_pairs
    from studio.export import export_pair

    pair = select_pairs(project, [found["pair"]] if found["pair"] else None)[-1]
    before = _stamps(project)
    folder = export_pair(project, pair, "comfyui", strength=found["strength"])
    same = _stamps(project) == before
    return folder, f"{'found' if same else 'wrote'} {pair.id} for ComfyUI in exports/{folder.name}", same


def _stamps(project):
    return {path: path.stat().st_mtime_ns for path in project.exports_dir.rglob("*") if path.is_file()}


def _report(project, sweep):
    from studio.evaluation.report import has_current_report, write_report

    folder = project.sweep_dir(sweep["sweep"])
    report = folder / "report.html"
    if has_current_report(folder) and report.stat().st_mtime_ns >= (folder / "sweep.json").stat().st_mtime_ns:
        return report, "is up to date", True
    return write_report(project, folder), "written", False


def _require_finished(job):
    if job.state != "done":
        raise KeyboardInterrupt  # stopped by the person; what was finished is kept
