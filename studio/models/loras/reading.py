"""Reads a LoRA file of any trainer: one typed result of what in it is used, how strongly, and what is not used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from studio.config.expert_names import EXPERTS
from studio.errors import Problem
from studio.models.files.comfyui_files import SUBFOLDER_EXPERTS, role_by_name
from studio.models.files.distilled import distilled
from studio.models.files.layouts import WeightFile
from studio.models.loras.alpha import Strength, choose, read_strengths, recorded_alpha
from studio.models.loras.contents import ExpertLora, Layer, LoraFile, describe_refused
from studio.models.loras.names import Named, Refused, our_key, read_name, whose

LoraState = dict[str, torch.Tensor]  # the matrices of a LoRA, by our keys
FORMS = {torch.float64: "fp64", torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
FORMS |= {torch.float8_e4m3fn: "fp8", torch.float8_e5m2: "fp8"}
HIGH, LOW = EXPERTS
INCOMPLETE = "Copy or download it again."
Place = tuple[str, int, str]  # (expert as its key names it, block, layer)


@dataclass(frozen=True)
class Draft:
    """A file half read. places: place -> part -> its key; alphas: None where nothing says it; where: the place of the config that says alpha, or ""."""

    path: Path
    tensors: LoraState
    metadata: Mapping[str, str]
    places: Mapping[Place, Mapping[str, Named]]
    alphas: Mapping[Place, float | None]
    where: str

    @property
    def key_experts(self) -> dict[str, str]:
        """{expert: what its keys say}: where one expert is named and other layers are not, those are the other's."""
        said = {expert for expert, _, _ in self.places}
        if "" in said and len(said) == 2:
            named = next(iter(said - {""}))
            return {LOW if named == HIGH else HIGH: "", named: named}
        return {expert: expert for expert in said}


def read_lora_file(path: Path | str) -> tuple[LoraState, dict[str, str]]:
    """(state in our keys, fp32, alpha folded in; metadata) of a file for one expert that is used whole. Problem names what is wrong, or not used."""
    found = read_lora(path)
    found.require_whole()
    return found.only().state, dict(found.metadata)


def read_lora(path: Path | str) -> LoraFile:
    """What is in a LoRA file of any trainer. Problem if it is damaged, for another model, or of a kind of which nothing can be used."""
    path = Path(path)
    keys, tensors, metadata = _read_tensors(path)
    named, refused, no_change = _sort(keys, tensors)
    strengths, where = read_strengths(path, metadata)
    if not named:
        raise _no_lora(path, keys, refused, strengths)
    places = _arrange(path, named)
    unsaid = {place for place, parts in places.items() if set(parts) == {"alpha"}}
    refused += [Refused(places[place]["alpha"].key, "", "it is the strength of a layer that has no matrices") for place in sorted(unsaid)]
    if others := sorted({strength.method for strength in strengths.values() if strength.method}):
        refused.append(Refused(where, others[0], f"{where} says that it is {others[0]}, which is not supported"))
    places = {place: parts for place, parts in places.items() if place not in unsaid}
    alphas = {place: _alpha(path, parts, tensors, strengths) for place, parts in places.items()}
    draft = Draft(path, tensors, metadata, places, alphas, where)
    loras = tuple(_expert(draft, expert, told_by) for expert, told_by in _experts(draft))
    return LoraFile(
        path=path,
        num_bytes=path.stat().st_size,
        form=_form(tensors[name.key] for name in named),
        loras=loras,
        refused=tuple(refused),
        notes=(*_notes(draft, loras, no_change), *_strength_notes(draft)),
        metadata=metadata,
    )


# -- the file


def _read_tensors(path: Path) -> tuple[list[str], LoraState, dict[str, str]]:
    """(all keys, the tensors that are looked at, metadata); of a file that is no LoRA, of many GB perhaps, no tensor is read."""
    if not path.is_file():
        raise Problem(f"There is no file {path.name}.", fix="Choose a .safetensors file.")
    if path.suffix.lower() != ".safetensors":
        raise Problem(
            f"{path.name} is no .safetensors file; other kinds can hold programs and are never opened.", fix="Choose a .safetensors file."
        )
    try:
        with safe_open(path, "pt") as file:
            keys = list(file.keys())
            wanted = [key for key in keys if isinstance(entry := read_name(key), Named) or entry.is_change]
            return keys, {key: file.get_tensor(key) for key in wanted}, dict(file.metadata() or {})
    except (SafetensorError, OSError) as e:
        raise Problem(f"{path.name} cannot be read ({e}); it is cut off or no safetensors file.", fix=INCOMPLETE) from None


