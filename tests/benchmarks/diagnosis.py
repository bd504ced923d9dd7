"""Planted pairs among trained ones, without a likeness: what is said of their files before drawing, and what the verdict names after. Prints JSON.

    python tests/benchmarks/diagnosis.py [--people 5] [--steps 60] [--kinds KIND ...]

Each drawn person is trained with the tiny model, all with the same seed, so that first values are shared. In each set one pair of the run is
replaced by a planted one, with the header that tells its expert, and without. Then all are drawn, an emptied file as one of next to nothing, since
the check refuses it, and every planted pair is given the lowest held-out loss. A set is wrong if the verdict names the planted pair, or says "clear".
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from diagnosis_kit import EXPERTS, KINDS, plant, save_pair, weaken  # noqa: E402
from training_kit import new_run, small_config  # noqa: E402

from studio.config import SweepConfig, to_dict  # noqa: E402
from studio.disk import read_json, write_json  # noqa: E402
from studio.evaluation.diagnosis.checking import look_at  # noqa: E402
from studio.evaluation.drawing import run_sweep  # noqa: E402
from studio.evaluation.judge.verdict import verdict  # noqa: E402
from studio.models.loras.reading import read_lora_file  # noqa: E402
from studio.tiny import demo_project, world  # noqa: E402
from studio.tiny.pixel_drawing import draw_photo  # noqa: E402
from studio.training.loop import train  # noqa: E402
from studio.training.pairs import list_pairs  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

RIGHT = {
    "scaled": "scaled", "high emptied": "empty", "low emptied": "empty", "swapped": "swapped", "another person's": "stands-apart",
    "equal files": "equal-experts",
}  # fmt: skip
PROMPTS = ("Portrait | [trigger], a [class], facing forward", "Other | a [class], facing forward")
SWEEP = SweepConfig(prompts=PROMPTS, strengths=(0.7,), width=32, height=32, num_frames=5, num_inference_steps=2)


@dataclass(frozen=True)
class Case:
    """One set: {step: (high, low)} of a run, in which the pair of `step` is planted."""

    person: str
    kind: str
    has_headers: bool
    step: int


def alone(home, name):
    """A workspace of its own: the same files in another project would be said to be that one's."""
    return Workspace(home.home / name)


def quiet(*args, **fields):
    pass


def people(count):
    """Drawn persons that differ in what can be seen of them."""
    found = [demo_project.PERSON, demo_project.STRANGER]
    found += [world.draw_identity(random.Random(number), held_out=True) for number in range(count - len(found))]
    return dict(zip("ABCDEFGHIJ", found[:count]))


