"""Class pictures: what the base model draws of others before training, and that training then keeps its answers at them."""

from dataclasses import replace

import pytest
import torch
from model_kit import find_observer
from training_kit import Events, lora_bits, new_project, new_run, small_config

from studio.config import list_presets, load_preset
from studio.data.cache import Cache, Sample
from studio.disk import read_json
from studio.errors import Problem
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.render import decode_frames, draw_stage, start_state, to_bytes
from studio.training.class_pictures import STAGE, drawing_settings, other_people, plan_class_pictures
from studio.training.loop import train
from studio.training.samples import Samples
from studio.training.step.batches import Batches

PICTURES = {"preservation": {"pictures": 5, "every": 2}, "data": {"photo_size": 80}}


class Killed(Exception):
    """The process ends here, as far as training can tell."""


@pytest.fixture(scope="module")
def project(tiny_base):
    return new_project(tiny_base, photos=5)


@pytest.fixture(scope="module")
def finished(project):
    """(config, run folder, events) of an uninterrupted run with class pictures."""
    config, run_dir, events = small_config(**PICTURES), new_run(project), Events()
    train(config, run_dir, report=events)
    return config, run_dir, events


def _samples(finished):
    learned = read_json(finished[1] / "dataset.json")["learned"]
    return Samples(tuple(Sample.from_json(data, "dataset.json") for data in learned), ())


def draw_alone(base, config, picture):
    """The same picture by the plain way: one at a time, both experts after each other."""
    settings, encoder = drawing_settings(config, base), load_text_encoder(base, device="cpu", dtype=torch.float32)
    state = start_state(base, settings, picture.seed)
    for expert in ("high_noise", "low_noise"):
        model = load_expert(base, expert, dtype=torch.float32, device="cpu")
        prompts = encoder.encode([picture.prompt]), encoder.encode([picture.negative_prompt])
        state = draw_stage(model, base, settings, expert, state, *prompts, device="cpu")
    return state["latents"][0]


def test_every_set_of_people_has_texts_that_take_a_class_noun():
    for name in list_presets("people"):
        texts = [entry["text"] for entry in load_preset("people", name)["prompts"]]
        assert len(set(texts)) == len(texts) >= 24
        assert all("[class]" in text and "[trigger]" not in text for text in texts), name
    assert other_people("tiny") != other_people("wan22-t2v-a14b")


def test_pictures_are_planned_only_where_protection_asks_for_them(tiny_base):
    for off in ({"pictures": 0}, {"pictures": 4, "enabled": False}, {"pictures": 4, "multiplier": 0.0}):
        assert plan_class_pictures(small_config(preservation=off), tiny_base, "woman") == ()
    number = len(other_people("tiny")) + 3
    pictures = plan_class_pictures(small_config(preservation={"pictures": number}), tiny_base, "woman")
    assert all(picture.prompt.startswith("a woman") for picture in pictures)
    assert pictures[-3].prompt == pictures[0].prompt and pictures[-3].latents_key != pictures[0].latents_key
    assert len({picture.latents_key for picture in pictures}) == number


def test_the_pictures_are_what_the_base_model_draws(project, finished, tiny_base):
    config, _, events = finished
    pictures = plan_class_pictures(config, tiny_base, "person")
    for picture in (pictures[0], pictures[-1]):  # of a full batch, and of the rest
        latents, prompt = Cache(project).load_class_picture(picture)
        torch.testing.assert_close(latents, draw_alone(tiny_base, config, picture), rtol=1e-3, atol=1e-3)
        assert prompt.shape == (tiny_base.max_prompt_tokens, 64)
    frames = to_bytes(decode_frames(load_vae(tiny_base, device="cpu"), latents[None], "cpu"))
    seen = find_observer(tiny_base).read(frames)[0]
    assert f"{seen['shirt']} shirt" in pictures[-1].prompt and f"{seen['place']} background" in pictures[-1].prompt
    told = [(e["done"], e["total"]) for e in events.of("progress") if e["stage"] == STAGE]
    assert told[0][0] == 0 and told[-1][0] == told[-1][1] == 5 * drawing_settings(config, tiny_base).num_inference_steps
    assert told == sorted(told)


