"""The self-check: on the person's own GPU, what the studio proves on processors alone in its tests. Without a GPU the same checks run small.

Each check compares with a plain way to do the same, and gives a finding; the numbers beside it go into the report that can be attached to a bug.
"""

import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from studio.models.compiled import call_block, compile_block, why_not_compiled
from studio.models.forward import Transformer, begin
from studio.models.lora import add_lora, trainable_lora
from studio.models.stream.links import make_link
from studio.models.stream.precision import STORED, FrozenLinear, quantize, why_not_multiplied
from studio.models.stream.streaming import place_blocks
from studio.training.step.block_pass import StepPlan
from studio.training.step.gradients import Group, Row, accumulate_gradients

GOOD, LOOK, BAD = "good", "look", "bad"
WIDE = dict(num_attention_heads=40, ffn_dim=13824, text_dim=4096, freq_dim=256)  # a block of WAN 2.2 A14B
NARROW = dict(num_attention_heads=2, ffn_dim=512, text_dim=64, freq_dim=64)
SHARED = dict(attention_head_dim=128, num_layers=3, cross_attn_norm=True, qk_norm="rms_norm_across_heads")
MEGABYTES_SENT = 512
GRADIENT_TOLERANCE = 1e-3  # relative; two orders of summation in fp32
COMPILED_TOLERANCE = 0.03  # relative; a program rounds to bf16 less often than the steps that it is made of


@dataclass(frozen=True)
class Finding:
    """what: short name; state: "good", "look" (slower or missing, but sound) or "bad"; text: a sentence; numbers: for the report."""

    what: str
    state: str
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)


def check_device(device: torch.device | str, say: Callable[[str], None] = lambda text: None) -> Iterator[Finding]:
    """Every Finding about a torch device, in turn. A check that cannot be carried out is a finding too: the others go on."""
    place = torch.device(device)
    checks = (
        ("streaming", check_streaming, "Blocks that travel, against blocks that stay"),
        ("gradients", check_gradients, "The studio's step, against a plain one"),
        ("8-bit weights", check_small_weights, "Weights in 8 bits"),
        ("8-bit products", check_small_products, "Products of 8-bit numbers"),
        ("compiled blocks", check_compiled, "A compiled block, which takes some minutes to make"),
        ("attention", check_attention, "Attention"),
        ("RAM to GPU", check_link, "The way from RAM to the GPU"),
        ("arithmetic", check_arithmetic, "Arithmetic"),
    )
    for what, check, title in checks:
        say(f"{title} ...")
        try:
            yield check(place)
        except Exception as e:  # what a driver raises is not known beforehand, and this is where it is to be told
            yield Finding(what, BAD, f"The check broke off: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}")
        finally:
            if place.type == "cuda":
                torch.cuda.empty_cache()


def describe_system(device: torch.device | str) -> dict[str, Any]:
    """What a bug report needs to know: versions and the GPU's facts; no names of people or folders."""
    names = ("torch", "diffusers", "transformers", "peft", "accelerate", "safetensors")
    facts: dict[str, Any] = {"system": f"{platform.system()} {platform.release()}", "python": platform.python_version()}
    facts |= {name: importlib.metadata.version(name) for name in names}
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        facts |= {
            "gpu": properties.name,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda or "",
            "vram_gb": round(total / 2**30, 2),
            "vram_free_gb": round(free / 2**30, 2),
        }
    return facts


# -- sound


