"""Photos and clips come in as they are seen: turned once, HDR and wide gamuts as SDR, interlaced clips in whole frames, animations as clips."""

import os
import struct
import subprocess
import sys
import zlib

import av
import imageio_ffmpeg
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from studio.data import dataset
from studio.data.importer import import_media
from studio.data.media import clips
from studio.data.media.colours import Colours, map_to_srgb
from studio.data.media.photos import load_photo

PQ, HLG, BT709, BT2020, P3 = 16, 18, 1, 9, 12
NAMES = {PQ: "smpte2084", HLG: "arib-std-b67"}
# linear BT.709 to BT.2020 (BT.2087, table 1) and to P3 with D65 (of SMPTE EG 432-1's chromaticities)
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
MATRICES = {BT709: np.eye(3), BT2020: TO_BT2020, P3: TO_P3}
LEVELS = 8
SIDE = 16


def chart():
    """Greys of all heights, colours at two levels (not to the last digit, which 10 bits of YUV lose), and skins: patches of 16 px in 6 columns and 4 rows."""
    greys = [(v, v, v) for v in (0, 20, 60, 118, 180, 235, 255)]
    colours = [
        tuple(level if part else level // 10 for part in c)
        for level in (120, 220)
        for c in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0))
    ]
    skins = [(224, 172, 145), (141, 85, 60), (80, 50, 40), (250, 220, 200), (198, 134, 66)]
    rows = np.array(greys + colours + skins, np.uint8).reshape(4, 6, 3)
    return rows.repeat(SIDE, 0).repeat(SIDE, 1)


def light_of(srgb):
    s = srgb / 255
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def signal_of(srgb, primaries, transfer):
    """The chart as an HDR file holds it, from 0 to 1: SDR's white at 203 cd/m2 in PQ, at 75 % in HLG (BT.2408, table 1)."""
    light = np.clip(light_of(srgb) @ MATRICES[primaries].T, 0, 1)
    if transfer == PQ:
        y = (light * 203 / 10_000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)
    if transfer == HLG:
        scene = light * 0.265
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def worst(pixels):
    """The largest difference from the chart in the middle of any patch."""
    half = SIDE // 2
    return int(np.abs(np.asarray(pixels, int)[half::SIDE, half::SIDE] - chart()[half::SIDE, half::SIDE].astype(int)).max())


def write_png(path, signal, primaries, transfer):
    """16 bits a colour, with a cICP chunk."""
    height, width, _ = signal.shape
    rows = (signal * 65535).round().astype(">u2")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"cICP", bytes([primaries, transfer, 0, 1])), (b"IDAT", data), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def ffmpeg(*arguments):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, arguments)], check=True)


def write_by_ffmpeg(path, signal, transfer, *options):
    """A picture or clip of BT.2020 in 10 bits, by a program that is not ours."""
    luma = signal @ (0.2627, 0.6780, 0.0593)
    planes = [luma * 876 + 64, (signal[..., 2] - luma) / 1.8814 * 896 + 512, (signal[..., 0] - luma) / 1.4746 * 896 + 512]
    raw = path.with_suffix(".yuv")
    raw.write_bytes(b"".join(plane.round().astype("<u2").tobytes() for plane in planes) * (1 if path.suffix == ".avif" else 12))
    height, width, _ = signal.shape
    colours = ["-color_primaries", "bt2020", "-color_trc", NAMES[transfer], "-colorspace", "bt2020nc", "-color_range", "tv"]
    size = ["-pix_fmt", "yuv444p10le", "-s", f"{width}x{height}", "-r", "24"]
    ffmpeg("-f", "rawvideo", *size, *colours, "-i", raw, *options, *colours, path)
    return path


def one_item(project, path):
    result = import_media(project, [path])
    assert result.rejected == [] and len(result.added) == 1, result.rejected
    return dataset.get_item(project, result.added[0])


# -- HDR and wide gamuts


@pytest.mark.parametrize("primaries", [BT709, BT2020, P3])
@pytest.mark.parametrize("transfer", [PQ, HLG, 13])
def test_an_hdr_photo_looks_as_the_same_chart_in_sdr(project, tmp_path, primaries, transfer):
    item = one_item(project, write_png(tmp_path / "a.png", signal_of(chart(), primaries, transfer), primaries, transfer))
    assert worst(load_photo(item.path)) <= LEVELS


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_an_hdr_avif_looks_as_the_same_chart_in_sdr(project, tmp_path, transfer):
    signal = signal_of(chart(), BT2020, transfer)
    path = write_by_ffmpeg(
        tmp_path / "a.avif", signal, transfer, "-c:v", "libaom-av1", "-still-picture", "1", "-crf", "4", "-cpu-used", "8"
    )
    assert worst(load_photo(one_item(project, path).path)) <= LEVELS


