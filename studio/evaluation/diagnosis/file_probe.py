"""Each file of a pair drawn alone, and both in each other's place, on two prompts: which of the two is to blame for what is seen. Free of torch."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.config import USUAL_STRENGTH
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.symptom_causes import with_causes
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.table import make_table, values_of
from studio.evaluation.sweep_facts import PERSON, ComparedPair, Sweep
from studio.evaluation.sweep_plan import plan_cells
from studio.workspace import Project

HIGH_ONLY, LOW_ONLY, SWAPPED = "high only", "low only", "swapped"
PROMPTS = 2
AHEAD = 0.1  # of likeness, in every clip: the swapped pair is the right one


@dataclass(frozen=True)
class Blame:
    """What drawing its files alone told of a pair. code: "swapped", "not-swapped", "high_noise", "low_noise", "both" or "together"; fault: of what."""

    pair: str
    code: str
    words: str
    fault: str = ""


# -- drawing


def open_probe(project: Project, sweep: Sweep, pair_id: str) -> Path:
    """The folder in which a pair's files are drawn alone, the one there is or a new one. Problem for a pair with one file, or nothing to draw."""
    plan = plan_probe(sweep, pair_id)
    return sweeps.open_planned(project, plan)


def plan_probe(sweep: Sweep, pair_id: str) -> Sweep:
    """Two prompts of the person at the first seed and at the strength nearest to the usual one: base, pair, each file alone, swapped.

    Whatever the comparison has drawn already has the same keys, and is taken from there.
    """
    pair = next((pair for pair in sweep.pairs if pair.id == pair_id), None)
    if pair is None:
        raise ValueError(f"{pair_id} is not in this comparison; there are {', '.join(pair.id for pair in sweep.pairs)}")
    if not (pair.high_sha256 and pair.low_sha256):
        raise Problem(f"{pair_id} has only one file.", fix="What is wrong with it comes from that one.")
    chosen = [prompt for prompt in sweep.prompts if prompt.kind == PERSON][:PROMPTS] or list(sweep.prompts[:PROMPTS])
    strength = min(sweep.config.strengths, key=lambda value: abs(value - USUAL_STRENGTH))
    settings = dict(sweep.settings) | {"seeds": list(sweep.config.seeds[:1]), "strengths": [strength]}
    config = replace(sweep.config, seeds=sweep.config.seeds[:1], strengths=(strength,))
    pairs = (pair, *_parts(pair))
    plan = replace(sweep, created=time.time(), settings=settings, prompts=tuple(chosen), pairs=pairs, cells=(), findings=(), probe=True)
    return replace(plan, cells=tuple(plan_cells(sweep.base_key, config, chosen, pairs, sweep.trigger)))


def _parts(pair: ComparedPair) -> Iterator[ComparedPair]:
    for name, high, low in (
        (HIGH_ONLY, pair.high_sha256, ""),
        (LOW_ONLY, "", pair.low_sha256),
        (SWAPPED, pair.low_sha256, pair.high_sha256),
    ):
        yield replace(pair, id=f"{pair.id} {name}", of=pair.id, high_sha256=high, low_sha256=low)


# -- what it told


def read_blames(project: Project, sweep: Sweep) -> list[Blame]:
    """Of the pairs of a comparison whose files were drawn alone with the same base model, the newest drawing of each."""
    found: dict[str, list[Blame]] = {}
    for folder in sweeps.list_probes(project):
        probe = sweeps.read_sweep(folder)
        pair = probe.pairs[0]
        is_of_it = probe.base_key == sweep.base_key and any(
            (known.id, known.high_sha256, known.low_sha256) == (pair.id, pair.high_sha256, pair.low_sha256) for known in sweep.pairs
        )
        if is_of_it and all(cell.is_done for cell in probe.cells):
            found[pair.id] = judge_probe(project, probe)
    return [blame for blames in found.values() for blame in blames]


def judge_probe(project: Project, probe: Sweep) -> list[Blame]:
    """What the two files do alone, and in each other's place."""
    table = with_causes(probe, make_table(project, probe))
    pair = probe.pairs[0].id
    rows = {row.pair: row for row in table}
    full, high, low, swapped = (rows[f"{pair}{name}"] for name in ("", *(f" {part}" for part in (HIGH_ONLY, LOW_ONLY, SWAPPED))))
    blames = [*_of_swap(probe, full, swapped), *_of_faults(full, high, low), *_of_nothing(full, high, low)]
    return [*blames, *_of_shares(probe, full, high, low)]


def _of_swap(probe: Sweep, full: Row, swapped: Row) -> Iterator[Blame]:
    own, other = values_of(probe, full, "identity"), values_of(probe, swapped, "identity")
    leads = [other[place] - own[place] for place in own.keys() & other.keys()]
    if leads and min(leads) > AHEAD:
        words = f"With its two files exchanged, {full.name_within} is {100 * sum(leads) / len(leads):.0f} points more like the person: they are swapped."
        yield Blame(full.pair, "swapped", words)
    elif leads and "weak" in full.faults:
        yield Blame(
            full.pair, "not-swapped", f"The files of {full.name_within} are not swapped: exchanged, they draw nobody more like the person."
        )


def _of_faults(full: Row, high: Row, low: Row) -> Iterator[Blame]:
    for fault in full.found:
        if fault.name == "weak":
            continue
        code = WHO[fault.name in high.faults, fault.name in low.faults]
        words = BY_WHOM[code].format(name=full.name_within, words=fault.words)
        yield Blame(full.pair, code, words, fault.name)


WHO: Mapping[tuple[bool, bool], str] = {
    (True, False): "high_noise",
    (False, True): "low_noise",
    (True, True): "both",
    (False, False): "together",
}
BY_WHOM = {
    "high_noise": "It is the high-noise file of {name} by which {words}; its low-noise file alone does not do it. An earlier high-noise file may help.",
    "low_noise": "It is the low-noise file of {name} by which {words}; its high-noise file alone does not do it. An earlier low-noise file may help.",
    "both": "Each file of {name} alone does it: {words}. Take an earlier pair, or a lower strength.",
    "together": "Only both files of {name} together do it: {words}. A lower strength may help.",
}


def _of_nothing(full: Row, high: Row, low: Row) -> Iterator[Blame]:
    for expert, row in (("high_noise", high), ("low_noise", low)):
        if row.does_nothing:
            words = (
                f"The {expert.replace('_', '-')} file of {full.name_within} alone draws exactly what the base draws: it changes nothing."
            )
            yield Blame(full.pair, expert, words, "nothing")


def _of_shares(probe: Sweep, full: Row, high: Row, low: Row) -> Iterator[Blame]:
    """What each file brings of the likeness; where that was not measured, of the change."""
    own = [row.identity for row in (full, high, low)]
    base = full.of_base("identity")
    if base is not None and all(value is not None for value in own):
        words = f"Likeness of {full.name_within}: {percent(own[0] or 0)} with both files, {percent(own[1] or 0)} with the high-noise file alone, "
        yield Blame(full.pair, "shares", f"{words}{percent(own[2] or 0)} with the low-noise file alone, {percent(base)} with none.")
        return
    changes: Sequence[float | None] = [row.number("change") for row in (full, high, low)]
    if all(value is not None for value in changes) and changes[0]:
        shares = [percent((value or 0) / changes[0]) for value in changes[1:]]
        words = f"Of what {full.name_within} changes in its clips, the high-noise file alone changes {shares[0]}, the low-noise file alone {shares[1]}."
        yield Blame(full.pair, "shares", words)
