"""The embedded model: its world, its VAE and text encoder, the stages that train it, and the pack as it is delivered."""

import random

import numpy as np
import pytest
import torch
from model_kit import load_pipeline

from studio.disk import read_json
from studio.models.loading import Vae, load_expert, load_text_encoder, load_vae
from studio.models.lora import add_lora, trainable_lora
from studio.tiny import denoiser, stage, world
from studio.tiny.lessons import Codec, Pool, draw_groups, to_pixels, vary_caption
from studio.tiny.measures import measure_motions, measure_photos
from studio.tiny.muon import _orthogonal
from studio.tiny.pack import MEASURES_FILE
from studio.tiny.pixel_drawing import draw_cells, draw_clip, draw_photo
from studio.tiny.vae import build_vae
from studio.tiny.words.text import build_text_encoder, build_tokenizer
from studio.tiny.words.text_training import train_text_encoder

MARKED = world.draw_identity(random.Random(3), held_out=True)


# -- the world


def test_drawings_repeat_and_differ_by_person_scene_and_time():
    rng = random.Random(3)
    one, other = world.draw_identity(rng), world.draw_identity(rng)
    scene = world.draw_scene(rng, motion="walking left")
    photo = np.asarray(draw_photo(one, scene))
    assert photo.shape == (80, 80, 3) and np.array_equal(photo, np.asarray(draw_photo(one, scene)))
    assert not np.array_equal(photo, np.asarray(draw_photo(other, scene)))
    clip = draw_clip(one, scene, 9, scale=2)
    assert clip.shape == (9, 160, 160, 3) and not np.array_equal(clip[0], clip[-1])
    assert np.array_equal(photo[::4, ::4].repeat(4, 0).repeat(4, 1), photo)  # whole cells of 4 x 4 pixels


@pytest.mark.parametrize("feature", ["eyes", "width", "mark", "streak", "size"])
def test_no_caption_names_what_makes_a_person_unlike_others(feature):
    import dataclasses

    person = world.Identity("red", "long", "tan", eyes=world.EYES[0], mark=None, streak=None)
    other = {"eyes": world.EYES[1], "width": 0.85, "mark": (0.55, 0.38, world.MARK[0]), "streak": world.STREAK[0], "size": 1.07}
    changed = dataclasses.replace(person, **{feature: other[feature]})
    scene = world.Scene("white", "sky", framing="close-up")
    assert world.describe(person) == world.describe(changed)
    assert not np.array_equal(draw_cells(person, scene, 0.5), draw_cells(changed, scene, 0.5))


def test_every_part_of_a_scene_is_seen_and_named():
    import dataclasses

    scene = world.Scene("white", "sky")
    others = dict(shirt="red", place="sand", view="facing left", framing="close-up", light="dim light", glasses=True, motion="nodding")
    for what, value in others.items():
        changed = dataclasses.replace(scene, **{what: value})
        assert world.caption(scene, "x") != world.caption(changed, "x")
        assert any(not np.array_equal(draw_cells(MARKED, scene, u), draw_cells(MARKED, changed, u)) for u in (0, 0.25, 1))


def test_held_out_people_and_scenes_are_never_drawn_for_training(tmp_path):
    rng = random.Random(0)
    assert not any(world.is_held_out_identity(world.draw_identity(rng)) for _ in range(500))
    assert not any(world.is_held_out_scene(world.draw_scene(rng, None)) for _ in range(500))
    assert all(world.is_held_out_identity(world.draw_identity(rng, held_out=True)) for _ in range(50))
    assert all(world.is_held_out_scene(world.draw_scene(rng, held_out=True)) for _ in range(50))
    pool = Pool(tmp_path, "test", num_photos=40, num_clips=4)
    assert not any(world.is_held_out_identity(i) or world.is_held_out_scene(s) for people, _ in pool.kinds for i, s in people)


def test_training_captions_leave_out_and_add_but_never_lie():
    rng = random.Random(1)
    scene = world.draw_scene(rng, motion="waving")
    whole = world.caption(scene, world.describe(MARKED))
    said = [vary_caption(MARKED, scene, rng) for _ in range(300)]
    assert whole in said and "" in said and any(text.startswith("a person, ") for text in said)
    words = set(whole.replace(",", "").split())
    for text in filter(None, said):
        subject, _, rest = text.partition("a person")
        assert subject == "" or subject.rstrip(", ").isalpha()
        assert set(rest.replace(",", "").split()) <= words | {"and", "a"}