def test_an_hdr_heic_looks_as_the_same_chart_in_sdr(project, tmp_path):
    pixels = (signal_of(chart(), BT2020, PQ) * 65535).round().astype(np.uint16)
    image = pillow_heif.from_bytes("RGB;16", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    path = tmp_path / "a.heic"
    image.save(path, quality=-1, chroma=444, color_primaries=BT2020, transfer_characteristics=PQ, matrix_coefficients=9, full_range_flag=1)
    assert worst(load_photo(one_item(project, path).path)) <= LEVELS


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_an_hdr_clip_looks_as_the_same_chart_in_sdr(project, tmp_path, transfer):
    options = ["-c:v", "libx265", "-x265-params", "log-level=error:lossless=1", "-tag:v", "hvc1"]
    item = one_item(project, write_by_ffmpeg(tmp_path / "a.mov", signal_of(chart(), BT2020, transfer), transfer, *options))
    assert worst(clips.read_frames(item.path, 5, 16)[2]) <= LEVELS
    with av.open(str(item.path)) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)) == (1, 1, 1)


def test_highlights_keep_their_hue_and_greys_their_order():
    bright = signal_of(np.full((1, 1, 3), 255), BT2020, PQ)[0, 0] * np.linspace(0.2, 1.6, 60)[:, None]
    levels = map_to_srgb(np.minimum(bright, 1), Colours(BT2020, PQ)).astype(int)
    assert (np.diff(levels[:, 0]) >= 0).all() and levels[-1, 0] == 255 and (levels.max(1) - levels.min(1) <= 1).all()
    lamp = map_to_srgb(np.array([[0.75, 0.6, 0.5]]), Colours(BT2020, PQ))[0].astype(int)  # far above white, and orange
    assert lamp[0] >= 250 and lamp[0] > lamp[1] + 30 > lamp[2] + 50


# -- TIFF


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(project, tmp_path, orientation, compression):
    upright = Image.new("RGB", (96, 64), "white")
    upright.paste((0, 0, 0), (0, 0, 48, 32))  # dark at the top left
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    stored.save(tmp_path / "a.tif", compression=compression, tiffinfo={274: orientation})
    shown = load_photo(one_item(project, tmp_path / "a.tif").path)
    assert shown.size == (96, 64) and max(shown.getpixel((12, 12))) < 20
    assert min(min(shown.getpixel(place)) for place in ((84, 12), (12, 52), (84, 52))) > 235


def write_tiff(path, pixels, photometric, bits, sample_format, more=(), orientation=1):
    """One strip, no compression."""
    height, width = pixels[0]
    tags = [(256, 4, width), (257, 4, height), (259, 3, 1), (262, 3, photometric), (274, 3, orientation), (277, 3, 3), (278, 4, height)]
    tags += [(279, 4, len(pixels[1])), *more]
    first = 8 + 2 + 12 * (len(tags) + 3) + 4
    tags += [(273, 4, first + 12), (258, (3, 3), first), (339, (3, 3), first + 6)]
    entries = b""
    for tag, kind, value in sorted(tags, key=lambda t: t[0]):
        kind, count = kind if isinstance(kind, tuple) else (kind, 1)
        packed = struct.pack("<HH", *value) if isinstance(value, tuple) else struct.pack("<I", value)
        entries += struct.pack("<HHI", tag, kind, 2 if isinstance(value, tuple) else count) + packed
    arrays = struct.pack("<6H", *[bits] * 3, *[sample_format] * 3)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + arrays + pixels[1])
    return path


@pytest.mark.parametrize("kind, bits", [(np.float16, 16), (np.float32, 32), (np.float64, 64), (np.uint32, 32)])
def test_a_tiff_of_floats_or_of_32_bits_is_a_photo(project, tmp_path, kind, bits):
    wanted = chart()
    values = wanted / 255 if np.dtype(kind).kind == "f" else wanted.astype(np.uint64) * 0x01010101
    path = write_tiff(
        tmp_path / "a.tif", (wanted.shape[:2], values.astype(kind).tobytes()), 2, bits, 3 if np.dtype(kind).kind == "f" else 1
    )
    assert worst(load_photo(one_item(project, path).path)) <= LEVELS


def test_a_tiff_of_floats_is_turned_once_too(project, tmp_path):
    stored = np.rot90(chart(), 1)  # orientation 6 turns it clockwise
    data = np.ascontiguousarray(stored / 255).astype(np.float32).tobytes()
    path = write_tiff(tmp_path / "a.tif", (stored.shape[:2], data), 2, 32, 3, orientation=6)
    assert worst(load_photo(one_item(project, path).path)) <= LEVELS


