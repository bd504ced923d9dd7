"""A block-major step beside the plain loop of other trainers (diffusers and peft, sample by sample, DOP), on the same small model in one run.

    python tests/benchmarks/block_major.py [--rounds 5] [--width 384] [--blocks 8]

Prints one JSON object: largest relative difference of the gradients, block loads, time with nothing streamed, and time with all blocks streamed
over a link that is throttled until the plain loop, which fetches one block ahead, waits for it 80 % of its time. Ratios: ours / plain's.
"""

import argparse
import copy
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT)]
os.environ.update(HF_HUB_OFFLINE="1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from diffusers import WanTransformer3DModel  # noqa: E402
from peft import LoraConfig  # noqa: E402

from studio.models.lora import TARGET_MODULES, add_lora, trainable_lora  # noqa: E402
from studio.models.loras.names import file_key  # noqa: E402
from studio.models.stream.links import Link  # noqa: E402
from studio.models.stream.streaming import place_blocks  # noqa: E402
from studio.training.step.gradients import Group, Row, accumulate_gradients  # noqa: E402

RANK, ACCUMULATION = 8, 4
PLAIN_LOADS = 5 * ACCUMULATION  # of a block: prior, two forwards, two recomputes for each sample
WAITING = 0.8


class ThrottledLink(Link):
    """Takes the given time for every copy, one after the other; waits as long as a real one would."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.free_at, self.ready_at = seconds, 0.0, {}

    def send(self, buffer, host):
        super().send(buffer, host)
        self.free_at = max(self.free_at, time.perf_counter()) + self.seconds
        self.ready_at[buffer.data_ptr()] = self.free_at

    def wait(self, buffer):
        time.sleep(max(0.0, self.ready_at[buffer.data_ptr()] - time.perf_counter()))


class PlainLoop:
    """Prior, answer and class answer for each sample, each through the whole model, with gradient checkpointing."""

    def __init__(self, model):
        self.model = copy.deepcopy(model).train()
        self.model.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights=False, target_modules=TARGET_MODULES))
        self.model.enable_gradient_checkpointing()
        self.seconds, self.started, self.ready_at, self.num_loads, self.waited = 0.0, 0.0, 0.0, 0, 0.0
        for block in self.model.blocks:
            block.register_forward_pre_hook(self._fetch)

    def _fetch(self, *_):
        """The block that begins was asked for when the one before it began."""
        self.num_loads += 1
        self.ready_at = max(self.ready_at, self.started) + self.seconds
        before = time.perf_counter()
        time.sleep(max(0.0, self.ready_at - before) if self.seconds else 0.0)
        self.started = time.perf_counter()
        self.waited += self.started - before

    def step(self, group):
        count = len(group.rows)
        for row, kept in zip(group.rows, group.class_rows):
            with torch.no_grad():
                self.model.disable_adapters()
                prior = self._answer(kept)
                self.model.enable_adapters()
            loss = F.mse_loss(self._answer(row), (row.noise - row.latents)[None])
            loss = loss + group.preservation_weight * F.mse_loss(self._answer(kept), prior)
            (loss / count).backward()

    def _answer(self, row):
        x_t = (1 - row.sigma) * row.latents + row.sigma * row.noise
        return self.model(x_t[None], torch.tensor([row.sigma * 1000]), row.prompt[None], return_dict=False)[0]

    def parameters(self):
        found = {}
        for name, p in self.model.named_parameters():
            if "lora_" in name:
                module, _, part = name.partition(".lora_")
                found[file_key(module, part[0])] = p
        return found


def main():
    options = parse_arguments()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    base = make_model(options)
    group = make_group()
    plain = PlainLoop(base)
    facts = compare_gradients(base, plain, group)
    resident = make_ours(base, 0, None, plain)
    facts |= compare(resident, plain, group, options.rounds, "nothing streamed")
    plain.seconds = facts["nothing streamed"]["plain_seconds"] / (1 - WAITING) / (PLAIN_LOADS * options.blocks)
    throttle(plain, group)
    streamed = make_ours(base, options.blocks, ThrottledLink(plain.seconds), plain)
    facts |= compare(streamed, plain, group, options.rounds, "throttled")
    print(json.dumps(facts | {"width": options.width, "blocks": options.blocks, "threads": options.threads}))


def throttle(plain, group):
    """Slow the link down until the plain loop waits for it as long as it is to: its blocks do not all compute for the same time."""
    while True:
        loads, plain.waited = plain.num_loads, 0.0
        seconds = timed(lambda: plain.step(group))
        if plain.waited / seconds >= WAITING + 0.02:  # and a little longer, for a machine that is busier later than now
            return
        plain.seconds = max(1.05 * plain.seconds, (seconds - plain.waited) / (1 - WAITING - 0.03) / (plain.num_loads - loads))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def make_model(options):
    heads = options.width // 32
    sizes = dict(num_attention_heads=heads, attention_head_dim=32, text_dim=64, freq_dim=64, ffn_dim=3 * options.width)
    return (
        WanTransformer3DModel(**sizes, num_layers=options.blocks, cross_attn_norm=True, qk_norm="rms_norm_across_heads")
        .requires_grad_(False)
        .eval()
    )


def make_group():
    draw = torch.Generator().manual_seed(1)

    def rows():
        shape = (16, 1, 32, 32)
        for i in range(ACCUMULATION):
            latents, noise = torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)
            yield Row(latents, noise, (i + 0.5) / ACCUMULATION, torch.randn(32, 64, generator=draw))

    return Group(tuple(rows()), tuple(rows()), 1.0)


def make_ours(base, swapped, link, plain):
    """Our model with the LoRA of the plain loop in it."""
    model = copy.deepcopy(base)
    place_blocks(model, "cpu", swapped, link=link)
    add_lora(model, RANK, seed=0)
    with torch.no_grad():
        for key, p in plain.parameters().items():
            trainable_lora(model)[key].copy_(p)
    return model


def compare_gradients(base, plain, group):
    model = make_ours(base, len(base.blocks), None, plain)
    plain.step(group)
    accumulate_gradients(model, group, "cpu")
    expected = {key: p.grad for key, p in plain.parameters().items()}
    found = {key: p.grad for key, p in trainable_lora(model).items()}
    assert found.keys() == expected.keys()
    worst = max(((found[key] - g).norm() / g.norm()).item() for key, g in expected.items())
    before = model.streamer.num_loads
    accumulate_gradients(model, group, "cpu")
    loads = {"ours": model.streamer.num_loads - before, "plain": plain.num_loads, "twice_streamed": 2 * len(base.blocks)}
    return {"gradients": len(expected), "largest_relative_difference": worst, "block_loads": loads}


def compare(model, plain, group, rounds, name):
    """Turn by turn, so that a busy machine is busy for both; medians."""
    ours, others, plain.waited = [], [], 0.0
    for _ in range(rounds + 1):
        ours.append(timed(lambda: accumulate_gradients(model, group, "cpu")))
        others.append(timed(lambda: plain.step(group)))
    waiting = plain.waited / sum(others)
    ours, others = ours[1:], others[1:]
    ratio = median(a / b for a, b in zip(ours, others))
    return {name: {"ratio": ratio, "ours_seconds": median(ours), "plain_seconds": median(others), "plain_waits": waiting}}


def timed(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
