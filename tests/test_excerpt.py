"""What of a clip is trained: one decision for the cache and for what is shown, and said where it is not all of the clip."""

from dataclasses import replace

import numpy as np
import pytest
from test_clips import make_clip, shown_times, varying_times
from training_kit import add_clip, new_project

from studio.config import DataConfig
from studio.data import cache
from studio.data.dataset import get_item, kept_items
from studio.data.media.clips import probe_clip, read_frames
from studio.data.media.even_rate import Part, write_part
from studio.data.pieces.excerpt import Rule, choose_excerpt, describe_excerpt, read_excerpt, rule_of, why_shortened
from studio.data.pieces.trained_view import trained_view
from studio.machine import read_machine
from studio.models.preset import list_models, model_preset
from studio.training.plan.planner import propose

SETTINGS = DataConfig(photo_size=48, clip_size=48, clip_frames=9)


@pytest.fixture
def clip_project(tiny_base):
    project = new_project(tiny_base, photos=2)
    add_clip(project, 1, num_frames=40, fps=16)
    return project


def test_the_frames_that_are_shown_are_exactly_those_that_the_cache_encodes(clip_project, tiny_base):
    item = get_item(clip_project, "clip-01")
    sample = cache.plan_samples([item], base=tiny_base, data_config=SETTINGS, trigger="ohwx", class_noun="person")[0]
    excerpt = choose_excerpt(item, SETTINGS, rule_of(tiny_base.preset))
    assert (excerpt.size, excerpt.num_frames, excerpt.fps) == (sample.bucket, sample.num_frames, tiny_base.fps)
    trained = cache.read_pixels(item, sample, tiny_base.fps)
    assert np.array_equal(read_excerpt(item.path, excerpt), trained)
    path = trained_view(clip_project, item, excerpt)
    info = probe_clip(path)
    assert (info.width, info.height, info.num_frames, info.fps) == (*sample.bucket, sample.num_frames, tiny_base.fps)
    shown = read_frames(path, sample.num_frames, tiny_base.fps)
    assert np.abs(shown.astype(int) - trained).mean() < 4  # H.264 lies between
    assert trained_view(clip_project, item, excerpt) == path


def test_before_a_base_model_is_here_its_preset_says_the_same_as_its_files(tiny_base):
    assert rule_of(tiny_base.preset) == Rule(tiny_base.fps, tiny_base.size_multiple, tiny_base.temporal_factor)
    for name in list_models():
        rule = rule_of(model_preset(name))
        assert rule.size_multiple % 8 == 0 and rule.temporal_factor == 4 and rule.fps in (16, 24)


@pytest.mark.parametrize(
    ("seconds", "frames", "words"),
    [
        (9.3, 33, "the first 2.1 of 9.3 s are trained (33 frames, 16 a second, 640 x 368 px); the rest is not"),
        (2.1, 33, "all of it is trained (33 frames, 16 a second, 640 x 368 px)"),
        (0.2, 33, "one picture of it is trained, as it is too short to move (640 x 368 px)"),
    ],
)
def test_what_of_a_clip_is_trained_is_said(clip_project, seconds, frames, words):
    item = replace(get_item(clip_project, "clip-01"), width=832, height=480, seconds=seconds)
    excerpt = choose_excerpt(item, DataConfig(clip_frames=frames), Rule(16, 16, 4))
    assert describe_excerpt(seconds, excerpt) == words


def test_the_plan_says_how_many_seconds_of_the_clips_are_not_trained(clip_project, workspace):
    reasons = propose(clip_project, read_machine(), workspace=workspace, overrides={"data": {"clip_frames": 9}}).reasons
    assert any(
        "The clip is longer than what is trained of one (the first 0.6 s): of 2.5 s of clips 0.6 s are trained." in r for r in reasons
    )
    whole = propose(clip_project, read_machine(), workspace=workspace, overrides={"data": {"clip_frames": 41}}).reasons
    assert not any("longer than what is trained" in reason for reason in whole)
    assert why_shortened([i for i in kept_items(clip_project) if i.kind == "photo"], SETTINGS, Rule(16, 16, 4)) == ""


# -- parts of clips


def test_a_part_of_a_clip_of_varying_rate_has_every_frame_at_its_time(tmp_path):
    source, target = make_clip(tmp_path / "vfr.mp4", varying_times()), tmp_path / "part.mp4"
    info = probe_clip(source)
    assert write_part(source, target, Part(0.25, 9, 16.0, (64, 48)), info) == 9
    part = probe_clip(target)
    assert (part.num_frames, part.fps, part.seconds) == (9, 16.0, 9 / 16)
    assert np.array_equal(shown_times(read_frames(target, 9, 16)).round(2), shown_times(read_frames(source, 9, 16, start=0.25)).round(2))


def test_a_part_that_goes_beyond_the_end_is_as_long_as_the_clip(tmp_path):
    source, target = make_clip(tmp_path / "clip.mp4", [n / 30 for n in range(30)]), tmp_path / "part.mp4"
    assert write_part(source, target, Part(0.5, 33, 16.0, (64, 48)), probe_clip(source)) in (8, 9)


def test_what_is_cropped_away_is_gone_and_the_rest_is_not_stretched(tmp_path):
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[24:72] = 255
    source = make_clip(tmp_path / "bars.mp4", [n / 16 for n in range(10)], size=(128, 96), picture=picture)
    target = tmp_path / "part.mp4"
    write_part(source, target, Part(0, 5, 16.0, (128, 48), (0.0, 0.25, 1.0, 0.5)), probe_clip(source))
    assert probe_clip(target).height == 48 and read_frames(target, 1, 16)[0].mean() > 250


def test_a_part_is_left_unfinished_when_a_stop_is_asked_for(tmp_path):
    source = make_clip(tmp_path / "clip.mp4", [n / 30 for n in range(30)])
    with pytest.raises(InterruptedError):
        write_part(source, tmp_path / "part.mp4", Part(0, 9, 16.0, (64, 48)), probe_clip(source), lambda: True)
