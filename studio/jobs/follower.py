"""One process more of a training, of a rank above 0: it takes its own part, and tells the process that runs the job how that goes.

`python -m studio.jobs.follower RUN_DIR PID CREATE_TIME` is started by that process, and ends when it is gone; `follow` is what a process does
that a launcher has started on this or another computer.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.disk import append_jsonl
from studio.errors import Problem, ProcessLost
from studio.jobs import launcher, machines, state
from studio.jobs.problems import explain
from studio.jobs.processes import reports_file, stop_file
from studio.jobs.signals import stop_on_signals
from studio.workspace import Project


def main(run_dir: str, pid: str, create_time: str) -> int:
    """Take part in the training of a run folder until it is done, a stop is asked for, or the job's process is gone."""
    return take_part(Path(run_dir), lambda: not state.is_alive(int(pid), float(create_time)))


def follow(project: Project, place: machines.Place) -> tuple[str, int]:
    """Take part in the training that the first process of a launch runs. Returns (name of the run, exit code). Ctrl-C here stops them all."""
    run_dir = project.runs_dir / machines.gather(place)
    if not (run_dir / "config.json").is_file():
        raise Problem(
            f"{run_dir.name}, which the first computer has begun, is not in {project.runs_dir}.",
            cost="Nothing was lost.",
            fix="Let all computers use one workspace on a shared folder, and name it with --home.",
        )
    with machines.Pulse(run_dir, place.rank) as pulse, stop_on_signals(lambda: launcher.request_stop(run_dir)):
        first = machines.Remote(run_dir, 0)
        pulse.code = take_part(run_dir, lambda: first.poll() is not None) or first.poll() or 0
    return run_dir.name, pulse.code


def take_part(run_dir: Path, is_alone: Callable[[], bool]) -> int:
    """This process's part of a training. is_alone(): whether the process that runs the job is gone. Returns the exit code."""
    from studio.jobs.kinds.train import train_beside  # loads torch, which may fail: the others must not wait for this process then

    def report(event: str, **fields: Any) -> None:
        append_jsonl(reports_file(run_dir), {"event": event} | fields)

    report("here")
    try:
        train_beside(run_dir, report, lambda: stop_file(run_dir).exists() or is_alone())
    except ProcessLost:
        traceback.print_exc()
        return 1  # the process that ended has the words for it
    except Exception as error:
        traceback.print_exc()
        report("error", **explain(error).to_json())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
