"""Which settings a run should use on this machine, and what it will take: layers of presets, a memory count, and the reasons in words."""

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, replace

from studio import config as settings
from studio.config import TrainConfig, from_dict, load_preset, merge
from studio.data.dataset import kept_items
from studio.machine import Gpu, describe_gb, free_disk_gb, is_cuda_build
from studio.models.catalogue import experts_of, model_preset, sweep_config
from studio.training import estimates
from studio.training.history import read_history
from studio.training.schedule import fit_to_experts
from studio.workspace import read_json

LARGE_MODEL = 2e9  # parameters above which training without a GPU would take weeks
FREE_SHARE = 0.94  # of a GPU that is only imagined (`--vram`): the desktop takes the rest


@dataclass(frozen=True)
class Plan:
    config: TrainConfig
    hardware: str  # name of the hardware preset, "" on a CPU
    recipe: str
    reasons: tuple[str, ...]
    predicted: dict  # vram_gb, ram_gb, disk_gb, seconds_per_step, hours (None: cannot be known), their parts, what is free, how_sure
    fits: bool
    device: str  # "cuda" or "cpu"

    def to_dict(self):
        values = {name: getattr(self, name) for name in ("hardware", "recipe", "predicted", "fits", "device")}
        return values | {"reasons": list(self.reasons), "config": settings.to_dict(self.config)}

    def job_config(self, project):
        """The part of a train job's config.json that the plan decides."""
        data = project.read()
        return {key: data[key] for key in ("trigger", "class_noun", "base_model")} | {
            "config": settings.to_dict(self.config),
            "recipe": self.recipe,
            "hardware": self.hardware,
            "device": self.device,
            "dataset_key": dataset_key(kept_items(project)),
        }


@dataclass(frozen=True)
class _Situation:
    """What the plan is made for."""

    model_name: str
    model: dict  # its preset
    items: list
    gpu: Gpu | None
    ram_free_gb: float
    disk_free_gb: float
    notes: tuple[str, ...] = ()

    @property
    def facts(self):
        return self.model["memory"]


def dataset_key(items):
    """Short hash of what a run would learn from: every picture and its caption. Equal settings on equal data need no second run."""
    return hashlib.sha256(json.dumps([[item.id, item.sha256, item.caption] for item in items]).encode()).hexdigest()[:16]


def propose(project, machine, *, workspace, recipe="", overrides=None, vram_gb=None, ram_gb=None):
    """A Plan for training this project here, or on a machine with that much memory. Later layers win: defaults, recipe, base model,
    hardware preset (GPU only), overrides (nested dicts). ValueError for an unknown setting, recipe or model."""
    model_name = project.read()["base_model"]
    model = model_preset(model_name)
    items = kept_items(project)
    gpu, notes = _choose_gpu(machine, vram_gb)
    if ram_gb is not None and not 1 <= ram_gb <= 16_384:
        raise ValueError(f"ram must be 1 to 16384 GB, got {ram_gb:g}")
    ram_free = machine.ram_free_gb if ram_gb is None else ram_gb * 0.9
    at = _Situation(model_name, model, items, gpu, ram_free, free_disk_gb(project.root), notes)
    recipe, why_recipe = _choose_recipe(recipe, items)
    hardware, why_hardware = _choose_hardware(gpu)
    config, why_config = _layer(at, recipe, hardware, overrides or {})
    predicted = _predict(project, at, config)
    fits, why_fits = _judge(at, config, predicted)
    reasons = (*notes, *why_hardware, *why_recipe, *why_config, *why_fits)
    return Plan(config, hardware, recipe, reasons, predicted, fits, "cuda" if gpu else "cpu")