# -- VAE and text encoder


@pytest.fixture(scope="module")
def hand_set_vae():
    return Vae(build_vae(draw_groups(0))[0])


def test_photos_and_clips_survive_the_vae(tiny_base):
    vae = load_vae(tiny_base, device="cpu")
    for pixels in draw_groups(seed=5, num_photos=3, num_clips=2):
        latents = vae.encode(pixels)
        assert 0.3 < latents.std() < 1.4 and latents.mean().abs() < 0.5
        error = (vae.decode(latents) - pixels).square().mean()
        assert 10 * torch.log10(4 / error) > 50  # dB; the issue asks for 28 on photos and 25 on clips


def test_drawings_of_the_pool_are_kept_and_drawn_anew_when_damaged(tmp_path):
    first = Pool(tmp_path, "test", num_photos=6, num_clips=2)
    (photos,) = tmp_path.glob("*photos*")
    whole, made = photos.read_bytes(), photos.stat().st_mtime_ns
    again = Pool(tmp_path, "test", num_photos=6, num_clips=2)
    assert photos.stat().st_mtime_ns == made
    photos.write_bytes(whole[: len(whole) // 2])
    mended = Pool(tmp_path, "test", num_photos=6, num_clips=2)
    assert all(np.array_equal(a[1], b[1]) and a[0] == b[0] for other in (again, mended) for a, b in zip(first.kinds, other.kinds))
    assert len(list(tmp_path.iterdir())) == 2


def test_the_quick_codec_gives_the_vaes_own_latents(hand_set_vae, tmp_path):
    codec, pool = Codec(hand_set_vae), Pool(tmp_path, "test", num_photos=4, num_clips=3)
    for clips in (False, True):
        chosen, cells, _ = pool.batch(clips, 3, random.Random(0))
        assert pool.masks(clips, chosen).shape == (3, 3 if clips else 1, 20, 20)
        pixels = to_pixels(cells.repeat(4, 2).repeat(4, 3))
        assert (codec.encode(cells) - hand_set_vae.encode(pixels)).abs().max() < 0.02


def test_the_pack_holds_the_vae_that_the_builder_sets(tiny_base, hand_set_vae):
    delivered = load_vae(tiny_base, device="cpu").model.state_dict()
    built = hand_set_vae.model.state_dict()
    assert built.keys() == delivered.keys()
    for key, tensor in built.items():  # its pseudo-inverse has other last bits on other processors
        torch.testing.assert_close(tensor, delivered[key], rtol=0, atol=1e-5)


def test_unknown_words_and_scripts_are_told_apart(tiny_base):
    encoder = load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    texts = ["ohwx, a person", "person, a person", "sks, a person", "漢字, a person", "字漢, a person", "☃, a person"]
    embeds = encoder.encode(texts)
    for i in range(len(texts)):
        for j in range(i):
            assert (embeds[i] - embeds[j]).abs().mean() > 1e-3, (texts[i], texts[j])
    assert encoder.tokenizer.decode(encoder.tokenizer("ohwx 漢字").input_ids, skip_special_tokens=True).strip() == "ohwx 漢字"


def test_captions_of_the_world_are_short_for_the_text_encoder(tiny_base):
    encoder = load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    longest = max(len(encoder.tokenizer(c).input_ids) for c in world.list_captions(random.Random(1), 100))
    assert longest < tiny_base.max_prompt_tokens * 0.8


# -- the stages


def test_muon_makes_matrices_nearly_orthogonal():
    draw = torch.Generator().manual_seed(0)
    for shape in ((3, 16, 16), (2, 48, 16), (2, 16, 48)):
        values = torch.linalg.svdvals(_orthogonal(torch.randn(shape, generator=draw)))
        assert values.median() > 0.6 and values.max() < 1.3


@pytest.fixture(scope="module")
def reader():
    """(tokenizer, untaught text encoder)"""
    tokenizer = build_tokenizer()
    return tokenizer, build_text_encoder(tokenizer).requires_grad_(False)


@pytest.fixture
def small_plans(monkeypatch):
    """Few drawings, small batches, and no compiling, which takes minutes."""
    monkeypatch.setattr(denoiser, "PHOTOS", 4)
    monkeypatch.setattr(denoiser, "CLIPS", 2)
    for name, plan in denoiser.PLANS.items():
        monkeypatch.setitem(denoiser.PLANS, name, plan | dict(num_photos=20, num_clips=6))
    monkeypatch.setattr(torch, "compile", lambda model, **options: model)


def train_small(folder, reader, vae, steps=4, **options):
    return denoiser.train_base(folder, *reader, vae, steps=steps, report=lambda text: None, **options)


def bits(*modules):
    return [tensor.clone() for module in modules for tensor in module.state_dict().values()]


def test_a_stage_cut_off_at_any_step_ends_with_the_same_bits(reader, hand_set_vae, small_plans, tmp_path):
    model, finished = train_small(tmp_path / "whole", reader, hand_set_vae)
    assert finished
    for cut in (1, 3):
        calls = iter(range(100))
        folder = tmp_path / f"cut-{cut}"
        assert not train_small(folder, reader, hand_set_vae, should_stop=lambda calls=calls, cut=cut: next(calls) >= cut)[1]
        other, finished = train_small(folder, reader, hand_set_vae)
        assert finished and all(torch.equal(a, b) for a, b in zip(bits(model), bits(other)))
    again, _ = train_small(tmp_path / "whole", reader, hand_set_vae)  # finished: read, not trained
    assert all(torch.equal(a, b) for a, b in zip(bits(model), bits(again)))


def test_the_text_encoder_learns_alone_and_goes_on_where_it_was(tmp_path):
    def teach(folder, steps=6, **options):
        return train_text_encoder(tmp_path / folder, steps=steps, report=lambda text: None, **options)[1:]

    whole, finished = teach("whole")
    calls = iter(range(100))
    assert finished and not teach("cut", should_stop=lambda: next(calls) >= 2)[1]
    cut, finished = teach("cut")
    assert finished and all(torch.equal(a, b) for a, b in zip(bits(whole), bits(cut)))
    assert not any(p.requires_grad for p in whole.parameters())


def test_what_a_caption_tells_is_known_word_by_word():
    rng = random.Random(4)
    for _ in range(200):
        person, scene, said = world.draw_identity(rng), world.draw_scene(rng, motion=None), set()
        text = vary_caption(person, scene, rng, said=said)
        for name in ("shirt", "place", "light", "framing", "motion"):
            assert (name in said) == (getattr(scene, name) + {"shirt": " shirt", "place": " background"}.get(name, "") in text), (
                text,
                said,
            )
        assert ("hair" in said) == (person.style != "bald" and f"{person.hair} {'bun' if person.style == 'bun' else 'hair'}" in text)
        assert ("skin" in said) == (f"{person.skin} skin" in text) and ("beard" in said) == ("a beard" in text)


def is_finished(folder, plan):
    """Whether this plan was trained to its end in `folder`."""
    found = stage._read_head(folder / "state.safetensors")
    return bool(found) and found["plan"] == plan and found["step"] >= plan["steps"]


def test_a_killed_save_leaves_the_state_before_it_and_another_plan_starts_anew(reader, hand_set_vae, small_plans, tmp_path):
    train_small(tmp_path, reader, hand_set_vae, steps=2)
    path = tmp_path / "base" / "state.safetensors"
    (tmp_path / "base" / "state.tmp").write_bytes(path.read_bytes()[:1000])
    plan = stage._read_head(path)["plan"]
    assert is_finished(tmp_path / "base", plan) and not is_finished(tmp_path / "base", plan | {"seed": 1})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert not is_finished(tmp_path / "base", plan)
    assert train_small(tmp_path, reader, hand_set_vae, steps=2)[1]
    assert path.read_bytes()[:5000] == whole[:5000] or stage._read_head(path)["step"] == 2


def test_an_expert_goes_on_from_the_base_in_its_own_range(reader, hand_set_vae, small_plans, tmp_path, monkeypatch):
    base, _ = train_small(tmp_path, reader, hand_set_vae, steps=1)
    seen = []
    inside = denoiser.add_noise
    monkeypatch.setattr(denoiser, "add_noise", lambda latents, noise, sigma: seen.append(sigma) or inside(latents, noise, sigma))
    before = bits(reader[1])
    expert, finished = denoiser.train_expert(tmp_path, "high_noise", base, *reader, hand_set_vae, steps=2, report=lambda text: None)
    assert finished and all(0.875 <= s <= 1 for sigma in seen for s in sigma.flatten().tolist())
    assert all(torch.equal(a, b) for a, b in zip(before, bits(reader[1])))
    assert not all(torch.equal(a, b) for a, b in zip(bits(base), bits(expert)))


# -- the pack


def test_the_pack_is_small_safe_and_says_how_it_was_made(tiny_base):
    files = [p for p in tiny_base.folder.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 25e6
    assert {p.suffix for p in files} <= {".json", ".safetensors", ".jinja", ".md", ".txt"}
    card = (tiny_base.folder / "README.md").read_text(encoding="utf-8")
    assert "{{" not in card and "not measured yet" not in card


def test_every_figure_on_the_packs_card_meets_its_bar(tiny_base):
    rows = [row for row in read_json(tiny_base.folder / MEASURES_FILE)["rows"] if row["bar"]]
    short = [row for row in rows if float(row["value"].split()[0].rstrip("%")) < float(row["bar"].split()[1])]
    assert len(rows) > 20
    assert [row["what"] for row in short] == []


def test_the_pack_draws_held_out_people_and_motions_as_told_today(tiny_base):
    shares = measure_photos(tiny_base, 24, seed=5)
    assert min(shares.values()) >= 0.75 and sum(shares.values()) / len(shares) >= 0.9, shares
    assert measure_motions(tiny_base, 9, seed=5)[1] >= 0.5


def test_each_expert_predicts_well_in_its_own_range(tiny_base, tmp_path):
    vae, encoder = load_vae(tiny_base, device="cpu"), load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    pool = Pool(tmp_path, "never seen", num_photos=24, num_clips=1)
    texts = [world.caption(s, world.describe(i)) for i, s in pool.kinds[0][0]]
    clean, prompts = Codec(vae).encode(pool.kinds[0][1]), encoder.encode(texts)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    for expert, bound in (("high_noise", 0.3), ("low_noise", 0.45)):
        model, (lo, hi) = load_expert(tiny_base, expert, dtype=torch.float32, device="cpu"), tiny_base.sigma_range(expert)
        s = (lo + hi) / 2
        with torch.no_grad():
            answer = model((1 - s) * clean + s * noise, torch.full((24,), s * 1000), prompts, return_dict=False)[0]
        assert (answer - (noise - clean)).square().mean() < bound * (noise - clean).square().mean()


def test_a_lora_learns_a_noisy_picture(tiny_base):
    vae, encoder = load_vae(tiny_base, device="cpu"), load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    scene = world.draw_scene(random.Random(0))
    clean, prompt = Codec(vae).encode(draw_cells(MARKED, scene, 0.5)[None, None]), encoder.encode([world.caption(scene, "ohwx, a person")])
    noise, sigma = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)), 0.8
    model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu")
    add_lora(model, 8, seed=0)
    optimizer, losses = torch.optim.AdamW(trainable_lora(model).values(), lr=2e-3), []
    for _ in range(25):
        answer = model((1 - sigma) * clean + sigma * noise, torch.tensor([sigma * 1000]), prompt, return_dict=False)[0]
        loss = (answer - (noise - clean)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_stock_pipeline_draws_a_finite_clip(tiny_base):
    pipeline = load_pipeline(tiny_base)
    video = pipeline(
        "a person with short red hair and tan skin, wearing a blue shirt, facing forward, upper body, sky background, daylight, nodding",
        height=80, width=80, num_frames=9, num_inference_steps=3, guidance_scale=3.0,
        max_sequence_length=tiny_base.max_prompt_tokens, generator=torch.Generator().manual_seed(0), output_type="np",
    ).frames[0]  # fmt: skip
    assert video.shape == (9, 80, 80, 3) and np.isfinite(video).all() and video.std() > 0.02