@pytest.mark.parametrize("every", [1, 2, 8])
def test_rows_to_be_kept_are_pictures_of_others_at_the_levels_of_the_rows_to_learn(finished, tiny_base, project, every):
    config = small_config(preservation={"pictures": 5, "every": every})
    samples = replace(_samples(finished), class_pictures=plan_class_pictures(finished[0], tiny_base, "person"))
    batches, cache = Batches(config, project, tiny_base, "low_noise", samples), Cache(project)
    known = [cache.load_class_picture(picture) for picture in samples.class_pictures]
    used = set()
    for step in range(24):
        group = batches.group(step)
        assert len(group.class_rows) == (step * 2 % every == 0) + ((step * 2 + 1) % every == 0)
        assert {row.sigma for row in group.class_rows} <= {row.sigma for row in group.rows}
        for row in group.class_rows:
            used.add(
                next(
                    i for i, (latents, prompt) in enumerate(known) if torch.equal(latents, row.latents) and torch.equal(prompt, row.prompt)
                )
            )
    assert used == set(range(5)) or every == 8
    assert torch.equal(batches.group(3).rows[0].noise, batches.group(3).rows[0].noise)


def test_a_step_without_a_learned_change_has_no_loss_to_keep(finished):
    losses = [e["preservation_loss"] for e in finished[2].of("step")]
    assert losses[0] == losses[2] == 0.0, "an untrained LoRA changes nothing"
    assert all(loss > 0 for loss in losses[4:])


@pytest.mark.parametrize("events_before", [14, 20, 40, 52])
def test_a_run_killed_anywhere_ends_with_the_same_bits(tiny_base, finished, project, events_before):
    config, whole, _ = finished
    run_dir, seen = new_run(project), []
    for picture in plan_class_pictures(config, tiny_base, "person"):
        Cache(project).latents_file(picture).unlink()

    def report(event, **fields):
        seen.append(event)
        if len(seen) == events_before:
            raise Killed

    with pytest.raises(Killed):
        train(config, run_dir, report=report)
    train(config, run_dir, report=Events())
    assert lora_bits(run_dir) == lora_bits(whole)


def test_a_stop_while_they_are_drawn_is_a_stop_and_nothing_is_lost(tiny_base, finished):
    config, events = finished[0], Events()
    run_dir = new_run(new_project(tiny_base, photos=5))
    result = train(config, run_dir, report=events, should_stop=lambda: any(e["stage"] == STAGE for e in events.of("progress")))
    assert result.stopped and result.step == 0 and not events.of("step")
    assert train(config, run_dir, report=Events()).step == config.steps


def test_a_damaged_picture_is_drawn_again_and_one_lost_on_the_way_is_named(tiny_base, finished, project):
    config, whole, _ = finished
    pictures, cache = plan_class_pictures(config, tiny_base, "person"), Cache(project)
    file = cache.latents_file(pictures[1])
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    run_dir = new_run(project)
    train(config, run_dir, report=Events())
    assert lora_bits(run_dir) == lora_bits(whole)

    def lose(event, **fields):
        if event == "phase":
            for picture in pictures:
                cache.latents_file(picture).unlink(missing_ok=True)

    with pytest.raises(Problem, match="a picture of 'a person") as problem:
        train(config, new_run(project), report=lose)
    assert problem.value.action == "resume"


def test_other_settings_than_those_that_decide_the_pixels_do_not_draw_anew(tiny_base):
    def key(**changes):
        return plan_class_pictures(small_config(preservation={"pictures": 1}, **changes), tiny_base, "person")[0].latents_key

    same = key()
    assert key(steps=100, memory={"precision": "fp32", "blocks_swapped": 2}) == same
    assert key(data={"photo_size": 64}) != same