def train_person(home, name, identity, steps):
    """{step: (high, low)} of the states that a training saves."""
    project = home.create_project(name, trigger="ohwx", class_noun="person", base_model="tiny")
    project.dataset_dir.mkdir(exist_ok=True)
    for number in range(8):
        scene = demo_project.scene_of(number)
        Image.fromarray(np.asarray(draw_photo(identity, scene))).save(project.dataset_dir / f"{number:04d}.png")
        (project.dataset_dir / f"{number:04d}.txt").write_text(world.caption(scene, "ohwx, a person"), encoding="utf-8")
    train(small_config(steps=steps, save_every=steps // 4, accumulation=4), new_run(project), report=quiet)
    return {pair.step: tuple(read_lora_file(pair.files[expert])[0] for expert in EXPERTS) for pair in list_pairs(project)}


def lay_out(home, case, states, strange):
    """The project of a set."""
    project = alone(home, f"{case.person} {case.kind} {case.has_headers}").create_project(
        "Anna", trigger="ohwx", class_noun="person", base_model="tiny"
    )
    source = states[case.step]
    if case.kind == "scaled":  # of a pair that is in the set
        source = states[max(step for step in states if step != case.step)]
    planted, said = plant(case.kind, source, strange[case.step])
    for step, pair in states.items():
        own, headers = (planted, said) if step == case.step else (pair, dict(zip(EXPERTS, EXPERTS)))
        save_pair(project, step, *own, headers=headers if case.has_headers else False)
    return project


def look(project):
    return look_at(project, list_pairs(project), "tiny", lambda path: None)


def draw(home, case, states, strange):
    """The verdict on the set, drawn: (whether it names the planted pair, how sure it says it is, its sentences)."""
    is_emptied = "emptied" in case.kind
    project = alone(home, f"drawn {case.person} {case.kind} {case.has_headers}").create_project(
        "Anna", trigger="ohwx", class_noun="person", base_model="tiny"
    )
    (high, low), _ = plant(case.kind, states[case.step], strange[case.step])
    if is_emptied:
        full = states[case.step]
        high, low = (
            weaken(state, 1e-9) if not any(t.any() for k, t in own.items() if "lora_B" in k) else own
            for state, own in zip(full, (high, low))
        )
    for step, pair in states.items():
        saved = save_pair(project, step, *((high, low) if step == case.step else pair), headers=case.has_headers)
        file = saved.folder / "manifest.json"
        losses = (0.1, 0.1) if step == case.step else (0.3, 0.3)
        write_json(file, read_json(file) | {"held_out": dict(zip(EXPERTS, losses))})
    run_dir = project.new_run_dir("sweep")
    write_json(run_dir / "config.json", {"kind": "sweep", "config": to_dict(SWEEP), "pairs": None})
    found = verdict(project, run_sweep(SWEEP, run_dir, report=quiet).sweep)
    return found.pair is not None and found.pair.endswith(f"{case.step:06d}"), found.sure, found.why


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Workspace(Path(folder)), args), indent=1))


def run(home, args):
    trained = {}
    for name, identity in people(args.people).items():
        trained[name] = train_person(Workspace(home.home / name), name, identity, args.steps)
        print(f"trained {name}", file=sys.stderr)
    names, planted, right, false_alarms, wrong, named, clear, said = list(trained), Counter(), Counter(), [], [], [], [], Counter()
    for number, name in enumerate(names):
        states, strange = trained[name], trained[names[(number + 1) % len(names)]]
        for kind in args.kinds:
            for has_headers in (True, False):
                case = Case(name, kind, has_headers, sorted(states)[(number + has_headers) % len(states)])
                key = f"{kind}{'' if has_headers else ', no headers'}"
                found = look(lay_out(home, case, states, strange))
                own = {finding.code for finding in found if finding.pair.endswith(f"{case.step:06d}")}
                planted[key] += 1
                right[key] += own == {RIGHT[kind]}
                wrong += [] if own == {RIGHT[kind]} else [[key, name, case.step, sorted(own)]]
                others = [finding.code for finding in found if not finding.pair.endswith(f"{case.step:06d}")]
                false_alarms += [[key, name, *others]] if others else []
                is_named, sure, why = draw(home, case, states, strange)
                named += [[key, name]] if is_named else []
                clear += [[key, name]] if sure == "clear" else []
                said[key] += any("too little" in sentence for sentence in why)
        healthy = alone(home, f"{name} healthy").create_project("Anna", trigger="ohwx", class_noun="person", base_model="tiny")
        for step, pair in states.items():
            save_pair(healthy, step, *pair)
        false_alarms += [["healthy", name, finding.code] for finding in look(healthy)]
        print(f"{name}: {sum(right.values())} of {sum(planted.values())}", file=sys.stderr)
    return {
        "sets": sum(planted.values()),
        "right_cause": [sum(right.values()), sum(planted.values()), round(sum(right.values()) / max(sum(planted.values()), 1), 3)],
        "by_kind": {key: [right[key], planted[key]] for key in planted},
        "wrong": wrong,
        "findings_on_healthy_pairs": false_alarms,
        "planted_pair_named": named,
        "said_to_be_clear": clear,
        "said_to_have_learned_too_little": sum(said.values()),
    }


if __name__ == "__main__":
    main()
