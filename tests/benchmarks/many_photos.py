"""Imports many small photos with captions, and compares what a file costs when few are there with what it costs when many are.

    python tests/benchmarks/many_photos.py [--photos 2100] [--window 100]

Prints one JSON object: files a second over all, milliseconds a file (of the clock, and of the processor) among the first and the last.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from studio.data import dataset  # noqa: E402
from studio.data.importer import import_media  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

SIDE = 128


def main() -> None:
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as home:
        project = Workspace(Path(home)).create_project("anna", trigger="ohwx", class_noun="woman")
        make_photos(Path(home) / "in", options.photos)
        marks: list[tuple[float, float]] = []
        began = time.monotonic()
        result = import_media(
            project, [Path(home) / "in"], report=lambda event, **fields: marks.append((time.monotonic(), time.process_time()))
        )
        seconds = time.monotonic() - began
        assert len(result.added) == options.photos, result
        began = time.monotonic()
        assert len(dataset.list_items(project)) == options.photos
        listed = time.monotonic() - began
    first, last = (cost(marks, start, options.window) for start in (options.window // 10, options.photos - options.window - 2))
    print(
        json.dumps(
            {
                "photos": options.photos,
                "seconds": round(seconds, 1),
                "files_a_second": round(options.photos / seconds, 1),
                "looking_through_seconds": round(seconds - (marks[-1][0] - marks[0][0]), 2),
                "list_seconds": round(listed, 2),
                "first": first,
                "last": last,
                "ratio": round(last["processor_ms"] / first["processor_ms"], 2),
            }
        )
    )


def cost(marks: list[tuple[float, float]], start: int, count: int) -> dict[str, float]:
    (clock, processor), (clock_end, processor_end) = marks[start], marks[start + count]
    return {"ms": round((clock_end - clock) / count * 1000, 2), "processor_ms": round((processor_end - processor) / count * 1000, 2)}


def make_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    chance = np.random.default_rng(0)
    for number in range(count):
        pixels = np.repeat(np.repeat(chance.integers(0, 255, (8, 8, 3), np.uint8), SIDE // 8, 0), SIDE // 8, 1)
        Image.fromarray(pixels).save(folder / f"IMG_{number:04d}.jpg", quality=85)
        (folder / f"IMG_{number:04d}.txt").write_text(f"ohwx, a woman, place {number}", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2100)
    parser.add_argument("--window", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    main()
