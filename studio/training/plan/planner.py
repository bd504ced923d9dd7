"""Which settings a run should use on this machine, and what it will take: layers of presets, a memory count, and the reasons in words."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio import config as settings
from studio.config import TrainConfig, from_dict, merge
from studio.data.dataset import kept_items
from studio.data.item_record import Item
from studio.data.pieces.excerpt import rule_of, why_shortened
from studio.machine import Gpu, Machine, free_disk_gb, read_torch_build
from studio.models.catalogue import has_small_files
from studio.models.preset import ModelPreset, Shape, model_preset
from studio.training.material import fit_to_material, learnable, why_left_out, why_nothing_to_learn
from studio.training.plan import estimates
from studio.training.plan.cards import Card, find_card, named_card, why_no_time
from studio.training.plan.measured import Rehearsal, find_pace, find_rehearsal
from studio.training.plan.placement import Room, place
from studio.training.plan.plan_presets import HardwarePreset, Recipe, hardware_presets, read_recipe
from studio.training.plan.plan_words import why_length, why_other_numbers, why_protected
from studio.training.plan.prediction import Pace, Part, Prediction
from studio.training.plan.run_facts import RunFacts
from studio.training.schedule import fit_to_experts, group_size, num_process_groups, processes_for, steps_in_turn
from studio.words import gigabytes
from studio.workspace import Project, Workspace

MEASURE_IT = "Rehearse measures it in minutes"
LARGE_MODEL = 2e9  # parameters above which training without a GPU would take weeks
MIXED_SHARE, MIXED_LEAST = 0.25, 4  # of a dataset: as many clips, or photos, and they count beside the others
FREE_SHARE = 0.94  # of a GPU that is only imagined (`--vram`): the desktop takes the rest


@dataclass(frozen=True)
class Plan:
    config: TrainConfig
    hardware: str  # name of the hardware preset, "" on a CPU
    recipe: str
    reasons: tuple[str, ...]
    predicted: Prediction
    fits: bool
    device: str  # "cuda" or "cpu"

    def to_dict(self) -> dict[str, Any]:
        """As `plan --json` prints it."""
        values = {name: getattr(self, name) for name in ("hardware", "recipe", "fits", "device")}
        told = {"predicted": self.predicted.to_json(), "reasons": list(self.reasons)}
        return values | told | {"config": settings.to_dict(self.config)}

    def job_config(self, project: Project) -> dict[str, Any]:
        """The part of a train job's config.json that the plan decides."""
        data = project.facts()
        facts = RunFacts(
            trigger=data.trigger,
            class_noun=data.class_noun,
            base_model=data.base_model,
            config=settings.to_dict(self.config),
            recipe=self.recipe,
            hardware=self.hardware,
            device=self.device,
            dataset_key=dataset_key(learnable(kept_items(project), model_preset(data.base_model))),
        )
        return facts.to_json()


@dataclass(frozen=True)
class _Situation:
    """What the plan is made for."""

    model: ModelPreset
    items: Sequence[Item]
    gpu: Gpu | None
    ram_free_gb: float
    disk_free_gb: float
    is_imagined: bool = False  # the GPU
    has_small_files: bool = False  # fp8, of the base model
    num_gpus: int = 0  # in this computer
    num_here: int = 0  # processes of the run on this computer; 0: all of them
    card: Card | None = None  # the GPU's data sheet, where it is known

    @property
    def device(self) -> str:
        return "cuda" if self.gpu else "cpu"

    @property
    def facts(self) -> Shape:
        return self.model.shape

    def room(self, by_hand: Mapping[str, Any] | None = None) -> Room:
        """The Room that a run has here; without a GPU there is none to place it in, and sizes alone are asked of it."""
        vram, link = (self.gpu.vram_free_gb, self.gpu.link_gb_per_second) if self.gpu else (0.0, 0.0)
        tflops, bandwidth = (self.card.tflops, self.card.memory_gb_per_second) if self.card else (None, 0.0)
        return Room(self.facts, self.items, vram, self.ram_free_gb, tflops, link, by_hand or {}, self.num_here, bandwidth)


def dataset_key(items: Sequence[Item]) -> str:
    """Short hash of what a run would learn from: every picture and its caption. Equal settings on equal data need no second run."""
    return hashlib.sha256(json.dumps([[item.id, item.sha256, item.caption] for item in items]).encode()).hexdigest()[:16]