def _choose_gpu(machine, vram_gb):
    """(Gpu or None, reasons)."""
    if vram_gb is not None:
        if not 1 <= vram_gb <= 1024:
            raise ValueError(f"vram must be 1 to 1024 GB, got {vram_gb:g}")
        gpu = Gpu(0, f"A GPU with {vram_gb:g} GB", vram_gb, vram_gb * FREE_SHARE, "")
        return gpu, (
            f"Planned for a GPU with {vram_gb:g} GB, of which {gpu.vram_free_gb:.1f} GB are free; not for the one in this computer.",
        )
    if not machine.gpus:
        return None, ("No NVIDIA GPU was found: training runs on the processor.", *machine.notes)
    version = importlib.metadata.version("torch")
    if not is_cuda_build(version):
        return None, (
            f"There is a {machine.gpus[0].name}, but the installed torch ({version}) cannot use it; start the studio with launch to repair that.",
        )
    gpu = machine.gpus[0]
    notes = [f"{gpu.describe()}."]
    better = max(machine.gpus, key=lambda g: g.vram_free_gb)
    if better.vram_free_gb > gpu.vram_free_gb + 1:
        notes.append(
            f"GPU {better.index} ({better.name}) has more free memory; start the studio with CUDA_VISIBLE_DEVICES={better.index} to use it."
        )
    return gpu, tuple(notes)


def _choose_recipe(recipe, items):
    """(name, reasons): the one asked for, else by what the dataset holds most of."""
    num_clips = sum(item.kind == "clip" for item in items)
    name = recipe or ("person-clips" if num_clips > len(items) - num_clips else "person-photos")
    preset = load_preset("recipes", name)
    chosen = f", because the dataset has {_count(len(items) - num_clips, 'photo')} and {_count(num_clips, 'clip')}"
    chosen = "" if recipe or not items else chosen
    return name, (f"Recipe '{preset['title']}'{chosen}: {preset['description']}",)


def _choose_hardware(gpu):
    """(preset name or "", reasons): the largest whose need is free right now."""
    if gpu is None:
        return "", ()
    presets = sorted(((load_preset("hardware", n), n) for n in settings.list_presets("hardware")), key=lambda p: p[0]["vram_gb"])
    fitting = [p for p in presets if p[0]["min_free_gb"] <= gpu.vram_free_gb]
    preset, name = (fitting or presets)[-1 if fitting else 0]
    reasons = [f"Hardware preset {preset['title']}: {preset['description']}"]
    possible = [p for p in presets if p[0]["min_free_gb"] <= gpu.vram_total_gb * FREE_SHARE]
    if possible and possible[-1][0]["vram_gb"] > preset["vram_gb"]:
        holders = ", ".join(name for name, _ in gpu.holders[:3])
        close = f"closing {holders}" if holders else "closing other programs"
        reasons.append(f"The GPU could take the {possible[-1][0]['title']} preset; {close} would free the memory for it.")
    return name, tuple(reasons)


def _layer(at, recipe, hardware, overrides):
    """(TrainConfig, reasons)."""
    preset = load_preset("hardware", hardware) if hardware else {}
    on_cpu = {} if at.gpu else {"memory": {"precision": "fp32", "blocks_swapped": 0}}
    layers = [load_preset("recipes", recipe).get("train", {}), at.model.get("train", {}), preset.get("train", {}), on_cpu]
    config = from_dict(TrainConfig, merge(*layers))
    config, reasons = _limit(config, preset, any(item.kind == "clip" for item in at.items))
    chosen = fit_to_experts(from_dict(TrainConfig, merge(settings.to_dict(config), overrides), "settings"), experts_of(at.model))
    reasons += _why_length(at, chosen, from_dict(TrainConfig, layers[0]), overrides)
    if others := estimates.count_class_pictures(chosen.preservation):
        reasons.append(f"The base model first draws {others} pictures of other people; training keeps it as it was at those.")
    if at.gpu:
        chosen, why = _place(at, chosen, preset, overrides.get("memory", {}))
        reasons += why
    return chosen, reasons


def _place(at, config, preset, chosen_by_hand):
    """(config, reasons): what waits in RAM, and how many pictures pass the blocks together; of what fits, what moves the least between RAM and GPU."""
    found = []
    for trial in _ways_through_the_blocks(config, chosen_by_hand):
        placed, why = (trial, []) if "blocks_swapped" in chosen_by_hand else _swap_blocks(at, trial, preset)
        rows = _rows(at, placed)
        need = (
            sum(gb for _, gb in estimates.vram_parts(at.facts, placed, rows)),
            sum(gb for _, gb in estimates.ram_parts(at.facts, placed, "cuda", rows)),
        )
        over = sum(max(0.0, gb - free) for gb, free in zip(need, (at.gpu.vram_free_gb, at.ram_free_gb)))
        found.append(((over, estimates.transfer_seconds(at.facts, placed, rows)), placed, why))
    _, placed, why = min(found, key=lambda entry: entry[0])
    return placed, [*why, *_why_walk(placed, config)]


