"""Trains the arms of the learning bench with the product's own loop, and measures their pairs; every finished one is a line on disk."""

import shutil
import sys
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.learning_arms import Arm, digest
from benchmarks.learning_measures import VERSION, Artist, Judge, base_drawings
from benchmarks.learning_people import CLASS_NOUN, TRIGGER, Amounts, Trial, open_project, project_slug

from studio.disk import append_jsonl, file_sha256, read_jsonl, write_json
from studio.models.catalogue import find_model
from studio.models.observer import WEIGHTS_FILE
from studio.models.preset import model_preset
from studio.training.loop import train
from studio.training.pairs import pair_folder, read_pair
from studio.workspace import Workspace

BASE_MODEL = "tiny"
RENDER_COST = 60.0  # drawing and measuring, in the steps that an arm's cost is counted in


@dataclass(frozen=True)
class Task:
    arm: Arm
    identity: int
    seed: int


class Bench:
    """One folder of work: projects and base drawings below the base model's key, and results.jsonl of all base models."""

    def __init__(self, work, steps=None, amounts=None, say=None):
        self.preset = model_preset(BASE_MODEL)
        self.steps = steps or self.preset.train_config.steps
        self.amounts, self.say = amounts or Amounts(), say or (lambda text: print(text, file=sys.stderr, flush=True))
        self.results_file = Path(work) / "results.jsonl"
        self.base = find_model(BASE_MODEL, Workspace(Path(work)))
        self.workspace = Workspace(Path(work) / self.base.key)

    @cached_property
    def observer_key(self):
        """The base's key leaves out the observer, by whose eye everything is measured."""
        return file_sha256(self.base.folder / self.preset.observer / WEIGHTS_FILE)[:12]

    @cached_property
    def artist(self):
        return Artist(self.base)

    def tasks(self, arms, identities, seeds, shard=(0, 1)):
        """Everything of a shard in order: person by person, so that what is finished first is balanced. Points of one run stay together."""
        shares = {}
        for identity in range(identities):
            for seed in range(seeds):
                for arm in arms:
                    shares.setdefault((identity, seed, self._run_key(arm, seed)), []).append(Task(arm, identity, seed))
        return [task for i, share in enumerate(shares.values()) if i % shard[1] == shard[0] for task in share]

    def _run_key(self, arm, seed):
        return arm.run_key(self.preset, self.steps, seed) if arm.experts else "base"

    def records(self):
        """{key of a task: its newest record} of this base model, these steps and amounts, and this version of the measures."""
        lines, _ = read_jsonl(self.results_file)
        return {line["key"]: line for line in lines}

    def key(self, task):
        parts = [self.base.key, self.observer_key, VERSION, self.steps, asdict(self.amounts), task.identity, task.seed]
        return digest([*parts, task.arm.name, task.arm.key(self.preset, self.steps, task.seed)])

    def finished(self, tasks):
        """The records of those tasks that are done."""
        records = self.records()
        return [records[key] for key in map(self.key, tasks) if key in records]

    def run(self, tasks):
        """Do what is missing of the tasks, in order."""
        records = self.records()
        missing = [task for task in tasks if self.key(task) not in records]
        costs = [task.arm.cost(self.preset, self.steps) + RENDER_COST for task in missing]
        started, spent = time.monotonic(), 0.0
        for done, task in enumerate(missing, 1):
            record = self.do(task)
            append_jsonl(self.results_file, record)
            spent += costs[done - 1]
            left = _duration((time.monotonic() - started) / spent * (sum(costs) - spent))
            self.say(f"[{done}/{len(missing)}] person {task.identity}, seed {task.seed}, {task.arm.name}: {_short(record)}; {left} left")
            if not any(self._shares_run(task, other) for other in missing[done:]):
                self._forget_resume(task)

    def do(self, task):
        """Train what the task asks for, draw with it and measure; the record."""
        trial = Trial(task.identity, task.seed, self.amounts)
        drawings = self.workspace.home / "base"
        base = base_drawings(self.artist, trial, task.arm.described, drawings)
        judge = Judge.of(self.artist, trial, base)
        if task.arm.experts:
            pair, seconds = self.trained_pair(task, trial)
            with self.artist.wearing({expert: pair.files[expert] for expert in task.arm.experts}) as artist:
                drawn = artist.draw(trial, task.arm.described)
        else:
            drawn, seconds = base, None
        measures = judge.measure(drawn, task.arm.dataset) | {"seconds": seconds}
        facts = {"arm": task.arm.name, "identity": task.identity, "seed": task.seed, "steps": self.steps}
        facts |= {"base_key": self.base.key, "version": VERSION, "ceiling": judge.likeness.ceiling, "time": time.time()}
        return {"key": self.key(task)} | facts | {"measures": measures}

    # -- training

    def trained_pair(self, task, trial):
        """(the pair of the arm's last step, processor seconds up to it): trained now, or gone on to from where its run stands."""
        config = task.arm.config(self.preset, self.steps, task.seed)
        project = open_project(self.workspace, trial, task.arm.dataset, self.base.fps)
        run_dir = self._run_dir(task)
        if not (run_dir / "config.json").is_file():
            facts = {"kind": "train", "trigger": TRIGGER, "class_noun": CLASS_NOUN, "base_model": BASE_MODEL}
            write_json(run_dir / "config.json", facts)
        assert run_dir.parent == project.runs_dir
        pair = read_pair(pair_folder(run_dir, config.steps))
        if pair is None:
            train(config, run_dir, report=Stopwatch(run_dir))
            pair = read_pair(pair_folder(run_dir, config.steps))
        return pair, Stopwatch.seconds(run_dir, config.steps)

    def _run_dir(self, task):
        project = self.workspace.projects_dir / project_slug(task.identity, task.arm.dataset)
        return project / "runs" / f"train-{self._run_key(task.arm, task.seed)}"

    def _shares_run(self, task, other):
        return task.arm.experts and other.arm.experts and self._run_dir(task) == self._run_dir(other)

    def _forget_resume(self, task):
        """Pairs stay, so that new measures need no new training; to go further, the run would start again and come to the same pairs."""
        if task.arm.experts:
            shutil.rmtree(self._run_dir(task) / "resume", ignore_errors=True)


class Stopwatch:
    """A `report` for the loop that writes the processor seconds of each step beside the run: other programs count little in them."""

    def __init__(self, run_dir):
        self.file, self.before = run_dir / "seconds.jsonl", time.process_time()

    def __call__(self, event, **fields):
        now = time.process_time()
        if event == "step":
            append_jsonl(self.file, {"step": fields["step"], "seconds": round(now - self.before, 4)})
        self.before = now

    @staticmethod
    def seconds(run_dir, last_step):
        """Processor seconds of the steps up to one; of a step that was done twice, after a kill, the last time counts."""
        lines, _ = read_jsonl(run_dir / "seconds.jsonl")
        steps = {line["step"]: line["seconds"] for line in lines}
        return round(sum(seconds for step, seconds in steps.items() if step <= last_step), 2)


def _short(record):
    measures = record["measures"]
    names = {"identity": "likeness", "prompt": "as asked", "drift": "change of others"}
    said = [f"{word} {measures[name]:.1%}" for name, word in names.items() if measures[name] is not None]
    return ", ".join(said + ([f"{measures['seconds']:.0f} s"] if measures["seconds"] else []))


def _duration(seconds):
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min"