def propose(
    project: Project,
    machine: Machine,
    *,
    workspace: Workspace,
    recipe: str = "",
    overrides: Mapping[str, Any] | None = None,
    vram_gb: float | None = None,
    ram_gb: float | None = None,
    gpu_name: str = "",
    num_here: int = 0,
) -> Plan:
    """A Plan for training this project here, or on a machine with that much memory, or that graphics card. Later layers win: defaults,
    recipe, base model, hardware preset (GPU only), overrides (nested dicts). num_here: how many of the run's processes this computer has,
    0: all of them. ValueError for an unknown setting, recipe, model or card."""
    if ram_gb is not None and not 1 <= ram_gb <= 16_384:
        raise ValueError(f"ram must be 1 to 16384 GB, got {ram_gb:g}")
    ram_free_gb = machine.ram_free_gb if ram_gb is None else ram_gb * 0.9
    # what it is planned for
    is_imagined = vram_gb is not None or bool(gpu_name)
    if is_imagined:
        gpu, notes = _imagine_gpu(vram_gb, gpu_name)
    else:
        gpu, notes = _choose_gpu(machine, num_here or (overrides or {}).get("processes", 1))
    model, kept = model_preset(project.facts().base_model), kept_items(project)
    at = _Situation(
        model=model,
        items=learnable(kept, model),
        gpu=gpu,
        ram_free_gb=ram_free_gb,
        disk_free_gb=free_disk_gb(project.root),
        is_imagined=is_imagined,
        has_small_files=gpu is not None and has_small_files(model.name, workspace),
        num_gpus=len(machine.gpus),
        num_here=num_here,
        card=find_card(gpu.name) if gpu else None,
    )
    # what is chosen, each with its reasons
    chosen, why_recipe = _choose_recipe(recipe, at.items, model)
    hardware, why_hardware = _choose_hardware(gpu)
    config, why_config = _layer(at, chosen, hardware, overrides or {})
    config, rehearsal, why_rehearsed = _use_rehearsal(project, at, config)
    # what it takes, and whether that is there
    predicted = _predict(project, at, config, rehearsal)
    fits, why_fits = _judge(at, config, predicted, kept)
    shortened = why_shortened(at.items, config.data, rule_of(model))
    left_out = [reason for reason in (why_left_out(kept, model), shortened) if reason]
    reasons = (*notes, *why_hardware, *why_recipe, *left_out, *why_config, *why_rehearsed, *why_fits)
    return Plan(config, hardware.name if hardware else "", chosen.name, reasons, predicted, fits, at.device)


def _imagine_gpu(vram_gb: float | None, name: str) -> tuple[Gpu, tuple[str, ...]]:
    """(Gpu, reasons): the card of that name, with that much memory if it is told; without a name the usual card of that size."""
    if vram_gb is not None and not 1 <= vram_gb <= 1024:
        raise ValueError(f"vram must be 1 to 1024 GB, got {vram_gb:g}")
    if name:
        card = named_card(name)
        size = card.vram_gb if vram_gb is None else vram_gb
        what, speed = f"{card.with_article} with {size:g} GB", ""
    else:
        assert vram_gb is not None, "an imagined GPU has a name or a size"
        size = vram_gb
        preset, _ = _preset_for(Gpu(0, "", size, size * FREE_SHARE, ""))
        card = named_card(preset.usual_card)
        what, speed = f"a GPU with {size:g} GB", f" Times are as on {card.with_article}, the usual one; --gpu NAME names another."
    gpu = Gpu(0, card.name, size, size * FREE_SHARE, "", pcie=card.pcie)
    free = f"of which {gpu.vram_free_gb:.1f} GB are free"
    return gpu, (f"Planned for {what}, {free}; not for what is in this computer.{speed}",)


