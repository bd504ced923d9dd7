"""Twelve hours of training in minutes: the real loop, recorder and checkpoints on the tiny model, a stub in place of the step's arithmetic.

    python tests/benchmarks/long_run.py [--hours 12] [--seconds-per-step 6]

A second process looks at the Train tab all the while, as an open window does. Prints one JSON object: memory and time of those looks
against the length of the run, time to read the log, and every file that the run leaves with what its size follows.
Exits 1 if the window's memory grows, a look gets slow, or a file outgrows its bound.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

LOOK_SECONDS = 0.25  # eight times as often as the window's timer
MAX_GROWTH_MB, MAX_LOOK_SECONDS, MAX_LOG_SECONDS = 24.0, 0.25, 0.02
MAX_BYTES_A_STEP, MAX_OTHER_MB = 400, 2.0  # events.jsonl follows the steps; nothing else may follow them


def main():
    options = parse_arguments()
    if options.watch:
        return watch(Path(options.watch))
    steps = round(options.hours * 3600 / options.seconds_per_step)
    with tempfile.TemporaryDirectory() as home:
        started = time.monotonic()
        run_dir, looks = train(Path(home), steps, options.seconds_per_step)
        seconds = time.monotonic() - started
        first = look_anew(Path(home))
        facts = {"hours": options.hours, "steps": steps, "seconds": round(seconds, 1)}
        facts |= {"window": describe_looks(looks), "first_look_of_a_new_window": first, "log_seconds": time_the_log(run_dir)}
        facts |= {"files": list_files(run_dir), "events": count_events(run_dir)}
    facts["failed"] = find_faults(facts)
    print(json.dumps(facts, indent=1))
    return 1 if facts["failed"] else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=12)
    parser.add_argument("--seconds-per-step", type=float, default=6)
    parser.add_argument("--watch", metavar="HOME", help=argparse.SUPPRESS)  # what the second process does
    return parser.parse_args()


# -- the run


class SimulatedClock:
    """Stands in for `time` where events are written: every step of the stub takes its seconds at once."""

    strftime = staticmethod(time.strftime)

    def __init__(self):
        self.passed = 0.0

    def time(self):
        return time.time() + self.passed

    def monotonic(self):
        return time.monotonic() + self.passed

    perf_counter = monotonic


def train(home, steps, seconds_per_step):
    """(run folder, the looks of a window that was open all the while)."""
    from training_kit import new_project, small_config

    from studio.config import to_dict
    from studio.jobs import launcher
    from studio.jobs.kinds.train import TrainJob
    from studio.jobs.worker import run_job
    from studio.models.catalogue import find_model
    from studio.workspace import Workspace

    project = new_project(find_model("tiny", Workspace(home)), photos=6)
    every = {"save_every": 1000, "resume_every": 50, "held_out_every": 100, "data": {"held_out_items": 1}}
    config = small_config(steps=steps, **every)
    clock = put_stubs(seconds_per_step)
    run_dir = launcher.prepare(project, TrainJob(config=to_dict(config)))
    command = [sys.executable, __file__, "--watch", str(home)]
    window = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    window.stdout.readline()  # it is open
    job = run_job(run_dir)
    looks = [json.loads(line) for line in window.communicate("")[0].splitlines()]
    assert job.state == "done", job.error
    assert round(clock.passed / seconds_per_step) == steps, "the loop takes its steps another way: the stub must follow"
    return run_dir, looks


def put_stubs(seconds_per_step):
    """Losses by chance in place of the two places where the model computes; returns the clock that their steps move."""
    import torch

    from studio.jobs import recorder
    from studio.training import work

    clock, chance = SimulatedClock(), random.Random(0)
    recorder.time = clock
    recorder.awake_seconds = work.awake_seconds = clock.monotonic

    def step(*arguments):
        clock.passed += seconds_per_step
        return torch.tensor([chance.gauss(0.1, 0.02), chance.gauss(0.01, 0.002), 1.0])

    work.accumulate_gradients = step
    work.evaluate = lambda model, rows, *more: torch.full((len(rows),), 0.1)
    return clock


# -- the window


def watch(home):
    """A window with the Train tab open, until stdin is closed: one line of JSON a look."""
    from studio.ui.app import build
    from studio.ui.page import Page, Seen
    from studio.workspace import Workspace

    made, original = [], Page.__init__
    Page.__init__ = lambda page, where: (original(page, where), made.append(page))[0]
    build(Workspace(home))
    [page], [project] = made, Workspace(home).list_projects()
    values = [component.value for reader in page.readers for component in reader.inputs]
    seen, process = Seen(project.slug), psutil.Process()
    print("open", flush=True)
    while True:
        started = time.perf_counter()
        seen = page.read_all(project.slug, "train", seen, *values)[0]
        look = {"seconds": time.perf_counter() - started, "rss_mb": process.memory_info().rss / 1e6, "done": progress_of(project)}
        print(json.dumps(look), flush=True)
        if look["done"] is None:
            return 0
        time.sleep(LOOK_SECONDS)


def progress_of(project):
    """Steps done, or None when the run is over."""
    from studio.jobs import state

    [job] = state.list_jobs(project.workspace, project)
    return None if job.is_over else job.progress.done or 0


def look_anew(home):
    """What the first looks cost a window that is opened after all that."""
    found = subprocess.run([sys.executable, __file__, "--watch", str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    look = json.loads(found.stdout.splitlines()[-1])
    return {"seconds": round(look["seconds"], 3), "rss_mb": round(look["rss_mb"], 1)}


def describe_looks(looks):
    """Medians of a tenth of the run each: after the first tenth, and at the end."""
    looks = [look for look in looks if look["done"]]
    part = max(1, len(looks) // 10)
    early, late = looks[part : 2 * part] or looks[:1], looks[-part:]
    middle = {name: [round(statistics.median(look[name] for look in some), 4) for some in (early, late)] for name in ("seconds", "rss_mb")}
    return {"looks": len(looks), "seconds_early_late": middle["seconds"], "rss_mb_early_late": middle["rss_mb"]}


# -- what is left


def time_the_log(run_dir):
    """Seconds for the end of a log and for a page in its middle, in a log of this run and in one of 200 MB."""
    from studio.jobs import state

    large = run_dir.parent / "train-999"
    large.mkdir()
    line = b"2026-01-01 00:00:00 note: a library says the same thing again and again\n"
    with open(large / "log.txt", "wb") as file:
        for _ in range(200):
            file.write(line * (1_000_000 // len(line)))
    seconds = {}
    for name, folder in (("this_run", run_dir), ("of_200_mb", large)):
        size = (folder / "log.txt").stat().st_size
        for page, end in (("end", None), ("middle", size // 2)):
            started = time.perf_counter()
            state.read_log_page(folder, end)
            seconds[f"{page}_of_{name}"] = round(time.perf_counter() - started, 5)
    (large / "log.txt").unlink()
    large.rmdir()
    return seconds


def list_files(run_dir):
    """{name: bytes} of what lies in the run's folder; folders of the same kind together."""
    sizes = Counter()
    for path in run_dir.rglob("*"):
        if path.is_file():
            parts = path.relative_to(run_dir).parts
            sizes["/".join((parts[0], "*", parts[-1].split("_")[-1])) if len(parts) > 2 else "/".join(parts)] += path.stat().st_size
    return dict(sizes)


