"""Optimizers: each learns, goes on exactly from a file, takes the memory that the plan counts; rounding by chance, schedules, the average."""

import importlib.util
import math
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from training_kit import Events, lora_bits, new_project, new_run, small_config

from studio import bootstrap
from studio.commands import doctor
from studio.config import OPTIMIZERS, OptimizerConfig
from studio.errors import Problem
from studio.machine import Gpu, Machine
from studio.models.loras.reading import read_lora_file
from studio.training import checkpoints
from studio.training.checkpoints import save_state
from studio.training.loop import train
from studio.training.pairs import list_run_pairs, verify_pair
from studio.training.plan.optimizer_facts import EIGHT_BIT_LIBRARY, EIGHT_BIT_VERSION, lora_bytes_per_parameter, why_not_usable
from studio.training.schedule import learning_rate, steps_of_expert
from studio.training.step.optimizers import BETAS, LoraOptimizer, round_by_chance

SHAPES = {"a.lora_A.weight": (64, 64), "a.lora_B.weight": (96, 64)}  # from 4,096 numbers on, bitsandbytes keeps 8 bits
EVERY_ONE = [(name, precision) for name in OPTIMIZERS for precision in ("fp32", "bf16")]


def new_optimizer(name="adamw", precision="fp32", shapes=SHAPES, **settings):
    if name == "adamw8bit":
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is installed where there is an NVIDIA GPU")
    draw = torch.Generator().manual_seed(0)
    parameters = {
        key: torch.nn.Parameter(torch.randn(shape, generator=draw) if "A" in key else torch.zeros(shape)) for key, shape in shapes.items()
    }
    return LoraOptimizer(OptimizerConfig(name=name, **settings), parameters, precision)


def learn(optimizer, steps, rate=1e-2):
    """Steps towards B A = target; the losses."""
    target, losses = torch.randn(96, 64, generator=torch.Generator().manual_seed(1)), []
    for step in steps:
        a, b = (p.float() for p in optimizer.parameters.values())
        loss = (b @ a - target).square().mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step(rate, step, 7)
    return losses


