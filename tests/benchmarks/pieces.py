"""How well the pieces of a film are found: films of stills with planted cuts, fades, held frames, bars, subtitles, blur, shaking, other people.

    PYTHONPATH=. .venv/bin/python tests/benchmarks/pieces.py PHOTOS_OF_A PHOTOS_OF_B [--films 4] [--seed 0] [--work DIR]

A is the person, B somebody else: folders of photos, which stay where they are. Prints one JSON object: of each planted effect how many were found
(no second of them is in a piece), named rightly, and where it was said although it was not there; the pieces that hold a fault; the seconds that a
minute of film takes, beside those that decoding alone takes in the same run. Thresholds were chosen with the seeds 0 to 9; report others.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from piece_kit import Planted, Scene, make_film  # noqa: E402

from studio.data.buckets import fit_side  # noqa: E402
from studio.data.media.clips import open_clip, probe_clip, read_frames, timed_frames  # noqa: E402
from studio.data.pieces import piece_facts as said  # noqa: E402
from studio.data.pieces.looking_through import FACES_SIDE, look_through  # noqa: E402
from studio.data.pieces.piece_facts import MOMENTS_A_SECOND, Span  # noqa: E402
from studio.data.pieces.proposing import Proposal, Wish, propose_pieces  # noqa: E402
from studio.data.pieces.whose import find_people  # noqa: E402
from studio.models.eyes import find_face_eye  # noqa: E402

CODES = {
    "freeze": said.FROZEN, "black": said.BLACK, "title": said.TITLE, "subtitles": said.SUBTITLES, "shake": said.SHAKY, "blur": said.BLURRED,
    "other people": said.OTHER_PEOPLE, "somebody else": said.SOMEBODY_ELSE, "nobody": said.NOBODY, "fade": said.BLEND, "cut": said.CUT,
}  # fmt: skip
MOST_PHOTOS = 16  # of a folder
CLOSE = 0.2  # seconds between a planted cut and the one that is found
SIZES = ((640, 360), (512, 288), (360, 640))
RATES = (24.0, 25.0, 18.0, 23.976)


def load_photos(folder: Path, sight) -> list[tuple[np.ndarray, tuple[float, float, float]]]:
    """Photos with exactly one face that is large enough to move a camera over."""
    found = []
    for path in sorted(folder.iterdir()):
        if len(found) == MOST_PHOTOS:
            break
        try:
            image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        except OSError:
            continue
        image.thumbnail((1600, 1600))
        picture = np.asarray(image)
        faces = [face for face in sight.find(picture) if face.width >= 0.05 * picture.shape[1]]
        if len(faces) == 1 and faces[0].width >= 90:
            face = faces[0]
            found.append((picture, (face.left + face.width / 2, face.top + face.height / 2, face.width)))
    return found


def draw_scenes(rng, mine, theirs, empty) -> tuple[list[Scene], list[str]]:
    """Ten scenes, of which about half are clean; of each what it shows beside planted effects."""
    scenes, kinds = [], []
    menu = [
        "clean",
        "clean",
        "clean",
        "freeze",
        "subtitles",
        "letterbox",
        "pillars",
        "black",
        "title",
        "shake",
        "blur",
        "other people",
        "somebody else",
        "nobody",
    ]
    for kind in rng.choice(menu, 10, replace=False).tolist():
        photo, face = mine[int(rng.integers(len(mine)))]
        start = float(rng.uniform(1, 3))
        effects, other, other_face = {}, None, None
        if kind in ("freeze", "subtitles", "black", "shake", "blur"):
            effects = {kind: (start, start + float(rng.uniform(1.0, 2.5)))}
        if kind in ("letterbox", "pillars", "title"):
            effects = {kind: (0.0, 99.0)}
        if kind == "other people":
            other, other_face = theirs[int(rng.integers(len(theirs)))]
        if kind == "somebody else":
            photo, face = theirs[int(rng.integers(len(theirs)))]
        if kind == "nobody":
            photo, face = empty[int(rng.integers(len(empty)))], None
        seconds = 2.0 if kind == "title" else round(float(rng.uniform(5.0, 6.0)), 2)
        scenes.append(Scene(photo, seconds, face, effects, other, other_face))
        kinds.append(kind)
    return scenes, kinds


def plant(path: Path, seed: int, mine, theirs, empty) -> list[Planted]:
    rng = np.random.default_rng(seed)
    scenes, kinds = draw_scenes(rng, mine, theirs, empty)
    fades = [number for number in range(1, 10) if rng.uniform() < 0.15]
    size, fps = SIZES[seed % len(SIZES)], RATES[seed % len(RATES)]
    truth = make_film(path, scenes, size=size, fps=fps, seed=seed, fades=fades)
    at = 0.0
    for scene, kind in zip(scenes, kinds, strict=True):
        end = at + round(scene.seconds * fps) / fps
        if kind in ("somebody else", "nobody", "clean"):
            truth.append(Planted(kind, at, end))
        at = end
    return truth


def share(spans: tuple[Span, ...], start: float, end: float, codes: set[str]) -> float:
    """Of [start, end), as a share, what has one of the codes."""
    inside = sum(max(0.0, min(span.end, end) - max(span.start, start)) for span in spans if span.code in codes)
    return inside / max(end - start, 1e-6)


def score(truth: list[Planted], proposal: Proposal, cuts: list[float], count: Counter) -> None:
    spans = proposal.spans
    for planted in truth:
        name = planted.effect
        if name == "clean":
            judge_clean(planted, truth, proposal, count)
        elif name in ("letterbox", "pillars"):
            here = [piece for piece in proposal.pieces if planted.start - 0.1 <= piece.start < planted.end]
            count[f"{name} with a piece"] += bool(here)
            count[f"{name} cropped"] += bool(here) and all(piece.crop for piece in here)
        elif name == "cut":
            count["cut planted"] += 1
            count["cut found"] += any(abs(cut - planted.start) < CLOSE for cut in cuts)
        else:
            count[f"{name} planted"] += 1
            count[f"{name} kept out"] += share(spans, planted.start, planted.end, {said.TAKEN}) < 0.02
            count[f"{name} named"] += share(spans, planted.start, planted.end, {CODES[name]}) >= 0.5
    edges = [edge for p in truth for edge in (p.start, p.end)]
    count["cut false"] += sum(all(abs(cut - edge) >= CLOSE for edge in edges) for cut in cuts)
    barred = [(p.start, p.end) for p in truth if p.effect in ("letterbox", "pillars")]
    count["crop false"] += sum(bool(piece.crop) and not any(a - 0.1 <= piece.start < b for a, b in barred) for piece in proposal.pieces)
    faults = [p for p in truth if p.effect in CODES and p.effect != "cut"]
    count["pieces"] += len(proposal.pieces)
    count["pieces with a fault"] += sum(
        any(min(p.end, piece.end) - max(p.start, piece.start) > 0.12 for p in faults) for piece in proposal.pieces
    )


def judge_clean(planted: Planted, truth: list[Planted], proposal: Proposal, count: Counter) -> None:
    """A clean scene gives a piece, and nothing is said against its inside."""
    start, end = planted.start + 0.3, planted.end - 0.3
    if any(p.effect == "fade" and planted.start <= p.start < planted.end for p in truth):
        start += 1.0
    count["clean scenes"] += 1
    count["clean scenes with a piece"] += any(planted.start - 0.1 <= piece.start < planted.end for piece in proposal.pieces)
    for code in CODES.values():
        count[f"{code} said of a clean scene"] += share(proposal.spans, start, end, {code}) > 0.03


def decode_seconds(path: Path) -> float:
    began = time.perf_counter()
    with open_clip(path) as (container, stream):
        stream.thread_type = "AUTO"
        for _ in timed_frames(container, stream):
            pass
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("person", type=Path)
    parser.add_argument("somebody_else", type=Path)
    parser.add_argument("--films", type=int, default=4)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    eye = find_face_eye()
    assert eye is not None
    sight = eye.open(None)
    mine, theirs = load_photos(args.person, sight), load_photos(args.somebody_else, sight)
    references, used = mine[: len(mine) // 2], mine[len(mine) // 2 :]  # those in the film are not those that the person is known by
    rows = np.array([sight.embed_face(photo, sight.find(photo)[0]) for photo, _ in references])
    empty = list(read_frames(ROOT / "tests/media/bigbuckbunny.mp4", 5, 1.0))
    count, looked, decoded, seconds = Counter(), 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(exist_ok=True)
        for seed in range(args.seed, args.seed + args.films):
            path, kept = work / f"film-{seed}.mp4", work / f"film-{seed}.json"
            if not kept.is_file():
                kept.write_text(json.dumps([vars(p) for p in plant(path, seed, used, theirs, empty)]))
            truth = [Planted(**p) for p in json.loads(kept.read_text())]
            info = probe_clip(path)
            file = Path(temporary) / f"{seed}.jsonl"
            decoded += decode_seconds(path)
            began = time.perf_counter()
            through = look_through(path, info, file, sight, lambda *a, **k: None, lambda: False, path.name)
            looked += time.perf_counter() - began
            seconds += info.seconds
            people = find_people(through.faces, through.cuts, rows, MOMENTS_A_SECOND)
            proposal = propose_pieces(through, people, fit_side(info.width, info.height, FACES_SIDE), info.seconds, Wish(16, 4, 81 / 16))
            score(truth, proposal, [cut / MOMENTS_A_SECOND for cut in through.cuts], count)
            print(seed, [(round(s.start, 1), round(s.end, 1), s.code) for s in proposal.spans], file=sys.stderr)
            print(seed, sorted((round(p.start, 1), round(p.end, 1), p.effect) for p in truth), file=sys.stderr)
    timing = {
        "film seconds": round(seconds),
        "seconds a minute": round(looked / seconds * 60, 1),
        "decoding alone": round(decoded / seconds * 60, 1),
    }
    print(json.dumps(dict(sorted(count.items())) | timing, indent=1))


if __name__ == "__main__":
    main()
