"""Where a run's weights and intermediate results lie on a GPU: the search for what fits, and is best, and then quickest. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.config import DataConfig, TrainConfig, list_settings
from studio.data.item_record import Item
from studio.machine import GIB
from studio.models.preset import Shape
from studio.training.plan import estimates
from studio.training.plan.memory import Rows, block_bytes, lora_parameters, ram_parts, rows_per_step, vram_parts
from studio.training.plan.prediction import Part, total_gb
from studio.training.schedule import group_size, of_one_process

MEMORY, DATA = "memory", "data"  # sections of a TrainConfig
PHOTO_SIZES = (1024, 896, 768, 640, 512, 448, 384, 320, 256)
CLIP_FRAMES = (81, 65, 49, 33, 17, 9)
CLIP_SIZES = (832, 720, 640, 480, 416, 368, 320, 256)


@dataclass(frozen=True)
class Room:
    """What each process of a run is placed in. by_hand: {section: {setting: value}} that the person chose, and that stays.

    num_here: how many of the run's processes share this RAM; 0: all. memory_gb_per_second: of the GPU's memory; 0: as is usual.
    """

    facts: Shape
    items: Sequence[Item]
    vram_gb: float
    ram_gb: float
    tflops: float | None
    link_gb_per_second: float
    by_hand: Mapping[str, Any]
    num_here: int = 0
    memory_gb_per_second: float = 0.0

    def rows(self, config: TrainConfig) -> Rows:
        """Sizes of what a step sees, from the kept items; from the sizes alone while the dataset is empty."""
        data = config.data
        photo = estimates.count_tokens(self.facts, data.photo_size, data.photo_size)
        clip = estimates.count_tokens(self.facts, data.clip_size, data.clip_size, data.clip_frames)
        tokens = [clip if item.kind == "clip" else photo for item in self.items] or [clip if self.has_clips else photo]
        return Rows(max(tokens), sum(tokens) / len(tokens), len(self.items), photo)

    def part(self, config: TrainConfig) -> TrainConfig:
        """The config of one process's part of a step."""
        return of_one_process(config, self.facts.num_experts)

    def vram_parts(self, config: TrainConfig) -> list[Part]:
        """The parts on each GPU."""
        return vram_parts(self.facts, self.part(config), self.rows(config))

    def ram_parts(self, config: TrainConfig, device: str = "cuda") -> list[Part]:
        """The parts in the RAM of this computer."""
        num_here = self.num_here or config.processes
        parts = ram_parts(self.facts, self.part(config), device, self.rows(config), num_here)
        exchanged = num_here * lora_parameters(self.facts, config) * 4 / GIB
        return [*parts, Part("gradients on their way", exchanged)] if group_size(config, self.facts.num_experts) > 1 else parts

    @property
    def has_clips(self) -> bool:
        """Whether clips are learned from; a model that is given the first picture learns from nothing else."""
        return any(item.kind == "clip" for item in self.items) or self.facts.condition_channels > 0

    def vram(self, config: TrainConfig) -> float:
        return total_gb(self.vram_parts(config))

    def ram(self, config: TrainConfig) -> float:
        return total_gb(self.ram_parts(config))

    def over(self, config: TrainConfig) -> float:
        """GB by which a config needs more than there is; 0 if it fits."""
        return max(0.0, self.vram(config) - self.vram_gb) + max(0.0, self.ram(config) - self.ram_gb)

    def seconds(self, config: TrainConfig) -> float:
        """Time of a step; of its transfers alone where the GPU's speed is not known."""
        if self.tflops is None:
            return self.transfer_seconds(config)
        speeds = (self.tflops, self.link_gb_per_second, self.memory_gb_per_second)
        computing = estimates.seconds_per_step(self.facts, self.part(config), self.rows(config), *speeds)
        return computing + estimates.exchange_seconds(self.facts, config)

    def transfer_seconds(self, config: TrainConfig) -> float:
        return estimates.transfer_seconds(self.facts, self.part(config), self.rows(config), self.link_gb_per_second)


