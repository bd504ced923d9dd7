"""Is over-training visible, and does the verdict see it? People are learned for four times the usual steps with the studio's own commands.

    python tests/benchmarks/overtraining.py [--identities 5] [--times 4] [--clips 18] [--work DIR]

Each person is trained once, with a pair at every multiple of the usual steps; each pair is measured as the learning bench measures, with more clips,
and `sweep` and `verdict` say which one they would take. A killed bench goes on. Prints one JSON object.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch  # noqa: E402
from benchmarks.learning_arms import Dataset  # noqa: E402
from benchmarks.learning_bench import BASE_MODEL  # noqa: E402
from benchmarks.learning_measures import Artist, Judge, base_drawings  # noqa: E402
from benchmarks.learning_people import Amounts, Trial, open_project  # noqa: E402
from benchmarks.learning_table import estimate  # noqa: E402

from studio.disk import append_jsonl, read_jsonl  # noqa: E402
from studio.models.catalogue import find_model  # noqa: E402
from studio.models.loading import quiet_libraries  # noqa: E402
from studio.models.preset import model_preset  # noqa: E402
from studio.training.pairs import list_pairs  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

MEASURES = ("identity", "clip_identity", "prompt", "motion", "drift", "resemblance")
SWEPT = "motion_of_base"  # how much moves in the sweep's clips at strength 1, against the base's at the same seeds
DATASET = Dataset()


def main():
    options = parse_arguments()
    torch.set_num_threads(1)
    quiet_libraries()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    workspace = Workspace(options.work)
    base = find_model(BASE_MODEL, workspace)
    usual = model_preset(BASE_MODEL).train["steps"]
    facts = {"base_key": base.key, "usual_steps": usual, "times": options.times, "clips": options.clips}
    file, artist = options.work / "results.jsonl", Artist(base)
    found = {r["identity"]: r for r in read_jsonl(file)[0] if {k: r.get(k) for k in facts} == facts}
    for number in range(options.identities):
        if number not in found:
            trial = Trial(number, 0, Amounts(photos=8, strangers=8, clips=options.clips))
            found[number] = {"identity": number} | facts | live(workspace, base, artist, trial, usual, options.times)
            append_jsonl(file, found[number])
            print(f"person {number}: {found[number]['verdict']}", file=sys.stderr, flush=True)
    print(json.dumps(facts | summarise([found[n] for n in range(options.identities)], usual * options.times)))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--identities", type=int, default=5)
    parser.add_argument("--times", type=int, default=4, help="how many times the usual steps")
    parser.add_argument("--clips", type=int, default=18, help="clips of the person that motion is measured on")
    parser.add_argument("--work", type=Path, default=ROOT / "workspace" / "overtraining")
    return parser.parse_args()


def live(workspace, base, artist, trial, usual, times):
    """Train, measure every pair, sweep and judge one person."""
    project = open_project(workspace, trial, DATASET, base.fps)
    done = [pair.step for pair in list_pairs(project)]
    if usual * times not in done:
        again = ["--resume"] if done else [f"--steps={usual * times}", f"--set=save_every={usual}", "--set=data.held_out_items=0"]
        command(workspace, "train", project.slug, *again)
    drawn_by_base = base_drawings(artist, trial, False, workspace.home / "base")
    judge, pairs = Judge.of(artist, trial, drawn_by_base), {}
    for pair in list_pairs(project):
        with artist.wearing(pair.files) as wearing:
            measured = judge.measure(wearing.draw(trial), DATASET)
        pairs[pair.step] = {name: measured[name] for name in MEASURES}
        print(f"person {trial.number}, step {pair.step}: {pairs[pair.step]}", file=sys.stderr, flush=True)
    command(workspace, "sweep", project.slug)
    said = command(workspace, "verdict", project.slug)
    for row in said["table"]:
        if row["strength"] == 1.0:
            pairs[row["step"]][SWEPT] = row["motion"]
    chosen = {pair.id: pair.step for pair in list_pairs(project)}.get(said["pair"])
    measured_by_base = judge.measure(drawn_by_base, DATASET)
    return {
        "base": {name: measured_by_base[name] for name in MEASURES},
        "pairs": pairs,
        "verdict": {"step": chosen, "strength": said["strength"], "sure": said["sure"], "why": said["why"]},
    }


def command(workspace, *arguments):
    """What `python -m studio ... --json` says; its progress goes where ours goes."""
    call = [sys.executable, "-m", "studio", *arguments, "--json", "--home", str(workspace.home)]
    return json.loads(subprocess.run(call, cwd=ROOT, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout)


def summarise(people, last):
    """Means with 95 % intervals at each step, the last against the first pair person by person, and how often the last was chosen."""
    steps, measures = sorted({int(step) for person in people for step in person["pairs"]}), (*MEASURES, SWEPT)
    values = {s: {m: [(p["pairs"].get(s) or p["pairs"][str(s)])[m] for p in people] for m in measures} for s in steps}
    means = {s: {m: estimate(values[s][m]) for m in measures} for s in steps}
    change = {m: estimate([b - a for a, b in zip(values[steps[0]][m], values[steps[-1]][m])]) for m in measures}
    chosen = [person["verdict"]["step"] for person in people]
    return {"people": len(people), "pairs": means, "last_against_first": change, "chosen": chosen, "last_chosen": chosen.count(last)}


if __name__ == "__main__":
    sys.exit(main())
