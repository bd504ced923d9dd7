"""What the learning bench found: means with 95 % intervals, paired differences to the default arm, as JSON and as Markdown."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Column:
    name: str
    title: str  # heading in the table
    unit: str = "%"
    digits: int = 0


COLUMNS = (
    Column("identity", "Likeness (share of real photos')"),
    Column("clip_identity", "Likeness in clips"),
    Column("prompt", "Drawn as asked"),
    Column("drift", "Change of other people", digits=1),
    Column("resemblance", "Others look like the person", digits=1),
    Column("outfit_bleed", "Wrong shirt, from the dataset"),
    Column("place_bleed", "Wrong place, from the dataset"),
    Column("motion", "Motion as asked"),
    Column("seconds", "Training, processor seconds", unit="s"),
)


def summarise(records, arms):
    """[{"arm", "title", "n", "measures": {name: {"mean", "interval"}}, "difference": the same, paired with the default arm}].

    records: one dict for each finished (arm, identity, seed). An interval is the half width, None from a single value.
    """
    found = {arm.name: {(r["identity"], r["seed"]): r["measures"] for r in records if r["arm"] == arm.name} for arm in arms}
    default = found.get("default", {})
    return [
        {
            "arm": arm.name,
            "title": arm.title,
            "n": len(found[arm.name]),
            "measures": {c.name: estimate([m[c.name] for m in found[arm.name].values()]) for c in COLUMNS},
            "difference": {} if arm.name == "default" else {c.name: estimate(_pairs(found[arm.name], default, c.name)) for c in COLUMNS},
        }
        for arm in arms
    ]


def _pairs(measures, default, name):
    """Differences to the default arm, of the same person and seed."""
    both = [(measures[key][name], default[key][name]) for key in measures.keys() & default.keys()]
    return [a - b for a, b in both if a is not None and b is not None]


def estimate(values):
    """{"mean", "interval", "n"}: the half width of Student's interval for the mean; None if there is no value."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"mean": round(fmean(values), 5), "interval": _half_width(values), "n": len(values)}


def _half_width(values):
    from scipy.stats import t

    n = len(values)
    return round(float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(values) / math.sqrt(n), 5) if n > 1 else None


def write_markdown(rows, facts):
    """The two tables with a line about how they came to be; facts: what the JSON object says beside its rows."""
    about = f"Base model {facts['base_model']} ({facts['base_key']}), {facts['steps']} steps for the default arm. "
    about += "Mean ± half of the 95 % interval (Student's t over people and seeds); n = people x seeds that are finished."
    own = _table(rows, "measures", signed=False)
    paired = _table([row for row in rows if row["difference"]], "difference", signed=True)
    second = "Difference to the default arm on the same people and seeds; in bold where the interval leaves out zero."
    return "\n".join([about, "", *own, "", second, "", *paired, ""])


def _table(rows, kind, signed):
    yield "| Arm | n | " + " | ".join(column.title for column in COLUMNS) + " |"
    yield "|---|---|" + "---|" * len(COLUMNS)
    for row in rows:
        cells = [_cell(row[kind].get(column.name), column, signed) for column in COLUMNS]
        yield f"| {row['title']} | {row['n']} | " + " | ".join(cells) + " |"


def _cell(estimated, column, signed):
    if estimated is None:
        return ""
    factor = 100 if column.unit == "%" else 1
    text = f"{estimated['mean'] * factor:{'+' if signed else ''}.{column.digits}f}"
    if estimated["interval"] is None:
        return f"{text} {column.unit}"
    sure = signed and abs(estimated["mean"]) > estimated["interval"] > 0
    text = f"{text} ± {estimated['interval'] * factor:.{column.digits}f} {column.unit}"
    return f"**{text}**" if sure else text
