"""Exports by the neighbours' own rules: every item is seen, clips move as they were filmed, and as many steps are taken as were here."""

import functools
import os
import re
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from export_kit import NO_FILES
from neighbours_kit import PLAYS
from PIL import Image

from studio.config import TrainConfig, from_dict
from studio.data.item_record import Item
from studio.data.media.clips import probe_clip
from studio.export.dataset_copy import group_for_trainers
from studio.export.media import copy_photo
from studio.export.source import Source
from studio.export.targets import find_target
from studio.models.preset import model_preset
from studio.project_facts import Person

SHAPES = [(96, 72), (72, 96), (96, 54), (54, 96), (52, 112), (80, 80), (96, 64), (64, 96)]  # of phones and cameras
DARK, BRIGHT = 30, 220  # a clip brightens evenly, so that each frame tells its own time


def shape(number):
    return SHAPES[number % len(SHAPES)]


# (photos, [(frames a second, seconds)], settings of the training)
DATASETS = {
    "four photos": (4, [], {"steps": 1500}),
    "ten photos of many shapes": (10, [], {"steps": 2001, "save_every": 500}),
    "thirty photos": (30, [], {"steps": 3000, "accumulation": 8}),
    "sixty photos": (60, [], {"steps": 3000, "accumulation": 3, "high_noise_share": 0.25}),
    "clips of 24": (0, [(24, 2.5)] * 4, {"steps": 1000, "save_every": 400}),
    "clips of 23.976": (0, [(24000 / 1001, 2.2)] * 3 + [(24000 / 1001, 1.2)], {"steps": 900}),
    "clips of 12 to 60": (0, [(12, 3), (15, 3), (25, 2.5), (30, 2.5), (50, 2.2), (60, 2.2)], {"steps": 1200, "accumulation": 5}),
    "short clips": (0, [(30, 0.5), (30, 0.9), (30, 1.4), (60, 0.4)], {"steps": 800, "accumulation": 2}),
    "photos and clips": (12, [(30, 2.5), (24, 1.1), (60, 1.0)], {"steps": 3000}),
    "moments": (6, [(30, 0.1), (24, 0.2), (16, 2.5)], {"steps": 500, "accumulation": 1}),
    "long clips": (5, [(30, 6), (29.97, 5)], {"steps": 2400, "data": {"clip_frames": 81}, "high_noise_share": 0.75}),
    "one clip among many": (40, [(25, 2.5)], {"steps": 3000, "accumulation": 16, "memory": {"blocks_swapped": 40}}),
}