def place(room: Room, config: TrainConfig) -> tuple[TrainConfig, list[str]]:
    """(config, reasons): the number format, what waits in RAM, and what passes the blocks together; smaller pictures where nothing else fits.

    In this order: sizes as they are, then the whole number format before 8 bits, then the least time of a step.
    """
    placed = best_placement(room, config)
    reasons = []
    if room.over(placed):
        smaller, why = _smaller(room, config)
        if smaller is not None:
            config, reasons = smaller, why
            placed = best_placement(room, config)
    return placed, [*reasons, *_why(room, config, placed)]


def best_placement(room: Room, config: TrainConfig) -> TrainConfig:
    """The config with its memory settings chosen; those set by hand stay. If nothing fits, what is over by the least."""
    chosen, *smaller = _precisions(room, config)
    best = _quickest(room, config, chosen)
    for precision in smaller:
        if room.over(best):
            best = min(best, _quickest(room, config, precision), key=room.over)
    return best


def _quickest(room: Room, config: TrainConfig, precision: str) -> TrainConfig:
    """With this number format what fits, or is over by the least, and of that the quickest."""
    ways = _ways_through_the_blocks(room, _with(config, precision=precision))
    found = [_keep_results(room, _swapped(room, trial)) for trial in ways]
    return min(found, key=lambda trial: (room.over(trial), room.seconds(trial), room.transfer_seconds(trial)))


def _precisions(room: Room, config: TrainConfig) -> tuple[str, ...]:
    """The chosen number format, and 8 bits behind it where the person did not choose."""
    chosen = config.memory.precision
    return (chosen,) if "precision" in _by_hand(room) or chosen != "bf16" else (chosen, "int8")


def _by_hand(room: Room) -> Mapping[str, Any]:
    return room.by_hand.get(MEMORY, {})


def _ways_through_the_blocks(room: Room, config: TrainConfig) -> list[TrainConfig]:
    """The config with each number of pictures that may pass the blocks together, all of them first, and with their inputs on the GPU or in RAM."""
    some_rows = (
        [config.memory.rows_per_walk] if "rows_per_walk" in _by_hand(room) else [0, *range(rows_per_step(room.part(config)) - 1, 0, -1)]
    )
    offloads = [config.memory.inputs_in_ram] if "inputs_in_ram" in _by_hand(room) else [False, True]
    return [_with(config, rows_per_walk=rows, inputs_in_ram=in_ram) for in_ram in offloads for rows in some_rows]


