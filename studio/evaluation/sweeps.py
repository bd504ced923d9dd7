"""The sweep on disk: which clips compare the pairs, which of them exist, and which can be taken from an earlier sweep. Free of torch."""

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from statistics import median

from studio.config import EXPERTS, SweepConfig, from_dict, to_dict
from studio.disk import file_sha256
from studio.errors import Damaged, Problem
from studio.evaluation.first_pictures import add_first_pictures
from studio.evaluation.judge.references import needs_scores, scores_key
from studio.evaluation.prompts import resolve_prompts, standard_prompts
from studio.training.pairs import Pair, damaged_pairs, list_pairs, require_whole
from studio.workspace import FORMAT, Project, new_numbered_dir, read_json, safe_join, write_json

WAVE_CELLS = 12  # about this many clips share one change of experts; a row (one prompt and seed) is never split
STAGE_KEYS = dict(zip(EXPERTS, ("high_key", "key"), strict=True))  # what a finished stage of each expert is called in a cell
SHA_KEYS = dict(zip(EXPERTS, ("high_sha256", "low_sha256"), strict=True))  # what the hash of each expert's file is called in a pair
RENDER_VERSION = 2  # raise it when the same cell would look different
RESULTS = ("scores", "scored_by", "clip_sha256", "seconds")  # what a finished cell carries beside its state
PICTURE_SETTINGS = (
    "width",
    "height",
    "num_frames",
    "num_inference_steps",
    "guidance_scale_high",
    "guidance_scale_low",
    "flow_shift",
    "scheduler",
    "negative_prompt",
)


# -- planning


def count_cells(num_prompts, num_pairs, config):
    """Clips in all: the base once for every prompt and seed, each pair at every strength."""
    return num_prompts * len(config.seeds) * (1 + num_pairs * len(config.strengths))


def plan_sweep(project, config, pairs=None):
    """A sweep as a dict, not written yet: base row and every pair x prompt x seed x strength, each cell keyed by what decides its pixels.

    pairs: ids like "train-001/step-001000"; None for all there are. Problem if there is no pair; ValueError if one is unknown.
    """
    from studio.models.catalogue import find_model

    data = project.facts()
    base = find_model(data.base_model, project.workspace)
    base.latent_shape(config.num_frames, config.height, config.width)  # ValueError for a size this model can't draw
    prompts = resolve_prompts(config.prompts or standard_prompts(project, data.base_model), data.trigger, data.class_noun)
    entries = [_pair_entry(pair) for pair in select_pairs(project, pairs)]
    if base.first_picture:
        prompts = add_first_pictures(project, prompts, (config.width, config.height))
    elif any("picture" in prompt for prompt in prompts):
        raise ValueError(f"{base.title} draws from words alone; take [picture ...] out of the prompts")
    return {
        "created": time.time(),
        "base_model": data.base_model,
        "base_key": base.key,
        "fps": base.fps,
        "settings": to_dict(config),
        "prompts": prompts,
        "pairs": entries,
        "cells": list(_cells(base.key, config, prompts, entries)),
    }


def select_pairs(project, pairs=None):
    """The pairs of these ids in their own order; all of them for None."""
    found = {pair.id: pair for pair in list_pairs(project)}
    if not found and (damaged := damaged_pairs(project)):
        raise damaged[-1]
    if not found:
        raise Problem("There is no checkpoint pair yet.", fix="Train first; a pair is saved at every save interval.", action="open-train")
    if pairs is None:
        return list(found.values())
    unknown = [p for p in pairs if p not in found]
    require_whole(project, unknown)
    if unknown or not pairs:
        raise ValueError(f"there is no pair {', '.join(unknown) or '(none chosen)'}; there are {', '.join(found)}")
    return [pair for id, pair in found.items() if id in pairs]


def _pair_entry(pair):
    """An expert without a step has no hash: its stage is the base's, and shared with it."""
    shas = dict.fromkeys(EXPERTS, "") | {e: saved.sha256 for e, saved in pair.manifest.experts.items() if saved.trained}
    return {"id": pair.id, "run": pair.run, "step": pair.step} | {SHA_KEYS[expert]: sha for expert, sha in shas.items()}


def _cells(base_key, config, prompts, pairs):
    columns = [(None, 0.0)] + [(pair, strength) for pair in pairs for strength in config.strengths]
    for index, prompt in enumerate(prompts):
        for seed in config.seeds:
            for pair, strength in columns:
                high, key = cell_keys(base_key, config, prompt, seed, pair, strength)
                yield {
                    "key": key,
                    "high_key": high,
                    "pair": pair["id"] if pair else None,
                    "prompt": index,
                    "seed": seed,
                    "strength": strength,
                    "state": "waiting",
                    "error": "",
                    "clip": f"cells/{key}.mp4",
                    "poster": f"cells/{key}.jpg",
                    "scores": {},
                }


