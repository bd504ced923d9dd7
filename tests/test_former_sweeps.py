"""Comparisons that the version before wrote open, say what they said, and are not drawn again; new scores and versions measure them anew.

`former/` holds sweep.json as it was written when all scores had one version ("scored_by"), and all that was said of it then.
"""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from comparison_kit import make_comparison

import studio
from studio.disk import append_jsonl, read_json, write_json
from studio.errors import Damaged
from studio.evaluation import report, sweeps
from studio.evaluation.judge.measuring import missing_scores, score_keys
from studio.evaluation.judge.score import Line, Needs
from studio.evaluation.judge.scores import all_scores, parts
from studio.evaluation.judge.shown.chart import STYLED, clip_note, draw_chart, line_looks
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import verdict

FORMER = Path(__file__).parent / "former"
PROMPTS = ("Portrait | [trigger], a [class], smiling", "Stranger | another [class], waving")
PIXEL_SCORES = {score.name for score in all_scores() if score.needs is Needs.BASE}
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


def test_a_comparison_of_the_version_before_is_reused_and_not_measured_again_for_what_it_has(project, tiny_base):
    """Its "scored_by" is what the eye of now would write, so that only what is new is measured."""
    folder = make_comparison(project, (32, 32), num_pairs=1, prompts=PROMPTS)
    keys = score_keys(project, tiny_base)
    sweep = read_json(folder / "sweep.json")
    for cell in sweep["cells"]:
        del cell["measured"]
        cell["scored_by"] = keys["identity"]
    write_json(folder / "sweep.json", sweep)
    assert sweeps.count_unmeasured(project, sweeps.read_sweep(folder)) == 0
    again = sweeps.open_sweep(project, sweeps.read_sweep(folder).config)
    cells = sweeps.read_sweep(again).cells
    assert again == folder and all(cell.is_done for cell in cells)
    assert [cell.scores for cell in cells] == [cell["scores"] for cell in sweep["cells"]]


def test_the_version_of_every_score_is_part_of_what_a_clip_was_measured_with(project, tiny_base):
    blind = replace(tiny_base, preset=replace(tiny_base.preset, observer=""))
    folder = make_comparison(project, (32, 32), num_pairs=1, prompts=PROMPTS)
    for base in (tiny_base, blind):
        keys = score_keys(project, base)
        for cell in sweeps.read_sweep(folder).cells:
            measured = replace(cell, measured=keys)
            assert missing_scores(measured, keys) == []
            for name in keys:
                raised = [score.name for score in missing_scores(measured, keys | {name: "of another version"})]
                assert raised == ([] if cell.pair is None and name in PIXEL_SCORES else [name])


@pytest.mark.parametrize("lost", sorted({name for score in all_scores() for name in score.gives}))
def test_a_score_that_the_clips_lack_is_not_measured_and_breaks_nothing(project, lost):
    folder = put_former(project, "seen")
    sweep = read_json(folder / "sweep.json")
    for cell in sweep["cells"]:
        cell["scores"].pop(lost, None)
    write_json(folder / "sweep.json", sweep)
    opened, found = sweeps.read_sweep(folder), verdict(project, folder)
    assert all(row.number(lost) is None for row in found.table)
    titles = {pair.id: pair.id for pair in opened.pairs}
    assert report.render_report(folder, opened, found, max_bytes=0).count("<tr>") == 1 + len(found.table)
    assert len(describe_rows(found.table, titles)[1]) == len(found.table)
    assert bool(draw_chart(found.table, 0.7, titles)) == (lost != "identity")
    assert len([clip_note(cell.scores) for cell in opened.cells]) == len(opened.cells)


@pytest.mark.parametrize(
    "damage",
    [
        *[lambda sweep, name=name: sweep.pop(name) for name in ("base_key", "cells", "created", "pairs", "prompts", "settings")],
        lambda sweep: sweep["cells"][3].pop("key"),
        lambda sweep: sweep["cells"][3].update(scores=[]),
        lambda sweep: sweep["settings"].update(width="wide"),
        lambda sweep: sweep["pairs"].append({}),
    ],
)
def test_a_sweep_json_that_lacks_something_is_named_as_damaged(project, damage):
    folder = put_former(project, "seen")
    sweep = read_json(folder / "sweep.json")
    damage(sweep)
    write_json(folder / "sweep.json", sweep)
    (named,) = sweeps.damaged_sweeps(project)
    assert named.name == "sweep-001" and named.message == "sweep.json of sweep-001 is damaged." and "backup" in named.fix
    assert sweeps.list_sweeps(project) == []
    with pytest.raises(Damaged, match=r"sweep\.json of sweep-001 is damaged"):
        sweeps.read_sweep(folder)


def test_what_a_later_version_wrote_into_a_sweep_is_kept(project):
    folder = put_former(project, "seen")
    sweep = read_json(folder / "sweep.json")
    sweep["later"] = sweep["cells"][0]["later"] = sweep["prompts"][0]["later"] = {"a": 1}
    write_json(folder / "sweep.json", sweep)
    sweeps.write_sweep(folder, sweeps.read_sweep(folder))
    again = read_json(folder / "sweep.json")
    assert again["later"] == again["cells"][0]["later"] == again["prompts"][0]["later"] == {"a": 1}


def test_a_line_of_a_new_score_has_a_colour_of_its_own_in_the_chart():
    new = [Line(title=name, place=50, reads=name) for name in ("smile", "poise", "gaze")]
    looks = line_looks([*parts(Line), *new])
    colours = {re.search(r'stroke="(.*?)"', looks[line.reads])[1] for line in new}
    assert len(colours) == 3 and all("stroke" not in looks[name] for name in STYLED)
    assert {line.reads for line in parts(Line)} == set(STYLED)
    for style in ("ui/components/clips/clips.css", "evaluation/report_page.html"):
        text = (Path(studio.__file__).parent / style).read_text(encoding="utf-8")
        assert all(f".of-{name} {{ stroke:" in text for name in STYLED)
