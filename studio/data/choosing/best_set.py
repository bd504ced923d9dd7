"""The best set of one person's good photos: quotas first, then every view there is, then what is both good and unlike the rest."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from studio.data.choosing.lacks import FEW, FULL_BODY, OUTFITS, PLACES, PROFILE, SIDE, Lack
from studio.data.choosing.variety import Traits
from studio.data.looking.look import FULL, LEFT, RIGHT

FEWEST = 10  # photos of a good set (10 to 30)
LEAST_PLACES = LEAST_OUTFITS = 3  # wanted of a choice; nearly all kept photos in one is what a Shortfall says
PHOTOS_FOR_TWO_SIDES = 20  # from so many, each side is wanted twice
# how much a value counts that is not there yet, against a quality of 0 to 1; the second photo with it counts half, the third a third
WEIGHTS = {"cell": 0.6, "angle": 0.5, "framing": 0.4, "light": 0.3, "place": 0.5, "outfit": 0.5}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A photo that nothing speaks against. rank: its place among the photos, which decides between equals."""

    id: str
    traits: Traits
    quality: float  # about 0 to 1
    rank: int
    is_pinned: bool = False  # kept by hand


@dataclass(frozen=True)
class Quota:
    """A number of photos that the set should have of a kind."""

    code: str
    words: str
    wanted: int
    fits: Callable[[Traits], bool]
    angle: str = ""


@dataclass
class _Set:
    """The photos chosen so far, with how often each value is among them."""

    chosen: list[Candidate] = field(default_factory=list)
    counts: Counter[tuple[str, Hashable]] = field(default_factory=Counter)

    def add(self, candidate: Candidate) -> None:
        self.chosen.append(candidate)
        self.counts.update(_values(candidate.traits))

    def gain(self, candidate: Candidate) -> float:
        """What it adds: its quality, and each value the more the rarer it is here."""
        return candidate.quality + sum(WEIGHTS[value[0]] / (1 + self.counts[value]) for value in _values(candidate.traits))


def _values(traits: Traits) -> Iterator[tuple[str, Hashable]]:
    """What a photo is varied by, as far as it can be told."""
    if traits.angle:
        yield "cell", traits.cell
    for name, value in (("angle", traits.angle), ("framing", traits.framing), ("light", traits.light)):
        if value:
            yield name, value
    for name, number in (("place", traits.place), ("outfit", traits.outfit)):
        if number is not None:
            yield name, number


def quotas(keep: int) -> list[Quota]:
    """What a set of so many photos should have."""
    sides = 2 if keep >= PHOTOS_FOR_TWO_SIDES else 1
    return [
        Quota(SIDE, "photos with the face turned to the left of the picture", sides, lambda traits: traits.side == LEFT, LEFT),
        Quota(SIDE, "photos with the face turned to the right of the picture", sides, lambda traits: traits.side == RIGHT, RIGHT),
        Quota(PROFILE, "photos in profile", 1, lambda traits: traits.is_profile),
        Quota(FULL_BODY, "photos of the whole body", 1, lambda traits: traits.framing == FULL),
    ]


def choose(candidates: Sequence[Candidate], keep: int) -> list[Candidate]:
    """At most `keep` of them, those kept by hand always among them; the same for the same photos, whatever their order."""
    found = _Set()
    waiting = sorted(candidates, key=lambda candidate: candidate.rank)
    for candidate in [c for c in waiting if c.is_pinned]:
        found.add(candidate)
        waiting.remove(candidate)
    for quota in quotas(keep):
        while _count(found.chosen, quota) < quota.wanted and _take(found, waiting, keep, lambda c, q=quota: q.fits(c.traits)):
            pass
    while _take(found, waiting, keep, lambda c: bool(c.traits.angle) and not found.counts["cell", c.traits.cell]):  # every view once
        pass
    while _take(found, waiting, keep, lambda c: True):
        pass
    return found.chosen


def _take(found: _Set, waiting: list[Candidate], keep: int, fits: Callable[[Candidate], bool]) -> bool:
    """Move the best fitting one of those that wait into the set; False if it is full or none fits."""
    fitting = [candidate for candidate in waiting if fits(candidate)]
    if len(found.chosen) >= keep or not fitting:
        return False
    best = max(fitting, key=lambda candidate: (round(found.gain(candidate), 6), -candidate.rank))
    waiting.remove(best)
    found.add(best)
    return True


