"""Clips: true timestamps whatever the rate, upright frames, lossless copies where possible, cutting, and damaged files."""

import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest

from studio.data import dataset, limits
from studio.data.cutting import cut_clip
from studio.data.importer import import_media
from studio.data.media import clips
from studio.data.media.thumbnails import preview, thumbnail
from studio.data.media.transcode import prepare_clip


def make_clip(path, times, *, size=(64, 48), codec="libx264", audio=False, picture=None, base=Fraction(1, 90_000)):
    """A clip with one frame at each time (the last one closes it); a frame's grey is 200 x its time in seconds + 20."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = base
        stream.options = {"crf": "4", "preset": "ultrafast"} if codec == "libx264" else {"b": "2M", "deadline": "realtime"}
        sound = output.add_stream("aac" if path.suffix != ".webm" else "libopus", rate=48_000) if audio else None
        for time in times:
            pixels = np.full((size[1], size[0], 3), grey_at(time), np.uint8) if picture is None else picture
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time / base), base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound:
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
            noise.rate, noise.pts = 48_000, 0
            output.mux(sound.encode(noise))
            output.mux(sound.encode(None))
    return path


def grey_at(time):
    return min(int(20 + 200 * time), 255)


def frame_times(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [float(f.pts * stream.time_base) for f in container.decode(stream)]


def shown_times(frames):
    """The time each frame was made for, from its grey."""
    return (frames[:, 8:-8, 8:-8].mean(axis=(1, 2, 3)) - 20) / 200


def ffmpeg(*arguments):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, arguments)], check=True)


def varying_times():
    """Half a second at 30, a still of 0.3 s, then a burst at 60."""
    return [n / 30 for n in range(15)] + [0.8 + n / 60 for n in range(13)]


# -- reading by timestamp


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(60), Fraction(24_000, 1001), Fraction(25), Fraction(16)])
def test_clips_of_any_rate_are_read_at_their_true_speed(tmp_path, fps):
    path = make_clip(tmp_path / "clip.mp4", [float(n / fps) for n in range(int(fps) + 1)])
    frames = clips.read_frames(path, 13, 16)
    assert frames.shape == (13, 48, 64, 3) and frames.dtype == np.uint8
    assert np.abs(shown_times(frames) - np.arange(13) / 16).max() <= 0.5 / float(fps) + 0.012


def test_a_clip_of_varying_rate_keeps_its_still_and_its_burst(tmp_path):
    path = make_clip(tmp_path / "vfr.mp4", varying_times())
    made = np.array(varying_times())
    frames = clips.read_frames(path, 17, 16)
    assert len(frames) == 13 or len(frames) == 17
    info = clips.probe_clip(path)
    slack = min(0.5 / 16, 0.5 / info.fps)
    expected = [made[made <= n / 16 + slack + 1e-9].max() for n in range(len(frames))]
    assert np.abs(shown_times(frames) - expected).max() < 0.012
    still = [n for n in range(len(frames)) if 0.5 < n / 16 < 0.75]
    assert len(still) >= 3 and np.ptp(shown_times(frames)[still]) < 0.005


def test_reading_starts_at_the_asked_second(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", [n / 30 for n in range(31)])
    frames = clips.read_frames(path, 5, 16, start=0.5)
    assert np.abs(shown_times(frames) - (0.5 + np.arange(5) / 16)).max() < 0.03


@pytest.mark.parametrize(("wanted", "got"), [(5, 5), (9, 9), (13, 13), (17, 13), (81, 13), (1, 1)])
def test_a_short_clip_gives_the_largest_4n_plus_1_it_holds(tmp_path, wanted, got):
    path = make_clip(tmp_path / "clip.mp4", [n / 30 for n in range(30)])  # 1.0 s holds 16 frames at 16 fps
    assert len(clips.read_frames(path, wanted, 16)) == got


def test_frames_are_scaled_and_cropped_without_stretching(tmp_path):
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[24:72, 40:88] = 255  # a white square
    path = make_clip(tmp_path / "clip.mp4", [0, 0.1, 0.2, 0.3, 0.4, 0.5], size=(128, 96), picture=picture)
    frame = clips.read_frames(path, 1, 16, size=(48, 48))[0]
    white = frame.mean(axis=-1) > 128
    assert frame.shape == (48, 48, 3) and abs(white.any(axis=0).sum() - white.any(axis=1).sum()) <= 1 and abs(white.sum() - 24 * 24) < 60


def test_reading_too_much_or_behind_the_end_is_refused(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "clip.mp4", [n / 30 for n in range(30)])
    with pytest.raises(ValueError, match="earlier start"):
        clips.read_frames(path, 5, 16, start=3.0)
    monkeypatch.setattr(clips, "MAX_READ_BYTES", 1000)
    with pytest.raises(ValueError, match="too much memory"):
        clips.read_frames(path, 5, 16)


# -- into the dataset


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("a.mkv", "mpeg4")]
)
def test_every_container_becomes_silent_h264_with_the_same_times(project, tmp_path, name, codec):
    base = Fraction(1, 1000) if codec == "mpeg4" else Fraction(1, 90_000)
    path = make_clip(tmp_path / name, varying_times(), codec=codec, audio=True, base=base)
    result = import_media(project, [path])
    assert result.rejected == []
    item = dataset.get_item(project, "clip-01")
    assert (item.width, item.height, item.num_frames) == (64, 48, 28) and item.path.suffix == ".mp4"
    assert np.abs(np.array(frame_times(item.path)) - varying_times()).max() < 0.002
    with av.open(str(item.path)) as container:
        assert len(container.streams) == 1 and container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert (project.originals_dir / name).read_bytes() == path.read_bytes()


def test_a_matroska_clip_whose_frames_are_stored_out_of_order_comes_in(project, tmp_path):
    """x264's usual setting; Matroska does not write when such frames are decoded."""
    plain = make_clip(tmp_path / "plain.mp4", varying_times())
    ffmpeg("-i", plain, "-c:v", "libx264", "-bf", "3", "-fps_mode", "passthrough", tmp_path / "b.mkv")
    assert import_media(project, [tmp_path / "b.mkv"]).rejected == []
    assert np.abs(np.array(frame_times(dataset.get_item(project, "clip-01").path)) - varying_times()).max() < 0.002


