"""What was measured, one row for each pair and strength, and what is wrong with it. Free of torch."""

from collections import Counter
from statistics import mean, median

from studio.evaluation.judge.held_out import read_held_out
from studio.evaluation.judge.scores import findings

# Starting values of the failure table; shares of the person's own photos unless said otherwise.
DRIFT_LIMIT = 0.8  # other people may change at most this much as a share of what the person's clips change
IDENTITY_WEAK = 0.7  # drawn people: true clips of the person .82 and more, of somebody with the same description .41 (one in a hundred .74)
FADING = 0.15  # from a clip's first to its last third: a nod or a step aside may cost .2 of one clip, the median of four true clips stays below .13
BLEED = 0.1  # that strangers may look more like the person than the base's do
DISOBEDIENCE = 0.1  # of what prompts say, that is seen less often than with the base
COPYING = 2.0  # times as near to a training picture as those are to each other: the median of four new scenes stays below 1.8, copies reach 2 to 6
COPYING_RISE = 1.25  # and that much more than the base's, whose prompt may ask for a photo's scene
# Margins of what may be told apart.
HELD_OUT_MARGIN = 0.02  # a held-out loss lower by less than this share says nothing
SAME = 0.02  # an identity higher by less than 2 % of the photos' is no reason to train longer
TOLD_APART = 0.05  # below this a few prompts can't tell: it takes the sign test
WORDS = {
    "frozen": "stand still where the base moves",
    "soft": "are much softer than the base",
    "harsh": "are much harsher than the base",
    "flicker": "flicker",
    "clipping": "have burnt-out or crushed areas",
}
WATCHED = ("identity", "identity_fall", "memorised", "resemblance")  # scores that are medians over clips; "follows" is a mean


def percent(share):
    """ "91 %"; below nothing is nothing: less like the person than a stranger is not said."""
    return f"{100 * max(share, 0):.0f} %"


def make_table(project, sweep):
    """Rows as dicts, in the order of the sweep."""
    held_out = {pair["id"]: read_held_out(project, pair) for pair in sweep["pairs"]}
    groups, bases = {}, {}
    for cell in sweep["cells"]:
        if cell["pair"]:
            groups.setdefault((cell["pair"], cell["strength"]), []).append(cell)
        elif cell["state"] == "done":
            bases[cell["prompt"], cell["seed"]] = cell["scores"]
    rows = [_row(sweep, pair, strength, cells, bases, held_out[pair]) for (pair, strength), cells in groups.items()]
    comparable = all(row["held_out"] for row in rows)
    for row in rows:
        row["held_out_excess"] = _excess(row, [r for r in rows if r["run"] == row["run"]]) if comparable else None
    return rows


def _row(sweep, pair_id, strength, cells, bases, held_out):
    pair = next(p for p in sweep["pairs"] if p["id"] == pair_id)
    scored = [c for c in cells if c["state"] == "done" and c["scores"]]
    of_kind = {"person": [], "class": []}
    for cell in scored:
        of_kind[sweep["prompts"][cell["prompt"]]["kind"]].append(cell["scores"])
    person, other = of_kind["person"], of_kind["class"]
    change, drift = _median(person, "change"), _median(other, "change")
    row = {
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
        "drift_share": round(drift / change, 3) if drift is not None and change else None,
        "findings": dict(Counter(name for scores in person for name in findings(scores))),
        "held_out": held_out,
    }
    row |= _watched([c["scores"] for c in scored])
    row["base"] = _watched([bases.get((c["prompt"], c["seed"]), {}) for c in scored])
    faults = _faults(row, len(person))
    return row | {"faults": list(faults), "problems": list(faults.values())}


def _watched(scores):
    """What an observer measured; None where it did not."""
    follows = [s["follows"] for s in scores if "follows" in s]
    return {name: _median(scores, name) for name in WATCHED} | {"follows": round(mean(follows), 4) if follows else None}


def _median(scores, name):
    values = [s[name] for s in scores if s.get(name) is not None]
    return round(median(values), 4) if values else None


def _excess(row, same_run):
    """Mean over the experts of how far the held-out loss lies above the best of the same run; runs set different pictures aside."""
    best = {e: min(r["held_out"][e] for r in same_run if e in r["held_out"]) for e in row["held_out"]}
    return round(mean(row["held_out"][e] / best[e] - 1 for e in best), 5) if all(best.values()) else 0.0


# -- faults


def _faults(row, num_person):
    """{name: words} of all that is wrong with a row, what was seen with the eye first."""
    faults = _watched_faults(row, row["base"])
    for name, count in sorted(row["findings"].items()):
        if count * 2 >= num_person:
            faults[name] = f"{count} of {num_person} clips {WORDS[name]}"
    if row["drift_share"] is not None and row["drift_share"] > DRIFT_LIMIT:
        faults["drift"] = f"people who are not asked for change {percent(row['drift_share'])} as much as yours"
    return faults


def _watched_faults(own, base):
    """{name: words} from what an observer measured, of a row or of one clip; base: the same of the base's clips."""
    identity, fall, memorised, resemblance, follows = (own.get(name) for name in (*WATCHED, "follows"))
    strangers, followed = base.get("resemblance"), base.get("follows")
    faults = {}
    if identity is not None and identity < IDENTITY_WEAK:
        faults["weak"] = f"identity is only {percent(identity)} of your photos"
    if fall is not None and fall > FADING:
        faults["fading"] = f"the likeness fades within a clip, by {percent(fall)} from its first to its last third"
    if memorised is not None and memorised > max(COPYING, COPYING_RISE * (base.get("memorised") or 0)):
        faults["copied"] = f"it copies training pictures, {memorised:.1f} times as near to one as those are to each other"
    if None not in (resemblance, strangers) and resemblance - max(strangers, 0) > BLEED:
        faults["bleed"] = f"strangers look {percent(resemblance)} like the person, with the base {percent(strangers)}"
    if None not in (follows, followed) and followed - follows > DISOBEDIENCE:
        faults["disobeys"] = f"only {percent(follows)} of what prompts say is seen, with the base {percent(followed)}"
    return faults


def count_faults(cell, base_scores):
    """How many things are wrong with one clip."""
    return len(findings(cell["scores"])) + len(_watched_faults(cell["scores"], base_scores))


# -- in words


def against_base(row, name):
    """ "91 % (base 8 %)"."""
    if row[name] is None:
        return "not measured"
    base = row["base"][name]
    return percent(row[name]) + (f" (base {percent(base)})" if base is not None else "")


WATCHED_COLUMNS = (  # (title, words of a row)
    ("Identity", lambda row: against_base(row, "identity")),
    ("Prompt followed", lambda row: against_base(row, "follows")),
    ("Strangers like the person", lambda row: against_base(row, "resemblance")),
    ("Copies", lambda row: "not measured" if row["memorised"] is None else f"{row['memorised']:.1f}"),
)


def describe_rows(table, titles):
    """(heads, rows) of words: what likeness and its guards are, a row for each pair and strength; titles: {pair id: its name}."""
    columns = (
        ("Pair", lambda row: titles[row["pair"]]),
        ("Strength", lambda row: f"{row['strength']:g}"),
        *WATCHED_COLUMNS,
        ("Motion", lambda row: "not measured" if row["motion"] is None else percent(row["motion"])),
        ("Problems", lambda row: "; ".join(row["problems"]) or "none found"),
    )
    return [title for title, _ in columns], [[words(row) for _, words in columns] for row in table]
