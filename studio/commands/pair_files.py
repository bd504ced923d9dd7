"""diagnose, guest: what is wrong with pairs by their files; pairs made elsewhere, or of another person, to compare beside one's own."""

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.commands.output import Output, find_project, run_here
from studio.commands.results import choose_pairs, find_sweep, note_damaged
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.file_probe import judge_probe, open_probe
from studio.evaluation.guests.guest_list import Guest, find_guest, list_guests, remove_guest
from studio.evaluation.sweep_facts import WAITING
from studio.evaluation.sweep_plan import select_pairs
from studio.jobs.kinds.sweep import SweepJob
from studio.training.pairs import damaged_pairs
from studio.words import count
from studio.workspace import Project, Workspace


def diagnose(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    from studio.evaluation.diagnosis.checking import look_at  # it loads torch

    project = find_project(workspace, args.project, out)
    note_damaged(damaged_pairs(project), out)
    if args.draw:
        return _draw_files(project, args.draw, out)
    pairs = select_pairs(project, choose_pairs(project, args.pairs, args.guests))

    def on_file(path: Path) -> None:
        out.note(f"Reading {path.name}")

    found = look_at(project, pairs, project.facts().base_model, on_file)
    for finding in found:
        out.print(finding.sentence)
    if not found:
        out.print(f"Nothing is wrong with the files of {count(len(pairs), 'pair')}.")
    return {"project": project.slug, "pairs": [pair.id for pair in pairs], "findings": [finding.to_json() for finding in found]}


def _draw_files(project: Project, pair: str, out: Output) -> dict[str, Any]:
    """Draw each file of a pair alone, and say what that tells."""
    compared = sweeps.read_sweep(find_sweep(project))
    probe = open_probe(project, compared, pair)
    plan = sweeps.read_sweep(probe)
    if waiting := plan.count_states()[WAITING]:
        out.note(f"{count(waiting, 'clip')} to draw")
        run_here(project, SweepJob(config=dict(plan.settings), pairs=(pair,), sweep=probe.name, probe=True), out)
    found = judge_probe(project, sweeps.read_sweep(probe))
    for blame in found:
        out.print(blame.words)
    return {"project": project.slug, "pair": pair, "sweep": probe.name, "blames": [asdict(blame) for blame in found]}


def guest(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    if args.remove:
        gone = find_guest(project, args.remove)
        remove_guest(project, gone.id)
        out.print(f"{gone.facts.title} ({gone.id}) is no guest any more; clips that were drawn with it stay.")
        return {"project": project.slug, "removed": gone.id}
    if args.files or args.high or args.low or args.of:
        added = _add(args, workspace, project)
        for line in describe(added):
            out.print(line)
        out.print(f"Compare it with: python -m studio sweep {project.slug} --guests {added.id}")
        return {"project": project.slug, "guest": _to_json(added)}
    known = list_guests(project)
    for entry in known:
        for line in describe(entry):
            out.print(line)
    if not known:
        out.print("There is no guest yet: name the LoRA files of one, or --of PROJECT for another person's pair.")
    return {"project": project.slug, "guests": [_to_json(entry) for entry in known]}


def _add(args: Namespace, workspace: Workspace, project: Project) -> Guest:
    from studio.evaluation.guests.guest_intake import add_guest, add_pair_of  # it loads torch

    if args.of:
        if args.files or args.high or args.low:
            raise Problem("Both files and another project were named.", fix="Name one of them.")
        other = workspace.find_project(args.of)
        return add_pair_of(project, other, select_pairs(other, [args.pair] if args.pair else None)[-1])
    named = {expert: path for expert, path in (("high_noise", args.high), ("low_noise", args.low)) if path}
    return add_guest(project, args.files, trigger=args.trigger, title=args.name, named=named)


def describe(entry: Guest) -> list[str]:
    """Lines for a person: what it is called, what its trigger is and who said so, which files it has, what is odd."""
    facts = entry.facts
    by = {"header": ", as its file says", "project": ", as in its project"}.get(facts.trigger_from, "")
    called = f'called by "{facts.trigger}"{by}' if facts.trigger else "without a trigger: prompts ask for the class alone"
    experts = "one file for both experts" if facts.for_both else " and ".join(e.replace("_", " ") for e in facts.experts)
    return [f"{entry.id}: {facts.title}, {called}; {experts}", *(f"  {note}" for note in facts.notes)]


def _to_json(entry: Guest) -> dict[str, Any]:
    facts = entry.facts
    said = {"id": entry.id, "title": facts.title, "trigger": facts.trigger, "trigger_from": facts.trigger_from, "files": list(facts.files)}
    return said | {"experts": list(facts.experts), "for_both": facts.for_both, "notes": list(facts.notes)}