def _ways_through_the_blocks(config, chosen_by_hand):
    """The config with each number of pictures that may pass the blocks together, all of them first, and with their inputs on the GPU or in RAM."""
    together = range(estimates.rows_per_step(config) - 1, 0, -1)
    for in_ram in (False, True):
        for rows in (0, *together):
            tried = {"rows_per_walk": rows, "inputs_in_ram": in_ram}
            yield replace(config, memory=replace(config.memory, **(tried | {k: v for k, v in chosen_by_hand.items() if k in tried})))


def _why_walk(placed, config):
    reasons, memory = [], placed.memory
    if memory.rows_per_walk and memory.rows_per_walk != config.memory.rows_per_walk:
        count = f"{memory.rows_per_walk} of {estimates.rows_per_step(placed)} pictures of a step pass"
        reasons.append(f"{count} the blocks together, then the next: what is kept of each on the way takes memory.")
    if memory.inputs_in_ram and not config.memory.inputs_in_ram:
        reasons.append("What a step keeps for its way back waits in RAM.")
    return reasons


def _why_length(at, config, recipe, overrides):
    """Why a run is not as long as its recipe says."""
    names = ("steps", "save_every")
    if all(getattr(config, name) == getattr(recipe, name) for name in names):
        return []
    why = "as you asked" if any(name in overrides for name in names) else f"the preset of {at.model['title']} asks for that"
    return [f"Here {config.steps:,} steps and a checkpoint pair every {min(config.save_every, config.steps):,}: {why}."]


def _limit(config, preset, has_clips):
    """The hardware preset's upper limits on sizes; a limit on clips is mentioned only where there are clips."""
    reasons = []
    for name, most in preset.get("limits", {}).get("data", {}).items():
        value = getattr(config.data, name)
        if value > most:
            config = replace(config, data=replace(config.data, **{name: most}))
            if name.startswith("clip") and not has_clips:
                continue
            field = next(f for n, f, _ in settings.list_settings(TrainConfig) if n == f"data.{name}")
            reasons.append(f"{field.metadata['label']} lowered from {value} to {most}: {preset['title']} of GPU memory is the limit.")
    return config, reasons


def _swap_blocks(at, config, preset):
    """The larger of the preset's number for this model and what the memory count asks for."""
    listed = preset.get("blocks_swapped", {}).get(at.model_name, 0)
    counted = estimates.blocks_that_must_wait(at.facts, config, _rows(at, config), at.gpu.vram_free_gb)
    swapped = min(at.facts["num_blocks"], max(counted, listed))
    if not swapped:
        return replace(config, memory=replace(config.memory, blocks_swapped=0)), [
            "The whole expert fits on the GPU; no blocks wait in RAM."
        ]
    why = "beside the LoRA, the pictures and a reserve there is no room for more" if counted >= swapped else "the preset keeps a reserve"
    text = f"{swapped} of {at.facts['num_blocks']} blocks wait in RAM and {at.facts['num_blocks'] - swapped} stay on the GPU: {why}."
    return replace(config, memory=replace(config.memory, blocks_swapped=swapped)), [text]


def _rows(at, config):
    """Sizes of what a step sees, from the kept items; from the photo size alone while the dataset is empty."""
    data = config.data
    photo = estimates.count_tokens(at.facts, data.photo_size, data.photo_size)
    clip = estimates.count_tokens(at.facts, data.clip_size, data.clip_size, data.clip_frames)
    tokens = [clip if item.kind == "clip" else photo for item in at.items] or [photo]
    return estimates.Rows(max(tokens), sum(tokens) / len(tokens), len(at.items))


def _predict(project, at, config):
    rows = _rows(at, config)
    device = "cuda" if at.gpu else "cpu"
    parts = {
        "vram_parts": estimates.vram_parts(at.facts, config, rows) if at.gpu else [],
        "ram_parts": estimates.ram_parts(at.facts, config, device, rows),
        "disk_parts": estimates.disk_parts(at.facts, config, rows),
    }
    seconds, how_sure = _seconds_per_step(project, at, config, rows, device)
    hours = None if seconds is None else (seconds * config.steps + _seconds_beside_steps(at, config)) / 3600
    totals = {name.replace("_parts", "_gb"): sum(gb for _, gb in values) for name, values in parts.items()}
    totals["vram_gb"] = totals["vram_gb"] if at.gpu else None
    free = {"vram_free_gb": at.gpu.vram_free_gb if at.gpu else None, "ram_free_gb": at.ram_free_gb, "disk_free_gb": at.disk_free_gb}
    return totals | free | parts | {"seconds_per_step": seconds, "hours": hours, "how_sure": how_sure}