def _sort(keys: Iterable[str], tensors: LoraState) -> tuple[list[Named], list[Refused], int]:
    """(what is used, what is not, how many parts change nothing)."""
    read = [read_name(key) for key in keys]
    needed = {module: entry for entry in read if isinstance(entry, Refused) and (module := entry.owner)}
    used, refused, no_change = [], [], 0
    for entry in read:
        if isinstance(entry, Refused):
            is_change = entry.is_change and not tensors[entry.key].count_nonzero()
            no_change += is_change
            refused += [] if is_change else [entry]
        elif entry.module in needed:
            method = needed[entry.module].method
            refused.append(Refused(entry.key, method, f"it means nothing without its part of {method}"))
        else:
            used.append(entry)
    return used, refused, no_change


def _no_lora(path: Path, keys: list[str], refused: list[Refused], strengths: Mapping[str, Strength]) -> Problem:
    methods = sorted({entry.method for entry in refused if entry.method} | {s.method for s in strengths.values() if s.method})
    fix = "Choose a plain LoRA file made for WAN 2.1 or 2.2, 14 B."
    if methods:
        return Problem(f"{path.name} is not supported: it holds {' and '.join(methods)}, not a plain LoRA.", fix=fix)
    if kind := WeightFile(path).kind.replace("lora", ""):
        return Problem(f"{path.name} is not a LoRA: it is the {kind.replace('_', ' ')} of a base model.", fix=fix)
    if model := whose(keys):
        return Problem(f"{path.name} is not a LoRA for WAN: by its names it is for {model}.", fix=fix)
    if any(entry.is_of_lora for entry in refused):
        return Problem(f"{path.name} is not a LoRA for WAN that can be used here: {describe_refused(refused)}.", fix=fix)
    example = f" (its first key is {keys[0]!r})" if keys else ": it is empty"
    return Problem(f"{path.name} is not a LoRA for WAN{example}.", fix=fix)