def _choose_gpu(machine: Machine, num_here: int) -> tuple[Gpu | None, tuple[str, ...]]:
    """(Gpu or None, reasons): of several that the run uses, the one with the least free memory."""
    if not machine.gpus:
        return None, ("No NVIDIA GPU was found: training runs on the processor.", *machine.notes)
    used = machine.gpus[: max(1, num_here)] if isinstance(num_here, int) else machine.gpus[:1]
    gpu = min(used, key=lambda g: g.vram_free_gb)
    if why := read_torch_build().why_not(gpu):
        return None, (why,)
    notes = [f"{gpu.describe()}." + (f" Of the {len(used)} that are used it has the least free memory." if len(used) > 1 else "")]
    if len(used) > 1:
        return gpu, tuple(notes)
    better = max(machine.gpus, key=lambda g: g.vram_free_gb)
    if better.vram_free_gb > gpu.vram_free_gb + 1:
        notes.append(
            f"GPU {better.index} ({better.name}) has more free memory; start the studio with CUDA_VISIBLE_DEVICES={better.index} to use it."
        )
    return gpu, tuple(notes)


def _choose_recipe(recipe: str, items: Sequence[Item], model: ModelPreset) -> tuple[Recipe, tuple[str, ...]]:
    """(Recipe, reasons): the one asked for, else by what the dataset holds most of; both count where neither is a few beside the other."""
    num_clips = sum(item.kind == "clip" for item in items)
    num_photos = len(items) - num_clips
    why = f"the dataset has {_count(num_photos, 'photo')} and {_count(num_clips, 'clip')}"
    if model.takes_first_picture:
        found, why = "person-clips", f"{model.title} learns from clips alone"
    elif min(num_clips, num_photos) >= max(MIXED_LEAST, MIXED_SHARE * len(items)):
        found = "person-mixed"
    else:
        found = "person-clips" if num_clips > num_photos else "person-photos"
    preset = read_recipe(recipe or found)
    chosen = "" if recipe or not items else f", because {why}"
    return preset, (f"Recipe '{preset.title}'{chosen}: {preset.description}",)


def _choose_hardware(gpu: Gpu | None) -> tuple[HardwarePreset | None, tuple[str, ...]]:
    """(preset, reasons): the largest whose need is free right now, else the smallest; none on a CPU."""
    return (None, ()) if gpu is None else _preset_for(gpu)


def _preset_for(gpu: Gpu) -> tuple[HardwarePreset, tuple[str, ...]]:
    presets = hardware_presets()
    fitting = [preset for preset in presets if preset.min_free_gb <= gpu.vram_free_gb]
    preset = fitting[-1] if fitting else presets[0]
    reasons = [f"Hardware preset {preset.title}: {preset.description}"]
    possible = [preset for preset in presets if preset.min_free_gb <= gpu.vram_total_gb * FREE_SHARE]
    if possible and possible[-1].vram_gb > preset.vram_gb:
        holders = ", ".join(name for name, _ in gpu.holders[:3])
        close = f"closing {holders}" if holders else "closing other programs"
        reasons.append(f"The GPU could take the {possible[-1].title} preset; {close} would free the memory for it.")
    return preset, tuple(reasons)


def _layer(at: _Situation, recipe: Recipe, hardware: HardwarePreset | None, overrides: Mapping[str, Any]) -> tuple[TrainConfig, list[str]]:
    """(TrainConfig, reasons)."""
    on_cpu = {} if at.gpu else {"memory": {"precision": "fp32", "blocks_swapped": 0}}
    as_stored = {"memory": {"precision": "fp8"}} if at.gpu and at.has_small_files else {}
    layers = [recipe.train, at.model.train_settings, hardware.train if hardware else {}, on_cpu, as_stored]
    config = from_dict(TrainConfig, merge(*layers))
    config, reasons = _limit(config, hardware, at.room().has_clips) if hardware else (config, [])
    if as_stored and "precision" not in overrides.get("memory", {}):
        reasons.append(
            "The base model's files are fp8, and are kept so: nothing more is lost, and bf16 would take twice the memory for nothing."
        )
    chosen = fit_to_experts(from_dict(TrainConfig, merge(settings.to_dict(config), overrides), "settings"), at.model.expert_names)
    chosen, why = fit_to_material(chosen, at.model)
    reasons += [*why, *_why_cards(at, chosen)]
    reasons += [*why_length(chosen, overrides), *why_other_numbers(at.model, recipe.train, overrides), why_protected(chosen.preservation)]
    if at.card and not at.card.has_bf16_units:
        reasons.append(f"The chip of the {at.card.name} has no units for bf16: it computes on ordinary ones, several times slower.")
    if at.gpu:
        chosen, why = place(at.room(overrides), chosen)
        reasons += why
    return chosen, reasons


