"""How the pairs stand, as dots with whiskers at the top of a comparison; and which prompt tells most of them."""

from collections.abc import Sequence

from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.paired import LEAST_PAIRS, Interval
from studio.evaluation.judge.row import number
from studio.evaluation.judge.shown.standing import Standing
from studio.evaluation.judge.verdict import Verdict
from studio.evaluation.sweep_facts import PERSON, Sweep
from studio.ui.evaluate.clip_grid import Spot, StandingView

UNMEASURED = -1.0
HIGHEST = 1.2  # of both scales; what lies above stands at the edge


def describe_standings(sweep: Sweep, found: Verdict) -> tuple[StandingView, ...]:
    columns = {pair.id: number for number, pair in enumerate(sweep.pairs, 1)}  # the base stands first
    return tuple(_describe(sweep, standing, columns[standing.pair]) for standing in found.standings)


def _describe(sweep: Sweep, standing: Standing, column: int) -> StandingView:
    pair = sweep.find_pair(standing.pair)
    return StandingView(
        label=pair.label,
        run=pair.run if sweep.has_several_runs and not pair.title else "",
        column=column,
        strength=standing.strength,
        likeness=_spot(standing.likeness),
        motion=_spot(standing.motion),
        is_best=standing.is_best,
        is_open=standing.is_open,
        remark=standing.words,
    )


def _spot(found: Interval | None) -> Spot | None:
    if found is None:
        return None
    if found.num_values < LEAST_PAIRS:
        return Spot(_place(found.mean), None, None, percent(found.mean))
    between = f"{100 * max(found.low, 0):.0f} to {100 * found.high:.0f}"
    return Spot(_place(found.mean), _place(found.low), _place(found.high), f"{percent(found.mean)} ({between})")


def _place(value: float) -> float:
    return round(min(max(value, 0.0), HIGHEST) / HIGHEST, 4)


def order_rows(sweep: Sweep, strength: float | None) -> tuple[tuple[int, ...], bool]:
    """(numbers of the prompts, whether it is measured): first where the pairs' likeness at a strength differs most, other people last; as they
    were asked for where nothing was measured."""
    spreads = [_spread(sweep, prompt, strength) for prompt in range(len(sweep.prompts))]
    ranked = sorted(range(len(spreads)), key=lambda prompt: -spreads[prompt])
    return tuple(ranked), max(spreads, default=UNMEASURED) != UNMEASURED


def _spread(sweep: Sweep, prompt: int, strength: float | None) -> float:
    """From the least to the most like pair in the clips of a prompt; UNMEASURED where fewer than two were, or it asks for another person."""
    if sweep.prompts[prompt].kind != PERSON:
        return UNMEASURED
    values: dict[str, list[float]] = {}
    for cell in sweep.cells:
        is_asked = cell.pair and cell.prompt == prompt and cell.is_done and (strength is None or cell.strength == strength)
        value = number(cell.scores, "identity") if is_asked else None
        if cell.pair and value is not None:
            values.setdefault(cell.pair, []).append(value)
    means = [_mean(own) for own in values.values()]
    return max(means) - min(means) if len(means) > 1 else UNMEASURED


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
