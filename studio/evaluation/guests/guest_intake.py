"""Takes a pair in that was made elsewhere: its LoRA files in whatever spelling, sorted to the experts, checked, and kept under our own names."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.config import EXPERTS
from studio.disk import file_sha256, finished_dir
from studio.errors import Problem
from studio.evaluation.guests.guest_list import Guest, GuestFacts, find_guest, guests_dir
from studio.facts import write_facts
from studio.models.files.distilled import distilled
from studio.models.files.lora_files import save_lora_file
from studio.models.loras.contents import ExpertLora, LoraFile
from studio.models.loras.lora_measures import layer_norms, total_norm
from studio.models.loras.reading import read_lora
from studio.models.preset import model_preset
from studio.project_facts import clean_line
from studio.training.pairs import Pair, SavedExpert, verify_pair
from studio.workspace import Project

TRIGGER_KEYS = (
    "modelspec.trigger_phrase",
    "trigger_phrase",
    "trigger_word",
    "trigger_words",
    "trigger",
    "ss_trigger_word",
    "activation_text",
)
MAX_TRIGGER, MAX_TITLE = 100, 60
OTHER: dict[str, str] = dict(zip(EXPERTS, EXPERTS[::-1], strict=True))
NOTHING_TAKEN = "Nothing was taken in."


@dataclass(frozen=True)
class Sorted:
    """The LoRAs of the files by expert; for_both: whether one serves both."""

    loras: Mapping[str, ExpertLora]
    for_both: bool = False


def add_guest(
    project: Project, paths: Sequence[Path], *, trigger: str | None = None, title: str = "", named: Mapping[str, Path] | None = None
) -> Guest:
    """A guest of one LoRA file or two. trigger: the word that its person is called by, "" for none, None for the one that its header tells.

    named: {expert: file} where a person says which is which. Problem if a file can't be used whole, is for another model, or changes nothing,
    if it is not clear which expert it is for, or if nobody says its trigger.
    """
    named = named or {}
    paths = list(dict.fromkeys([*paths, *named.values()]))
    if not paths:
        raise Problem("No file was given.", fix="Give one LoRA file, or the two of a pair.")
    files = [read_lora(path) for path in paths]
    for file in files:
        _require_usable(file, project.facts().base_model)
    sorted_files = sort_files(files, named)
    said = clean_line(trigger)[:MAX_TRIGGER] if trigger is not None else None
    told = next((found for file in files if (found := trigger_in(file.metadata))), "")
    if said is None and not told:
        raise Problem(
            f"Nothing in {paths[0].name} says which word calls its person.{_guess_in_words(files)}",
            cost=NOTHING_TAKEN,
            fix="Say the word (--trigger), or that it was trained without one.",
            action="guest-trigger",
        )
    facts = GuestFacts(
        title=clean_line(title)[:MAX_TITLE] or common_name([path.stem for path in paths])[:MAX_TITLE],
        trigger=told if said is None else said,
        trigger_from="header" if said is None else "person",
        created=time.time(),
        base_model=project.facts().base_model,
        experts={},
        files=tuple(path.name for path in paths),
        for_both=sorted_files.for_both,
        notes=tuple(_warn_of_distilled(file, what) for file in files if (what := distilled(file.path.name, file.metadata))),
    )
    return _save(project, facts, sorted_files.loras)


def add_pair_of(project: Project, other: Project, pair: Pair) -> Guest:
    """Another person's pair of this workspace, with that project's trigger. Problem if it is of another base model."""
    facts, own = other.facts(), project.facts()
    if facts.base_model != own.base_model:
        raise Problem(
            f"{facts.name} is trained for {model_preset(facts.base_model).title}, {own.name} for {model_preset(own.base_model).title}.",
            cost=NOTHING_TAKEN,
            fix="Compare pairs of one base model.",
        )
    verify_pair(pair)
    trained = {expert: path for expert, path in pair.files.items() if pair.manifest.experts[expert].trained}
    guest = add_guest(project, [], trigger=facts.trigger, title=f"{facts.name}, step {pair.step}", named=trained)
    write_facts(guest.pair.folder / "guest.json", replace(guest.facts, trigger_from="project"))
    return find_guest(project, guest.id)


# -- which file is for which expert


def sort_files(files: Sequence[LoraFile], named: Mapping[str, Path]) -> Sorted:
    """By what a person says, else by what the files tell, else by what is left over. Problem where that is not clear."""
    by_file = {path: expert for expert, path in named.items()}
    found: dict[str, ExpertLora] = {}
    untold: list[tuple[LoraFile, ExpertLora]] = []
    for file in files:
        for lora in file.loras:
            expert = lora.expert if len(file.loras) > 1 else by_file.get(file.path, lora.expert)
            if not expert:
                untold.append((file, lora))
            elif expert in found:
                raise _unclear(f"Two of the files are for the {_noise(expert)} expert.")
            else:
                found[expert] = lora
    if len(untold) == 1 and not found:
        return Sorted(dict.fromkeys(EXPERTS, untold[0][1]), for_both=True)
    if len(untold) == 1 and len(found) == 1:
        return Sorted(found | {OTHER[next(iter(found))]: untold[0][1]})
    if untold:
        raise _unclear(
            f"Nothing tells which expert {' and '.join(file.path.name for file, _ in untold)} {'is' if len(untold) == 1 else 'are'} for."
        )
    return Sorted(found)


def _noise(expert: str) -> str:
    return expert.replace("_", "-")


def _unclear(words: str) -> Problem:
    return Problem(
        words,
        cost=NOTHING_TAKEN,
        fix="Put high_noise and low_noise into their names, or say which is which (--high, --low).",
        action="guest-experts",
    )


# -- what it says of itself


def trigger_in(metadata: Mapping[str, str]) -> str:
    """The trigger that a file's header tells, "" for none."""
    return next((word for key in TRIGGER_KEYS if (word := clean_line(str(metadata.get(key, "")))[:MAX_TRIGGER])), "")


