"""Training through the real loop on the tiny model: it learns, goes on exactly, stops when it should, and says what goes wrong."""

import copy
import gc
import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from training_kit import Events, add_clip, add_photo, lora_bits, new_project, new_run, small_config

from studio.config import MemoryConfig, PreservationConfig
from studio.data.cache import Cache, Sample, write_tensor
from studio.data.choosing.by_hand import hold_out
from studio.data.dataset import remove_item, set_caption
from studio.disk import read_json
from studio.errors import Problem
from studio.models.loading import load_expert
from studio.models.lora import add_lora, lora_off, trainable_lora
from studio.training.checkpoints import load_state
from studio.training.endure.monitor import PATIENCE, LossMonitor
from studio.training.loop import train
from studio.training.pairs import list_pairs, list_run_pairs, verify_pair
from studio.training.plan.run_reports import TrainReport
from studio.training.samples import Samples, split
from studio.training.schedule import learning_rate, list_spans, plan_phases
from studio.training.step.batches import HELD_OUT_LEVELS
from studio.training.step.block_pass import Pass, StepPlan, predict
from studio.training.step.gradients import Group, Row, accumulate_gradients, evaluate, split_passes
from studio.training.step.preservation import preservation_weight, preserved_pictures


class Killed(BaseException):
    """The process ends here, as far as training can tell."""


@pytest.fixture(scope="module")
def project(tiny_base):
    project = new_project(tiny_base, photos=6)
    add_clip(project, 1)
    return project


@pytest.fixture(scope="module")
def finished(project):
    """(config, run folder, events, result) of an uninterrupted run: what every interrupted one must equal."""
    config, run_dir, events = small_config(), new_run(project), Events()
    return config, run_dir, events, train(config, run_dir, report=events)


def kill_at(number):
    """A `report` that ends the run at its number-th event."""
    seen = []

    def report(event, **fields):
        seen.append(event)
        if len(seen) == number:
            raise Killed

    return report


# -- it learns


def test_training_lowers_the_loss_of_pictures_it_has_never_seen(tiny_base):
    project, events = new_project(tiny_base, photos=10), Events()
    learning = {"lora": {"rank": 8}, "optimizer": {"learning_rate": 3e-3}, "preservation": {"enabled": False}}
    config = small_config(steps=40, save_every=40, **learning)
    train(config, new_run(project), report=events)
    for expert in ("high_noise", "low_noise"):
        first, *_, last = [e["loss"] for e in events.of("held_out") if e["expert"] == expert]
        assert last < 0.98 * first, expert


def test_events_tell_the_whole_story(finished):
    _, _, events, result = finished
    assert result == TrainReport(step=8, steps=8, pairs=("train-001/step-000004", "train-001/step-000008"))
    assert [(e["expert"], e["first_step"], e["last_step"]) for e in events.of("phase")] == [
        ("high_noise", 1, 2), ("low_noise", 3, 4), ("high_noise", 5, 6), ("low_noise", 7, 8),
    ]  # fmt: skip
    steps = events.of("step")
    assert [e["step"] for e in steps] == list(range(1, 9))
    assert [e["expert_step"] for e in steps] == [1, 2, 1, 2, 3, 4, 3, 4]
    assert [e["learning_rate"] for e in steps] == [2.5e-3, 5e-3] * 2 + [5e-3] * 4
    assert all(e["loss"] > 0 and e["grad_norm"] > 0 and e["seconds"] > 0 and e["memory_gb"] > 0 for e in steps)
    assert all(e["preservation_loss"] is not None for e in steps)
    assert [e["step"] for e in events.of("checkpoint")] == [4, 8]
    assert [(e["step"], e["expert_step"]) for e in events.of("held_out")] == [(0, 0), (2, 2), (2, 0), (4, 2), (6, 4), (8, 4)]
    for check in events.of("held_out"):
        limits = [(band["low"], band["high"]) for band in check["bands"]]
        assert len(limits) == HELD_OUT_LEVELS and all(a[1] == b[0] for a, b in itertools.pairwise(limits))
        assert sum(band["loss"] for band in check["bands"]) / HELD_OUT_LEVELS == pytest.approx(check["loss"], rel=1e-5)
        inside = (0.0, 0.875) if check["expert"] == "low_noise" else (0.875, 1.0)  # the boundary of the tiny model, and of T2V
        assert (limits[0][0], limits[-1][1]) == pytest.approx(inside, abs=1e-3)
    progress = [e for e in events.of("progress") if "seconds_left" in e]
    assert [e["done"] for e in progress] == list(range(1, 9)) and progress[-1]["seconds_left"] == 0


