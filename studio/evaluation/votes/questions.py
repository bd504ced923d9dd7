"""Which two clips are shown next, on which sides, and what all votes say of the pairs. Torch-free."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from studio.config import USUAL_STRENGTH
from studio.evaluation.judge.shown.standing import Standing
from studio.evaluation.judge.verdict import Verdict
from studio.evaluation.sweep_facts import PERSON, Cell, Sweep
from studio.evaluation.votes.bradley_terry import Preference, fit, information, with_vote_expected
from studio.evaluation.votes.vote_file import EQUAL, LEFT, Stood, Vote

MOST_VOTES = 60  # if so many do not tell, nobody would see the difference
AHEAD = 6  # questions that a browser is given
DRAWS = 4000  # from what votes and measures leave open, to say how probable it is that a pair is the best


@dataclass(frozen=True)
class Question:
    """Two clips of the same prompt and seed. id: of this very question, as long as no vote came in between."""

    id: str
    left: Cell
    right: Cell


@dataclass(frozen=True)
class Tally:
    """What the votes say. best: the pair that is preferred, None before any vote; is_sure: to each of the others."""

    num_votes: int
    best: Stood | None
    is_sure: bool
    is_over: bool  # no more votes are needed, or would help
    preference: Preference


def candidates(sweep: Sweep, found: Verdict) -> list[Stood]:
    """What is voted on: the best pair by measure and those that no measure tells from it; all pairs, at the usual strength, without likeness."""
    open_ones = [(standing.pair, standing.strength) for standing in found.standings if standing.is_best or standing.is_open]
    if found.standings:
        return open_ones
    strengths = sorted({cell.strength for cell in sweep.cells if cell.pair}, key=lambda strength: abs(strength - USUAL_STRENGTH))
    return [(pair.id, strengths[0]) for pair in sweep.pairs] if strengths else []


def count_votes(stood: Sequence[Stood], votes: Sequence[Vote]) -> Tally:
    """Of these candidates; votes on others do not count here."""
    places = {one: number for number, one in enumerate(stood)}
    wins = [_win(places, vote) for vote in votes if vote.left in places and vote.right in places and vote.is_mixed]
    preference = fit(len(stood), wins)
    if not wins:
        return Tally(0, None, False, len(stood) < 2, preference)
    best = int(np.argmax(preference.strengths))
    is_sure = all(preference.is_sure(best, other) for other in range(len(stood)) if other != best)
    return Tally(len(wins), stood[best], is_sure, is_sure or len(wins) >= MOST_VOTES, preference)


def _win(places: dict[Stood, int], vote: Vote) -> tuple[int, int, float]:
    share = 0.5 if vote.answer == EQUAL else float(vote.answer == LEFT)
    return places[vote.left], places[vote.right], share


def next_questions(sweep: Sweep, stood: Sequence[Stood], votes: Sequence[Vote], count: int = AHEAD) -> list[Question]:
    """The clips to be voted on next: the two candidates of whom a vote tells most, in the prompt and seed that they met least in, on sides that
    nothing tells. `count` ahead, so that a browser can load them while somebody looks."""
    tally = count_votes(stood, votes)
    preference, met, asked = tally.preference, list(votes), []
    for number in range(len(votes), len(votes) + count):
        ranked = sorted(itertools.combinations(range(len(stood)), 2), key=lambda two: -round(information(preference, *two), 9))
        question = next(_questions(sweep, [(stood[a], stood[b]) for a, b in ranked], met, number), None)
        if question is None:
            break
        asked.append(question)
        one, other = _stood(question.left), _stood(question.right)
        met.append(Vote(sweep.prompt_of(question.left).text, question.left.seed, one, other, EQUAL))
        preference = with_vote_expected(preference, stood.index(one), stood.index(other))
    return asked


def _questions(sweep: Sweep, ranked: Sequence[tuple[Stood, Stood]], met: Sequence[Vote], number: int) -> Iterator[Question]:
    for one, other in ranked:
        places = _shared_places(sweep, one, other)
        if places:
            fewest = min(places, key=lambda place: (_times_met(sweep, met, one, other, place), _shuffled(sweep, *place, number)))
            cells = [_cell_of(sweep, stood, fewest) for stood in (one, other)]
            left, right = cells[:: -1 if _shuffled(sweep, "side", number, *one) % 2 else 1]
            yield Question(f"{number}-{left.key[:8]}-{right.key[:8]}", left, right)


def _shared_places(sweep: Sweep, one: Stood, other: Stood) -> list[tuple[int, int]]:
    """(prompt, seed) of the person in which both are drawn, and are not the same clip."""
    drawn = [{cell.row: cell.key for cell in sweep.cells if _stood(cell) == stood and cell.is_done} for stood in (one, other)]
    both = drawn[0].keys() & drawn[1].keys()
    return sorted(place for place in both if sweep.prompts[place[0]].kind == PERSON and drawn[0][place] != drawn[1][place])


def _times_met(sweep: Sweep, met: Sequence[Vote], one: Stood, other: Stood, place: tuple[int, int]) -> int:
    text = sweep.prompts[place[0]].text
    return sum({vote.left, vote.right} == {one, other} and (vote.prompt, vote.seed) == (text, place[1]) for vote in met)


def _cell_of(sweep: Sweep, stood: Stood, place: tuple[int, int]) -> Cell:
    return next(cell for cell in sweep.cells if _stood(cell) == stood and cell.row == place)


def _stood(cell: Cell) -> Stood:
    return cell.pair or "", cell.strength


def _shuffled(sweep: Sweep, *what: object) -> int:
    """A number that nobody can guess and that is the same again."""
    return int.from_bytes(hashlib.sha256(repr((sweep.created, *what)).encode()).digest()[:4])


def chances(stood: Sequence[Stood], tally: Tally, standings: Sequence[Standing]) -> list[float] | None:
    """How probable it is of each candidate that it is the best by votes and measures together, taken as independent; None where nothing is measured
    or nobody has voted."""
    measured = {(standing.pair, standing.strength): standing.likeness for standing in standings}
    if not tally.num_votes or any(measured.get(one) is None for one in stood):
        return None
    draw = np.random.default_rng(0)
    by_votes = draw.multivariate_normal(tally.preference.strengths, tally.preference.covariance, DRAWS)
    likeness = [measured[one] for one in stood]
    errors = [found.spread / max(found.num_values, 1) ** 0.5 for found in likeness if found]
    by_measure = draw.normal([found.mean for found in likeness if found], errors, (DRAWS, len(stood)))
    both = [_share_best(values, len(stood)) for values in (by_votes, by_measure)]
    product = both[0] * both[1]
    return [float(share) for share in product / product.sum()]


def _share_best(values: np.ndarray, count: int) -> np.ndarray:
    """(count,): in what share of the draws each is the highest; never quite nothing."""
    return (np.bincount(values.argmax(axis=1), minlength=count) + 0.5) / (len(values) + 0.5 * count)
