"""Imports and checks photos of 12 megapixels, beside the limit: reading and hashing each, and decoding a quarter, by two processes.

    python tests/benchmarks/look_speed.py [--photos 200] [--many 0] [--source FOLDER] [--quality 85]

The photos are made of those in FOLDER (the repository's own by default): cropped at random and enlarged to 4000 x 3000 px, with noise.
Prints one JSON object. bars: import and check within 6.5 x the limit, the second check within 1 s, at most 1,024 MB in all;
On a machine with other work, processor_of_limit tells more than the clock: both bars are of two processes.
--quality: of the JPEGs. 85 gives 1.6 MB each, 95 the 3 to 4 MB of a telephone's: then the limit, which is decoding, takes longer.
--many N: as many times more photos are checked within 1.2 x their share of the time.
"""

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402
import psutil  # noqa: E402
from PIL import Image  # noqa: E402

from studio.data import curation, dataset  # noqa: E402
from studio.data.importer import import_media  # noqa: E402
from studio.workspace import Project, Workspace  # noqa: E402

SIZE = (4000, 3000)


def main() -> None:
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as home:
        told = measure(Path(home), "few", options.photos, options.source, options.quality)
        if options.many:
            many = measure(Path(home), "many", options.photos * options.many, options.source, options.quality)
            told["many"] = many | {"of_its_share": round(many["work_seconds"] / many["limit_seconds"] / told["of_limit"], 3)}
    print(json.dumps(told))


def measure(home: Path, name: str, count: int, source: Path, quality: int = 85) -> dict[str, Any]:
    """Import, check, and check again; the limit before and after, since other programs come and go."""
    folder = home / f"in {name}"
    make_photos(folder, count, sorted(path for path in source.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")), quality)
    project = Workspace(home).create_project(name, trigger="ohwx", class_noun="woman", base_model="wan22-t2v-a14b")
    before = limit(folder)
    with Memory() as memory:
        began = processor_seconds()
        import_seconds, _ = timed(lambda: import_media(project, [folder]))
        between = processor_seconds() - memory.cost
        check_seconds, checked = timed(lambda: curation.curate(project))
        ended = processor_seconds() - memory.cost
    again_seconds, again = timed(lambda: curation.curate(Project(project.root)))
    assert checked.measured == count and again.measured == 0 and len(dataset.list_items(project)) == count
    limit_seconds, least = ((a + b) / 2 for a, b in zip(before, limit(folder)))
    size = sum(path.stat().st_size for path in (project.cache_dir / "looks").iterdir())
    work = import_seconds + check_seconds
    return {
        "photos": count,
        "mb_each": round(sum(path.stat().st_size for path in folder.iterdir()) / count / 1e6, 2),
        "limit_seconds": round(limit_seconds, 2),
        "import_seconds": round(import_seconds, 2),
        "check_seconds": round(check_seconds, 2),
        "work_seconds": round(work, 2),
        "of_limit": round(work / limit_seconds, 2),
        "processor_of_limit": {"import": round((between - began) / least, 2), "check": round((ended - between) / least, 2)},
        "again_seconds": round(again_seconds, 2),
        "most_mb": round(memory.most / 1024**2),
        "looks_kb_each": round(size / count / 1024, 1),
        "copies_share": round(copies_size(project) / sum(path.stat().st_size for path in project.originals_dir.iterdir()), 3),
    }


def timed(work):
    began = time.monotonic()
    result = work()
    return time.monotonic() - began, result


def processor_seconds() -> float:
    """Of this process and of all that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def limit(folder: Path) -> tuple[float, float]:
    """(seconds, processor seconds) to read, hash and decode a quarter of each, by two processes that are there already."""
    paths = sorted(folder.iterdir())
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(at_least, paths[:2]))
        seconds, _ = timed(lambda: list(pool.map(at_least, paths, chunksize=4)))
    began = processor_seconds()
    for path in paths[:: max(1, len(paths) // 12)]:
        at_least(path)
    return seconds, (processor_seconds() - began) * len(paths) / len(paths[:: max(1, len(paths) // 12)])


def at_least(path: Path) -> str:
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (image.width // 4, image.height // 4))
        image.load()
    return hashlib.sha256(data).hexdigest()


def make_photos(folder: Path, count: int, sources: list[Path], quality: int = 85) -> None:
    folder.mkdir()
    chance = np.random.default_rng(0)
    noise = chance.normal(0, 4, (SIZE[1] + 64, SIZE[0] + 64, 1)).astype(np.int16)
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as opened:
            image = opened.convert("RGB")
        cut = chance.uniform(0, 0.1, 4) * (*image.size, *image.size)
        image = image.crop((int(cut[0]), int(cut[1]), image.width - int(cut[2]), image.height - int(cut[3])))
        large = np.asarray(image.resize(SIZE if image.width > image.height else SIZE[::-1], Image.Resampling.BICUBIC), np.int16)
        x, y = chance.integers(0, 64, 2)
        grain = noise if large.shape[0] <= SIZE[1] else noise.transpose(1, 0, 2)
        noisy = (large + grain[y : y + large.shape[0], x : x + large.shape[1]]).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"IMG_{number:05d}.jpg", quality=quality)


def copies_size(project: Project) -> int:
    """Bytes of dataset/ that are not the originals' own under a second name."""
    originals = {path.stat().st_ino for path in project.originals_dir.iterdir()}
    return sum(path.stat().st_size for path in project.dataset_dir.iterdir() if path.stat().st_ino not in originals)


class Memory:
    """The most memory that this process and all it started held at once."""

    def __enter__(self) -> "Memory":
        self.most, self.cost, self.ended = 0, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.ended.set()
        self.thread.join()

    def watch(self) -> None:
        me = psutil.Process()
        while not self.ended.wait(0.5):
            held = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    held += process.memory_info().rss
                except psutil.Error:
                    continue
            self.most = max(self.most, held)
            self.cost = time.thread_time()  # of looking through all processes of a busy machine


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--quality", type=int, default=85)
    parser.add_argument("--source", type=Path, default=ROOT / "tests" / "media")
    return parser.parse_args()


if __name__ == "__main__":
    main()