@pytest.mark.parametrize("half", [1, 2])
def test_a_tiff_of_luma_and_colour_differences_is_a_photo(project, tmp_path, half):
    ycc = np.asarray(Image.fromarray(chart()).convert("YCbCr"))
    height, width, _ = ycc.shape
    blocks = ycc.reshape(height // half, half, width // half, half, 3).transpose(0, 2, 1, 3, 4)
    luma, differences = blocks[..., 0].reshape(*blocks.shape[:2], -1), blocks[:, :, 0, 0, 1:]
    data = np.concatenate([luma, differences], -1).tobytes()
    path = write_tiff(tmp_path / "a.tif", ((height, width), data), 6, 8, 1, more=[(530, 3, (half, half))])
    assert worst(load_photo(one_item(project, path).path)) <= LEVELS


def test_a_tiff_that_no_library_reads_is_refused_with_a_sentence(project, tmp_path):
    data = chart().tobytes()
    path = write_tiff(tmp_path / "a.tif", (chart().shape[:2], data[: len(data) // 3]), 2, 32, 3)
    result = import_media(project, [path])
    assert result.added == [] and "damaged or incomplete" in result.rejected[0].words


# -- other kinds of photos


def test_of_a_tiff_with_several_pages_the_first_comes_in_and_the_others_are_told(project, tmp_path):
    pages = [Image.new("RGB", (120, 90), colour) for colour in ("red", "green", "blue")]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.tif", compression="tiff_lzw")
    result = import_media(project, [tmp_path / "pages.tif", tmp_path / "one.tif"])
    assert len(result.added) == 2 and [(note.name, "3 pictures" in note.words) for note in result.notes] == [("pages.tif", True)]


def test_a_picture_of_a_kind_that_is_not_read_is_called_one(project, tmp_path):
    for name in ("a.tga", "b.ppm", "c.exr"):
        (tmp_path / name).write_bytes(b"P6 1 1 255 abcdefghijkl")
    result = import_media(project, [tmp_path])
    assert [note.name.rpartition("/")[2] for note in result.rejected] == ["a.tga", "b.ppm", "c.exr"]
    assert all("not supported; save it as one of" in note.words for note in result.rejected)


def test_jpeg_2000_is_a_photo_and_jpeg_xl_is_refused_with_what_to_do(project, tmp_path):
    Image.fromarray(chart()).save(tmp_path / "a.jp2")
    Image.fromarray(chart()).save(tmp_path / "b.j2k")
    (tmp_path / "c.jxl").write_bytes(b"\xff\x0a" + bytes(200))
    (tmp_path / "d.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(200))
    result = import_media(project, [tmp_path])
    assert len(result.added) == 2 and all(worst(load_photo(item.path)) <= LEVELS for item in dataset.list_items(project))
    assert [note.name.split("/")[-1] for note in result.rejected] == ["c.jxl", "d.jxl"]
    assert all("JPEG XL" in note.words and "save it as PNG or JPEG" in note.words for note in result.rejected)


# -- clips


def write_moving(path, *options, count=24):
    """A white bar that moves by 4 px a frame, at 50 moments a second."""
    moments = np.zeros((2 * count, 64, 160, 3), np.uint8)
    for number, picture in enumerate(moments):
        picture[:, 3 * number : 3 * number + 12] = 255
    raw = path.with_suffix(".rgb")
    raw.write_bytes(moments.tobytes())
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "160x64", "-r", "50", "-i", raw, *options, path)
    return path


def combs(frame):
    """How much neighbouring lines differ, where a picture without combs has equal lines."""
    luma = frame.astype(int).mean(-1)
    return float(np.abs(np.diff(luma[8:-8], axis=0)).mean())


INTERLACED = {
    "top.mp4": ["-vf", "tinterlace=interleave_top,setfield=tff", "-c:v", "libx264", "-x264-params", "tff=1", "-flags", "+ildct+ilme"],
    "bottom.mp4": ["-vf", "tinterlace=interleave_bottom,setfield=bff", "-c:v", "libx264", "-x264-params", "bff=1", "-flags", "+ildct+ilme"],
    "camera.ts": ["-vf", "tinterlace=interleave_top,setfield=tff", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme"],
}


@pytest.mark.parametrize("name", INTERLACED)
def test_an_interlaced_clip_comes_in_as_whole_frames(project, tmp_path, name):
    path = write_moving(tmp_path / name, *INTERLACED[name])
    with av.open(str(path)) as container:
        before = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    item = one_item(project, path)
    frames = clips.read_frames(item.path, 17, 25)
    assert combs(before[8]) > 5 and max(combs(frame) for frame in frames) < 1.5
    assert item.num_frames in (24, 25) and abs(item.seconds - 0.96) < 0.06
    middles = [float((frame[32].mean(-1) > 128).nonzero()[0].mean()) for frame in frames[2:15]]
    assert np.abs(np.diff(middles) - 6).max() < 2.5  # it moves on at its own speed


def test_a_clip_that_becomes_interlaced_later_is_noticed(project, tmp_path):
    plain = write_moving(tmp_path / "plain.mp4", "-r", "25", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    combed = write_moving(tmp_path / "combed.mp4", *INTERLACED["top.mp4"], "-pix_fmt", "yuv420p")
    (tmp_path / "list").write_text(f"file '{plain}'\nfile '{combed}'\n", encoding="utf-8")
    ffmpeg("-f", "concat", "-safe", "0", "-i", tmp_path / "list", "-c", "copy", tmp_path / "both.ts")
    item = one_item(project, tmp_path / "both.ts")
    with av.open(str(item.path)) as container:
        assert max(combs(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)) < 1.5


@pytest.mark.parametrize("name", ["a.ts", "a.mts", "a.m2ts", "a.ogv"])
def test_cameras_and_old_browsers_kinds_of_clips_come_in(project, tmp_path, name):
    codec = ["-c:v", "libtheora", "-q:v", "8"] if name == "a.ogv" else ["-c:v", "libx264", "-pix_fmt", "yuv420p"]
    stream = ["-f", "mpegts", "-mpegts_m2ts_mode", str(int(name != "a.ts"))] if name != "a.ogv" else []
    item = one_item(project, write_moving(tmp_path / name, "-r", "25", *codec, *stream))
    assert item.kind == "clip" and item.fps == pytest.approx(25, abs=0.6) and item.num_frames in (24, 25, 26)
    frames = clips.read_frames(item.path, 13, 25)
    middles = [float((frame[32].mean(-1) > 128).nonzero()[0].mean()) for frame in frames]
    assert np.abs(np.diff(middles)[4:] - 6).max() < 2.5


# -- animations


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.avif"])
def test_an_animation_is_a_clip_at_its_own_speed(project, tmp_path, name):
    greys, shown = (40, 90, 140, 190, 240), (200, 100, 100, 300, 100)
    pictures = [Image.new("RGB", (96, 64), (grey,) * 3) for grey in greys]
    kept = {"lossless": True} if name == "a.webp" else {}
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=list(shown), loop=0, **kept)
    item = one_item(project, tmp_path / name)
    assert item.kind == "clip" and item.num_frames == 5 and item.seconds == pytest.approx(0.8, abs=0.11)
    frames = clips.read_frames(item.path, 5, 10)[:, 32, 48].mean(-1)
    assert np.abs(frames - (40, 40, 90, 140, 190)).max() < 8


def test_a_still_in_a_format_of_animations_is_a_photo(project, tmp_path):
    for name in ("a.gif", "b.webp", "c.avif", "d.png"):
        Image.fromarray(chart()).rotate(ord(name[0])).save(tmp_path / name)
    result = import_media(project, [tmp_path])
    assert len(result.added) == 4 and {item.kind for item in dataset.list_items(project)} == {"photo"}


def test_a_damaged_animation_is_refused_with_a_sentence(project, tmp_path):
    noise = [Image.fromarray(np.random.default_rng(n).integers(0, 255, (64, 96, 3), np.uint8)) for n in range(4)]
    noise[0].save(tmp_path / "a.webp", save_all=True, append_images=noise[1:], duration=100)
    data = (tmp_path / "a.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(data[: len(data) * 2 // 3])
    result = import_media(project, [tmp_path / "a.webp"])
    assert result.added == [] and "damaged" in result.rejected[0].words


# -- what never ends


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders, and makes links only for administrators")
def test_a_loop_of_links_or_a_pipe_never_holds_an_import_up(project, tmp_path):
    folder = tmp_path / "in"
    (folder / "inner").mkdir(parents=True)
    Image.fromarray(chart()).save(folder / "ok.jpg")
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    (folder / "inner" / "up").symlink_to(folder)
    (folder / "a.jpg").symlink_to(folder / "a.jpg")
    for name in ("pipe.jpg", "pipe.txt", "pipe"):
        os.mkfifo(folder / name)
    (folder / "zero.png").symlink_to("/dev/zero")
    command = [sys.executable, "-c", IMPORT, str(project.root), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1"], (done.stdout, done.stderr)


IMPORT = """
import sys
from pathlib import Path
from studio.data.importer import import_media
from studio.workspace import Project
print(len(import_media(Project(Path(sys.argv[1])), [Path(sys.argv[2])]).added))
"""
