"""Messy folders with known faults, curated: what is found with the right words, who is accused, and what the chosen ones are. Prints JSON.

    python tests/benchmarks/planted_faults.py [--seeds 4] [--shared ../shared]

Needs the raw photos and plant_faults.py of ../shared; each person's strangers are the other one's photos. raw_photos.json says what the raw
photos show, as a human sees them. The two people are not fitted to: the limits are those of FACTS.md.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from studio.data import curation, dataset
from studio.data.choosing.best_set import quotas
from studio.data.choosing.traits import find_traits
from studio.data.importer import import_media
from studio.data.looking import looks
from studio.data.people.who import find_people
from studio.project_facts import PhotoChoice
from studio.workspace import Workspace

HERE = Path(__file__).parent
PEOPLE = ("person_1", "person_2")
RIGHT = {  # what is planted -> codes of which one must be said
    "blur": {"blur"}, "motion": {"blur"}, "dark": {"dark"}, "blown": {"blown"}, "jpeg_q10": {"blocks"}, "upscaled": {"upscaled", "blur"},
    "far_away": {"face-size", "no-face"}, "burst": {"twin"}, "crop_5": {"twin"}, "others": {"other-people"},
    "collage": {"collage", "other-people"}, "drawing": {"drawing"}, "monochrome": {"monochrome"},
}  # fmt: skip
FAULTS = ("blur", "motion", "dark", "blown", "jpeg_q10", "upscaled", "far_away", "burst", "crop_5")  # of plant_faults.py
KEEPS = (24, 12)
DRAWS = 1000


def raw_files(shared, person, kind):
    numbers = set(json.loads((HERE / "raw_photos.json").read_text(encoding="utf-8"))[person][kind])
    return sorted(path for path in (shared / "faces" / person).iterdir() if path.stem[4:].isdigit() and int(path.stem[4:]) in numbers)


def lay_out(shared, work):
    """A folder of good photos a person, with the widths of their faces as the eye sees them."""
    home = Workspace(work / "first look")
    for person in PEOPLE:
        folder = work / person
        folder.mkdir()
        for path in raw_files(shared, person, "good"):
            shutil.copy(path, folder)
        project = home.create_project(person, trigger="ohwx", base_model="wan22-t2v-a14b")
        import_media(project, sorted(folder.iterdir()))
        curation.curate(project)
        known = looks.looks_of(project)
        widths = {i.original: face.width for i in dataset.list_items(project) if (face := known[i.sha256][0].face)}
        (folder / "faces.json").write_text(json.dumps(widths), encoding="utf-8")


def make_messy(shared, work, person, seed):
    """(folder, {file name: {"kind", "source"}}): plant_faults.py's, and raw photos with other people, collages, drawings."""
    other, out = next(p for p in PEOPLE if p != person), work / f"{person} {seed}"
    command = [sys.executable, shared / "tools" / "plant_faults.py", work / person, work / other, out, "--seed", str(seed)]
    subprocess.run(list(map(str, command)), check=True)
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    (out / "truth.json").unlink()
    dice = random.Random(seed)
    for kind, most in (("others", 4), ("collage", 2), ("drawing", 1), ("monochrome", 1)):
        files = raw_files(shared, person, kind)
        for path in dice.sample(files, min(most, len(files))):
            name = f"{kind}_{path.stem[4:]}.jpg" if path.suffix == ".jfif" else f"{kind}_{path.stem[4:]}{path.suffix}"
            shutil.copy(path, out / name)
            truth[name] = {"kind": kind, "source": path.name}
    return out, truth


def codes_of(item):
    return {reason.code for reason in item.reasons if not item.keep}, {warning.code for warning in item.measurements.warnings}


def judge_folder(shared, work, person, seed, compares_people):
    folder, truth = make_messy(shared, work, person, seed)
    home = Workspace(work / f"home {person} {seed} {compares_people}")
    project = home.create_project("x", trigger="ohwx", base_model="wan22-t2v-a14b")
    project.update(photo_choice=PhotoChoice(compares_people=compares_people))
    import_media(project, sorted(folder.iterdir()))
    report = curation.curate(project, keep=KEEPS[0])
    items = {item.original: item for item in dataset.list_items(project)}
    kinds = {name: truth[name]["kind"] for name in items}
    found = {"planted": Counter(), "found": Counter(), "missed": [], "clean": 0, "flagged": [], "noted": [], "accused": []}
    twins = {truth[name]["source"] for name, item in items.items() if "twin" in codes_of(item)[0]}
    for name, item in items.items():
        kind, (reasons, warnings) = kinds[name], codes_of(item)
        if kind == "clean":
            found["clean"] += 1
            wrong = reasons - {"enough", "held-out"}
            if wrong - ({"twin"} if truth[name]["source"] in twins else set()):
                found["flagged"].append([truth[name]["source"], *sorted(wrong)])
            elif warnings:
                found["noted"].append([truth[name]["source"], *sorted(warnings)])
            if "stranger" in reasons:
                found["accused"].append(truth[name]["source"])
        elif kind == "stranger":
            found["planted"]["stranger"] += 1
            is_found = bool((reasons | warnings) & {"stranger", "please-look"})
            found["found"]["stranger"] += is_found
            found["found"]["stranger, or can't tell and left out"] += is_found or not item.keep
            if not is_found:
                found["missed"].append(["stranger", truth[name]["source"], item.keep, *sorted(reasons | warnings)])
        else:
            found["planted"][kind] += 1
            is_found = bool((reasons | warnings) & RIGHT[kind]) or (kind in ("burst", "crop_5") and truth[name]["source"] in twins)
            found["found"][kind] += is_found
            if not is_found:
                found["missed"].append([kind, truth[name]["source"], item.keep, *sorted(reasons | warnings)])
    found["people"] = {"groups": [group.photos for group in report.groups], "once": report.num_once, "question": str(report.question or "")}
    found["chosen"] = {keep: judge_choice(project, items, truth, keep, seed) for keep in KEEPS}
    return found


