"""The embedded model and its world: the same from the same seed, usable by stock libraries, learnable; and the demo project."""

import hashlib
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from studio.data.captions import check_caption
from studio.data.dataset import list_items, remove_item, set_caption
from studio.models.catalogue import find_model
from studio.models.loading import load_expert, load_pipeline, load_text_encoder, load_vae
from studio.models.lora import add_lora, trainable_lora
from studio.tiny import world
from studio.tiny.build import build_pack, draw_samples
from studio.tiny.demo import CLASS_NOUN, PERSON, TRIGGER, ensure_demo_project


def hashes(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_the_same_seed_gives_the_same_files_and_leaves_the_random_state(tiny_base, tmp_path):
    before = torch.get_rng_state()
    build_pack(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert hashes(tmp_path) == hashes(tiny_base.folder)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 10e6
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} <= {".json", ".safetensors", ".jinja"}


def test_it_is_built_once_and_a_half_made_or_damaged_one_is_built_again(workspace, tiny_base, monkeypatch):
    from studio.tiny import build

    calls = []

    def fail(folder):
        calls.append(folder)
        (folder / "transformer").mkdir()
        raise OSError("no space left on device")

    def succeed(folder):
        calls.append(folder)
        shutil.copytree(tiny_base.folder, folder, dirs_exist_ok=True)

    monkeypatch.setattr(build, "build_pack", fail)
    with pytest.raises(OSError, match="no space"):
        find_model("tiny", workspace)
    assert not [p for p in workspace.models_dir.iterdir() if p.is_dir()]
    monkeypatch.setattr(build, "build_pack", succeed)
    for _ in range(2):
        assert find_model("tiny", workspace).key == tiny_base.key
    assert len(calls) == 2
    (workspace.models_dir / tiny_base.folder.name / "vae/diffusion_pytorch_model.safetensors").unlink()
    assert find_model("tiny", workspace).key == tiny_base.key
    assert len(calls) == 3


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
    longest = max(len(encoder.tokenizer(c).input_ids) for c in world.list_captions(100))
    assert longest < tiny_base.max_prompt_tokens / 2


def test_photos_and_clips_survive_the_vae(tiny_base):
    vae = load_vae(tiny_base, device="cpu")
    for pixels in draw_samples(seed=5, num_photos=3, num_clips=2)[0]:
        latents = vae.encode(pixels)
        assert 0.7 < latents.std() < 1.4 and latents.mean().abs() < 0.4
        assert (vae.decode(latents) - pixels).abs().max() < 2 / 127.5


def test_the_base_predicts_better_than_nothing_at_every_noise_level(tiny_base):
    vae, encoder = load_vae(tiny_base, device="cpu"), load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    (photos, _), (texts, _) = draw_samples(seed=6, num_photos=16, num_clips=1)
    clean, prompts = vae.encode(photos), encoder.encode(texts)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    for expert in tiny_base.experts:
        model, (lo, hi) = load_expert(tiny_base, expert, dtype=torch.float32, device="cpu"), tiny_base.sigma_range(expert)
        for s in (lo, (lo + hi) / 2, hi):
            with torch.no_grad():
                velocity = model((1 - s) * clean + s * noise, torch.full((16,), s * 1000), prompts, return_dict=False)[0]
            assert (velocity - (noise - clean)).square().mean() < 0.75 * (noise - clean).square().mean()


def test_a_lora_learns_a_noisy_picture(tiny_base):
    vae, encoder = load_vae(tiny_base, device="cpu"), load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    scene = world.draw_scene(random.Random(0), motion="standing still")
    frames = torch.from_numpy(np.asarray(world.draw_photo(PERSON, scene)).copy()).permute(2, 0, 1)[None, :, None] / 127.5 - 1
    clean, prompt = vae.encode(frames), encoder.encode([world.caption(scene, f"{TRIGGER}, a person")])
    noise, sigma = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)), 0.6
    model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu")
    add_lora(model, 8, seed=0)
    optimizer, losses = torch.optim.AdamW(trainable_lora(model).values(), lr=3e-3), []
    for _ in range(25):
        velocity = model((1 - sigma) * clean + sigma * noise, torch.tensor([sigma * 1000]), prompt, return_dict=False)[0]
        loss = (velocity - (noise - clean)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_stock_pipeline_draws_a_finite_clip(tiny_base):
    pipeline = load_pipeline(tiny_base)
    video = pipeline(
        "a person with short red hair and tan skin, wearing a blue shirt, sky background, facing forward, nodding",
        height=64, width=64, num_frames=9, num_inference_steps=3, guidance_scale=3.0,
        max_sequence_length=tiny_base.max_prompt_tokens, generator=torch.Generator().manual_seed(0), output_type="np",
    ).frames[0]  # fmt: skip
    assert video.shape == (9, 64, 64, 3) and np.isfinite(video).all() and video.std() > 0.02


# -- the world


def test_drawings_repeat_and_differ_by_person_scene_and_time():
    rng = random.Random(3)
    one, other = world.draw_identity(rng, marked=True), world.draw_identity(rng)
    scene = world.draw_scene(rng, motion="walking left to right")
    photo = np.asarray(world.draw_photo(one, scene))
    assert photo.shape == (64, 64, 3) and np.array_equal(photo, np.asarray(world.draw_photo(one, scene)))
    assert not np.array_equal(photo, np.asarray(world.draw_photo(other, scene)))
    clip = world.draw_clip(one, scene, 9, scale=2)
    assert clip.shape == (9, 128, 128, 3) and not np.array_equal(clip[0], clip[-1])
    assert np.array_equal(photo[::4, ::4].repeat(4, 0).repeat(4, 1), photo)  # whole cells of 4 x 4 pixels


def test_no_caption_names_the_mark():
    unmarked = world.Identity(PERSON.hair, PERSON.skin, PERSON.style, PERSON.size)
    scene = world.draw_scene(random.Random(0))
    assert world.describe(PERSON) == world.describe(unmarked)
    assert not np.array_equal(np.asarray(world.draw_photo(PERSON, scene)), np.asarray(world.draw_photo(unmarked, scene)))


# -- the demo project


def test_the_demo_project_is_ready_to_train(workspace):
    project = ensure_demo_project(workspace)
    data, items = project.read(), list_items(project)
    assert (project.slug, data["name"], data["base_model"], data["trigger"]) == ("demo", "Demo", "tiny", TRIGGER)
    assert data["permission"]["granted"]
    assert [i.kind for i in items].count("photo") == 12 and [i.kind for i in items].count("clip") == 2
    assert all(i.keep and not check_caption(i.caption, TRIGGER, CLASS_NOUN) for i in items)
    assert len({i.caption for i in items}) == len(items)


def test_the_demo_project_is_made_once_and_keeps_what_was_done_to_it(workspace):
    project = ensure_demo_project(workspace)
    set_caption(project, "0001", "ohwx, mine")
    remove_item(project, "0002")
    project.update(trigger="abcx", name="Renamed")
    before = hashes(project.root)
    assert ensure_demo_project(workspace) == project
    assert hashes(project.root) == before and len(workspace.list_projects()) == 1


def test_a_half_made_demo_is_filled_and_a_persons_own_demo_is_left_alone(workspace, monkeypatch):
    from studio.tiny import demo

    own = workspace.create_project("Demo", trigger="mine", base_model="tiny")

    def fail(project, paths):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(demo, "import_media", fail)
        ensure_demo_project(workspace)
    project = ensure_demo_project(workspace)
    assert project != own and len(list_items(project)) == 14 and not list_items(own)
    assert len(workspace.list_projects()) == 2


def test_the_demo_needs_no_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from studio.workspace import Workspace; from studio.tiny.demo import ensure_demo_project\n"
        "ensure_demo_project(Workspace(Path(sys.argv[1]))); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
