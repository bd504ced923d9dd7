"""The bytes that a training step takes on a GPU, counted without one: the real step, on tensors that have shapes and no memory ("meta").

Every storage that an operation makes is followed from its making to its end. What waits in RAM is counted apart.
"""

import weakref
from dataclasses import dataclass

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from studio.models.lora import add_lora, trainable_lora
from studio.models.stream.activation_store import HostActivationStore
from studio.models.stream.precision import STORED, block_size
from studio.models.stream.storage import linears_stored_small, replace_by_small
from studio.models.stream.streaming import place_blocks
from studio.training.step.block_pass import Pass, add_gradients

OPTIMIZER_STATES = 2  # AdamW's two averages, fp32


@dataclass(frozen=True)
class Shape:
    """Rows of one size: latent frames, height and width; tokens of the prompt. preserved: as many rows again, with the base model's answer."""

    frames: int
    height: int
    width: int
    rows: int = 1
    preserved: int = 0
    prompt_tokens: int = 512


@dataclass(frozen=True)
class Simulated:
    """Bytes. peak: the most on the GPU at once, LoRA, its gradients and optimizer counted; resting: what is there between steps; host: RAM of
    swapped blocks and of inputs that wait there."""

    peak: int
    resting: int
    host: int


def simulate_step(model_config, shape, plan, *, rank=32, blocks_swapped=0, dtype=torch.bfloat16, precision="bf16"):
    """A Simulated optimizer step of one block pass of WanTransformer3DModel(**model_config), with LoRA of this rank at every block."""
    model = make_model(model_config, dtype, precision)
    place_blocks(model, "meta", blocks_swapped)
    add_lora(model, rank, seed=0)
    return simulate(model, _passes(model, shape), plan)


def make_model(model_config, dtype, precision="bf16"):
    """The transformer with shapes alone, in the number formats in which it is loaded."""
    from diffusers import WanTransformer3DModel

    with torch.device("meta"):
        model = WanTransformer3DModel(**model_config).requires_grad_(False).eval()
    kept = set(WanTransformer3DModel._keep_in_fp32_modules)
    for name, p in model.named_parameters():
        p.data = p.data.to(torch.float32 if kept & set(name.split(".")) else dtype)
    return store_blocks_small(model, precision)


def simulate(model, passes, plan):
    """Count a block pass of a model that is placed and has its LoRA; on `meta`, or with real memory on a CPU."""
    memory = Memory()
    lora = list(trainable_lora(model).values())
    states = [torch.empty_like(p) for p in lora for _ in range(OPTIMIZER_STATES)]
    for tensor in (*model.parameters(), *model.buffers(), *model.streamer.buffers, *states):
        memory.follow(tensor)
    store = CountedStore(lora[0].device, memory) if plan.inputs_in_ram else plan.make_store(lora[0].device)
    for p in lora:
        p.grad = None
    resting = memory.now
    with FlashAttention(), memory:
        for one in passes:
            for tensor in (one.x_t, one.target, one.sigma, one.prompt):
                memory.follow(tensor)
        add_gradients(model, passes, plan, store)
    slabs = sum(slab.nbytes for slab in model.streamer.slabs.values())
    return Simulated(memory.peak, resting, slabs + store.num_bytes if plan.inputs_in_ram else slabs)


def _passes(model, shape):
    channels, text = model.config.in_channels, model.config.text_dim

    def one(is_preserved):
        x_t = torch.empty(1, channels, shape.frames, shape.height, shape.width, device="meta")
        target = None if is_preserved else torch.empty(1, model.config.out_channels, *x_t.shape[2:], device="meta")
        return Pass(x_t, target, torch.empty(1, device="meta"), torch.empty(1, shape.prompt_tokens, text, device="meta"))

    return [one(False) for _ in range(shape.rows)] + [one(True) for _ in range(shape.preserved)]


class Memory(TorchDispatchMode):
    """Counts the bytes of storages that are alive, as operations make and free them."""

    def __init__(self):
        super().__init__()
        self.alive, self.elsewhere, self.now, self.peak = {}, set(), 0, 0

    def follow(self, tensor):
        if tensor is None:
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.alive or key in self.elsewhere:
            return
        self.alive[key] = storage.nbytes()
        self.now += self.alive[key]
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key)

    def leave_out(self, tensor):
        """Its memory is not the device's; called before an operation makes use of it, and kept for as long as the simulation."""
        key = tensor.untyped_storage()._cdata
        self.elsewhere.add(key)
        self.now -= self.alive.pop(key, 0)

    def _forget(self, key):
        self.now -= self.alive.pop(key, 0)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.follow(leaf)
        return result


class CountedStore(HostActivationStore):
    """A store in RAM whose host tensors are not the device's."""

    def __init__(self, device, memory):
        super().__init__(device)
        self.memory = memory

    def _host_memory(self, tensor):
        peak = self.memory.peak
        host = super()._host_memory(tensor)
        self.memory.leave_out(host)
        self.memory.peak = peak
        return host


class FlashAttention(TorchFunctionMode):
    """On `meta`, attention would take the path whose memory grows with the square of the tokens; on a GPU it is the flash kernel."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            query, key, value = (*args, *(kwargs[name] for name in ("query", "key", "value")[len(args) :]))[:3]
            if query.is_meta:
                return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return func(*args, **kwargs)


def store_blocks_small(model: torch.nn.Module, precision: str) -> torch.nn.Module:
    """Make the block's Linears of an empty transformer 8 bits large, for counting: shapes alone. Nothing happens for other precisions."""
    if precision in STORED:
        for name, linear in list(linears_stored_small(model)):
            replace_by_small(model, name, linear, STORED[precision], linear.in_features // block_size(linear.in_features))
    return model