def _seconds_beside_steps(at, config):
    """Loading experts, and drawing class pictures where the GPU's speed is known."""
    seconds, tflops = estimates.loading_seconds(at.facts, config), estimates.tflops_of(at.gpu.name) if at.gpu else None
    if tflops is None:
        return seconds
    return seconds + estimates.class_picture_seconds(at.facts, config, sweep_config(at.model), tflops)


def _seconds_per_step(project, at, config, rows, device):
    """(seconds or None, how sure we are): measured in an earlier run of the same work, else counted for a known GPU."""
    for run_dir in reversed(project.list_runs("train")):
        try:
            earlier = read_json(run_dir / "config.json")
            same = earlier["config"] | {"steps": 0, "save_every": 0} == settings.to_dict(config) | {"steps": 0, "save_every": 0}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run of another version of the studio
        if same and earlier.get("device", device) == device and (seconds := read_history(run_dir).seconds_per_step()):
            return seconds, f"measured in {run_dir.name}"
    tflops = estimates.tflops_of(at.gpu.name) if at.gpu else None
    if tflops is None:
        return None, "not known for this computer; the first steps will tell"
    return estimates.seconds_per_step(
        at.facts, config, rows, tflops
    ), "a rough estimate from the GPU's data sheet; the first steps will tell"


def _judge(at, config, predicted):
    """(fits, reasons), the last of them the one that decides."""
    if at.gpu is None and at.facts["parameters_per_expert"] > LARGE_MODEL:
        title = at.model["title"]
        return False, [f"{title} is too large to train without a GPU: it would take weeks. A GPU with 12 GB or more is needed."]
    problems = []
    if at.gpu and predicted["vram_gb"] > at.gpu.vram_free_gb:
        text = f"It needs about {describe_gb(predicted['vram_gb'])} of GPU memory, and {describe_gb(at.gpu.vram_free_gb)} are free."
        problems.append(f"{text} {_what_helps(at, config)}")
    if predicted["ram_gb"] > at.ram_free_gb:
        text = f"It needs about {describe_gb(predicted['ram_gb'])} of RAM while a model loads, and {describe_gb(at.ram_free_gb)} are free."
        problems.append(f"{text} Close other programs; if that is not enough, this computer needs more RAM for this model.")
    if predicted["disk_gb"] > at.disk_free_gb:
        text = f"It needs about {describe_gb(predicted['disk_gb'])} on the disk, and {describe_gb(at.disk_free_gb)} are free."
        problems.append(f"{text} Free some space, or save less often.")
    return not problems, problems


def _what_helps(at, config):
    """The one change that saves the most GPU memory."""
    trials = {
        "Close the programs that hold GPU memory.": None,
        "Let all blocks wait in RAM.": {"memory": {"blocks_swapped": at.facts["num_blocks"]}},
        "Switch on 'Save GPU memory'.": {"memory": {"gradient_checkpointing": True}},
        "Lower the photo size to 512.": {"data": {"photo_size": min(512, config.data.photo_size)}},
        "Use shorter, smaller clips (17 frames at 320).": {
            "data": {"clip_size": min(320, config.data.clip_size), "clip_frames": min(17, config.data.clip_frames)}
        },
        "Lower the LoRA's rank to 16.": {"lora": {"rank": min(16, config.lora.rank)}},
    }

    def need(change):
        if change is None:
            return before - (at.gpu.vram_total_gb * FREE_SHARE - at.gpu.vram_free_gb)
        trial = from_dict(TrainConfig, merge(settings.to_dict(config), change))
        return sum(gb for _, gb in estimates.vram_parts(at.facts, trial, _rows(at, trial)))

    before = sum(gb for _, gb in estimates.vram_parts(at.facts, config, _rows(at, config)))
    best = min(trials, key=lambda name: need(trials[name]))
    return f"What helps most: {best[0].lower()}{best[1:]}" if need(trials[best]) < before else "This GPU is too small for it."


def _count(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")