def count_events(run_dir):
    """{event: [how many, bytes]}."""
    found = {}
    for line in (run_dir / "events.jsonl").read_bytes().splitlines():
        count = found.setdefault(json.loads(line)["event"], [0, 0])
        count[0], count[1] = count[0] + 1, count[1] + len(line) + 1
    return found


def find_faults(facts):
    window, files, steps = facts["window"], facts["files"], facts["steps"]
    growth = window["rss_mb_early_late"][1] - window["rss_mb_early_late"][0]
    other = sum(size for name, size in files.items() if name != "events.jsonl" and not name.startswith(("checkpoints/", "resume/"))) / 1e6
    faults = {
        f"the window's memory grew by {growth:.0f} MB": growth > MAX_GROWTH_MB,
        f"a look takes {window['seconds_early_late'][1]:.2f} s at the end": window["seconds_early_late"][1] > MAX_LOOK_SECONDS,
        "the log is slow to read": max(facts["log_seconds"].values()) > MAX_LOG_SECONDS,
        "events.jsonl grows too fast": files["events.jsonl"] > MAX_BYTES_A_STEP * steps,
        f"status, log and settings take {other:.1f} MB": other > MAX_OTHER_MB,
    }
    return [fault for fault, is_true in faults.items() if is_true]


if __name__ == "__main__":
    sys.exit(main())