def _guess_in_words(files: Sequence[LoraFile]) -> str:
    """What most captions of its training began with, where its header lists them (kohya, musubi)."""
    for file in files:
        tags = _tags_in(file.metadata.get("ss_tag_frequency", ""))
        if tags:
            return f' Most captions of its training said "{max(tags, key=lambda tag: tags[tag])}".'
    return ""


def _tags_in(text: str) -> dict[str, int]:
    try:
        folders: Any = json.loads(text) if text else {}
    except ValueError:  # a header of somebody's own making: then nothing is guessed from it
        return {}
    counts: dict[str, int] = {}
    for tags in folders.values() if isinstance(folders, dict) else ():
        for tag, number in tags.items() if isinstance(tags, dict) else ():
            counts[clean_line(str(tag))[:MAX_TRIGGER]] = counts.get(tag, 0) + (number if isinstance(number, int) else 0)
    return counts


def common_name(names: Sequence[str]) -> str:
    """What the names of its files have in common, without what they say of experts: "anna" of "anna_high_noise" and "anna_low_noise"."""
    bare = [re.sub(r"[ _.-]*(high|low)([ _.-]?noise)?$", "", name, flags=re.IGNORECASE) or name for name in names]
    first, last = min(bare), max(bare)
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length].strip(" _-.") or first


# -- taking it in


def _require_usable(file: LoraFile, base: str) -> None:
    """Problem unless all of it can be drawn, in this base model, and changes something."""
    file.require_whole()
    for lora in file.loras:
        if why := lora.why_not(base):
            raise Problem(
                f"{file.path.name} does not fit {model_preset(base).title}: {why}.",
                cost=NOTHING_TAKEN,
                fix="Use a LoRA that was trained for it.",
            )
        if not total_norm(layer_norms(lora)):
            which = f" for the {_noise(lora.expert)} expert" if lora.expert else ""
            raise Problem(
                f"{file.path.name} changes nothing{which}: all that it would add to the model is zero.",
                cost=NOTHING_TAKEN,
                fix="Use another checkpoint of that training.",
            )


def _warn_of_distilled(file: LoraFile, what: str) -> str:
    return f"{file.path.name} looks like a LoRA that makes a model draw in few steps ({what}), not like one of a person."


def _save(project: Project, facts: GuestFacts, loras: Mapping[str, ExpertLora]) -> Guest:
    place = _free_place(guests_dir(project))
    experts = {}
    with finished_dir(place) as folder:
        for expert, lora in loras.items():
            name = f"{place.name}_{expert}.safetensors"
            save_lora_file(folder / name, lora.state, {} if facts.for_both else {"expert": expert})
            experts[expert] = SavedExpert(file=name, sha256=file_sha256(folder / name))
        write_facts(folder / "guest.json", replace(facts, experts=experts))
    return find_guest(project, place.name)


def _free_place(parent: Path) -> Path:
    taken = [int(number) for folder in parent.glob("guest-*") if (number := folder.name.partition("-")[2]).isdigit()]
    return parent / f"guest-{max(taken, default=0) + 1:03d}"