def _form(tensors: Iterable[torch.Tensor]) -> str:
    """How most of the numbers are stored."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        name = FORMS.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
        sizes[name] = sizes.get(name, 0) + tensor.numel()
    return max(sizes, key=lambda name: sizes[name])


# -- layers


def _arrange(path: Path, named: list[Named]) -> dict[Place, dict[str, Named]]:
    """Layer by layer. Problem where two keys mean the same matrix: one would overwrite the other."""
    places: dict[Place, dict[str, Named]] = {}
    for name in named:
        parts = places.setdefault((name.expert, name.block, name.layer), {})
        if name.part in parts:
            raise Problem(
                f"{path.name} has the same matrix twice: {parts[name.part].key!r} and {name.key!r}.",
                fix="Save its LoRAs as files of their own.",
            )
        parts[name.part] = name
    return places


def _alpha(path: Path, parts: Mapping[str, Named], tensors: LoraState, strengths: Mapping[str, Strength]) -> float | None:
    """By its tensor, else by the header; None where neither says it."""
    if "alpha" not in parts:
        a = parts.get("A")
        rank = tensors[a.key].shape[0] if a is not None and tensors[a.key].ndim else 0
        return choose(strengths, a.module).alpha_of(a.module, rank) if a is not None and rank else None
    tensor = tensors[parts["alpha"].key]
    if tensor.numel() != 1 or not torch.isfinite(tensor.double()).all():
        raise Problem(f"{path.name}: {parts['alpha'].key} is no strength (one number).", fix="Use another file.")
    return float(tensor)


def _expert(draft: Draft, expert: str, told_by: str) -> ExpertLora:
    """All layers whose keys name this expert, or name none where nothing else is its own."""
    layers, state = [], {}
    own = ({expert: ""} | draft.key_experts)[expert]
    for place in sorted(place for place in draft.places if place[0] == own):
        _, block, name = place
        a, b = _matrices(draft.path, f"blocks.{block}.{name}", draft.places[place], draft.tensors)
        rank, alpha = a.shape[0], draft.alphas[place]
        layers.append(Layer(block, name, rank, float(rank) if alpha is None else alpha, a.shape[1], b.shape[0]))
        state[our_key(block, name, "A")] = a
        state[our_key(block, name, "B")] = b if alpha is None else b * (alpha / rank)
    told_within = bool(expert) and (set(draft.key_experts) != {""} or draft.metadata.get("expert") == expert)
    return ExpertLora(expert=expert, told_by=told_by, told_within=told_within, layers=tuple(layers), state=state)


def _matrices(path: Path, name: str, parts: Mapping[str, Named], tensors: LoraState) -> tuple[torch.Tensor, torch.Tensor]:
    """(A, B) of a layer in fp32. Problem unless both are there, fit each other and are finite."""
    if "A" not in parts or "B" not in parts:
        raise Problem(f"{path.name} is incomplete: {name} has only one of its two matrices.", fix=INCOMPLETE)
    a, b = (_flat(tensors[parts[part].key]) for part in "AB")
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1] or not a.shape[0]:
        raise Problem(
            f"{path.name}: the matrices of {name} do not fit each other ({tuple(a.shape)} and {tuple(b.shape)}).", fix="Use another file."
        )
    if not (a.is_floating_point() and b.is_floating_point()):
        raise Problem(f"{path.name}: the matrices of {name} are stored as {a.dtype}, which is not read.", fix="Use its fp16 or bf16 file.")
    a, b = a.float(), b.float()
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise Problem(
            f"{path.name} holds numbers that are not finite in {name}; its training broke down.", fix="Use an earlier checkpoint."
        )
    return a, b


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """A matrix that was saved as a convolution of one pixel, as a matrix."""
    return tensor.reshape(tensor.shape[:2]) if tensor.ndim > 2 and tensor.numel() == tensor.shape[0] * tensor.shape[1] else tensor


# -- experts


def _experts(draft: Draft) -> list[tuple[str, str]]:
    """[(expert, what tells it)], the high-noise one first. Problem where a file holds more LoRAs than there are experts."""
    by_keys = draft.key_experts
    if len(by_keys) > 2:
        raise Problem(f"{draft.path.name} holds LoRAs of three models, and only two can be told.", fix="Save them as files of their own.")
    if set(by_keys) != {""}:
        return [(expert, "its names" if by_keys[expert] else "the names of the other's") for expert in EXPERTS if expert in by_keys]
    if draft.metadata.get("expert") in EXPERTS:
        return [(draft.metadata["expert"], "its header")]
    named = _expert_by_name(draft.path)
    return [(named, "its file name" if named else "")]


def _expert_by_name(path: Path) -> str:
    role = role_by_name(path)
    return SUBFOLDER_EXPERTS[role] if role else ""


# -- words


def _notes(draft: Draft, loras: tuple[ExpertLora, ...], no_change: int) -> Iterable[str]:
    if len(loras) == 2:
        yield "A whole pair in one file: two LoRAs, one for each expert."
    told, (first, *others) = _expert_by_name(draft.path), loras
    if first.expert and told and told != first.expert and not others:
        yield f"Its file name says {told.replace('_', ' ')}, {first.told_by} {first.expert.replace('_', ' ')}."
    if not first.expert:
        yield "Nothing says which expert it is for: it is one LoRA for both, or a file of a pair that lost its name."
    if odd := sorted({name.odd for parts in draft.places.values() for name in parts.values() if name.odd}):
        yield f"Its names begin with {', '.join(odd[:3])}, which no trainer known here writes; the layers behind it are WAN's."
    if no_change:
        yield f"{no_change} changes of weights or biases in it are all zero, and were left out."
    if what := distilled(draft.path.name, draft.metadata):
        yield f"It looks like a LoRA that makes a model draw in few steps ({what}), not like one of a person."


def _strength_notes(draft: Draft) -> Iterable[str]:
    alphas, by_tensor = draft.alphas, [place for place, parts in draft.places.items() if "alpha" in parts]
    by_header = [place for place, alpha in alphas.items() if place not in by_tensor and alpha is not None]
    if any(alphas[place] != draft.tensors[draft.places[place]["A"].key].shape[0] for place in by_header):
        yield f"How strong it is stands in {draft.where} alone: here and in diffusers that counts, ComfyUI does not read it and takes alpha = rank."
    if by_tensor and draft.where:
        yield f"Its alpha tensors count; what {draft.where} says of alpha was left aside for those layers."
    if by_tensor and len(by_tensor) < len(alphas):
        yield f"{len(alphas) - len(by_tensor)} of {len(alphas)} layers have no alpha tensor."
    if nothing := sum(alpha == 0 for alpha in alphas.values()):
        yield f"{nothing} layers have alpha 0: they change nothing."
    if not by_tensor and not draft.where and (record := recorded_alpha(draft.metadata)):
        yield f"Its header records {record}; without alpha tensors that is a record of its training, and every program applies it with alpha = rank."