def _swapped(room: Room, config: TrainConfig) -> TrainConfig:
    """The config with as few blocks in RAM as fit; each of them takes its bytes off the GPU, so their number need not be tried out."""
    if "blocks_swapped" in _by_hand(room):
        return config
    config = _with(config, blocks_swapped=0)
    if room.vram(config) <= room.vram_gb:
        return config
    first = _with(config, blocks_swapped=1)
    each = room.vram(_with(config, blocks_swapped=2)) - room.vram(_with(config, blocks_swapped=3))
    more = max(0.0, room.vram(first) - room.vram_gb)
    swapped = 1 + int(-(-more // each)) if each > 0 else 1
    for count in range(max(1, swapped - 2), room.facts.num_blocks + 1):  # the first ones are the buffers that the others visit
        if room.vram(_with(config, blocks_swapped=count)) <= room.vram_gb:
            return _with(config, blocks_swapped=count)
    return _with(config, blocks_swapped=room.facts.num_blocks)


def _keep_results(room: Room, config: TrainConfig) -> TrainConfig:
    """With room to spare, as many blocks as fit are not computed again."""
    if "blocks_kept" in _by_hand(room) or not config.memory.gradient_checkpointing or config.memory.blocks_swapped or room.over(config):
        return config
    for kept in range(room.facts.num_blocks, 0, -1):
        trial = _with(config, blocks_kept=kept)
        if not room.over(trial):
            return trial
    return config


def _with(config: TrainConfig, **memory: Any) -> TrainConfig:
    return replace(config, memory=replace(config.memory, **memory))


# -- smaller pictures


def _smaller(room: Room, config: TrainConfig) -> tuple[TrainConfig | None, list[str]]:
    """(config, reasons) with the largest photos and clips that fit; (None, []) if even the smallest don't, or the person chose the sizes."""
    chosen = room.by_hand.get(DATA, {})
    for trial in _notches(config, room.has_clips, chosen):
        if not room.over(best_placement(room, trial)):
            fields = {name: field for name, field, _ in list_settings(TrainConfig)}
            changed = [
                name for name in ("photo_size", "clip_frames", "clip_size") if getattr(trial.data, name) != getattr(config.data, name)
            ]
            lower = [
                f"{fields[f'data.{name}'].label} lowered from {getattr(config.data, name)} to {getattr(trial.data, name)}"
                for name in changed
            ]
            return trial, [f"{'; '.join(lower)}: more does not fit into the {room.vram_gb:.1f} GB that are free."]
    return None, []


def _notches(config: TrainConfig, has_clips: bool, chosen: Mapping[str, Any]) -> Iterator[TrainConfig]:
    """Configs with ever smaller pictures: of what has the most tokens first shorter, then smaller."""
    data = config.data
    while True:
        steps = []
        if has_clips:
            steps += [("clip_frames", CLIP_FRAMES), ("clip_size", CLIP_SIZES)]
        steps.append(("photo_size", PHOTO_SIZES))
        lower = {
            name: below
            for name, sizes in steps
            if name not in chosen and (below := next((size for size in sizes if size < getattr(data, name)), None))
        }
        if not lower:
            return
        data = replace(data, **dict([_least_loss(data, lower, has_clips)]))
        yield replace(config, data=data)


def _least_loss(data: DataConfig, lower: Mapping[str, int], has_clips: bool) -> tuple[str, int]:
    """The next notch: what makes the most tokens is lowered, and of a clip what loses the smaller share."""
    clip_tokens = data.clip_size**2 * ((data.clip_frames - 1) // 4 + 1) if has_clips else 0
    names = [name for name in lower if name.startswith("clip") == (clip_tokens > data.photo_size**2)] or list(lower)
    return max(((name, lower[name]) for name in names), key=lambda item: item[1] / getattr(data, item[0]))


# -- reasons


def _why(room: Room, config: TrainConfig, placed: TrainConfig) -> list[str]:
    """Sentences on each choice that was made."""
    memory, facts = placed.memory, room.facts
    reasons = []
    if memory.precision != config.memory.precision:
        block = block_bytes(facts, "bf16") * facts.num_blocks / GIB
        reasons.append(
            f"The base model is kept as {memory.precision}, half the size and 0.6 % off: as bf16 its blocks take {block:.0f} GB, "
            f"more than fits beside the rest into {room.vram_gb:.1f} GB on the GPU and {room.ram_gb:.0f} GB of RAM."
        )
    swapped, total = memory.blocks_swapped, facts.num_blocks
    if swapped:
        why = "as you chose" if "blocks_swapped" in _by_hand(room) else "beside the LoRA and the pictures there is no room for more"
        reasons.append(f"{swapped} of {total} blocks wait in RAM and {total - swapped} stay on the GPU: {why}.")
    else:
        reasons.append("The whole expert stays on the GPU; no blocks wait in RAM.")
    if memory.rows_per_walk and memory.rows_per_walk != config.memory.rows_per_walk:
        count = f"{memory.rows_per_walk} of {rows_per_step(room.part(placed))} pictures of a step pass"
        reasons.append(f"{count} the blocks together, then the next: what is kept of each on the way takes memory.")
    if memory.inputs_in_ram and not config.memory.inputs_in_ram:
        reasons.append("What a step keeps for its way back waits in RAM.")
    if memory.blocks_kept and memory.blocks_kept != config.memory.blocks_kept:
        reasons.append(f"There is room to keep the intermediate results of {memory.blocks_kept} blocks instead of computing them again.")
    return reasons