def cell_keys(base_key, config, prompt, seed, pair, strength):
    """(key of the high stage, key of the clip): equal keys mean equal pixels, whatever the pair or sweep is called."""
    settings = {name: getattr(config, name) for name in PICTURE_SETTINGS}
    low_guidance = settings.pop("guidance_scale_low")
    picture = [[prompt["first_picture"]["sha256"]]] if "first_picture" in prompt else []
    high = _hash(RENDER_VERSION, base_key, prompt["text"], seed, settings, _lora_part(pair, "high_sha256", strength), *picture)
    return high, _hash(high, low_guidance, _lora_part(pair, "low_sha256", strength))


def _lora_part(pair, name, strength):
    return [pair[name], float(strength)] if pair and pair[name] and strength else None


def _hash(*parts):
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:24]


# -- on disk


def open_sweep(project, config, pairs=None, sample=None):
    """The folder of this comparison: the one that asked the same before (new pairs are added to it), else the next sweep-NNN.

    Finished cells are kept if their files are whole, and taken from other sweeps where the key is the same. sample: whether it is only
    a look at how a training goes, and no comparison yet; None leaves that as it is, and what was asked for as a comparison stays one.
    Problem if a comparison is damaged: it may be this one, and hours of drawing would be done twice.
    """
    project.require_ours()
    plan = plan_sweep(project, config, pairs)
    for problem in damaged_sweeps(project):
        raise problem
    folder = find_sweep(project, plan)
    if folder:
        old = read_sweep(folder)
        known, sample = {_place(cell): cell for cell in old["cells"]}, sample is not False and is_sample(old)
        plan |= {"created": old["created"], "cells": [known.get(_place(c), c) for c in plan["cells"]]}
    plan |= {"sample": True} if sample else {}
    if folder is None:
        folder = new_numbered_dir(project.sweeps_dir, "sweep")
        write_sweep(folder, plan)  # before any clip is in it, so that a folder of clips without this file is a damaged one
    check_cells(folder, plan)
    reuse_cells(project, folder, plan)
    if (
        not _is_sweep(folder) or read_json(folder / "sweep.json") != {"format": FORMAT} | plan
    ):  # a job may be writing what is the same anyway
        write_sweep(folder, plan)
    return folder


def find_sweep(project, plan):
    """The folder of the newest comparison that asked the same as this plan, or None."""
    return next((f for f in reversed(list_sweeps(project)) if _continues(read_sweep(f), plan)), None)


def _place(cell):
    """What a cell shows and where it stands: pairs with equal files have equal keys."""
    return tuple(cell[name] for name in ("key", "pair", "prompt", "seed", "strength"))


def _continues(old, new):
    same = all(old.get(name) == new[name] for name in ("base_key", "prompts", "settings"))
    return same and all(pair in new["pairs"] for pair in old["pairs"])


def list_sweeps(project, sample=None):
    """Sweep folders, oldest first; a folder without a readable sweep.json is left out: `damaged_sweeps`.

    sample: True for those only that are samples of a training, False for the others.
    """
    found = [f for f in _sweep_folders(project) if _is_sweep(f)]
    return found if sample is None else [f for f in found if is_sample(read_json(f / "sweep.json")) == sample]


def damaged_sweeps(project: Project | None) -> list[Damaged]:
    """What is wrong with each sweep that `list_sweeps` leaves out, and what can be done. An empty folder is no sweep (yet)."""
    folders = _sweep_folders(project) if project else []
    return [_damaged(f) for f in folders if not _is_sweep(f) and ((f / "sweep.json").exists() or (f / "cells").exists())]


def _damaged(folder):
    what = "is damaged" if (folder / "sweep.json").exists() else "is missing"
    return Damaged(
        folder.name,
        f"sweep.json of {folder.name} {what}.",
        cost=f"The clips of that comparison are all there, in the folder cells of {folder.name}.",
        fix=f"Restore that file from a backup, or delete the folder {folder.name}: then its clips are drawn again when you ask for them. It lies in {folder.parent}.",
    )


def _sweep_folders(project):
    return sorted(project.sweeps_dir.glob("sweep-*"), key=lambda f: (len(f.name), f.name))


def is_sample(sweep):
    return bool(sweep.get("sample"))


def _is_sweep(folder):
    try:
        return isinstance(read_json(folder / "sweep.json").get("cells"), list)
    except (OSError, ValueError):
        return False


def read_sweep(folder):
    """sweep.json of a folder; a finished cell whose clip or poster was deleted counts as waiting."""
    folder = Path(folder)
    sweep = read_json(folder / "sweep.json")
    for cell in sweep["cells"]:
        if cell["state"] == "done" and not all(safe_join(folder, cell[name]).is_file() for name in ("clip", "poster")):
            cell["state"] = "waiting"
    return sweep


