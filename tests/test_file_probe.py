"""Each file of a pair drawn alone, and both exchanged: what is drawn, what is taken from the comparison, and which file is to blame."""

import json
from dataclasses import replace

import pytest
from diagnosis_kit import EXPERTS, lora_shapes, save_pair, save_run, weaken
from page_kit import Window
from test_pair_files import draw
from verdict_kit import BASE_SEEN, GOOD, SEEN, make_seen_sweep

from studio import cli
from studio.config import to_dict
from studio.disk import write_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.file_probe import judge_probe, open_probe, plan_probe
from studio.evaluation.drawing import run_sweep
from studio.evaluation.judge.verdict import verdict
from studio.jobs import launcher, state

PAIR = "train-001/step-000100"


@pytest.fixture(scope="session")
def shapes(tiny_base):
    return lora_shapes(tiny_base)


def draw_probe(project, result, pair=PAIR):
    folder = open_probe(project, sweeps.read_sweep(project.sweep_dir(result.sweep)), pair)
    plan, run_dir = sweeps.read_sweep(folder), project.new_run_dir("sweep")
    write_json(
        run_dir / "config.json", {"kind": "sweep", "config": to_dict(plan.config), "pairs": [pair], "sweep": folder.name, "probe": True}
    )
    return folder, run_sweep(plan.config, run_dir, report=lambda event, **fields: None)


def test_each_file_is_drawn_alone_and_what_the_comparison_drew_is_taken_from_it(project, shapes):
    save_run(project, shapes, (100,))
    result = draw(project)
    folder, probe = draw_probe(project, result)
    assert (probe.rendered, probe.reused, probe.failed) == (3, 2, 0)
    sweep = sweeps.read_sweep(folder)
    keys = {cell.pair: (cell.high_key, cell.key) for cell in sweep.cells}
    high_only, low_only, swapped = (keys[f"{PAIR} {part}"] for part in ("high only", "low only", "swapped"))
    assert high_only[0] == keys[PAIR][0] and low_only[0] == keys[None][0]  # their first stages are shared
    assert len({key for _, key in keys.values()}) == 5 and swapped[0] != keys[PAIR][0]
    assert sweeps.list_sweeps(project, sample=False) == [project.sweep_dir(result.sweep)] and not sweeps.list_sweeps(project, sample=True)
    assert not (folder / "report.html").exists()
    assert draw_probe(project, result)[1].rendered == 0
    (shares,) = [blame for blame in judge_probe(project, sweeps.read_sweep(folder)) if blame.code == "shares"]
    assert "the high-noise file alone changes" in shares.words
    assert shares.words in verdict(project, project.sweep_dir(result.sweep)).why


def test_a_file_that_draws_what_the_base_draws_is_named(project, shapes):
    states = save_run(project, shapes, (200,))
    save_pair(project, 100, weaken(states[200][0], 1e-12), states[200][1])
    folder, _ = draw_probe(project, draw(project))
    found = judge_probe(project, sweeps.read_sweep(folder))
    assert [(blame.code, blame.fault) for blame in found if blame.code != "shares"] == [("high_noise", "nothing")]


def test_a_pair_of_one_file_and_an_unknown_one_are_told_why_not(project, shapes):
    states = save_run(project, shapes, (200,))
    save_pair(project, 100, *states[200], untrained=("low_noise",))
    sweep = sweeps.read_sweep(project.sweep_dir(draw(project).sweep))
    with pytest.raises(Problem, match="only one file"):
        plan_probe(sweep, PAIR)
    with pytest.raises(ValueError, match="not in this comparison"):
        plan_probe(sweep, "train-009/step-000100")


def probed(**scores):
    """A drawn probe of a pair: scores of its clips by part, "full", "high only", "low only", "swapped"."""
    sweep = make_seen_sweep({(100, 0.7): {}}, prompts=2, strengths=(0.7,))
    plan = plan_probe(replace(sweep, pairs=(replace(sweep.pairs[0], high_sha256="1", low_sha256="2"),)), PAIR)

    def finish(cell):
        if cell.pair is None:
            return replace(cell, state="done", scores=BASE_SEEN)
        part = cell.pair.removeprefix(PAIR).strip().replace(" ", "_") or "full"
        return replace(cell, state="done", scores=GOOD | SEEN | scores.get(part, {}))

    return plan.with_cells(finish)


def codes(project, **scores):
    return [(blame.code, blame.fault) for blame in judge_probe(project, probed(**scores)) if blame.code != "shares"]


@pytest.mark.parametrize(("parts", "code"), [
    (("high_only",), "high_noise"), (("low_only",), "low_noise"), (("high_only", "low_only"), "both"), ((), "together"),
])  # fmt: skip
def test_the_file_that_does_it_alone_is_to_blame(project, parts, code):
    frozen = {"motion": 0.2}
    assert codes(project, full=frozen, **dict.fromkeys(parts, frozen)) == [(code, "frozen")]


def test_files_are_swapped_if_exchanging_them_draws_the_person_in_every_clip(project):
    weak = {"identity": 0.1}
    assert codes(project, full=weak, swapped={"identity": 0.8}) == [("swapped", "")]
    assert codes(project, full=weak, swapped={"identity": 0.12}) == [("not-swapped", "")]
    assert codes(project) == []


def test_the_share_of_each_file_is_told(project):
    (shares,) = judge_probe(project, probed(full={}, high_only={"identity": 0.2}, low_only={"identity": 0.7}))
    said = "90 % with both files, 20 % with the high-noise file alone, 70 % with the low-noise file alone, 5 % with none."
    assert shares.words.endswith(said)


def test_from_the_terminal_and_the_page(project, shapes, capsys, monkeypatch):
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, *states[100][::-1], headers=dict(zip(EXPERTS, EXPERTS[::-1])))
    draw(project)
    assert cli.main(["diagnose", "Anna", "--draw", PAIR, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [blame["code"] for blame in said["blames"]][-1] == "shares"
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    window.hold("blame-pair", PAIR)
    assert "drawn already" in window.press("start-blame", "click")["text"]
    window.hold("blame-pair", "train-001/step-000200")
    assert "is being drawn alone" in window.press("start-blame", "click")["text"]
    (waiting,) = [job for job in state.list_jobs(project.workspace, project) if not job.is_over]
    assert waiting.title == "Draw the files of train-001/step-000200 alone"