def _why_cards(at: _Situation, config: TrainConfig) -> list[str]:
    """What several graphics cards do; or that there are some to use."""
    num_groups, num_cards = (count(config, at.facts.num_experts) for count in (num_process_groups, group_size))
    if config.processes == 1:
        two = at.num_gpus > 1 and not at.is_imagined and at.facts.num_experts > 1
        return ["There is a second graphics card: with 'Graphics cards' (processes) 2 both experts learn at once."] if two else []
    reasons = ["Both experts learn at once, on graphics cards of their own."] if num_groups > 1 else []
    if num_cards > 1:
        pictures = f"the {config.accumulation} pictures of each step"
        reasons.append(
            f"{num_cards} cards {'of each expert ' if num_groups > 1 else ''}share {pictures}: the same result as on one, sooner."
        )
    return reasons


def _limit(config: TrainConfig, hardware: HardwarePreset, has_clips: bool) -> tuple[TrainConfig, list[str]]:
    """The hardware preset's upper limits on sizes; a limit on clips is mentioned only where there are clips."""
    reasons = []
    for name, most in hardware.limits.get("data", {}).items():
        value = getattr(config.data, name)
        if value > most:
            config = replace(config, data=replace(config.data, **{name: most}))
            if name.startswith("clip") and not has_clips:
                continue
            field = next(f for n, f, _ in settings.list_settings(TrainConfig) if n == f"data.{name}")
            reasons.append(f"{field.label} lowered from {value} to {most}: {hardware.title} of GPU memory is the limit.")
    return config, reasons


def _predict(project: Project, at: _Situation, config: TrainConfig, rehearsal: Rehearsal | None) -> Prediction:
    room, pace = at.room(), _pace(project, at, config, rehearsal)
    vram_parts = room.vram_parts(config) if at.gpu else []
    if at.gpu and rehearsal and rehearsal.measured.vram_gb:
        vram_parts = [Part(pace.source, rehearsal.measured.vram_gb)]
    hours = None if pace.seconds is None else (pace.seconds * steps_in_turn(config) + _seconds_beside_steps(at, config)) / 3600
    return Prediction(
        vram_free_gb=at.gpu.vram_free_gb if at.gpu else None,
        ram_free_gb=at.ram_free_gb,
        disk_free_gb=at.disk_free_gb,
        vram_parts=tuple(vram_parts),
        ram_parts=tuple(room.ram_parts(config, at.device)),
        disk_parts=tuple(estimates.disk_parts(at.facts, config, room.rows(config))),
        hours=hours,
        pace=pace,
    )


def _pace(project: Project, at: _Situation, config: TrainConfig, rehearsal: Rehearsal | None) -> Pace:
    """Measured in a rehearsal or an earlier run of the same work, else reckoned from the GPU's data sheet."""
    if rehearsal:
        return Pace(rehearsal.measured.seconds_per_step, f"measured in {rehearsal.name}")
    earlier = None if at.is_imagined else find_pace(project, config, at.device)
    return earlier or _reckoned_pace(at, config)


def _seconds_beside_steps(at: _Situation, config: TrainConfig) -> float:
    """Loading experts, and drawing class pictures where the GPU's speed is known."""
    seconds = estimates.loading_seconds(at.facts, config)
    if at.card is None or at.gpu is None:
        return seconds
    return seconds + estimates.class_picture_seconds(at.facts, config, at.model.sweep_config(), at.card.tflops, at.gpu.link_gb_per_second)


def _reckoned_pace(at: _Situation, config: TrainConfig) -> Pace:
    """What a GPU with a data sheet makes of it; no number for any other device."""
    if at.gpu is None:
        return Pace(None, "not known for this computer", MEASURE_IT)
    if at.card is None:
        return Pace(None, f"not known, as there is no data sheet here of {at.gpu.name}", why_no_time(at.gpu.name))
    return Pace(at.room().seconds(config), f"a rough estimate, as on {at.card.with_article} by its data sheet", MEASURE_IT)


