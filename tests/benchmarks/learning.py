"""The learning bench: what each training choice does, on people and prompts that the embedded model has never seen.

    python tests/benchmarks/learning.py [--arms default,dop-off] [--identities 5] [--seeds 1] [--steps N] [--shard 0/2] [--table] [--markdown FILE]

Every finished (arm, person, seed) is a line of results.jsonl in the work folder; a killed bench goes on with the next. Two processes with
--shard 0/2 and --shard 1/2 share the work. Prints one JSON object. After a change of the training code use another --work: pairs are kept.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # else threads spin against those of the other shard

import torch  # noqa: E402
from benchmarks.learning_arms import ARMS, list_arms  # noqa: E402
from benchmarks.learning_bench import BASE_MODEL, Bench  # noqa: E402
from benchmarks.learning_measures import VERSION  # noqa: E402
from benchmarks.learning_people import Amounts  # noqa: E402
from benchmarks.learning_table import summarise, write_markdown  # noqa: E402

from studio.models.loading import quiet_libraries  # noqa: E402


def main(arguments=None):
    options = parse_arguments(arguments)
    torch.set_num_threads(options.threads)
    quiet_libraries()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    bench = Bench(options.work, options.steps, options.amounts)
    try:
        arms = list_arms(options.arms, bench.preset, bench.steps)
    except ValueError as e:
        raise SystemExit(str(e)) from None
    if not options.table:
        bench.run(bench.tasks(arms, options.identities, options.seeds, options.shard))
    finished = bench.finished(bench.tasks(arms, options.identities, options.seeds))
    facts = {"base_model": BASE_MODEL, "base_key": bench.base.key, "version": VERSION, "steps": bench.steps}
    facts |= {"identities": options.identities, "seeds": options.seeds, "finished": len(finished)}
    rows = summarise(finished, arms)
    if options.markdown:
        options.markdown.write_text(write_markdown([row for row in rows if row["n"]], facts), encoding="utf-8")
    print(json.dumps(facts | {"arms": rows}))


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=f"Arms: {', '.join(arm.name for arm in ARMS)}. Without --arms: all of them."
    )
    parser.add_argument("--arms", type=lambda text: text.split(","), default=[], help="names, with commas between them")
    parser.add_argument("--identities", type=int, default=5, help="people who are learned")
    parser.add_argument("--seeds", type=int, default=1, help="trainings and sets of prompts for each of them")
    parser.add_argument("--steps", type=int, help="of the default arm; without it what the base model's preset says")
    parser.add_argument("--work", type=Path, default=ROOT / "workspace" / "learning", help="folder of everything that is made")
    parser.add_argument("--shard", type=read_shard, default=(0, 1), help="this process's share of the work, for example 0/2")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--amounts", type=read_amounts, default=Amounts(), help="photos, photos of others and clips for a pair: 8,8,3")
    parser.add_argument("--table", action="store_true", help="do nothing but show what is there")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    return parser.parse_args(arguments)


def read_shard(text):
    number, count = (int(part) for part in text.split("/"))
    if not 0 <= number < count:
        raise argparse.ArgumentTypeError(f"{text}: the first share of two is 0/2, the last 1/2")
    return number, count


def read_amounts(text):
    return Amounts(*(int(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
