"""Drops many small photos on the window in a real browser, and tells how long the studio could answer nobody meanwhile.

    python tests/benchmarks/many_dropped.py [--photos 2000]

All pages are answered by one thread; what it does in one go, nobody else is answered before. That is told in seconds of the processor, which
another program's load does not change (longest_in_one_go); beside it the answers that a second visitor got, in seconds of the clock.
Prints one JSON object.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import uvicorn  # noqa: E402
from browser_kit import CHROMIUM, FLAGS, choose_project, expect, free_port, make_person, playwright, stop_jobs, window  # noqa: E402
from many_photos import make_photos  # noqa: E402
from test_browser_import import drop  # noqa: E402

from studio.data.dataset import list_items  # noqa: E402
from studio.machine import allow_open_files  # noqa: E402
from studio.ui import app  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

PATIENCE_MS = 3_600_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as home:
        workspace, port = Workspace(Path(home) / "home"), free_port()
        workspace.update(demo_created=True)
        kim = make_person(workspace, "Kim", "person_a_1.jpg")
        make_photos(Path(home) / "holiday", photos)
        blocked = watch_the_loop()
        serve(workspace, port)
        blocked.clear()
        with Visitor(f"http://127.0.0.1:{port}/look/alive") as visitor:
            began = time.monotonic()
            drop_all(port, Path(home) / "holiday", photos)
            seconds = time.monotonic() - began
        stop_jobs(workspace)
        assert len(list_items(kim)) == photos + 1
        longest = sorted(blocked, reverse=True)[:3]
        print(
            json.dumps(
                {
                    "photos": photos,
                    "seconds": round(seconds, 1),
                    "longest_in_one_go": [{"processor_seconds": round(took, 3), "what": what} for took, what in longest],
                    "answers": len(visitor.answers),
                    "median_answer_seconds": round(statistics.median(visitor.answers), 3),
                    "slowest_answer_seconds": round(max(visitor.answers), 2),
                }
            )
        )


def drop_all(port: int, folder: Path, photos: int) -> None:
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with window(chromium, f"http://127.0.0.1:{port}", 1280, 860) as page:
            choose_project(page, "Kim")
            expect(page.locator(".thumb")).to_have_count(1)
            drop(page, folder)
            expect(page.locator("#last-job")).to_contain_text(f"Imported {photos:,} items.", timeout=PATIENCE_MS)
        chromium.close()


def serve(workspace: Workspace, port: int) -> None:
    """As the studio does, in a thread of this process, whose loop can be watched."""
    allow_open_files()
    app.prepare(workspace)
    server = uvicorn.Server(uvicorn.Config(app.make_app(workspace), port=port, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)


def watch_the_loop() -> list[tuple[float, str]]:
    """(seconds of the processor, what) of everything that the loop does in one go, filled from now on."""
    found: list[tuple[float, str]] = []
    run: Callable[[Any], None] = asyncio.events.Handle._run

    def timed(handle: Any) -> None:
        began = time.thread_time()
        run(handle)
        took = time.thread_time() - began
        if took > 0.01:
            found.append((took, repr(handle)[:160]))

    asyncio.events.Handle._run = timed
    return found


class Visitor:
    """Another window: asks something small ten times a second, and notes how long each answer took."""

    def __init__(self, address: str) -> None:
        self.address, self.answers, self.done = address, list[float](), threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self.done.wait(0.1):
            began = time.monotonic()
            with urllib.request.urlopen(self.address) as answer:
                answer.read()
            self.answers.append(time.monotonic() - began)

    def __enter__(self) -> "Visitor":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


if __name__ == "__main__":
    main()