def _count(chosen: Sequence[Candidate], quota: Quota) -> int:
    return sum(quota.fits(candidate.traits) for candidate in chosen)


def find_lacks(chosen: Sequence[Candidate], keep: int) -> list[Lack]:
    """The quotas that the chosen photos don't meet, and what they all have in common."""
    lacks = [
        Lack(code=quota.code, words=f"too few {quota.words}", have=have, wanted=quota.wanted, angle=quota.angle)
        for quota in quotas(keep)
        if (have := _count(chosen, quota)) < quota.wanted
    ]
    if len(chosen) < min(FEWEST, keep):
        lacks.insert(0, Lack(code=FEW, words="too few good photos of the person", have=len(chosen), wanted=min(FEWEST, keep)))
    outfits, places = ({getattr(c.traits, name) for c in chosen} - {None} for name in ("outfit", "place"))
    if len(chosen) >= LEAST_OUTFITS and 0 < len(outfits) < LEAST_OUTFITS:
        lacks.append(Lack(code=OUTFITS, words="too few outfits, about", have=len(outfits), wanted=LEAST_OUTFITS))
    if len(chosen) >= LEAST_PLACES and 0 < len(places) < LEAST_PLACES:
        lacks.append(Lack(code=PLACES, words="too few places, about", have=len(places), wanted=LEAST_PLACES))
    return lacks


# -- held out


LEAST_FOR_HOLDING_OUT = 12  # good photos; with fewer each one is needed for learning
GOOD_FOR_EACH_HELD_OUT = 7  # 12-20 good photos hold out 2, 21-27 three, more four
FEWEST_HELD_OUT, MOST_HELD_OUT = 2, 4


def hold_out(candidates: Sequence[Candidate], chosen: Sequence[Candidate]) -> list[Candidate]:
    """2 to 4 good photos to compare with, of different angles, that are not learned from: of those not chosen, else of chosen ones whose view
    others show too. Never one that is kept by hand."""
    if sum(bool(c.traits.angle) for c in candidates) < LEAST_FOR_HOLDING_OUT:
        return []
    wanted = min(MOST_HELD_OUT, max(FEWEST_HELD_OUT, len(candidates) // GOOD_FOR_EACH_HELD_OUT))
    taken = {candidate.id for candidate in chosen}
    spare = [c for c in candidates if c.id not in taken and not c.is_pinned]
    held: list[Candidate] = []
    while len(held) < wanted and (best := _next_held(spare, held)):
        held.append(best)
        spare.remove(best)
    left = [c for c in chosen if not c.is_pinned]
    while len(held) < wanted and (best := _next_held(_doubled(left, chosen, held), held)):
        held.append(best)
        left.remove(best)
    return held


def _doubled(left: Sequence[Candidate], chosen: Sequence[Candidate], held: Sequence[Candidate]) -> list[Candidate]:
    """Those of the chosen whose view stays in the set without them, and without which it stays large enough to learn from."""
    staying = [c for c in chosen if c not in held]
    if len(staying) <= FEWEST:
        return []
    views = Counter(c.traits.cell for c in staying)
    sides = Counter(c.traits.side for c in staying)
    return [c for c in left if views[c.traits.cell] > 1 and (not c.traits.side or sides[c.traits.side] > 2)]


def _next_held(spare: Sequence[Candidate], held: Sequence[Candidate]) -> Candidate | None:
    """The one whose angle is rarest among those held out, and of these the best."""
    angles = Counter(candidate.traits.angle for candidate in held)
    return min(spare, key=lambda c: (angles[c.traits.angle], not c.traits.angle, -round(c.quality, 6), c.rank), default=None)


# -- others like one


def alternatives(wanted: Traits, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Good photos that could stand in a photo's place, the likest view first, then the best."""

    def off(candidate: Candidate) -> tuple[bool, bool, bool, float, int]:
        traits = candidate.traits
        other_side = traits.side != wanted.side or traits.is_profile != wanted.is_profile
        return traits.cell != wanted.cell, other_side, traits.framing != wanted.framing, -round(candidate.quality, 6), candidate.rank

    return sorted(candidates, key=off)
