"""Hostile files, made with a seed: photos, clips, archives and texts that are cut, bent, inflated or lie about what they are; each is imported.

    python tests/benchmarks/hostile.py [--files 400] [--seed 0]

Prints one JSON object: how many came in, were refused with a reason, were refused without one ("the studio could not take it in"), ended the
process, or took longer than 20 s. Bar: nothing unexplained, no process that ended, nothing over 20 s. Exits 1 if it is missed.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
MOST_SECONDS = 20.0
AT_ONCE = 20  # files a process
UNEXPLAINED = "the studio could not take it in"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--take", metavar="FOLDER", help=argparse.SUPPRESS)  # what the second process does
    options = parser.parse_args()
    if options.take:
        return take(Path(options.take))
    with tempfile.TemporaryDirectory() as temporary:
        folders = make(Path(temporary), options.files, random.Random(options.seed))
        told = [outcome for folder in folders for outcome in import_apart(folder)]
    bad = [one for one in told if one["outcome"] in ("unexplained", "crash") or one["seconds"] > MOST_SECONDS]
    counts = Counter(one["outcome"] for one in told)
    slowest = max(told, key=lambda one: one["seconds"])
    print(json.dumps({"files": len(told), "seed": options.seed, "outcomes": counts, "bad": bad, "slowest": slowest}))
    return 1 if bad else 0


def import_apart(folder):
    """[{"name", "outcome", "words", "seconds"}] of the files in a folder, each imported by a process that may end of it."""
    found, left = [], sorted(path.name for path in folder.iterdir())
    while left:
        command = [sys.executable, __file__, "--take", str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        process.stdin.write("\n".join(left))
        process.stdin.close()
        told = [json.loads(line) for line in process.stdout if line.startswith("{")]
        code = process.wait()
        found += told
        left = left[len(told) :]
        if left:
            found.append({"name": left.pop(0), "outcome": "crash", "words": f"the process ended with {code}", "seconds": 0.0})
    return found


def take(folder):
    """Import the files whose names stand on stdin, one by one: one line of JSON each."""
    from studio.data.importer import import_media
    from studio.workspace import Workspace

    names = sys.stdin.read().splitlines()
    with tempfile.TemporaryDirectory() as home:
        project = Workspace(Path(home)).create_project("Anna", trigger="ohwx", base_model="tiny")
        for name in names:
            started = time.perf_counter()
            outcome, words = import_one(import_media, project, folder / name)
            print(
                json.dumps({"name": name, "outcome": outcome, "words": words, "seconds": round(time.perf_counter() - started, 2)}),
                flush=True,
            )
    return 0


def import_one(import_media, project, path):
    try:
        report = import_media(project, [path])
    except ValueError as e:  # nothing to import, in words
        return "refused", str(e)
    except Exception as e:
        return "unexplained", f"{type(e).__name__}: {e}"
    words = [note.words for note in report.rejected]
    if any(UNEXPLAINED in word for word in words):
        return "unexplained", "; ".join(words)
    if report.added or report.duplicates:
        return "taken", "; ".join(words)
    return "refused", "; ".join(words) or "left out"


# -- making them


def make(place, count, rng):
    """Folders of AT_ONCE files each."""
    sound, folders = list(sound_files(rng).items()), []
    for number in range(count):
        if number % AT_ONCE == 0:
            folders.append(place / f"set-{number // AT_ONCE:02d}")
            folders[-1].mkdir()
        name, data = rng.choice(sound)
        how, bent = bend(data, rng, sound)
        suffix = rng.choice([Path(name).suffix] * 3 + [".jpg", ".mp4", ".zip", ".tiff", ".webp"])
        (folders[-1] / f"{number:04d} {how}{suffix}").write_bytes(bent)
    return folders


def bend(data, rng, sound):
    """(what was done, the bytes)."""
    how = rng.choice(["cut", "flip", "zeros", "noise", "swap", "grow", "huge", "join", "repeat", "random", "empty"])
    at = rng.randrange(1, max(2, len(data)))
    changed = bytearray(data)
    if how == "cut":
        return how, data[:at]
    if how == "flip":
        for _ in range(rng.choice([1, 8, 64])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif how == "zeros":
        changed[at : at + 512] = bytes(min(512, len(changed) - at))
    elif how == "noise":
        changed[at : at + 256] = rng.randbytes(min(256, len(changed) - at))
    elif how == "swap":  # the head of another kind
        changed[:64] = rng.choice(sound)[1][:64]
    elif how == "grow":
        changed[at:at] = rng.randbytes(4096)
    elif how == "huge":  # sizes and counts that stand in heads become enormous
        for _ in range(4):
            place = rng.randrange(0, max(1, min(len(changed) - 4, 256)))
            changed[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00"])
    elif how == "join":
        changed += rng.choice(sound)[1]
    elif how == "repeat":
        changed = bytearray(data[:at] * 3)
    elif how == "random":
        changed = bytearray(rng.randbytes(rng.choice([3, 64, 4096, 70000])))
    else:
        changed = bytearray()
    return how, bytes(changed)


def sound_files(rng):
    """{name: bytes} of files that are what they say."""
    from PIL import Image

    picture = Image.effect_mandelbrot((320, 240), (-2, -1.5, 1, 1.5), 30).convert("RGB")
    found = {}
    for name, options in {
        "a.jpg": {}, "b.png": {}, "c.webp": {}, "d.gif": {}, "e.tiff": {"compression": "tiff_lzw"}, "f.tif": {}, "g.bmp": {}, "h.avif": {}, "i.jp2": {},
    }.items():  # fmt: skip
        file = io.BytesIO()
        picture.save(file, Image.registered_extensions()[Path(name).suffix], **options)
        found[name] = file.getvalue()
    frames = [picture.rotate(10 * turn) for turn in range(6)]
    for name in ("j.gif", "k.webp", "l.png"):
        file = io.BytesIO()
        frames[0].save(file, Image.registered_extensions()[Path(name).suffix], save_all=True, append_images=frames[1:], duration=80)
        found[name] = file.getvalue()
    for name, codec in {
        "m.mp4": "libx264",
        "n.mov": "mpeg4",
        "o.webm": "libvpx",
        "p.mkv": "libx264",
        "q.ts": "mpeg2video",
        "r.avi": "mpeg4",
    }.items():
        found[name] = clip(frames * 8, Path(name).suffix[1:], codec)
    found["s.zip"] = archive({"photos/a.jpg": found["a.jpg"], "photos/a.txt": b"ohwx, a person", "clips/m.mp4": found["m.mp4"]})
    found["t.zip"] = archive({"../../out.jpg": found["a.jpg"], "C:\\x.jpg": found["b.png"], "bomb.jpg": bytes(20_000_000)})
    found["u.txt"], found["v.jsonl"] = b"ohwx, a person in a garden", b'{"image_path": "a.jpg", "caption": "ohwx"}\n' * 40
    found["w.csv"] = b"file_name,text\na.jpg,ohwx\n" * 40
    return found


def clip(frames, kind, codec):
    import av

    file = io.BytesIO()
    names = {"mkv": "matroska", "ts": "mpegts"}
    with av.open(file, "w", format=names.get(kind, kind)) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return file.getvalue()


def archive(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