def check_streaming(device: torch.device) -> Finding:
    """The same bits from blocks that are swapped through two buffers as from blocks that stay, and with every buffer spoiled before its use."""
    wide = device.type == "cuda"
    dtype = torch.bfloat16 if wide else torch.float32
    inputs = _inputs(device, dtype, WIDE if wide else NARROW, side=32 if wide else 8)
    answers, seconds = {}, {}
    for name, swapped, link in (("stay", 0, None), ("travel", 3, make_link(device, spoils=True))):
        model = _model(WIDE if wide else NARROW, dtype)
        place_blocks(model, device, swapped, link=link)
        with torch.no_grad():
            model(**inputs, return_dict=False)
            with _timed(device, seconds, name):
                answers[name] = model(**inputs, return_dict=False)[0].float().cpu()
        model.streamer.clear()
        del model
    equal = torch.equal(answers["stay"], answers["travel"]) and bool(answers["stay"].isfinite().all())
    numbers = {"equal": equal, "width": "true" if wide else "narrow", "seconds": seconds}
    if equal:
        return Finding("streaming", GOOD, "blocks that wait in RAM give the same numbers, to the last bit, as blocks that stay", numbers)
    return Finding(
        "streaming", BAD, "blocks that wait in RAM give other numbers: do not train with blocks in RAM here; please report it", numbers
    )


def check_gradients(device: torch.device) -> Finding:
    """Gradients of the block pass, streamed, its inputs in RAM, against autograd over the plain model."""
    draw = torch.Generator().manual_seed(1)
    rows = tuple(_row(draw, sigma) for sigma in (0.3, 0.8))
    model = _model(NARROW, torch.float32)
    place_blocks(model, device, 3, link=make_link(device, spoils=True))
    _with_lora(model)
    accumulate_gradients(model, Group(rows), device, StepPlan(inputs_in_ram=True))
    plain = _model(NARROW, torch.float32)
    plain.to(device)
    _with_lora(plain)
    with _exact_products():
        losses = []
        for row in rows:
            latents, noise, prompt = (t[None].to(device) for t in (row.latents, row.noise, row.prompt))
            x_t, sigma = (1 - row.sigma) * latents + row.sigma * noise, torch.tensor([row.sigma * 1000], device=device)
            losses.append(F.mse_loss(plain(x_t, sigma, prompt, return_dict=False)[0], noise - latents))
        torch.stack(losses).mean().backward()
    expected = trainable_lora(plain)
    error = max(_relative_error(_gradient(p), _gradient(expected[name])) for name, p in trainable_lora(model).items())
    numbers = {"largest_relative_error": error}
    if error <= GRADIENT_TOLERANCE:
        return Finding("gradients", GOOD, f"a step learns what a plain one does (gradients within {error:.1e})", numbers)
    return Finding("gradients", BAD, f"a step's gradients are off by {error:.1e}; do not train here, please report it", numbers)


def check_small_weights(device: torch.device) -> Finding:
    """Linears with int8 and fp8 weights on the device against the same on the processor."""
    weight = torch.randn(256, 512, generator=torch.Generator().manual_seed(2)) * 0.05
    x, errors, missing = torch.randn(64, 512, generator=torch.Generator().manual_seed(3)), {}, []
    for name, dtype in STORED.items():
        stored, scale = quantize(weight, dtype)
        layer = FrozenLinear(512, 256, False, dtype, scale.shape[1])
        layer.weight.data, layer.scale.data = stored, scale
        expected = layer(x)
        try:
            with _exact_products():
                found = layer.to(device)(x.to(device)).cpu()
        except (RuntimeError, NotImplementedError):
            missing.append(name)
            continue
        errors[name] = ((found - expected).norm() / expected.norm()).item()
    numbers = {"relative_error": errors, "missing": missing}
    if any(not error < 1e-4 for error in errors.values()):
        return Finding("8-bit weights", BAD, "weights in 8 bits give other numbers here: use bf16, and please report it", numbers)
    if missing:
        return Finding("8-bit weights", LOOK, f"{' and '.join(missing)} cannot be used here; {' and '.join(errors) or 'bf16'} can", numbers)
    return Finding("8-bit weights", GOOD, "int8 and fp8 weights give the numbers they should", numbers)


# -- quick


