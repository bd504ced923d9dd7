"""What finishes a comparison asks what is left of it: one that was killed while its last files were made can be finished."""

import os

import pytest
from comparison_kit import make_comparison

from studio.config import SweepConfig
from studio.disk import read_json
from studio.evaluation import sweeps
from studio.evaluation.report import write_report
from studio.evaluation.rest import Rest, what_is_left
from studio.jobs import launcher, state
from studio.project_facts import SweepChoice
from studio.ui.evaluate import choice

PROMPTS = ("Portrait | [trigger], a [class]", "Stranger | another [class]")


@pytest.fixture
def drawn(project, monkeypatch):
    """A comparison whose clips are all there, as the page would start it; nothing was made of them yet."""
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    folder = make_comparison(project, size=(64, 48), num_pairs=1, prompts=PROMPTS)
    settings = sweeps.read_sweep(folder).settings
    project.update(sweep_choice=SweepChoice(settings=dict(settings)))
    return folder


def make_videos(folder, numbers):
    for number in numbers:
        video = sweeps.comparison_file(folder, number, SweepConfig().seeds[0])
        video.parent.mkdir(exist_ok=True)
        video.write_bytes(b"x")


def test_side_by_side_videos_that_a_kill_left_out_are_still_to_be_made(project, drawn):
    write_report(project, drawn)
    make_videos(drawn, [0])
    rest = what_is_left(project, drawn)
    assert (rest.clips, rest.videos, rest.report, rest.is_nothing) == (0, 1, False, False)
    assert sweeps.missing_comparisons(drawn, sweeps.read_sweep(drawn)) == [1]


def test_a_video_older_than_a_clip_in_it_is_made_again(project, drawn):
    make_videos(drawn, [0, 1])
    assert what_is_left(project, drawn).videos == 0
    os.utime(sweeps.comparison_file(drawn, 1, SweepConfig().seeds[0]), (1, 1))
    assert sweeps.missing_comparisons(drawn, sweeps.read_sweep(drawn)) == [1]


def test_a_report_that_is_missing_is_still_to_be_written(project, drawn):
    make_videos(drawn, [0, 1])
    rest = what_is_left(project, drawn)
    assert (rest.clips, rest.videos, rest.report) == (0, 0, True) and not rest.is_nothing
    write_report(project, drawn)
    assert not what_is_left(project, drawn).report


def test_the_button_does_what_is_left_and_says_it(project, drawn):
    write_report(project, drawn)
    make_videos(drawn, [0])
    said = choice.start(project)
    assert "1 side-by-side video will be made" in said and said.endswith("no clip has to be drawn.")
    [job] = state.list_jobs(project.workspace, project)
    assert job.kind == "sweep" and read_json(job.run_dir / "config.json")["sweep"] == drawn.name


def test_what_is_left_is_told_part_by_part():
    assert choice.describe_rest(Rest(0, 2, 0, False)) == "2 clips will be measured; no clip has to be drawn."
    assert choice.describe_rest(Rest(0, 0, 3, False)) == "3 side-by-side videos will be made; no clip has to be drawn."
    assert choice.describe_rest(Rest(0, 1, 1, True)).startswith("1 clip will be measured, 1 side-by-side video will be made; ")
    assert choice.describe_rest(Rest(0, 0, 0, True)) == "The report will be written; no clip has to be drawn."
