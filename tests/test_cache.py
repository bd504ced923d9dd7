"""The cache: buckets, what is encoded when, damaged files, stopping."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from training_kit import Events, add_clip, add_photo, new_project

from studio.config import DataConfig
from studio.data import cache
from studio.data.buckets import choose_bucket, choose_num_frames, cover_size
from studio.data.cropping.head import head_of
from studio.data.dataset import kept_items, set_caption
from studio.data.looking.look import FaceLook, Look
from studio.errors import Problem
from studio.models.loading import load_text_encoder, load_vae, release

SETTINGS = DataConfig(photo_size=48, clip_size=32, clip_frames=9)


class Encoders:
    """The real VAE and text encoder, with a count of what they encode and when they are in memory."""

    def __init__(self, base):
        self.base, self.encoded, self.history = base, {"vae": 0, "text": []}, []

    @contextmanager
    def vae(self):
        with self._open("vae", load_vae(self.base, device="cpu")) as model:
            encode = model.encode

            def counted(pixels):
                self.encoded["vae"] += 1
                return encode(pixels)

            model.encode = counted
            yield model

    @contextmanager
    def text(self):
        with self._open("text", load_text_encoder(self.base, device="cpu", dtype=torch.float32)) as model:
            encode = model.encode

            def counted(prompts):
                self.encoded["text"] += prompts
                return encode(prompts)

            model.encode = counted
            yield model

    @contextmanager
    def _open(self, name, model):
        self.history.append(f"{name} in")
        yield model
        release(model)
        self.history.append(f"{name} out")


def encode(project, encoders, should_stop=lambda: False, report=None, settings=SETTINGS):
    items = kept_items(project)
    samples = cache.plan_samples(items, base=encoders.base, data_config=settings, trigger="ohwx", class_noun="person")
    finished = cache.encode_samples(
        project, samples, items, base=encoders.base,
        load_vae=encoders.vae, load_text_encoder=encoders.text, report=Events() if report is None else report, should_stop=should_stop,
    )  # fmt: skip
    return samples if finished else None


@pytest.fixture
def encoders(tiny_base):
    return Encoders(tiny_base)


@pytest.fixture
def photos(tiny_base):
    return new_project(tiny_base, photos=3)


# -- buckets


def test_a_bucket_keeps_the_shape_never_enlarges_and_is_a_multiple():
    rng = np.random.default_rng(0)
    for width, height, target in rng.integers(32, 3000, (500, 3)).tolist():
        w, h = choose_bucket(width, height, target, 16)
        assert w % 16 == h % 16 == 0 and 16 <= w <= width and 16 <= h <= height
        covering = cover_size(width, height, (w, h))
        assert covering[0] <= width and covering[1] <= height
        assert w * h < target * target * 1.5 or 16 in (w, h)
        cut = (covering[0] - w) * covering[1] + (covering[1] - h) * covering[0]
        assert cut / (covering[0] * covering[1]) < 16 / min(w, h)


def test_common_photos_land_in_the_expected_buckets():
    assert choose_bucket(3000, 2000, 768, 16) == (944, 624)
    assert choose_bucket(1080, 1920, 480, 16) == (368, 656)
    assert choose_bucket(512, 512, 512, 16) == (512, 512)


def test_a_photo_smaller_than_the_target_keeps_its_size_rounded_down():
    assert choose_bucket(300, 200, 768, 16) == (288, 192)


def test_a_photo_below_one_multiple_is_refused_by_name(tiny_base, photos):
    item = replace(kept_items(photos)[1], width=40, height=4)
    with pytest.raises(Problem, match=r"0002: a picture of 40 x 4 px is too small"):
        cache.plan_samples([item], base=tiny_base, data_config=SETTINGS, trigger="ohwx", class_noun="person")


@pytest.mark.parametrize(("seconds", "frames"), [(0.05, 1), (0.3, 1), (0.32, 5), (1.0, 13), (2.07, 33), (60, 33)])
def test_a_clip_gives_the_largest_legal_number_of_frames(seconds, frames):
    assert choose_num_frames(seconds, 16, 33, 4) == frames


def test_a_photo_is_cut_where_its_head_stays_whole_and_the_cache_knows_the_crops_apart(tiny_base, photos):
    item = replace(kept_items(photos)[0], width=64, height=60)
    seen, middle = (FaceLook(left=left, top=18, width=20, height=24, score=0.9, landmarks=(1.0,) * 10) for left in (0, 22))

    def plan(*faces):
        look = Look(eye="e", width=64, height=60, faces=faces)
        heads = {item.id: head_of(look, look.face)} if faces else {}
        options = {"base": tiny_base, "data_config": SETTINGS, "trigger": "ohwx", "class_noun": "person"}
        [sample] = cache.plan_samples([item], **options, heads=heads)
        return sample

    unknown, at_the_edge, in_the_middle = plan(), plan(seen), plan(middle)
    assert (unknown.corner, at_the_edge.corner, in_the_middle.corner) == (None, (0, 0), None)
    assert unknown.latents_key == in_the_middle.latents_key != at_the_edge.latents_key and unknown.bucket == at_the_edge.bucket


def test_what_is_encoded_is_the_part_that_the_crop_says():
    rows = np.repeat(np.arange(79, dtype=np.uint8)[:, None], 64, axis=1)
    picture = Image.fromarray(np.repeat(rows[..., None], 3, axis=2))
    top, middle = cache.fit_picture(picture, (64, 64), (0, 0)), cache.fit_picture(picture, (64, 64))
    assert top[0, 0, 0, 0] == 0 and middle[0, 0, 0, 0] == 7 and top.shape == middle.shape == (1, 64, 64, 3)


# -- what is encoded


def test_photos_are_one_frame_and_clips_keep_their_speed_at_the_models_rate(tiny_base, encoders, photos):
    add_clip(photos, 1, num_frames=60, fps=30)  # two seconds, brightness rising by 100 a second
    samples = encode(photos, encoders)
    assert [(s.kind, s.num_frames) for s in samples] == [("photo", 1)] * 3 + [("clip", 9)]
    shapes = [tuple(cache.Cache(photos).load(s)[0].shape) for s in samples]
    assert shapes == [tiny_base.latent_shape(s.num_frames, s.bucket[1], s.bucket[0]) for s in samples]
    levels = cache.read_pixels(kept_items(photos)[-1], samples[-1], tiny_base.fps).mean((1, 2, 3))
    assert levels[-1] - levels[0] == pytest.approx(100 * 8 / 16, abs=5)


def test_a_clip_that_is_too_short_uses_the_frames_it_has(tiny_base, encoders, photos):
    add_clip(photos, 1, num_frames=7)
    assert encode(photos, encoders)[-1].num_frames == 5


def test_cached_values_are_what_the_encoders_say(tiny_base, encoders, photos):
    sample, item = encode(photos, encoders)[0], kept_items(photos)[0]
    latents, prompt, class_prompt = cache.Cache(photos).load(sample)
    with encoders.vae() as vae, encoders.text() as text:
        assert torch.equal(latents, cache.encode_item(vae, item, sample, tiny_base))
        assert torch.equal(prompt, text.encode(["ohwx, a person in a red coat, scene 1"])[0])
        assert torch.equal(class_prompt, text.encode(["person, a person in a red coat, scene 1"])[0])


def test_encoders_are_in_memory_one_after_the_other_and_only_when_needed(encoders, photos):
    encode(photos, encoders)
    assert encoders.history == ["vae in", "vae out", "text in", "text out"]
    assert encode(photos, encoders) and encoders.history[4:] == []


def test_a_changed_caption_encodes_that_caption_only(encoders, photos):
    encode(photos, encoders)
    encoders.encoded["text"].clear()
    set_caption(photos, "0002", "OHWX, laughing")
    encode(photos, encoders)
    assert encoders.encoded == {"vae": 3, "text": ["OHWX, laughing", "person, laughing"]}
    assert encoders.history[4:] == ["text in", "text out"]


def test_equal_captions_are_encoded_once(tiny_base, encoders):
    project = new_project(tiny_base, photos=0)
    for number in (1, 2, 3):
        add_photo(project, number, caption="ohwx, smiling")
    encode(project, encoders)
    assert encoders.encoded == {"vae": 3, "text": ["ohwx, smiling", "person, smiling"]}


def test_a_changed_photo_encodes_that_photo_only(encoders, photos):
    encode(photos, encoders)
    add_photo(photos, 9).replace(photos.dataset_dir / "0002.png")
    (photos.dataset_dir / "0009.txt").unlink()
    encode(photos, encoders)
    assert encoders.encoded["vae"] == 4


def test_another_size_and_another_model_have_files_of_their_own(encoders, photos):
    keys = {s.latents_key for s in encode(photos, encoders)}
    smaller = {s.latents_key for s in encode(photos, encoders, settings=DataConfig(photo_size=32))}
    assert not keys & smaller and encoders.encoded["vae"] == 6


def test_a_caption_without_the_trigger_is_protected_by_the_class_noun_alone(tiny_base, encoders):
    project = new_project(tiny_base, photos=0)
    add_photo(project, 1, caption="a smile")
    assert encode(project, encoders)[0].class_prompt == "person"


# -- damage and stopping


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_noticed_and_made_again(encoders, photos, damage):
    encode(photos, encoders)
    good = {}
    for folder in ("latents", "prompts"):
        file = sorted((photos.cache_dir / folder).iterdir())[0]
        data = good[file] = file.read_bytes()
        file.write_bytes({"cut": data[:-7], "flipped": data[:-1] + bytes([data[-1] ^ 1]), "empty": b"", "text": b"hello"}[damage])
    encoders.encoded["text"].clear()
    encode(photos, encoders)
    assert {file: file.read_bytes() for file in good} == good
    assert encoders.encoded["vae"] == 4 and len(encoders.encoded["text"]) == 1


def test_a_stop_is_honoured_between_items_and_nothing_is_encoded_twice(encoders, photos):
    asked = iter([False, False, False, True])  # once before the encoder is loaded, then before each item
    assert encode(photos, encoders, should_stop=lambda: next(asked)) is None
    assert encoders.encoded["vae"] == 2 and encoders.history == ["vae in", "vae out"]
    encode(photos, encoders)
    assert encoders.encoded["vae"] == 3


def test_progress_counts_only_what_is_missing(encoders, photos):
    encode(photos, encoders)
    add_photo(photos, 4)
    events = Events()
    encode(photos, encoders, report=events)
    assert [(e["stage"], e["done"], e["total"]) for e in events.of("progress")] == [
        ("Photos and clips", 0, 1), ("Photos and clips", 1, 1), ("Captions", 0, 2), ("Captions", 1, 2), ("Captions", 2, 2),
    ]  # fmt: skip


def test_a_file_deleted_while_training_runs_is_said_in_words_and_made_again(encoders, photos):
    samples = encode(photos, encoders)
    cache.Cache(photos).latents_file(samples[0]).unlink()
    with pytest.raises(Problem, match="photo 0001 was deleted or damaged") as caught:
        cache.Cache(photos).load(samples[0])
    assert "Resume" in caught.value.fix
    encode(photos, encoders)
    assert len(cache.Cache(photos).load(samples[0])) == 3