def check_small_products(device: torch.device) -> Finding:
    """Products of 8-bit numbers beside the exact ones, at a feed-forward's shape: how far off, and how much quicker."""
    wide = device.type == "cuda"
    rows, width, dtype = (4096, 5120, torch.bfloat16) if wide else (64, 128, torch.float32)
    draw = torch.Generator().manual_seed(5)
    weight = torch.randn(2 * width, width, generator=draw).to(device) * 0.02
    x = torch.randn(rows, width, generator=draw).to(device, dtype)
    numbers, missing = {}, []
    for name, stored in STORED.items():
        if why_not_multiplied(device, stored):
            missing.append(name)
            continue
        layer = FrozenLinear(width, 2 * width, False, stored, 1)
        layer.weight.data, layer.scale.data = quantize(weight, stored, block=0)
        seconds, answers = {}, {}
        for kind in ("exact", "8bit"):
            layer.multiplies_small = kind == "8bit"
            layer(x)
            with _timed(device, seconds, kind):
                answers[kind] = layer(x)
        error = ((answers["8bit"] - answers["exact"]).float().norm() / answers["exact"].float().norm()).item()
        numbers[name] = {"relative_error": error, "times_as_fast": seconds["exact"] / seconds["8bit"]}
    if not numbers:
        return Finding("8-bit products", LOOK, "this card multiplies no 8-bit numbers; products stay exact", {"missing": missing})
    words = [f"{name} {facts['relative_error']:.1%} off, {facts['times_as_fast']:.1f} times as fast" for name, facts in numbers.items()]
    state = GOOD if all(facts["relative_error"] < 0.1 for facts in numbers.values()) else BAD
    return Finding("8-bit products", state, "; ".join(words), numbers | {"missing": missing})


def check_compiled(device: torch.device) -> Finding:
    """A block that torch.compile made a program of, beside the block as it is: its output, its LoRA's gradients, its time forward and backward.

    Without a GPU the small block is only traced ("aot_eager"), not translated: that takes seconds, and is the part of it that is ours.
    """
    wide = device.type == "cuda"
    backend, dtype = ("inductor", torch.bfloat16) if wide else ("aot_eager", torch.float32)
    if why := why_not_compiled(device, backend):
        return Finding("compiled blocks", LOOK, f"blocks cannot be compiled here, so leave that off ({why})", {"reason": why})
    model = _model((WIDE if wide else NARROW) | {"num_layers": 1}, dtype)
    place_blocks(model, device)
    _with_lora(model)
    inputs = _inputs(device, dtype, WIDE if wide else NARROW, side=64 if wide else 8)
    hidden, context = begin(model, *inputs.values())
    seconds, answers = {}, {}
    for name, compute in (("plain", call_block), ("compiled", compile_block(backend))):
        for _ in range(2):  # the first time makes the program
            model.zero_grad()
            start = hidden.detach().requires_grad_()
            with _timed(device, seconds, name):
                output = compute(model.blocks[0], start, *context.block_inputs)
                output.float().square().mean().backward()
        answers[name] = [output.detach(), start.grad, *(p.grad for p in trainable_lora(model).values())]
    error = max(_relative_error(a, b) for a, b in zip(answers["compiled"], answers["plain"]))
    numbers = {"backend": backend, "seconds": seconds, "largest_relative_error": error}
    if not error <= (COMPILED_TOLERANCE if wide else GRADIENT_TOLERANCE):
        return Finding("compiled blocks", BAD, f"a compiled block is off by {error:.1e}: leave that off, and please report it", numbers)
    speed = f", {seconds['plain'] / seconds['compiled']:.2f} times as fast" if wide else ""
    return Finding("compiled blocks", GOOD, f"a compiled block gives the numbers of a plain one (within {error:.1e}){speed}", numbers)


def check_attention(device: torch.device) -> Finding:
    """Which ways of computing attention work at WAN's shapes, and how long each takes."""
    tokens, dtype = (4096, torch.bfloat16) if device.type == "cuda" else (64, torch.float32)
    q, k, v = (torch.randn(1, 8, tokens, 128, device=device, dtype=dtype) for _ in range(3))
    seconds = {}
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH):
        try:
            with sdpa_kernel(backend):
                F.scaled_dot_product_attention(q, k, v)
                with _timed(device, seconds, backend.name.lower()):
                    F.scaled_dot_product_attention(q, k, v)
        except RuntimeError:  # "no available kernel": what is asked here
            seconds.pop(backend.name.lower(), None)
    quick = [name for name in seconds if name != "math"]
    numbers = {"tokens": tokens, "seconds": seconds}
    if quick or device.type == "cpu":
        return Finding("attention", GOOD, f"works with {', '.join(quick or seconds)}", numbers)
    return Finding("attention", LOOK, "only the slow way works, which takes much memory for clips: update the GPU's driver", numbers)