def _use_rehearsal(project: Project, at: _Situation, config: TrainConfig) -> tuple[TrainConfig, Rehearsal | None, list[str]]:
    """(config, Rehearsal or None, reasons): where these settings were rehearsed here, the memory settings that sufficed, and what was measured."""
    found = None if at.is_imagined else find_rehearsal(project, config, at.device, dataset_key(at.items))
    if found is None:
        return config, None, []
    measured = found.measured
    memory = f"{gigabytes(measured.vram_gb)} of GPU memory" if measured.vram_gb else f"{gigabytes(measured.ram_gb)} of RAM"
    reasons = [f"Rehearsed in {found.name}: it took {memory}, and {measured.seconds_per_step:.2g} s a step."]
    if config.memory.compile_blocks and not found.memory.compile_blocks:
        reasons.append("The blocks could not be compiled there, so they are used as they are.")
        config = replace(config, memory=replace(config.memory, compile_blocks=False))
    if found.memory != config.memory and at.gpu:
        reasons.append("The memory ran out as it was planned; these are the settings that sufficed.")
        config = replace(config, memory=found.memory)
    return config, found, reasons


def _judge(at: _Situation, config: TrainConfig, predicted: Prediction, kept: Sequence[Item]) -> tuple[bool, list[str]]:
    """(fits, reasons), the last of them the one that decides."""
    if at.gpu is None and at.facts.parameters_per_expert > LARGE_MODEL:
        title = at.model.title
        return False, [f"{title} is too large to train without a GPU: it would take weeks. A GPU with 8 GB or more is needed."]
    if reason := why_nothing_to_learn(kept, at.model):
        return False, [reason]
    problems = []
    num_here = at.num_here or config.processes
    if at.gpu and not at.is_imagined and num_here > at.num_gpus:
        problems.append(
            f"It is for {num_here} graphics cards in this computer, and there {'is one' if at.num_gpus == 1 else f'are {at.num_gpus}'}; "
            f"set 'Graphics cards' (processes) to {processes_for(at.num_gpus)}."
        )
    if at.gpu and predicted.vram_gb is not None and predicted.vram_gb > at.gpu.vram_free_gb:
        text = f"It needs about {gigabytes(predicted.vram_gb)} of GPU memory, and {gigabytes(at.gpu.vram_free_gb)} are free."
        problems.append(f"{text} {_what_helps(at, at.gpu, config)}")
    if predicted.ram_gb > at.ram_free_gb:
        text = f"It needs about {gigabytes(predicted.ram_gb)} of RAM while a model loads, and {gigabytes(at.ram_free_gb)} are free."
        problems.append(f"{text} Close other programs; if that is not enough, this computer needs more RAM for this model.")
    if predicted.disk_gb > at.disk_free_gb:
        text = f"It needs about {gigabytes(predicted.disk_gb)} on the disk, and {gigabytes(at.disk_free_gb)} are free."
        problems.append(f"{text} Free some space, or save less often.")
    return not problems, problems


def _what_helps(at: _Situation, gpu: Gpu, config: TrainConfig) -> str:
    """The one change that saves the most GPU memory."""
    trials = {
        "Close the programs that hold GPU memory.": None,
        "Let all blocks wait in RAM.": {"memory": {"blocks_swapped": at.facts.num_blocks}},
        "Keep the base model as int8.": {"memory": {"precision": "int8"}},
        "Let what a step keeps wait in RAM.": {"memory": {"inputs_in_ram": True}},
        "Switch on 'Save GPU memory'.": {"memory": {"gradient_checkpointing": True}},
        "Lower the photo size to 512.": {"data": {"photo_size": min(512, config.data.photo_size)}},
        "Use shorter, smaller clips (17 frames at 320).": {
            "data": {"clip_size": min(320, config.data.clip_size), "clip_frames": min(17, config.data.clip_frames)}
        },
        "Lower the LoRA's rank to 16.": {"lora": {"rank": min(16, config.lora.rank)}},
    }

    def need(change: Mapping[str, Any] | None) -> float:
        if change is None:
            return before - (gpu.vram_total_gb * FREE_SHARE - gpu.vram_free_gb)
        trial = from_dict(TrainConfig, merge(settings.to_dict(config), change))
        return at.room().vram(trial)

    before = at.room().vram(config)
    best = min(trials, key=lambda name: need(trials[name]))
    return f"What helps most: {best[0].lower()}{best[1:]}" if need(trials[best]) < before else "This GPU is too small for it."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