def test_h264_is_copied_without_loss(tmp_path, media):
    target = tmp_path / "copy.mp4"
    info = prepare_clip(media / "bigbuckbunny.mp4", target)
    assert (info.num_frames, info.fps) == (132, 25.0)
    assert (clips.read_frames(target, 5, 16) == clips.read_frames(media / "bigbuckbunny.mp4", 5, 16)).all()


def test_metadata_of_a_clip_stays_behind(project, tmp_path):
    make_clip(tmp_path / "plain.mp4", [n / 30 for n in range(20)])
    tags = ["-metadata", "title=secret title", "-metadata", "location=+52.5+13.4/", "-metadata", "creation_time=2020-01-01T00:00:00Z"]
    ffmpeg("-i", tmp_path / "plain.mp4", "-c", "copy", *tags, tmp_path / "tagged.mp4")
    import_media(project, [tmp_path / "tagged.mp4"])
    item = dataset.get_item(project, "clip-01")
    assert b"secret" in (project.originals_dir / "tagged.mp4").read_bytes()
    raw = item.path.read_bytes()
    assert b"secret" not in raw and b"+52.5" not in raw
    with av.open(str(item.path)) as container:
        assert "creation_time" not in container.metadata and "creation_time" not in container.streams.video[0].metadata


@pytest.mark.parametrize(("degrees", "side"), [(90, "bottom"), (-90, "top"), (180, "right")])
def test_a_turned_clip_is_stored_upright(project, tmp_path, degrees, side):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = 255  # bright on the left before turning counterclockwise
    make_clip(tmp_path / "flat.mp4", [n / 30 for n in range(10)], picture=picture)
    ffmpeg("-display_rotation", degrees, "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "turned.mp4")
    import_media(project, [tmp_path / "turned.mp4"])
    item = dataset.get_item(project, "clip-01")
    assert (item.width, item.height) == ((64, 48) if degrees == 180 else (48, 64))
    expected = {"top": np.s_[4:20, 8:-8], "bottom": np.s_[-20:-4, 8:-8], "right": np.s_[8:-8, -20:-4]}[side]
    for path in (item.path, tmp_path / "turned.mp4"):
        frame = clips.read_frames(path, 1, 16)[0]
        assert frame.shape[:2] == (item.height, item.width) and frame[expected].mean() > 240 and frame.mean() < 150


def test_odd_sizes_wide_pixels_ten_bits_and_hdr_become_plain(project, tmp_path):
    make_clip(tmp_path / "flat.mp4", [n / 30 for n in range(6)])
    ten = ["-pix_fmt", "yuv420p10le", "-c:v", "libx264"]
    ffmpeg("-i", tmp_path / "flat.mp4", "-vf", "scale=63:47", "-pix_fmt", "yuv444p", tmp_path / "1.mp4")
    ffmpeg("-i", tmp_path / "flat.mp4", "-vf", "setsar=2", tmp_path / "2.mp4")
    ffmpeg("-i", tmp_path / "flat.mp4", *ten, tmp_path / "3.mp4")
    hlg = ["-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc"]
    ffmpeg("-i", tmp_path / "flat.mp4", *ten, *hlg, tmp_path / "4.mp4")
    sizes = []
    for n in range(1, 5):
        result = import_media(project, [tmp_path / f"{n}.mp4"])
        assert result.rejected == []
        item = dataset.get_item(project, result.added[0])
        sizes.append((item.width, item.height))
        with av.open(str(item.path)) as container:
            assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert sizes[0] in ((62, 46), (64, 48), (64, 46), (62, 48)) and sizes[1:] == [(128, 48), (64, 48), (64, 48)]


def test_a_large_clip_is_scaled_down(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_CLIP_SIDE", 48)
    info = prepare_clip(make_clip(tmp_path / "a.mp4", [0, 0.1, 0.2]), tmp_path / "b.mp4")
    assert (info.width, info.height) == (48, 36)


# -- files that will not do


def refusal(project, path):
    result = import_media(project, [path])
    assert result.added == [] and dataset.list_items(project) == []
    return result.rejected[0][1]


def test_a_clip_without_video_is_refused(project, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", tmp_path / "sound.mp4")
    assert "no video" in refusal(project, tmp_path / "sound.mp4")


def test_a_song_with_a_cover_picture_is_no_clip(project, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", tmp_path / "cover.jpg")
    inputs = ["-f", "lavfi", "-i", "sine=d=1", "-i", tmp_path / "cover.jpg"]
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "copy", "-disposition:v:0", "attached_pic", tmp_path / "song.mp4")
    assert "no video" in refusal(project, tmp_path / "song.mp4")


def test_a_clip_in_an_unknown_encoding_is_refused(project, tmp_path):
    raw = make_clip(tmp_path / "a.mp4", [n / 30 for n in range(5)]).read_bytes()
    (tmp_path / "b.mp4").write_bytes(raw.replace(b"avc1\0", b"zzzz\0").replace(b"\0avc1", b"\0zzzz"))
    assert "can't be read" in refusal(project, tmp_path / "b.mp4")


def test_a_clip_of_a_single_picture_is_refused(project, tmp_path):
    assert "single picture" in refusal(project, make_clip(tmp_path / "a.mp4", [0]))


def test_a_clip_that_lasts_too_long_or_is_too_large_is_refused(project, tmp_path, monkeypatch):
    path = make_clip(tmp_path / "a.mp4", [n / 10 for n in range(20)])
    monkeypatch.setattr(limits, "MAX_CLIP_SECONDS", 1)
    monkeypatch.setattr(limits, "MAX_FILM_SECONDS", 1)  # between the two it is a film, of which pieces are taken
    assert "the most is" in refusal(project, path)
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_CLIP_PIXELS", 1000)
    assert "too many to decode" in refusal(project, path)
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_CLIP_FRAMES", 10)
    assert "more than 10 frames" in refusal(project, path)


def test_a_truncated_or_scrambled_clip_is_refused(project, tmp_path, media):
    whole = (media / "bigbuckbunny.mp4").read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], whole[:3000] + b"\xaa" * (len(whole) - 3000), whole[:200])):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        reason = refusal(project, path)
        assert any(word in reason for word in ("damaged", "incomplete"))