def check_link(device: torch.device) -> Finding:
    """GB/s from RAM to the GPU, page-locked and ordinary."""
    if device.type != "cuda":
        return Finding("RAM to GPU", LOOK, "there is no GPU")
    count, speeds = MEGABYTES_SENT * 2**20, {}
    there = torch.empty(count, dtype=torch.uint8, device=device)
    for name, host in (
        ("page_locked", torch.empty(count, dtype=torch.uint8, pin_memory=True)),
        ("ordinary", torch.empty(count, dtype=torch.uint8)),
    ):
        there.copy_(host, non_blocking=True)
        seconds = {}
        with _timed(device, seconds, name):
            there.copy_(host, non_blocking=True)
        speeds[name] = count / 1e9 / seconds[name]
    state = GOOD if speeds["page_locked"] >= 8 else LOOK
    text = f"{speeds['page_locked']:.1f} GB/s, {speeds['ordinary']:.1f} from memory that is not page-locked"
    slow = "; blocks in RAM will slow training down: is the card in the fast slot?" if state == LOOK else ""
    return Finding("RAM to GPU", state, text + slow, {"gb_per_second": speeds})


def check_arithmetic(device: torch.device) -> Finding:
    """TFLOP/s of a large matrix product in the training's number format."""
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (512, torch.float32)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    _ = a @ b
    seconds = {}
    with _timed(device, seconds, "product"):
        for _ in range(10):
            _ = a @ b
    tflops = 10 * 2 * size**3 / seconds["product"] / 1e12
    return Finding("arithmetic", GOOD, f"{tflops:.1f} TFLOP/s in {str(dtype).removeprefix('torch.')}", {"tflops": tflops})


# -- what the checks are made of


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None  # a backward pass has come through it
    return parameter.grad


def _relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).float().norm() / expected.float().norm().clamp(min=1e-12)).item()


def _model(config: Mapping[str, Any], dtype: torch.dtype) -> Transformer:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WanTransformer3DModel(**{**SHARED, **config}).requires_grad_(False).eval()
    kept = set(WanTransformer3DModel._keep_in_fp32_modules)
    for name, p in model.named_parameters():
        p.data = p.data.to(torch.float32 if kept & set(name.split(".")) else dtype)
    return model


def _inputs(device: torch.device, dtype: torch.dtype, config: Mapping[str, Any], side: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return dict(
        hidden_states=torch.randn(1, 16, 1, side, side, generator=draw).to(device, dtype),
        timestep=torch.tensor([500.0], device=device),
        encoder_hidden_states=torch.randn(1, 32, config["text_dim"], generator=draw).to(device, dtype),
    )


def _row(draw: torch.Generator, sigma: float) -> Row:
    latents, noise = (torch.randn(16, 1, 8, 8, generator=draw) for _ in range(2))
    return Row(latents, noise, sigma, torch.randn(8, NARROW["text_dim"], generator=draw))


def _with_lora(model: Transformer) -> None:
    add_lora(model, 4, seed=0)
    draw = torch.Generator().manual_seed(4)
    for key, p in trainable_lora(model).items():
        if "lora_B" in key:
            p.data.copy_(torch.randn(p.shape, generator=draw) * 0.1)


@contextmanager
def _timed(device: torch.device, seconds: dict[str, float], name: str) -> Iterator[None]:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds[name] = time.perf_counter() - started


@contextmanager
def _exact_products() -> Iterator[None]:
    """fp32 products in fp32: two ways are to be compared, not two number formats."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