def write_sweep(folder, sweep):
    write_json(Path(folder) / "sweep.json", sweep)


def check_cells(folder, sweep):
    """Set finished cells back to waiting where a file is missing or is not the one that was written; failed ones get another try."""
    for cell in sweep["cells"]:
        if cell["state"] == "failed" or (cell["state"] == "done" and not _is_whole(folder, cell)):
            cell |= {"state": "waiting", "error": "", "scores": {}}
            cell.pop("scored_by", None)


def _is_whole(folder, cell):
    try:
        return file_sha256(folder / cell["clip"]) == cell.get("clip_sha256") and (folder / cell["poster"]).stat().st_size > 0
    except OSError:
        return False


def reuse_cells(project, folder, sweep):
    """Take finished clips with the same key from the project's other sweeps. Returns how many."""
    waiting = cells_by_key(cell for cell in sweep["cells"] if cell["state"] != "done")
    found = 0
    for other in list_sweeps(project):
        if other == folder or not waiting:
            continue
        for cell in read_sweep(other)["cells"]:
            if cell["state"] == "done" and cell["key"] in waiting and _is_whole(other, cell):
                for name in ("clip", "poster"):
                    _link(other / cell[name], folder / cell[name])
                same = waiting.pop(cell["key"])
                found += len(same)
                for mine in same:
                    mine.update(state="done", error="", **{name: cell[name] for name in RESULTS if name in cell})
    return found


def cells_by_key(cells):
    """{key: [cells]}: two pairs with equal files have equal clips, drawn once."""
    groups = {}
    for cell in cells:
        groups.setdefault(cell["key"], []).append(cell)
    return groups


def _link(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)


# -- reading a sweep


def settings_of(sweep):
    """The SweepConfig that a sweep was planned with."""
    return from_dict(SweepConfig, sweep["settings"], "sweep.json")


def count_states(sweep):
    """{"done", "waiting", "failed"} -> number of cells."""
    return {"done": 0, "waiting": 0, "failed": 0} | Counter(cell["state"] for cell in sweep["cells"])


def count_unmeasured(project, sweep):
    """Finished clips that were never measured, or against other pictures of the person than are kept now."""
    from studio.models.catalogue import find_model

    key = scores_key(project, find_model(sweep["base_model"], project.workspace))
    return sum(needs_scores(cell, key) for cell in sweep["cells"])


def check_compared(folder: Path, pair: Pair):
    """Problem unless the pair is the one whose clips the sweep holds: another training may bear the name of one that was deleted."""
    now = _pair_entry(pair)
    if not any(all(entry[name] == now[name] for name in ("id", "high_sha256", "low_sha256")) for entry in read_sweep(folder)["pairs"]):
        raise Problem(
            f"{pair.id} is another pair now than the one that was compared: nothing was changed.", fix="Draw the test clips of the new one."
        )


def find_cell(sweep, pair, prompt, seed, strength):
    """The cell of a pair id (None: the base), prompt index, seed and strength; None if it was not asked for."""
    for cell in sweep["cells"]:
        if (cell["pair"], cell["prompt"], cell["seed"]) == (pair, prompt, seed) and (pair is None or cell["strength"] == strength):
            return cell
    return None


def comparison_file(sweep_dir, prompt_index, seed, strength=None):
    """Where the side-by-side video of a prompt is, or will be."""
    suffix = "" if strength is None else f"-{strength:g}"
    return sweep_dir / "comparisons" / f"prompt-{prompt_index + 1:02d}-seed-{seed}{suffix}.mp4"


def columns_of(sweep):
    """(pair id or None, strength) of every column, the base first."""
    return list(dict.fromkeys((cell["pair"], cell["strength"]) for cell in sweep["cells"]))


def estimate_seconds(project, sweep):
    """Seconds for the cells that are still missing, from clips drawn before with this base model on this machine; None if none was."""
    measured = []
    for folder in list_sweeps(project):
        earlier = read_sweep(folder)
        if earlier["base_model"] == sweep["base_model"]:
            measured += [c["seconds"] / _work(earlier["settings"]) for c in earlier["cells"] if c.get("seconds")]
    left = sum(cell["state"] != "done" for cell in sweep["cells"])
    return median(measured) * _work(sweep["settings"]) * left if measured else (0.0 if not left else None)


def _work(settings):
    """Size of one clip's work: pixels x frames x model passes."""
    passes = (settings["guidance_scale_high"] > 1) + (settings["guidance_scale_low"] > 1) + 2
    return settings["width"] * settings["height"] * settings["num_frames"] * settings["num_inference_steps"] * passes
