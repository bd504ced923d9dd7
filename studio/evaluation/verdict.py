"""Which checkpoint pair, at which strength, and why: plain sentences from what was measured, and nothing that was not. Free of torch."""

from collections import Counter
from pathlib import Path
from statistics import mean, median

from studio.config import EXPERTS
from studio.evaluation.held_out import read_held_out
from studio.evaluation.scores import findings
from studio.evaluation.sweeps import read_sweep

CLEAR, CLOSE = "clear", "too close to call"
USUAL_STRENGTH = 0.7
HELD_OUT_MARGIN = 0.02  # a held-out loss lower by less than this share says nothing
DRIFT_LIMIT = 0.8  # other people may change at most this much as a share of what the person's clips change
WORDS = {
    "frozen": "stand still where the base moves",
    "soft": "are much softer than the base",
    "harsh": "are much harsher than the base",
    "flicker": "flicker",
    "clipping": "have burnt-out or crushed areas",
}
NOT_MEASURED = "Likeness is not measured yet: look at the faces in the clips before you decide."


def verdict(project, sweep):
    """{"pair", "strength", "why", "sure", "table", "not_measured"} for a sweep (dict, folder or name); pair None if none can be named.

    sure is "clear" or "too close to call". table: one row for each pair and strength with everything that was measured.
    """
    if not isinstance(sweep, dict):
        sweep = read_sweep(project.sweep_dir(sweep) if isinstance(sweep, str) else Path(sweep))
    table = _table(project, sweep)
    usable = [row for row in table if row["clips"] and row["applied"] is not False]
    if not usable:
        return _nothing(table)
    ranked = sorted(_best_strengths(usable), key=_rank)
    best, rest = ranked[0], ranked[1:]
    clear = not rest or _is_clearly_better(sweep, best, rest[0])
    return {
        "pair": best["pair"],
        "strength": best["strength"],
        "sure": CLEAR if clear else CLOSE,
        "why": _reasons(best, rest, table, clear),
        "table": table,
        "not_measured": ["likeness"],
    }


# -- measuring


def _table(project, sweep):
    held_out = {pair["id"]: read_held_out(project, pair) for pair in sweep["pairs"]}
    groups = {}
    for cell in sweep["cells"]:
        if cell["pair"]:
            groups.setdefault((cell["pair"], cell["strength"]), []).append(cell)
    kinds = [prompt["kind"] for prompt in sweep["prompts"]]
    rows = [_row(sweep, pair, strength, cells, kinds, held_out[pair]) for (pair, strength), cells in groups.items()]
    comparable = all(row["held_out"] for row in rows)
    for row in rows:
        row["held_out_excess"] = _excess(row, [r for r in rows if r["run"] == row["run"]]) if comparable else None
    return rows


def _row(sweep, pair_id, strength, cells, kinds, held_out):
    pair = next(p for p in sweep["pairs"] if p["id"] == pair_id)
    scored = [c for c in cells if c["state"] == "done" and c["scores"]]
    person = [c["scores"] for c in scored if kinds[c["prompt"]] == "person"]
    other = [c["scores"] for c in scored if kinds[c["prompt"]] == "class"]
    found = Counter(name for scores in person for name in findings(scores))
    change, drift = _median(person, "change"), _median(other, "change")
    drift_share = round(drift / change, 3) if drift is not None and change else None
    problems = [f"{count} of {len(person)} clips {WORDS[name]}" for name, count in sorted(found.items()) if count * 2 >= len(person)]
    if drift_share is not None and drift_share > DRIFT_LIMIT:
        problems.append(f"people who are not asked for change {drift_share:.0%} as much as yours")
    return {
        "pair": pair_id,
        "run": pair["run"],
        "step": pair["step"],
        "strength": strength,
        "clips": len(scored),
        "failed": sum(c["state"] == "failed" for c in cells),
        "applied": any(s["applied"] for s in person + other) if scored else None,
        "motion": _median(person, "motion"),
        "sharpness": _median(person, "sharpness"),
        "clipping": _median(person, "clipping"),
        "change": change,
        "drift": drift,
        "drift_share": drift_share,
        "findings": dict(found),
        "problems": problems,
        "held_out": held_out,
    }


def _median(scores, name):
    values = [s[name] for s in scores if s[name] is not None]
    return round(median(values), 4) if values else None


def _excess(row, same_run):
    """Mean over the experts of how far the held-out loss lies above the best of the same run; runs set different pictures aside."""
    best = {e: min(r["held_out"][e] for r in same_run if e in r["held_out"]) for e in row["held_out"]}
    return round(mean(row["held_out"][e] / best[e] - 1 for e in best), 5) if all(best.values()) else 0.0


# -- deciding


def _best_strengths(rows):
    """One row a pair: the strength with the fewest problems, then the one nearest the usual start."""
    chosen = {}
    for row in sorted(rows, key=lambda r: (len(r["problems"]), abs(r["strength"] - USUAL_STRENGTH), r["strength"])):
        chosen.setdefault(row["pair"], row)
    return list(chosen.values())


