"""Comparisons that the version before wrote open, say what they said, and are not drawn again; new scores and versions measure them anew.

`former/` holds sweep.json as it was written when all scores had one version ("scored_by"), and all that was said of it then.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from studio.evaluation import report, sweeps
from studio.evaluation.judge.chart import clip_note, draw_chart
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import verdict
from studio.workspace import append_jsonl, read_json

FORMER = Path(__file__).parent / "former"
LOSSES = {1000: (0.30, 0.25), 2000: (0.25, 0.20), 3000: (0.28, 0.24)}


def put_former(project, name):
    """The folder of a comparison of the version before; of its clips only empty files."""
    events = project.run_dir("train-001") / "events.jsonl"
    events.parent.mkdir(parents=True)
    for step, losses in LOSSES.items():
        for expert, loss in zip(("high_noise", "low_noise"), losses, strict=True):
            append_jsonl(events, {"event": "held_out", "step": step, "expert": expert, "loss": loss})
    folder = project.sweeps_dir / "sweep-001"
    (folder / "cells").mkdir(parents=True)
    shutil.copyfile(FORMER / f"{name}-sweep.json", folder / "sweep.json")
    for cell in read_json(folder / "sweep.json")["cells"]:
        for file in (cell["clip"], cell["poster"]):
            (folder / file).touch()
    return folder


@pytest.mark.parametrize("name", ["seen", "unseen"])
def test_all_that_was_said_of_a_comparison_is_said_of_it_now(project, name):
    folder = put_former(project, name)
    sweep, found = sweeps.read_sweep(folder), verdict(project, folder)
    titles = {pair.id: pair.id for pair in sweep.pairs}
    charts = [draw_chart(found.table, strength, titles) for strength in (0.7, 1.0)]
    said = {
        "verdict": found.to_json(),
        "rows": describe_rows(found.table, titles),
        "numbers": report._numbers(found.table),
        "guide": report._guide(found.table),
        "settings": report._settings(sweep),
        "charts": [asdict(chart) if chart else {} for chart in charts],
        "notes": [clip_note(cell.scores) for cell in sweep.cells],
        "heads": report._heads(sweep, found),
    }
    before = json.loads((FORMER / f"{name}-said.json").read_text(encoding="utf-8"))
    now = json.loads(json.dumps(said))
    for part, words in before.items():
        assert now[part] == words, part
