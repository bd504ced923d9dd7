"""A score is added as one file, and its version counts: through the commands of a copy of the program, so that its folder can be written to."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from comparison_kit import make_comparison
from test_former_sweeps import put_former

from studio.disk import read_json, write_json

ROOT = Path(__file__).resolve().parent.parent
SIZE, PROMPTS = (32, 32), ("Portrait | [trigger], a [class], smiling", "Stranger | another [class], waving")
BRIGHTNESS = '''"""How bright a clip is."""

from studio.evaluation.judge.score import Column, Fault, Finding, Needs, Score, median_of_all
from studio.evaluation.judge.figures import percent_or_not

SCORE = Score(
    name="brightness",
    version=1,
    needs=Needs.NOTHING,
    gives=("brightness",),
    measure=lambda look: {"brightness": round(float(look.luma.mean()), 4)},
    summarize=median_of_all("brightness"),
    parts=(
        Column(title="Brightness", place=55, words=lambda row: percent_or_not(row.number("brightness"))),
        Finding(name="dark", of="brightness", reads=("brightness",), is_wrong=lambda share: share < 0.01, words="are black"),
        Fault(name="dim", place=60, reads=("brightness",), is_wrong=lambda share: share < 1, words=lambda share: f"only {share:.1f} bright"),
    ),
)
'''


@pytest.fixture
def program(tmp_path):
    """A copy of the program."""
    for name in ("studio", "presets"):
        shutil.copytree(ROOT / name, tmp_path / "program" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "program"


@pytest.fixture
def run(program, workspace):
    def run_command(*words):
        """(what it says on stdout, its notes) of a command of the copy."""
        environment = os.environ | {"STUDIO_HOME": str(workspace.home)}
        done = subprocess.run(
            [sys.executable, "-m", "studio", *words], cwd=program, env=environment, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run_command


@pytest.fixture
def ask_again(project, tmp_path):
    """The words of the command that asks for the same clips as were drawn."""
    make_comparison(project, SIZE, num_pairs=1, prompts=PROMPTS)
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    sizes = ("width=32", "height=32", "num_frames=81", "num_inference_steps=20", "guidance_scale_high=3.5", "guidance_scale_low=3.5")
    settings = [word for size in sizes for word in ("--set", size)]
    return ["sweep", project.slug, "--prompts", str(tmp_path / "prompts.txt"), "--strengths", "0.8", *settings]


def test_a_score_that_is_added_as_one_file_is_measured_judged_and_shown(program, run, project, ask_again):
    (program / "studio/evaluation/judge/scores/brightness.py").write_text(BRIGHTNESS, encoding="utf-8")
    said, _ = run("verdict", project.slug)
    heads = next(line for line in said.splitlines() if line.startswith("Pair "))
    assert heads.split()[-3:] == ["Motion", "Brightness", "Problems"]
    assert "not measured" in said and "bright" not in said.replace("Brightness", "")  # the clips are older than the score, and open
    drawn = json.loads(run(*ask_again, "--json")[0])
    assert (drawn["rendered"], drawn["total"]) == (0, 4)
    [row] = json.loads(run("verdict", project.slug, "--json")[0])["table"]
    assert 0 < row["brightness"] < 1 and 0 < row["base"]["brightness"] < 1
    assert "dim" in row["faults"] and f"only {row['brightness']:.1f} bright" in row["problems"]
    report = (project.sweeps_dir / drawn["sweep"] / "report.html").read_text(encoding="utf-8")
    assert '<th scope="col">Brightness</th>' in report


@pytest.mark.parametrize(("brightness", "words"), [
    (1.0, "Brightness, clipping, flicker and sharpness stay near the base's in every clip."),
    (None, "Clipping, flicker and sharpness stay near the base's in every clip."),
])  # fmt: skip
def test_what_a_new_score_finds_nothing_wrong_with_is_among_what_stays_near_the_base_s(program, run, project, brightness, words):
    (program / "studio/evaluation/judge/scores/brightness.py").write_text(BRIGHTNESS, encoding="utf-8")
    folder = put_former(project, "seen")
    sweep = read_json(folder / "sweep.json")
    for cell in sweep["cells"]:
        cell["scores"]["brightness"] = brightness
    write_json(folder / "sweep.json", sweep)
    assert words in run("verdict", project.slug)[0]


def test_a_raised_version_measures_anew_and_draws_nothing_where_the_base_model_has_no_observer(program, run, project, ask_again):
    preset = program / "presets/models/tiny.toml"
    preset.write_text(preset.read_text(encoding="utf-8").replace('observer = "observer"\n', ""), encoding="utf-8")
    assert "Drew 0 clips, 4 were there already" in run(*ask_again)[0]  # its report is written
    assert "nothing was drawn" in run(*ask_again)[0]
    motion = program / "studio/evaluation/judge/scores/motion.py"
    motion.write_text(motion.read_text(encoding="utf-8").replace("version=1", "version=2"), encoding="utf-8")
    said, notes = run(*ask_again)
    assert "Drew 0 clips, 4 were there already" in said
    assert "0 clips to draw, 4 are there already; 2 of them are measured anew" in notes  # the base's clips have no motion beside the base's
    sweep = json.loads(next(project.sweeps_dir.glob("*/sweep.json")).read_text(encoding="utf-8"))
    assert [cell["measured"]["motion"] for cell in sweep["cells"] if cell["pair"]] == ["2", "2"]
    assert [cell["scores"]["motion"] for cell in sweep["cells"] if cell["pair"]] == [1.0, 1.0], "the same clips, now truly measured"