def make_clip(path, fps, seconds):
    rate = Fraction(fps).limit_denominator(1001)
    count = max(2, round(fps * seconds))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 96, "yuv420p", {"crf": "4", "bf": "0", "preset": "ultrafast"}
        for number in range(count):
            level = round(DARK + (BRIGHT - DARK) * number / count)
            frame = av.VideoFrame.from_ndarray(np.full((96, 64, 3), level, np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def make_items(folder, photos, clips):
    rng, items = np.random.default_rng(0), []
    known = {"caption": "ohwx, a person", "caption_source": "hand", "original": ""}
    for number in range(photos):
        width, height = shape(number)
        path = folder / f"{number:04d}.jpg"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        items.append(Item(id=path.stem, path=path, kind="photo", width=width, height=height, sha256=path.stem, **known))
    for number, (fps, seconds) in enumerate(clips):
        path = folder / f"clip-{number:02d}.mp4"
        make_clip(path, fps, seconds)
        items.append(Item(id=path.stem, path=path, sha256=path.stem, **known, **probe_clip(path).media_fields()))
    return items


@functools.cache
def made_items(photos, clips):
    """The items of a dataset; each is made once."""
    return make_items(Path(tempfile.mkdtemp(prefix="neighbours")), photos, clips)


def export(tmp_path, to, photos, clips, settings, model="wan22-t2v-a14b"):
    train, preset = from_dict(TrainConfig, settings), model_preset(model)
    items = made_items(photos, tuple(clips))
    source = Source(
        pair=NO_FILES,
        name="anna_run1_step30",
        person=Person(trigger="ohwx", class_noun="person", base_model=model),
        preset=preset,
        rank=4,
        train=train,
        strength=None,
        groups=group_for_trainers(items, preset, train),
    )
    folder = tmp_path / "export"
    folder.mkdir()
    find_target(to).write(source, folder)
    return folder, train, items


def true_speed(path, frames, seconds):
    """How fast the motion is that a trainer sees, told by the brightness of the frames that it takes."""
    with av.open(str(path)) as container:
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    times = (np.array([levels[index] for index in frames]) - DARK) / (BRIGHT - DARK) * seconds
    return np.polyfit(np.arange(len(frames)) / 16, times, 1)[0]


@pytest.mark.parametrize("to", PLAYS)
@pytest.mark.parametrize("name", DATASETS)
def test_a_neighbour_sees_every_item_at_its_true_speed_for_as_many_steps(tmp_path, name, to):
    photos, clips, settings = DATASETS[name]
    folder, train, items = export(tmp_path, to, photos, clips, settings)
    played = PLAYS[to](folder)
    assert {Path(file).stem for file in played.seen} == {item.id for item in items}
    for item in (item for item in items if item.kind == "clip"):
        file = next(folder.rglob(f"{item.id}.*[4g]"))
        frames = played.seen[file.name]
        half_a_frame = 0.5 / item.fps / (len(frames) / 16)  # each frame is the nearest that was filmed
        if len(frames) > 1:
            room = 0.03 if len(frames) >= 33 else 0.02 + half_a_frame
            assert true_speed(file, frames, item.seconds) == pytest.approx(1, abs=room), file.name
    assert sum(played.steps.values()) == pytest.approx(train.steps, rel=0.01)
    share = 0.5 if to == "ai-toolkit" else train.high_noise_share
    assert played.steps["high_noise"] == pytest.approx(train.steps * share, rel=0.01)
    assert played.cut_off <= 0.03
    check_promise(find_target(to).promise(folder), played, folder)


def check_promise(promise, played, folder):
    """What the answer promises is what the rules, read a second time, make of it."""
    assert (promise.lost, promise.items, promise.frames) == ((), len(played.seen), played.frames)
    assert promise.steps == {expert: steps for expert, steps in played.steps.items() if steps}
    assert promise.is_kept and (promise.slowest, promise.fastest) == (1.0, 1.0)
    assert promise.seconds == pytest.approx(played.frames / 16, rel=1e-3)
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert all(line in readme for line in promise.in_words())


def test_clips_for_a_model_that_is_given_the_first_picture_are_all_seen(tmp_path):
    """Single pictures among clips are an error there, and none are exported."""
    folder, *_ = export(tmp_path, "diffusion-pipe", 0, [(30, 2.5), (24, 1.1)], {"steps": 100}, "wan22-i2v-a14b")
    assert {len(frames) for frames in PLAYS["diffusion-pipe"](folder).seen.values()} == {33, 17}


def spoil(folder, name, change):
    path = folder / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    ("to", "name", "change", "lost"),
    [
        ("diffusion-pipe", "dataset.toml", lambda text: text.replace("num_repeats = 4", "num_repeats = 1"), 4),  # two of each kind
        ("diffusion-pipe", "dataset.toml", lambda text: re.sub(r"^(\s+)33,", r"\g<1>37,", text, flags=re.M), 1),
        ("musubi", "dataset.toml", lambda text: re.sub(r"^(\s+)33,", r"\g<1>37,", text, flags=re.M), 1),
        ("ai-toolkit", "config.yaml", lambda text: text.replace("folder_path: dataset/photos", "folder_path: dataset/clips-33-frames"), 3),
    ],
)
def test_a_promise_tells_what_would_be_lost(tmp_path, to, name, change, lost):
    """The promise is reckoned from the files: a config that loses items says so."""
    folder, *_ = export(tmp_path, to, 3, [(30, 2.5)], {"steps": 100})
    spoil(folder, name, change)
    promise = find_target(to).promise(folder)
    assert len(promise.lost) == lost and not promise.is_kept
    assert "It never sees" in promise.in_words()[0]


def test_photos_that_not_every_trainer_reads_are_exported_as_they_are_seen(tmp_path):
    """A photo that lies in dataset/ by hand: turned by a note that diffusion-pipe doesn't read, or of a kind that AI Toolkit passes over."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((48, 96, 3), np.uint8)).save(folder / "turned.jpg", exif=exif)
    Image.fromarray(np.zeros((48, 96, 3), np.uint8)).save(folder / "old.bmp")
    for path in list(folder.iterdir()):
        copy_photo(path, tmp_path)
    sizes = {path.name: Image.open(path).size for path in tmp_path.glob("*.jpg")}
    assert sizes == {"turned.jpg": (48, 96), "old.jpg": (96, 48)}


# -- start scripts

NOTE = '#!/bin/sh\necho "$0 $*" >> "$CALLS"\n'


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def neighbour(place, to):
    """A folder that looks like the neighbour's, whose Python notes how it was called."""
    put(place / "venv/bin/python", NOTE)
    for name in {"ai-toolkit": ["run.py"], "diffusion-pipe": ["train.py"], "musubi": ["src/musubi_tuner/wan_train_network.py"]}[to]:
        put(place / name, "")
    (place / "models/low_noise_model").mkdir(parents=True)
    put(place / "models/wan_2.1_vae.safetensors", "")


@pytest.mark.skipif(os.name == "nt", reason="start.sh is for Linux and macOS")
@pytest.mark.parametrize("to", PLAYS)
def test_start_sh_starts_the_neighbour_in_this_folder(tmp_path, to):
    folder, *_ = export(tmp_path, to, 3, [], {"steps": 100})
    place = tmp_path / "a place & more"
    neighbour(place, to)
    put(tmp_path / "path/deepspeed", NOTE)
    env = {"PATH": f"{tmp_path / 'path'}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls.txt")}
    subprocess.run(["sh", folder / "start.sh", place.name, f"{place.name}/models"], env=env, check=True, cwd=tmp_path)
    calls = (tmp_path / "calls.txt").read_text().splitlines()
    if to == "ai-toolkit":
        assert calls == [f"{place}/venv/bin/python {place}/run.py config.yaml"]
    elif to == "diffusion-pipe":
        assert [call.rpartition(" ")[2] for call in calls] == ["started/high_noise.toml", "started/low_noise.toml"]
        assert f'ckpt_path = "{place}/models"' in (folder / "started/low_noise.toml").read_text()
    else:
        assert [call.split("musubi_tuner/")[1].split()[0] for call in calls] == [
            "wan_cache_latents.py",
            "wan_cache_text_encoder_outputs.py",
            "wan_train_network.py",
            "wan_train_network.py",
        ]
        assert calls[-1].endswith(f"--config_file low_noise.toml --dit {place}/models/wan2.2_t2v_low_noise_14B_fp16.safetensors")
    refused = subprocess.run(["sh", folder / "start.sh"], env=env, capture_output=True, text=True)
    assert refused.returncode == 2 and "Name the folder" in refused.stderr


@pytest.mark.parametrize("to", PLAYS)
def test_start_bat_is_a_windows_file_that_goes_to_its_folder(tmp_path, to):
    folder, *_ = export(tmp_path, to, 3, [], {"steps": 100})
    data = (folder / "start.bat").read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n") and b'cd /d "%~dp0"' in data
    assert (b"wsl" in data) == (to == "diffusion-pipe")
