"""diagnose: what is wrong with pairs by their files, before anything is drawn."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from studio.commands.output import Output, find_project
from studio.commands.results import choose_pairs, note_damaged
from studio.evaluation.sweep_plan import select_pairs
from studio.training.pairs import damaged_pairs
from studio.words import count
from studio.workspace import Workspace


def diagnose(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    from studio.evaluation.diagnosis.checking import look_at  # it loads torch

    project = find_project(workspace, args.project, out)
    note_damaged(damaged_pairs(project), out)
    pairs = select_pairs(project, choose_pairs(project, args.pairs, args.guests))

    def on_file(path: Path) -> None:
        out.note(f"Reading {path.name}")

    found = look_at(project, pairs, project.facts().base_model, on_file)
    for finding in found:
        out.print(finding.sentence)
    if not found:
        out.print(f"Nothing is wrong with the files of {count(len(pairs), 'pair')}.")
    return {"project": project.slug, "pairs": [pair.id for pair in pairs], "findings": [finding.to_json() for finding in found]}