def test_a_pair_has_both_experts_and_its_files_are_what_the_manifest_says(project, finished):
    _, run_dir, _, _ = finished
    for pair in list_run_pairs(run_dir):
        verify_pair(pair)
        assert {e: m.steps for e, m in pair.manifest.experts.items()} == {"high_noise": pair.step // 2, "low_noise": pair.step // 2}
        assert pair.manifest.saved_by == "schedule"
        assert pair.low_noise.name == f"{project.slug}_step-{pair.step:06d}_low_noise.safetensors"
    assert [p.id for p in list_pairs(project)][:2] == ["train-001/step-000004", "train-001/step-000008"]


def test_only_one_expert_is_in_memory_and_none_while_pictures_are_encoded(tiny_base):
    loaded = {}

    def report(event, **fields):
        if event not in ("phase", "step") and fields.get("done") != 1:  # looking at every object takes a while
            return
        models = [m for m in gc.get_objects() if isinstance(m, WanTransformer3DModel)]
        count = sum(m.patch_embedding.weight.device.type != "meta" for m in models)
        loaded.setdefault((event, fields.get("stage")), set()).add(count)

    gc.collect()
    train(small_config(steps=4, save_every=4), new_run(new_project(tiny_base, photos=5)), report=report)
    assert loaded["progress", "Photos and clips"] == loaded["progress", "Captions"] == loaded["phase", None] == {0}
    assert loaded["step", None] == {1}


# -- it goes on exactly


@pytest.mark.parametrize("events_before", [5, 13, 21, 26])
def test_a_run_killed_anywhere_ends_with_the_same_bits(project, finished, events_before):
    config, whole, _, _ = finished
    run_dir = new_run(project)
    with pytest.raises(Killed):
        train(config, run_dir, report=kill_at(events_before))
    with pytest.raises(Killed):  # and once more on the way
        train(config, run_dir, report=kill_at(8))
    train(config, run_dir, report=Events())
    assert lora_bits(run_dir) == lora_bits(whole)


@pytest.mark.parametrize("stop_after", [0, 1, 3, 4])
def test_a_stopped_run_says_so_and_goes_on_to_the_same_bits(project, finished, stop_after):
    config, whole, _, _ = finished
    run_dir, events = new_run(project), Events()
    result = train(config, run_dir, report=events, should_stop=lambda: len(events.of("step")) >= stop_after)
    assert result.stopped and result.step == stop_after
    assert f"Stopped after step {stop_after} of 8" in events.of("note")[-1]["message"]
    train(config, run_dir, report=events)
    assert [e["step"] for e in events.of("step")] == list(range(1, 9))  # nothing twice
    assert lora_bits(run_dir) == lora_bits(whole)


def test_losses_after_a_resume_are_those_of_the_uninterrupted_run(project, finished):
    config, _, events, _ = finished
    run_dir, again = new_run(project), Events()
    with pytest.raises(Killed):
        train(config, run_dir, report=kill_at(14))
    train(config, run_dir, report=again)
    resumed = again.of("resume")[0]["step"]
    assert resumed > 0
    expected = [(e["step"], e["loss"], e["grad_norm"]) for e in events.of("step") if e["step"] > resumed]
    assert [(e["step"], e["loss"], e["grad_norm"]) for e in again.of("step")] == expected


def test_a_finished_run_has_nothing_to_do(finished):
    config, run_dir, _, _ = finished
    before, events = lora_bits(run_dir), Events()
    assert train(config, run_dir, report=events).nothing_to_do
    assert [name for name, _ in events] == ["note"] and "Nothing to do" in events.of("note")[0]["message"]
    assert lora_bits(run_dir) == before


def test_a_pair_that_was_lost_with_a_crash_is_made_from_the_saved_state(project, finished):
    config, whole, _, _ = finished
    run_dir = new_run(project)
    with pytest.raises(Killed):
        train(config, run_dir, report=lambda event, **f: kill_at(1)(event) if event == "checkpoint" and f["step"] == 8 else None)
    pair = list_run_pairs(run_dir)[-1]
    for file in pair.folder.iterdir():
        file.unlink()
    train(config, run_dir, report=Events())
    assert lora_bits(run_dir) == lora_bits(whole)


def test_later_edits_of_the_dataset_do_not_disturb_a_run(tiny_base):
    config, project = small_config(), new_project(tiny_base, photos=6)
    whole, run_dir, events = new_run(project), new_run(project), Events()
    train(config, whole, report=Events())
    train(config, run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 3)
    remove_item(project, "0002")
    set_caption(project, "0003", "ohwx, somewhere else")
    add_photo(project, 9)
    train(config, run_dir, report=events)
    assert lora_bits(run_dir) == lora_bits(whole)


def test_a_run_whose_photo_is_gone_with_its_cache_says_which(tiny_base):
    config, project = small_config(), new_project(tiny_base, photos=6)
    run_dir, events = new_run(project), Events()
    train(config, run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 1)
    learned = [Sample.from_json(d, "dataset.json") for d in read_json(run_dir / "dataset.json")["learned"]]
    sample = next(s for s in learned if s.item_id == "0002")
    remove_item(project, "0002")
    Cache(project).latents_file(sample).unlink()
    with pytest.raises(Problem, match="photo 0002 was changed or removed") as caught:
        train(config, run_dir, report=events)
    assert caught.value.action == "open-dataset"


def test_more_steps_can_be_added_to_a_finished_run(project, finished):
    run_dir, events = new_run(project), Events()
    train(small_config(steps=4), run_dir, report=Events())
    train(small_config(), run_dir, report=events)
    assert "steps" in events.of("note")[0]["message"]
    assert lora_bits(run_dir).keys() == lora_bits(finished[1]).keys()
    settings = [copy.deepcopy(pair.manifest.settings) for pair in list_run_pairs(run_dir)]
    assert [s["steps"] for s in settings] == [4, 8]


def test_a_run_does_not_go_on_with_another_lora_size(project):
    run_dir, events = new_run(project), Events()
    train(small_config(), run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 1)
    with pytest.raises(Problem, match="begun with LoRA size 4"):
        train(small_config(lora={"rank": 8}), run_dir, report=events)


# -- save now, shares


def test_save_now_makes_a_pair_of_both_experts_as_they_are(project, finished):
    config, whole, _, _ = finished
    run_dir, events = new_run(project), Events()
    train(config, run_dir, report=events, should_save=lambda: len(events.of("step")) in (1, 7))
    pairs = {p.step: p for p in list_run_pairs(run_dir)}
    assert list(pairs) == [1, 4, 7, 8]
    assert pairs[1].manifest.saved_by == "hand" and pairs[1].manifest.experts["low_noise"].to_json() == {
        "file": pairs[1].low_noise.name, "sha256": pairs[1].manifest.experts["low_noise"].sha256, "steps": 0, "trained": False,
        "weights": "last step",
    }  # fmt: skip
    for pair in pairs.values():
        verify_pair(pair)
    expected = lora_bits(whole)
    assert {k: v for k, v in lora_bits(run_dir).items() if k in expected} == expected  # saving changed nothing


@pytest.mark.parametrize(("share", "untrained"), [(1.0, "low_noise"), (0.0, "high_noise")])
def test_an_expert_without_a_share_gets_a_lora_that_changes_nothing(project, share, untrained):
    run_dir = new_run(project)
    train(small_config(steps=2, save_every=2, high_noise_share=share), run_dir, report=Events())
    pair = list_run_pairs(run_dir)[-1]
    assert [e for e, m in pair.manifest.experts.items() if not m.trained] == [untrained]
    from studio.models.loras.reading import read_lora_file

    state, _ = read_lora_file(pair.files[untrained])
    assert state and not any(t.any() for t in state.values())


# -- what goes wrong


def test_no_photos_is_a_sentence(tiny_base):
    run_dir = new_run(new_project(tiny_base, photos=0))
    with pytest.raises(Problem, match="no photos or clips") as caught:
        train(small_config(), run_dir, report=Events())
    assert caught.value.action == "open-dataset" and not (run_dir / "resume").exists()


def test_a_loss_that_is_no_number_is_no_step_and_keeps_the_last_pair(project, finished):
    config, run_dir, events = small_config(), new_run(project), Events()
    train(config, run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 5)
    learned = [Sample.from_json(d, "dataset.json") for d in read_json(run_dir / "dataset.json")["learned"]]
    files = [Cache(project).latents_file(s) for s in learned]
    good = [f.read_bytes() for f in files]
    try:
        for sample, file in zip(learned, files):
            write_tensor(file, torch.full_like(Cache(project).load(sample)[0], float("inf")))
        with pytest.raises(Problem, match="step 6: the loss is no longer a number") as caught:
            train(config, run_dir, report=events)
    finally:
        for data, file in zip(good, files):
            file.write_bytes(data)
    assert caught.value.action == "halve-learning-rate"
    assert "pair of step 4 is kept; the last safety copy is of step 5" in caught.value.cost
    train(config, run_dir, report=events)  # once the cause is gone, it goes on as if nothing had been
    assert lora_bits(run_dir) == lora_bits(finished[1])


def test_a_learning_speed_far_too_high_is_halved_once_and_then_stops_the_run(project):
    config = small_config(steps=60, save_every=60, optimizer={"learning_rate": 1.0, "warmup_steps": 0}, preservation={"enabled": False})
    run_dir, events = new_run(project), Events()
    with pytest.raises(Problem, match=r"(jumped|no longer a number).* Half the learning speed did not help") as caught:
        train(config, run_dir, report=events)
    assert "No checkpoint pair was made yet" in caught.value.cost and "it is 1" in caught.value.fix
    [back], steps = events.of("rollback"), events.of("step")
    assert back["to_step"] < back["step"] and events.of("resume") == [{"step": back["to_step"]}]
    assert {e["learning_rate"] for e in steps if e["learning_rate"] != 1.0} == {0.5} and len(steps) < 60


def test_a_breakdown_goes_back_to_the_safety_copy_and_on_with_half_the_speed_for_the_rest_of_the_run(project, finished):
    """A picture turns bad in the middle, and is mended while training goes back."""
    config, run_dir, events = small_config(resume_every=1), new_run(project), Events()
    train(config, run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 5)
    learned = [Sample.from_json(d, "dataset.json") for d in read_json(run_dir / "dataset.json")["learned"]]
    files = [Cache(project).latents_file(s) for s in learned]
    good = [f.read_bytes() for f in files]

    def report(event, **fields):
        events(event, **fields)
        if event == "rollback":
            for data, file in zip(good, files):
                file.write_bytes(data)

    try:
        for sample, file in zip(learned, files):
            write_tensor(file, torch.full_like(Cache(project).load(sample)[0], float("nan")))
        train(config, run_dir, report=report)
    finally:
        for data, file in zip(good, files):
            file.write_bytes(data)
    assert events.of("rollback")[0] | {"reason": ""} == {"step": 6, "to_step": 5, "rate_factor": 0.5, "reason": ""}
    assert [e["learning_rate"] for e in events.of("step")][5:] == [2.5e-3] * 3
    assert load_state(run_dir, events).rate_factor == 0.5  # so that a crash does not bring the full speed back
    bits, whole = lora_bits(run_dir), lora_bits(finished[1])
    assert {k: v == whole[k] for k, v in bits.items()} == {k: "step-000004" in k for k in bits}


def test_the_monitor_forgives_one_odd_picture_and_not_a_lasting_jump():
    monitor = LossMonitor([0.1] * 20)
    assert monitor.check(5.0, 1.0, 2.0) == "" and not monitor.is_calm
    assert monitor.check(0.12, 1.0, 2.0) == "" and monitor.is_calm
    said = [monitor.check(0.6, 1.0, 2.0) for _ in range(PATIENCE)]
    assert said[:-1] == [""] * (PATIENCE - 1) and "jumped to 0.6" in said[-1]
    assert "gradient" in LossMonitor().check(0.1, float("nan"), 2.0)


@pytest.mark.parametrize("losses", [(1.43, 2.22, 3.63, 3.68, 2.89, 2.42), (0.37, 2.0, 1.98, 2.03, 1.94, 1.79)])
def test_the_monitor_knows_a_wrecked_model_that_is_no_worse_than_none(losses):
    monitor = LossMonitor()
    assert [bool(monitor.check(loss, 0.05, 2.2)) for loss in losses] == [False] * PATIENCE + [True]


def test_the_monitor_lets_a_base_learn_that_knew_nothing():
    monitor = LossMonitor()
    assert not any(monitor.check(2.1 + 0.2 * (i % 2), 1.0, 2.2) for i in range(40))


# -- the step: gradients against a plain loop


@pytest.fixture(scope="module")
def group(project, finished):
    """Rows of different sizes, a clip among them; and rows to be kept as they are, at other noise."""
    samples = [Sample.from_json(d, "dataset.json") for d in read_json(finished[1] / "dataset.json")["learned"]]
    drawn = torch.Generator().manual_seed(0)
    rows, others = [], []
    for sample, sigma in zip((samples[0], samples[-1]), (0.3, 0.7)):
        latents, prompt, class_prompt = Cache(project).load(sample)
        rows.append(Row(latents, torch.randn(latents.shape, generator=drawn), sigma, prompt))
        others.append(Row(latents, torch.randn(latents.shape, generator=drawn), 1 - sigma, class_prompt))
    return Group(tuple(rows), tuple(others), 2.0)


def lora_model(base, **options):
    """The low-noise expert with a LoRA whose B is not zero, so that every gradient is alive."""
    model = load_expert(base, "low_noise", dtype=torch.float32, device="cpu", **options)
    add_lora(model, 4, seed=1)
    drawn = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for key, p in trainable_lora(model).items():
            if key.endswith("lora_B.weight"):
                p.copy_(torch.randn(p.shape, generator=drawn) * 0.1)
    return model


def gradients(model):
    return {key: p.grad.clone() for key, p in trainable_lora(model).items()}


def test_gradients_and_losses_equal_those_of_a_plain_loop(tiny_base, group):
    model = lora_model(tiny_base)
    losses = accumulate_gradients(model, group, "cpu").tolist()
    found = gradients(model)
    model.zero_grad()

    def answer(row):
        x_t, time = (1 - row.sigma) * row.latents + row.sigma * row.noise, torch.tensor([row.sigma * 1000])
        return model(hidden_states=x_t[None], timestep=time, encoder_hidden_states=row.prompt[None], return_dict=False)[0]

    with torch.no_grad(), lora_off(model):
        priors = [answer(row) for row in group.class_rows]
    mains = [F.mse_loss(answer(row), (row.noise - row.latents)[None]) for row in group.rows]
    preserved = [F.mse_loss(answer(row), prior) for row, prior in zip(group.class_rows, priors)]
    ((sum(mains) + group.preservation_weight * sum(preserved)) / 2).backward()
    assert losses[:2] == pytest.approx([sum(mains).item() / 2, sum(preserved).item() / 2], rel=1e-5)
    assert preserved[0] > 0
    expected = gradients(model)
    assert found.keys() == expected.keys()
    for key, grad in expected.items():
        assert torch.allclose(found[key], grad, rtol=1e-4, atol=1e-7 * grad.abs().max().clamp(min=1).item()), key


@pytest.mark.parametrize(
    "settings", [{"blocks_swapped": 3}, {"gradient_checkpointing": False}, {"blocks_swapped": 2, "inputs_in_ram": True}], ids=str
)
def test_memory_savers_change_neither_losses_nor_gradients(tiny_base, group, settings):
    results = []
    for memory in (MemoryConfig(), MemoryConfig(**settings)):
        model = lora_model(tiny_base, blocks_swapped=memory.blocks_swapped)
        losses = accumulate_gradients(model, group, "cpu", StepPlan.of(memory, len(model.blocks)))
        results.append((losses, gradients(model)))
    (losses, expected), (others, found) = results
    assert torch.allclose(losses, others, rtol=1e-6)
    assert all(torch.allclose(found[key], grad, rtol=1e-4, atol=1e-8) for key, grad in expected.items())


def test_preservation_keeps_the_answer_for_other_people(tiny_base, group):
    def drift(weight):
        model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu")
        add_lora(model, 4, seed=1)
        optimizer = torch.optim.AdamW(trainable_lora(model).values(), lr=1e-2)
        for _ in range(12):
            accumulate_gradients(model, replace(group, preservation_weight=weight), "cpu")
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            row = group.class_rows[0]
            asked = [Pass(row.noise[None], None, torch.tensor([0.8]), row.prompt[None])]
            (after,) = predict(model, asked)
            with lora_off(model):
                (before,) = predict(model, asked)
        return F.mse_loss(after, before).item()

    assert drift(4.0) < 0.6 * drift(0.0)


# -- plans


@pytest.mark.parametrize(("count", "every"), [(4, 1), (4, 2), (4, 3), (1, 4), (2, 16)])
def test_sparse_preservation_has_the_same_weight_in_all(count, every):
    config, steps = PreservationConfig(multiplier=1.5, every=every), 3 * every
    kept = [preserved_pictures(config, step, count) for step in range(steps)]
    assert sum(map(len, kept)) == steps * count / every
    weights = [preservation_weight(config, len(some), count) for some in kept]
    assert sum(weights) == pytest.approx(1.5 * steps)
    assert all(bool(weight) == bool(some) for weight, some in zip(weights, kept))


def test_no_preservation_keeps_nothing():
    for config in (PreservationConfig(enabled=False), PreservationConfig(multiplier=0.0)):
        assert preserved_pictures(config, 0, 4) == []


def test_phases_share_the_steps_and_end_at_every_pair():
    config = small_config(steps=10, save_every=4, high_noise_share=0.25)
    assert list_spans(config) == [4, 8, 10] and list_spans(config, 8) == [8, 10]
    done, seen = {"high_noise": 0, "low_noise": 0}, []
    for end in list_spans(config):
        for phase in plan_phases(config, end, done):
            seen.append((phase.expert, phase.first_step, phase.last_step))
            done[phase.expert] = phase.last_expert_step
        assert sum(done.values()) == end
    assert seen == [("high_noise", 1, 1), ("low_noise", 2, 4), ("high_noise", 5, 5), ("low_noise", 6, 8), ("low_noise", 9, 10)]


def test_a_share_changed_on_the_way_still_ends_at_the_same_step():
    done = {"high_noise": 4, "low_noise": 0}
    assert [(p.expert, p.last_step) for p in plan_phases(small_config(high_noise_share=0.1), 8, done)] == [("low_noise", 8)]
    done = {"high_noise": 0, "low_noise": 5}
    assert [(p.expert, p.last_step) for p in plan_phases(small_config(high_noise_share=1.0), 8, done)] == [("high_noise", 8)]


def test_warm_up_grows_evenly_and_then_stays():
    config = small_config(optimizer={"learning_rate": 1.0, "warmup_steps": 4})
    assert [learning_rate(config, "high_noise", step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_never_more_than_a_fifth_is_set_aside_and_always_the_same():
    samples = [
        Sample(item_id=f"{i:04d}", kind="photo", sha256=f"{i}", prompt="", class_prompt="", bucket=(32, 32), num_frames=1, latents_key="",
               prompt_key="", class_prompt_key="")
        for i in range(12)
    ]  # fmt: skip
    assert [len(split(samples[:n], 2).held_out) for n in (1, 4, 5, 9, 10, 12)] == [0, 0, 1, 1, 2, 2]
    chosen = {s.item_id for s in split(samples, 2).held_out}
    assert {s.item_id for s in split(samples[::-1], 2).held_out} == chosen
    assert isinstance(split(samples, 2), Samples) and not chosen & {s.item_id for s in split(samples, 2).learned}


def test_rows_in_one_pass_give_the_gradients_of_rows_one_by_one(tiny_base):
    """Rows of two sizes, with preservation: a few passes or one for each row, the same numbers."""
    model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu")
    add_lora(model, 4, seed=0)
    parameters = trainable_lora(model)
    with torch.no_grad():
        for key, p in parameters.items():
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(len(key))) * 0.02)
    draw = torch.Generator().manual_seed(1)
    shapes = [(12, 1, 8, 8), (12, 1, 8, 8), (12, 2, 4, 8), (12, 1, 8, 8)]
    rows = tuple(
        Row(*(torch.randn(shape, generator=draw) for _ in range(2)), 0.2 + 0.2 * i, torch.randn(12, 64, generator=draw))
        for i, shape in enumerate(shapes)
    )
    results = {}
    for size in (1, 2, 4):
        losses = accumulate_gradients(model, Group(rows, rows[::-1], 2.0), "cpu", StepPlan(size))
        results[size] = (losses, {key: p.grad.clone() for key, p in parameters.items()}, evaluate(model, rows, "cpu", StepPlan(size)))
        for p in parameters.values():
            p.grad = None
    assert [len(p) for p in split_passes(rows, 4)] == [3, 1] and [len(p) for p in split_passes(rows, 2)] == [2, 1, 1]
    for size in (2, 4):
        for one, many in zip(results[1], results[size]):
            if isinstance(one, dict):
                assert all((one[k] - many[k]).norm() <= 1e-4 * one[k].norm() + 1e-8 for k in one)
            else:
                torch.testing.assert_close(one, many, rtol=1e-5, atol=1e-6)


def test_photos_that_were_held_out_by_choice_are_checked_with_and_never_learned_from(tiny_base):
    project = new_project(tiny_base, photos=8)
    hold_out(project, "0003")
    hold_out(project, "0007")
    run_dir = new_run(project)
    train(small_config(steps=2, save_every=2), run_dir)
    samples = {name: {sample["item_id"] for sample in read_json(run_dir / "dataset.json")[name]} for name in ("learned", "held_out")}
    assert samples == {"learned": {f"{n:04d}" for n in (1, 2, 4, 5, 6, 8)}, "held_out": {"0003", "0007"}}


def test_without_any_checking_what_was_held_out_is_still_not_learned_from(tiny_base):
    project = new_project(tiny_base, photos=6)
    hold_out(project, "0003")
    run_dir = new_run(project)
    train(small_config(steps=2, save_every=2, data={"held_out_items": 0}), run_dir)
    samples = read_json(run_dir / "dataset.json")
    assert "0003" not in {sample["item_id"] for sample in samples["learned"]} and len(samples["learned"]) == 5 and not samples["held_out"]
