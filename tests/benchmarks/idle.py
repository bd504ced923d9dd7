"""What a studio costs that nobody uses: its share of one core without a page, and with two pages open that nobody touches.

    python tests/benchmarks/idle.py [--seconds 60]

Processor time of the studio and its children, which another program's load hardly changes. Prints one JSON object. Bars: 1 % of a core
without a page, 2 % with two.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser_kit import CHROMIUM, FLAGS, free_port, playwright, start_studio, stop_jobs, stop_studio, window  # noqa: E402

from studio.workspace import Workspace  # noqa: E402

SETTLING = 15.0  # seconds, until what a start or a page brings with it is over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each of the two measurements")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as home:
        port = free_port()
        studio = start_studio(Path(home), port)
        try:
            with playwright.sync_playwright() as engine, contextlib.ExitStack() as pages:
                chromium = pages.enter_context(engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS))
                alone = share_of_a_core(studio.pid, seconds)
                for _ in range(2):
                    pages.enter_context(window(chromium, f"http://127.0.0.1:{port}", 1280, 860))
                watched = share_of_a_core(studio.pid, seconds)
        finally:
            stop_jobs(Workspace(Path(home)))
            stop_studio(studio)
    print(json.dumps({"seconds": seconds, "without_a_page": round(alone, 4), "with_two_pages": round(watched, 4)}))
    sys.exit(alone > 0.01 or watched > 0.02)


def share_of_a_core(pid: int, seconds: float) -> float:
    time.sleep(SETTLING)
    before, began = processor_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (processor_seconds(pid) - before) / (time.monotonic() - began)


def processor_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(t.user + t.system for t in times)


if __name__ == "__main__":
    main()