def weights(optimizer):
    return {key: p.detach().clone() for key, p in optimizer.parameters.items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


# -- every optimizer


@pytest.mark.parametrize(("name", "precision"), EVERY_ONE)
def test_each_learns(name, precision):
    losses = learn(new_optimizer(name, precision, weight_decay=0.0), range(150), rate=1.0 if name == "prodigy" else 1e-2)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(("name", "precision"), EVERY_ONE)
def test_each_goes_on_from_a_file_as_if_it_had_never_stopped(project, name, precision):
    rate, run_dir = 1.0 if name == "prodigy" else 1e-2, new_run(project)
    whole, half, rest = (new_optimizer(name, precision, average=0.9) for _ in range(3))
    losses = learn(whole, range(9), rate)
    learn(half, range(4), rate)
    state = replace(checkpoints.empty_state(), step=4, expert_steps={"high_noise": 4, "low_noise": 0})
    state = save_state(run_dir, state, "high_noise", half.tensors(), half.numbers())
    checkpoints.restore_expert(state, "high_noise", rest)
    assert learn(rest, range(4, 9), rate) == losses[4:]
    assert equal(weights(rest), weights(whole)) and equal(rest.average.weights, whole.average.weights)


def test_adamw_is_torchs_own_to_the_last_bit():
    ours, plain = new_optimizer(weight_decay=0.02), new_optimizer()
    theirs = torch.optim.AdamW(plain.parameters.values(), lr=1e-2, betas=BETAS, weight_decay=0.02)
    plain.step = lambda rate, step, key: (theirs.step(), theirs.zero_grad())
    learn(ours, range(5))
    learn(plain, range(5))
    assert equal(weights(ours), weights(plain))


def test_a_safety_copy_of_an_earlier_version_goes_on_exactly(project):
    """It held AdamW's averages, but not its count of steps."""
    whole, half, rest = (new_optimizer() for _ in range(3))
    learn(whole, range(6))
    learn(half, range(3))
    old = {key: t for key, t in half.tensors().items() if not key.startswith("step/")}
    assert len(old) == 3 * len(SHAPES)
    state = save_state(
        new_run(project), replace(checkpoints.empty_state(), step=3, expert_steps={"high_noise": 3, "low_noise": 0}), "high_noise", old
    )
    checkpoints.restore_expert(state, "high_noise", rest)
    learn(rest, range(3, 6))
    assert equal(weights(rest), weights(whole))


def test_prodigy_finds_its_rate_and_says_it():
    optimizer = new_optimizer("prodigy")
    first = optimizer.step(1.0, 0, 7)
    learn(optimizer, range(1, 150), rate=1.0)
    assert first == 1e-5 and optimizer.step(1.0, 150, 7) > 10 * first


@pytest.mark.parametrize(("name", "precision"), EVERY_ONE)
def test_the_bytes_that_a_plan_counts_are_the_bytes_there_are(name, precision):
    shapes = {"a.lora_A.weight": (32, 2560), "a.lora_B.weight": (2560, 32)}
    optimizer, before = new_optimizer(name, precision, shapes), 0
    for p in optimizer.parameters.values():
        p.grad = torch.randn(p.shape)
        before += p.grad.nbytes
    optimizer.step(1e-3, 0, 7)
    held = [t for key, t in optimizer.tensors().items() if not key.startswith(("step/", "qmap"))]  # Bytes by the hundred
    count = sum(math.prod(shape) for shape in shapes.values())
    config = small_config(lora={"rank": 32, "precision": precision}, optimizer={"name": name})
    assert (before + sum(t.nbytes for t in held)) / count == pytest.approx(lora_bytes_per_parameter(config), rel=0.05)


# -- 8 bits, where they can be had


def test_8_bit_adamw_says_why_it_cannot_be_used(tiny_base, monkeypatch):
    with pytest.raises(Problem, match="NVIDIA GPUs only") as caught:
        train(small_config(optimizer={"name": "adamw8bit"}), new_run(new_project(tiny_base, photos=0)), report=Events())
    assert "adafactor" in caught.value.fix
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "bitsandbytes, which is not installed" in why_not_usable("adamw8bit", "cuda")
    assert [why_not_usable(name, "cpu") for name in ("adamw", "prodigy", "adafactor")] == ["", "", ""]


def test_the_doctor_tells_where_there_is_an_nvidia_gpu_whether_8_bit_adamw_can_be_used():
    gpu = Gpu(0, "RTX 4090", 23.99, 22.1, "555")
    machine = Machine(gpus=(gpu,), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)
    [found] = doctor._eight_bit_optimizer(machine)
    if importlib.util.find_spec("bitsandbytes"):
        assert "is there" in found.text
    else:
        assert found.state == "look" and f"pip install --no-deps {bootstrap.FOR_NVIDIA}" in found.text
    assert not list(doctor._eight_bit_optimizer(replace(machine, gpus=())))


def test_the_launcher_installs_the_version_of_8_bit_adamw_that_was_tested():
    assert f"{EIGHT_BIT_LIBRARY}=={EIGHT_BIT_VERSION}" == bootstrap.FOR_NVIDIA


# -- bf16, rounded by chance


def test_rounding_by_chance_is_right_on_average():
    """256 numbers between two neighbours in bf16, 4096 times each: the mean is the number, within five standard errors."""
    for low, gap in ((1.0, 2**-7), (-3.0, -(2**-6)), (1e-4, 2.0**-21)):
        low = torch.tensor(low).bfloat16().float()
        share = torch.linspace(0, 0.999, 256)
        x = (low + share * gap)[:, None].expand(256, 4096).contiguous()
        rounded = round_by_chance(x, torch.Generator().manual_seed(3)).float()
        assert {round(v, 6) for v in ((rounded - low) / gap).unique().tolist()} == {0.0, 1.0}
        error = ((rounded.double().mean(1) - x[:, 0].double()) / gap).abs()
        assert (error < 5 * ((share * (1 - share)).double() / 4096).sqrt() + 1e-6).all()


def test_rounding_by_chance_keeps_what_bf16_can_say_and_what_is_no_number():
    draw = torch.Generator().manual_seed(0)
    exact = torch.randn(1000).bfloat16()
    assert torch.equal(round_by_chance(exact.float(), draw), exact)
    strange = round_by_chance(torch.tensor([math.nan, math.inf, -math.inf]).repeat(500), draw).view(500, 3)
    assert strange[:, 0].isnan().all() and (strange[:, 1] == math.inf).all() and (strange[:, 2] == -math.inf).all()


def test_steps_too_small_for_bf16_add_up():
    optimizer = new_optimizer("adamw", "bf16", {"a.lora_A.weight": (100, 100)}, weight_decay=0.0)
    (p,) = optimizer.parameters.values()
    p.data.fill_(1.0)
    for step in range(50):
        p.grad = torch.ones(p.shape)
        optimizer.step(1e-4, step, 7)
    assert p.dtype == torch.bfloat16 and p.detach().float().mean().item() == pytest.approx(1 - 50e-4, abs=5e-4)


# -- schedules


def test_the_rate_grows_and_then_stays_or_falls_as_half_a_cosine():
    settings = {"learning_rate": 4e-3, "warmup_steps": 4}
    constant, cosine = (small_config(steps=20, optimizer=settings | {"schedule": name}) for name in ("constant", "cosine"))
    assert [learning_rate(constant, "low_noise", n) for n in (0, 1, 3, 4, 9)] == [1e-3, 2e-3, 4e-3, 4e-3, 4e-3]
    rates = [learning_rate(cosine, "low_noise", n) for n in range(10)]
    assert rates[:5] == [1e-3, 2e-3, 3e-3, 4e-3, 4e-3]
    assert rates[7] == pytest.approx(2e-3) and 0 < rates[9] < 3e-4 and rates[4:] == sorted(rates[4:], reverse=True)
    assert learning_rate(cosine, "low_noise", 30) == pytest.approx(0, abs=1e-12)  # more steps than planned: no way up again


def test_each_expert_has_a_course_of_its_own():
    config = small_config(steps=20, high_noise_share=0.25, optimizer={"schedule": "cosine", "warmup_steps": 0})
    assert [steps_of_expert(config, expert) for expert in ("high_noise", "low_noise")] == [5, 15]
    assert learning_rate(config, "high_noise", 4) < learning_rate(config, "low_noise", 4)


def test_prodigys_rate_is_a_factor():
    config = small_config(optimizer={"name": "prodigy", "prodigy_factor": 0.5, "warmup_steps": 0})
    assert learning_rate(config, "high_noise", 3) == 0.5


# -- through the loop


@pytest.fixture(scope="module")
def photos(tiny_base):
    return new_project(tiny_base, photos=5)


@pytest.fixture(scope="module")
def finished(photos):
    """(config, run folder) of a run that uses what differs most from the default."""
    unusual = {"name": "prodigy", "average": 0.5, "schedule": "cosine"}
    config, run_dir = small_config(steps=4, save_every=4, optimizer=unusual, lora={"precision": "bf16"}), new_run(photos)
    train(config, run_dir, report=Events())
    return config, run_dir


def test_a_run_that_stopped_ends_with_the_same_bits(photos, finished):
    config, whole = finished
    run_dir, events = new_run(photos), Events()
    train(config, run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 1)
    train(config, run_dir, report=events)
    assert lora_bits(run_dir) == lora_bits(whole)


def test_a_pair_holds_the_average_and_says_so_and_the_raw_weights_lie_beside_it(finished):
    _, run_dir = finished
    [pair], state = list_run_pairs(run_dir), checkpoints.load_state(run_dir, Events())
    verify_pair(pair)
    for expert, said in pair.manifest.experts.items():
        mean, metadata = read_lora_file(pair.files[expert])
        raw, _ = read_lora_file(pair.folder / said.raw.file)
        with safe_open(state.expert_file(expert), "pt") as file:
            assert '"d_max"' in file.metadata()["optimizer"]
            assert equal(raw, {key: file.get_tensor(f"lora/{key}").float() for key in raw})
        assert not equal(mean, raw) and said.weights == metadata["weights"] == "average"


def test_a_run_does_not_go_on_with_another_optimizer(photos):
    run_dir, events = new_run(photos), Events()
    train(small_config(), run_dir, report=events, should_stop=lambda: len(events.of("step")) >= 1)
    with pytest.raises(Problem, match="begun with optimizer adamw, not adafactor"):
        train(small_config(optimizer={"name": "adafactor"}), run_dir, report=events)
    assert not list_run_pairs(run_dir)