def test_a_truncated_matroska_clip_is_refused_or_read_as_far_as_it_goes(project, tmp_path):
    raw = make_clip(tmp_path / "a.mkv", [n / 30 for n in range(60)]).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(raw[: len(raw) // 2])
    assert any(word in refusal(project, tmp_path / "cut.mkv") for word in ("incomplete", "damaged"))


def test_a_long_import_of_a_clip_can_be_stopped(project, tmp_path):
    path = make_clip(tmp_path / "a.mkv", [n / 30 for n in range(60)], codec="mpeg4", base=Fraction(1, 30))
    calls = iter([False] * 5 + [True] * 1000)
    result = import_media(project, [path], should_stop=lambda: next(calls))
    assert result.stopped and result.added == [] and result.rejected == [] and dataset.list_items(project) == []


# -- cutting and showing


@pytest.fixture
def clip_project(project, tmp_path):
    import_media(project, [make_clip(tmp_path / "a.mp4", [n / 30 for n in range(31)])])
    dataset.set_caption(project, "clip-01", "ohwx, waving")
    return project


def test_a_clip_is_cut_and_the_cut_undone(clip_project):
    before = dataset.get_item(clip_project, "clip-01")
    raw, original = before.path.read_bytes(), (clip_project.originals_dir / "a.mp4").read_bytes()
    assert cut_clip(clip_project, "clip-01", 0.4, 0.8) == "clip-01"
    after = dataset.get_item(clip_project, "clip-01")
    assert after.seconds == pytest.approx(0.4, abs=0.04) and after.caption == before.caption and after.sha256 != before.sha256
    frames = clips.read_frames(after.path, 5, 16)
    assert np.abs(shown_times(frames) - (0.4 + np.arange(5) / 16)).max() < 0.05
    assert (clip_project.originals_dir / "a.mp4").read_bytes() == original
    assert dataset.undo(clip_project) == "Undone: Cut of clip-01."
    assert dataset.get_item(clip_project, "clip-01") == before and before.path.read_bytes() == raw


def test_a_part_can_become_an_item_of_its_own(clip_project):
    assert cut_clip(clip_project, "clip-01", 0.0, 0.5, as_new=True) == "clip-02"
    items = dataset.list_items(clip_project)
    assert [i.id for i in items] == ["clip-01", "clip-02"] and items[1].caption == "ohwx, waving" and items[0].sha256 != items[1].sha256
    dataset.undo(clip_project)
    assert [i.id for i in dataset.list_items(clip_project)] == ["clip-01"] and not (clip_project.dataset_dir / "clip-02.txt").exists()


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (0.8, 0.2), (-1, 0.5), (5, 6), (0.5, 0.51)])
def test_a_cut_that_does_not_fit_is_refused(clip_project, start, end):
    with pytest.raises(ValueError, match="does not fit"):
        cut_clip(clip_project, "clip-01", start, end)
    assert dataset.can_undo(clip_project) == "Caption of clip-01"


def test_a_clip_shows_a_middle_frame_and_plays_itself(clip_project):
    item = dataset.get_item(clip_project, "clip-01")
    assert thumbnail(clip_project, item).suffix == ".jpg" and preview(clip_project, item) == item.path