def _rank(row):
    return (row["failed"] > 0, len(row["problems"]), row["held_out_excess"] or 0.0, row["drift_share"] or 0.0, row["step"])


def _is_clearly_better(sweep, best, second):
    """By held-out loss (both experts no worse, together lower by the margin) or by a sign test over the clips' findings."""
    if len(best["problems"]) <= len(second["problems"]) and best["run"] == second["run"] and best["held_out_excess"] is not None:
        no_worse = all(best["held_out"][e] <= second["held_out"].get(e, 0.0) for e in best["held_out"])
        if no_worse and second["held_out_excess"] - best["held_out_excess"] > HELD_OUT_MARGIN:
            return True
    wins, losses = _count_wins(sweep, best, second)
    return (losses == 0 and wins >= 6) or (wins >= 10 and losses <= 2)


def _count_wins(sweep, best, second):
    """Prompts and seeds at which one has fewer findings than the other; ties say nothing."""
    counts = {}
    for cell in sweep["cells"]:
        for row in (best, second):
            if (cell["pair"], cell["strength"]) == (row["pair"], row["strength"]) and cell["scores"]:
                counts.setdefault((cell["prompt"], cell["seed"]), {})[row["pair"]] = len(findings(cell["scores"]))
    both = [c for c in counts.values() if len(c) == 2]
    wins = sum(c[best["pair"]] < c[second["pair"]] for c in both)
    return wins, sum(c[best["pair"]] > c[second["pair"]] for c in both)


# -- saying it


def _reasons(best, rest, table, clear):
    why = [
        _held_out_sentence(best, rest),
        _motion_sentence(best),
        _artifact_sentence(best),
        _drift_sentence(best),
        _strength_sentence(best, table),
    ]
    why += [f"{name_pair(row)} has a problem: {'; '.join(row['problems'])}." for row in rest if row["problems"]][:3]
    if any(row["applied"] is False for row in table):
        names = sorted({row["pair"] for row in table if row["applied"] is False})
        why.append(f"Left out, because the clips are exactly the base's: {', '.join(names)}. The file may be empty or of a wrong kind.")
    failed = sum(row["failed"] for row in table)
    if failed:
        why.append(f"{failed} {'clip' if failed == 1 else 'clips'} could not be drawn; run the comparison again to try again.")
    if not clear:
        why.append(
            f"{name_pair(best)} and {name_pair(rest[0]).lower()} are too close to call by these measures: compare their clips and trust your eye."
        )
    return [sentence for sentence in (*why, NOT_MEASURED) if sentence]


def name_pair(row):
    """ "Step 3000" with its run, for sentences."""
    return f"Step {row['step']} of {row['run']}"


def _held_out_sentence(best, rest):
    if not best["held_out"]:
        return "No loss on set-aside pictures was recorded, so how well the learning carries over is not known."
    words = {"high_noise": "layout and motion", "low_noise": "detail"}
    values = ", ".join(f"{best['held_out'][e]:.4f} for {words[e]}" for e in EXPERTS if e in best["held_out"])
    if best["held_out_excess"] is None or not rest:
        return f"Loss on the set-aside pictures: {values}."
    if best["held_out_excess"] == 0:
        return f"Its loss on the set-aside pictures is the lowest of its run: {values}."
    return f"Its loss on the set-aside pictures is {best['held_out_excess']:.1%} above the lowest of its run: {values}."


def _motion_sentence(best):
    if best["motion"] is None:
        return "Motion could not be compared: the base's clips hardly move."
    return f"Motion is {best['motion']:.0%} of the base's at the same seeds."


def _artifact_sentence(best):
    own = [p for p in best["problems"] if not p.startswith("people")]
    if own:
        return f"It is not clean: {'; '.join(own)}."
    if best["findings"]:
        return "Sharpness, flicker and clipping stay near the base's in most clips."
    return "Sharpness, flicker and clipping stay near the base's in every clip."


def _drift_sentence(best):
    if best["drift_share"] is None:
        return "Other people were not among the prompts, so whether they stay themselves is not known."
    if best["drift_share"] > DRIFT_LIMIT:
        return f"People who are not asked for change {best['drift_share']:.0%} as much as yours: protect them while training, or use a lower strength."
    return f"People who are not asked for change {best['drift_share']:.0%} as much as yours."


def _strength_sentence(best, table):
    strengths = sorted(row["strength"] for row in table if row["pair"] == best["pair"])
    if len(strengths) < 2:
        return f"Only strength {best['strength']:g} was compared."
    if best["strength"] == min(strengths, key=lambda s: abs(s - USUAL_STRENGTH)):
        return f"Strength {best['strength']:g} is the usual start; nothing measured here speaks for another one."
    return f"Strength {best['strength']:g} shows fewer problems than the others."


def _nothing(table):
    if any(row["applied"] is False for row in table):
        why = "Every pair draws exactly the base's clips: the LoRA files do nothing. Train longer, or check where they came from."
    else:
        why = "No clip can be compared yet: run the comparison to its end first."
    return {"pair": None, "strength": None, "sure": CLOSE, "why": [why, NOT_MEASURED], "table": table, "not_measured": ["likeness"]}
