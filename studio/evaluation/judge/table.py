"""What was measured, one row for each pair and strength, and what is wrong with it. Free of torch."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean

from studio.evaluation.judge.held_out import read_held_out
from studio.evaluation.judge.row import FoundFault, Row, number
from studio.evaluation.judge.score import Clips, Column, Fault, Finding, Needs
from studio.evaluation.judge.scores import all_scores, parts
from studio.evaluation.sweep_facts import FAILED, PERSON, Cell, ComparedPair, Sweep, Values
from studio.workspace import Project


def make_table(project: Project, sweep: Sweep) -> list[Row]:
    """In the order of the sweep."""
    held_out = {pair.id: read_held_out(project, pair) for pair in sweep.pairs}
    groups: dict[tuple[str, float], list[Cell]] = {}
    for cell in sweep.cells:
        if cell.pair:
            groups.setdefault((cell.pair, cell.strength), []).append(cell)
    bases = base_scores(sweep)
    rows = [_row(sweep, sweep.find_pair(pair), strength, cells, bases, held_out[pair]) for (pair, strength), cells in groups.items()]
    runs: dict[str, list[Row]] = {}
    for row in rows:
        if row.held_out:
            runs.setdefault(row.run, []).append(row)
    return [replace(row, held_out_excess=_excess(row, runs[row.run])) if row.held_out else row for row in rows]


def base_scores(sweep: Sweep) -> dict[tuple[int, int], Values]:
    """{(prompt, seed): what was measured of the base's clip}."""
    return {cell.row: cell.scores for cell in sweep.cells if cell.pair is None and cell.is_done}


def scored(sweep: Sweep, row: Row) -> list[Cell]:
    """The clips of a row that were measured."""
    return [cell for cell in sweep.cells if (cell.pair, cell.strength) == (row.pair, row.strength) and cell.is_done and cell.scores]


def values_of(sweep: Sweep, row: Row, name: str, of_person: bool = False) -> dict[tuple[int, int], float]:
    """{(prompt, seed): value} of the clips of a row that have one."""
    cells = [cell for cell in scored(sweep, row) if not of_person or sweep.prompt_of(cell).kind == PERSON]
    return {cell.row: value for cell in cells if (value := number(cell.scores, name)) is not None}


def _row(
    sweep: Sweep,
    pair: ComparedPair,
    strength: float,
    cells: Sequence[Cell],
    bases: Mapping[tuple[int, int], Values],
    held_out: Mapping[str, float],
) -> Row:
    scored = [cell for cell in cells if cell.is_done and cell.scores]
    own = _clips(sweep, [(cell, cell.scores) for cell in scored])
    base = _clips(sweep, [(cell, bases[cell.row]) for cell in scored if cell.row in bases])
    values = summarize(own)
    base_values = summarize(base, of_base=True)
    findings = Counter(name for scores in own.person for name in findings_in(scores))
    return Row(
        pair=pair.id,
        run=pair.run,
        step=pair.step,
        strength=strength,
        clips=len(scored),
        failed=sum(cell.state == FAILED for cell in cells),
        values=values,
        base=base_values,
        findings=dict(findings),
        found=tuple(_find_faults(values, base_values, findings, len(own.person))),
        few=tuple(_find_few(findings, len(own.person))),
        steady=tuple(_find_steady(own.person)),
        held_out=held_out,
        title=pair.title,
    )


def _clips(sweep: Sweep, measured: Sequence[tuple[Cell, Values]]) -> Clips:
    person = [scores for cell, scores in measured if sweep.prompt_of(cell).kind == PERSON]
    other = [scores for cell, scores in measured if sweep.prompt_of(cell).kind != PERSON]
    return Clips(person, other)


def summarize(clips: Clips, of_base: bool = False) -> Values:
    """All values of a row. of_base: only those of scores that look at the base's clips, too."""
    values: dict[str, float | bool | None] = {}
    for score in all_scores():
        if not of_base or score.needs is not Needs.BASE:
            values |= score.summarize(clips)
    return values


def _excess(row: Row, same_run: Sequence[Row]) -> float:
    """Mean over the experts of how far the held-out loss lies above the best of the same run; runs set different pictures aside."""
    best = {e: min(r.held_out[e] for r in same_run if e in r.held_out) for e in row.held_out}
    return round(mean(row.held_out[e] / best[e] - 1 for e in best), 5) if all(best.values()) else 0.0


# -- faults


def findings_in(scores: Values) -> list[str]:
    """Names of what went wrong in one clip by its own scores."""
    return [finding.name for finding in parts(Finding) if finding.is_in(scores)]


def _find_faults(values: Values, base: Values, findings: Counter[str], num_person: int) -> list[FoundFault]:
    """All that is wrong with a row, what was seen with the eye first."""
    found = [(fault.place, fault.name, fault.find(values, base)) for fault in parts(Fault)]
    for finding in parts(Finding):
        count = findings[finding.name]
        if count and count * 2 >= num_person:
            found.append((finding.place, finding.name, FoundFault(name=finding.name, words=_count(finding, count, num_person))))
    return [fault for _, _, fault in sorted(found, key=lambda entry: entry[:2]) if fault]


def _find_few(findings: Counter[str], num_person: int) -> Iterator[str]:
    """What too few clips have for a fault."""
    for finding in parts(Finding):
        count = findings[finding.name]
        if count and count * 2 < num_person:
            yield _count(finding, count, num_person)


def _count(finding: Finding, count: int, num_person: int) -> str:
    return f"{count} of {num_person} clips {finding.words}"


def _find_steady(person: Sequence[Values]) -> list[str]:
    """What was measured in every clip of the person and found in none."""
    findings = [finding for finding in parts(Finding) if finding.of]
    unsteady = {finding.of for finding in findings for scores in person if not finding.can_tell(scores) or finding.is_in(scores)}
    return [of for of in dict.fromkeys(finding.of for finding in findings) if of not in unsteady]


def count_faults(scores: Values, base: Values) -> int:
    """How many things are wrong with one clip."""
    return len(findings_in(scores)) + sum(fault.find(scores, base) is not None for fault in parts(Fault))


# -- in words


def describe_rows(table: Sequence[Row], titles: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """(heads, rows) of words: what likeness and its guards are, a row for each pair and strength; titles: {pair id: its name}."""
    columns = [column for column in parts(Column) if column.in_table]
    heads = ["Pair", "Strength", *(column.title for column in columns), "Problems"]
    rows = [[titles[row.pair], f"{row.strength:g}", *(column.words(row) for column in columns), name_problems(row)] for row in table]
    return heads, rows


def name_problems(row: Row) -> str:
    return "; ".join(row.problems) or "none found"
