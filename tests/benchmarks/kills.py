"""Kills a real training job at random moments, resumes it each time, and compares its LoRA files bit for bit with an uninterrupted run's.

    python tests/benchmarks/kills.py [--kills 10] [--steps 120] [--seed 0]

Prints one JSON object; exits 1 if a file differs.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from training_kit import lora_bits, new_project, small_config  # noqa: E402

from studio.config import to_dict  # noqa: E402
from studio.disk import read_jsonl  # noqa: E402
from studio.jobs import launcher, state  # noqa: E402
from studio.jobs.kinds.train import TrainJob  # noqa: E402
from studio.models.catalogue import find_model  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

LIFE_SECONDS = 600


def main():
    options = parse_arguments()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as home:
        project = new_project(find_model("tiny", Workspace(Path(home))), photos=6)
        config = TrainJob(config=to_dict(small_config(steps=options.steps, save_every=options.steps // 4, resume_every=5)))
        started = time.monotonic()
        whole = launcher.enqueue(project, config)
        live(whole)
        expected, seconds = lora_bits(whole), training_seconds(whole)
        kills, runs = [], []
        while len(kills) < options.kills:
            run_dir = launcher.enqueue(project, config)
            kills += kill_until_done(run_dir, options.kills - len(kills), 2 * options.steps // options.kills, chance)
            runs.append(run_dir)
        results = [lora_bits(run_dir) == expected for run_dir in runs]
        facts = {"kills": kills, "runs": len(runs), "files_compared": len(expected) * len(runs), "bit_for_bit_equal": all(results)}
        facts |= {"steps": options.steps, "uninterrupted_seconds": round(seconds, 1), "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(facts))
    return 0 if all(results) and expected else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def kill_until_done(run_dir, most, longest, chance):
    """Run the job, killing it up to `most` times, each in the middle of a random step of that life (or before it); what each kill met."""
    kills = []
    while True:
        killed = live(run_dir, (chance.randint(0, longest), chance.uniform(0, 0.5)) if len(kills) < most else None)
        if not killed:
            return kills
        kills.append(killed)
        assert state.read_status(run_dir).state == "crashed", state.read_status(run_dir)
        launcher.resume(run_dir)


def live(run_dir, death=None):
    """One life of the worker: to the end of the job (None), or killed some steps and seconds after its first event (what it was doing)."""
    _, offset = read_jsonl(run_dir / "events.jsonl")
    process = subprocess.Popen(
        [sys.executable, "-m", "studio.jobs.worker", str(run_dir.parents[3])], cwd=ROOT, env=launcher.worker_environment()
    )
    if death is None:
        process.wait(LIFE_SECONDS)
    else:
        num_steps, seconds = death
        wait_for_steps(process, run_dir / "events.jsonl", offset, num_steps)
        time.sleep(seconds)
    if process.poll() is not None:
        status = state.read_status(run_dir)
        assert status.state == "done", (status, (run_dir / "log.txt").read_text(encoding="utf-8"))
        return None
    process.kill()
    process.wait()
    events, _ = read_jsonl(run_dir / "events.jsonl")
    steps = [e["step"] for e in events if e["event"] == "step"]
    return {"steps_of_this_life": num_steps, "last_event": events[-1]["event"], "step": steps[-1] if steps else 0}


def wait_for_steps(process, file, offset, num_steps):
    """Until the events from `offset` on hold that many steps, or for none any event at all; or the process ends."""
    deadline = time.monotonic() + LIFE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        events, _ = read_jsonl(file, offset)
        if events and sum(e["event"] == "step" for e in events) >= num_steps:
            return
        time.sleep(0.01)


def training_seconds(run_dir):
    """From the first event of a run to its last."""
    events, _ = read_jsonl(run_dir / "events.jsonl")
    return events[-1]["time"] - events[0]["time"]


if __name__ == "__main__":
    sys.exit(main())