def judge_choice(project, items, truth, keep, seed):
    choice = curation.choose(project, keep)
    by_id = {item.id: name for name, item in items.items()}
    kinds = Counter(truth[by_id[name]]["kind"] for name in choice.chosen)
    good = sorted(item.id for name, item in items.items() if truth[name]["kind"] == "clean")
    known = looks.looks_of(project)
    seen = {item.id: known[item.sha256][0] for item in items.values()}
    traits = find_traits(seen, find_people(seen, {}).seen)

    def cells(names):
        return len({traits[name].cell for name in names if traits[name].angle})

    dice = random.Random(seed)
    draws = [cells(dice.sample(good, min(keep, len(good)))) for _ in range(DRAWS)]
    possible = [q for q in quotas(keep) if sum(q.fits(traits[name]) for name in good) >= q.wanted]
    unmet = [f"{q.code} {q.angle}".strip() for q in possible if sum(q.fits(traits[name]) for name in choice.chosen) < q.wanted]
    return {
        "chosen": len(choice.chosen), "held_out": len(choice.held_out), "of": dict(kinds), "good": len(good),
        "cells": cells(choice.chosen), "cells_best_of_draws": max(draws), "cells_mean_of_draws": round(sum(draws) / len(draws), 2),
        "cells_of_all_good": cells(good), "quotas_possible_and_unmet": unmet, "lacks": [[lack.code, lack.angle] for lack in choice.lacks],
        "faulty": sorted(by_id[name] for name in choice.chosen if truth[by_id[name]]["kind"] not in ("clean", "burst", "crop_5", "monochrome")),
    }  # fmt: skip


def sum_up(runs):
    planted, found = Counter(), Counter()
    for run in runs:
        planted.update(run["planted"])
        found.update(run["found"])
    clean, faults = sum(run["clean"] for run in runs), sum(planted[kind] for kind in FAULTS)
    chosen = [choice for run in runs for choice in run["chosen"].values()]
    return {
        "folders": len(runs),
        "photos": sum(planted.values()) + clean,
        "planted_faults_found": [sum(found[kind] for kind in FAULTS), faults, round(sum(found[k] for k in FAULTS) / max(faults, 1), 4)],
        "by_kind": {kind: [found[kind], planted[kind]] for kind in sorted(planted)},
        "strangers_found_or_shown": [found["stranger"], planted["stranger"]],
        "strangers_found_shown_or_left_out_unsure": [found["stranger, or can't tell and left out"], planted["stranger"]],
        "clean_flagged": [sum(len(run["flagged"]) for run in runs), clean],
        "clean_noted": [sum(len(run["noted"]) for run in runs), clean],
        "clean_called_strangers": [sum(len(run["accused"]) for run in runs), clean],
        "chosen": sum(choice["chosen"] for choice in chosen),
        "chosen_strangers": sum(choice["of"].get("stranger", 0) for choice in chosen),
        "chosen_faulty": sum(len(choice["faulty"]) for choice in chosen),
        "sets_with_fewer_cells_than_the_best_draw": sum(choice["cells"] < choice["cells_best_of_draws"] for choice in chosen),
        "sets_with_unmet_possible_quotas": sum(bool(choice["quotas_possible_and_unmet"]) for choice in chosen),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--shared", type=Path, default=HERE.parents[2] / "shared")
    args = parser.parse_args()
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        lay_out(args.shared, work)
        for person in PEOPLE:
            for seed in range(args.seeds):
                for compares in (True, False):
                    if not compares and seed:
                        continue  # the guard alone: once a person
                    runs[f"{person} seed {seed}{'' if compares else ' without comparing people'}"] = run = judge_folder(
                        args.shared, work, person, seed, compares
                    )
                    print(f"{person} {seed} {compares}: {sum(run['found'].values())}", file=sys.stderr)
                    shutil.rmtree(work / f"{person} {seed}")
    compared = {name: run for name, run in runs.items() if "without" not in name}
    summary = {person: sum_up([run for name, run in compared.items() if name.startswith(person)]) for person in PEOPLE}
    guard = sum_up([run for name, run in runs.items() if "without" in name])
    print(json.dumps({"all": sum_up(list(compared.values())), **summary, "without_comparing_people": guard, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
