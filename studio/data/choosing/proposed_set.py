"""What is proposed for each photo that an eye has looked at: judged, compared, of twins one, and the best set of what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from studio.data import remarks as said
from studio.data.choosing.best_set import Candidate, alternatives, choose, find_lacks, hold_out
from studio.data.choosing.lacks import Lack
from studio.data.choosing.twins import MIRRORED, STRAIGHT, TURNED, find_twins, gather
from studio.data.choosing.variety import Traits, find_traits
from studio.data.curate_report import Proposal
from studio.data.item_record import Item
from studio.data.judging.judge import Judgement, judge_look, judge_size, judge_who, sight_of
from studio.data.judging.thresholds import BY_NAME
from studio.data.looking.look import Look
from studio.data.people.groups import SAME_LEAST
from studio.data.people.who import CANT_TELL, GUARD_LEAST, LOOK, LOOK_LEAST, NOBODY, PERSON, People, Seen, find_people_in, person_face
from studio.data.remarks import Remark

SHARP_ENOUGH_PX = 300  # width of a face that shows all that training takes
DOUBT = 0.15  # of quality that each doubt costs
SOFTER = 0.08  # of blur by which one twin is worse than the other, whatever else speaks for it
ALIKE_COLOUR = 40  # largest difference of a colour between drawings that are one, on a grid of 4 x 4
TWIN_WORDS = {
    STRAIGHT: "nearly the same picture as {}, which is as good or better",
    MIRRORED: "a mirrored copy of {}",
    TURNED: "a turned copy of {}",
}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a choice is asked for. limits: those that a human moved. photo_size, clip_size: the side that training wants, in px."""

    keep: int
    photo_size: int
    clip_size: int
    limits: Mapping[str, float] = field(default_factory=dict)
    compares_people: bool = True  # whether somebody else is called so; the choice is guarded in any case


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is proposed, and why."""

    proposals: dict[str, Proposal]
    people: People
    traits: dict[str, Traits]
    candidates: tuple[Candidate, ...] = ()  # good photos of the person, one of each twins
    chosen: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    lacks: tuple[Lack, ...] = ()

    def like(self, item_id: str) -> list[str]:
        """Photos that are not chosen and could stand in this one's place, the likest first. ValueError for what was not measured."""
        if item_id not in self.traits:
            raise ValueError(f"{item_id} was not measured, so nothing is like it; check the photos first")
        taken = {*self.chosen, item_id}
        others = [candidate for candidate in self.candidates if candidate.id not in taken]
        return [candidate.id for candidate in alternatives(self.traits[item_id], others)]


def propose(items: Sequence[Item], looks: Mapping[str, Look], wishes: Wishes) -> Choice:
    """A proposal for each item; those without a look were not measured, and are kept if they can be read."""
    seen = {item.id: looks[item.id] for item in items if item.id in looks}
    people = find_people_in(items, seen)
    traits = find_traits(seen, people.seen)
    judged = {item.id: _judge(item, seen.get(item.id), people, wishes) for item in items}
    lost = _lose_twins([item for item in items if item.id in seen and _may_stand(item, judged[item.id])], seen, people)
    candidates = [
        _candidate(item, seen[item.id], people.seen.get(item.id), traits[item.id], judged[item.id], number)
        for number, item in enumerate(items)
        if item.id in seen and item.id not in lost and _may_stand(item, judged[item.id]) and _may_win(item, people)
    ]
    photos, clips = _by_kind(candidates, items)
    chosen, held = choose(photos, wishes.keep), []
    if people.person is not None:
        held = hold_out(photos, chosen)
    learned = [candidate.id for candidate in chosen if candidate not in held]
    outcome = _Outcome(
        chosen={*learned, *(clip.id for clip in choose(clips, wishes.keep))},
        held={c.id for c in held},
        lost=lost,
        judged=judged,
        people=people,
    )
    return Choice(
        proposals={item.id: outcome.word(item, item.id in seen, wishes) for item in items}, people=people, traits=traits,
        candidates=tuple(candidates), chosen=tuple(learned), held_out=tuple(c.id for c in held),
        lacks=tuple(find_lacks([c for c in chosen if c not in held], wishes.keep)) if photos or not clips else (),
    )  # fmt: skip


def _by_kind(candidates: Sequence[Candidate], items: Sequence[Item]) -> tuple[list[Candidate], list[Candidate]]:
    """(photos, clips)."""
    clips = {item.id for item in items if item.kind == "clip"}
    return [c for c in candidates if c.id not in clips], [c for c in candidates if c.id in clips]


# -- one photo


def _judge(item: Item, look: Look | None, people: People, wishes: Wishes) -> Judgement:
    """Everything that speaks against an item by itself."""
    if item.problem:
        return Judgement(reasons=(Remark(code=said.UNREADABLE, words=item.problem),))
    if look is None:
        return Judgement()
    seen = people.seen.get(item.id)
    wanted, face = wishes.photo_size if item.kind == "photo" else wishes.clip_size, sight_of(look, seen)
    share = face.face.width / look.width if face.face is not None and face.has_face else None
    parts = [judge_look(look, seen, wishes.limits), judge_size(item, wanted, share)]
    if seen is not None and seen.who == NOBODY:
        parts += _judge_without_face(people)
    elif seen is not None:
        parts.append(judge_who(seen, wishes.compares_people and people.person is not None))
    return Judgement(tuple(r for part in parts for r in part.reasons), tuple(w for part in parts for w in part.warnings))


def _judge_without_face(people: People) -> list[Judgement]:
    """Where others show a face, that this photo shows none; what makes it so is said before."""
    shows = people.groups or people.num_once
    return [Judgement(reasons=(Remark(code=said.NO_FACE, words="no face was found"),))] if shows else []


def _may_stand(item: Item, judged: Judgement) -> bool:
    """Whether a photo may be chosen by its quality, or was by hand."""
    if item.is_by_hand:
        return item.keep
    return not judged.reasons


def _may_win(item: Item, people: People) -> bool:
    """Whether a photo may be chosen without a look at it: a guard against what wins by being different, also where nobody is called a stranger."""
    seen = people.seen.get(item.id)
    if item.is_by_hand or seen is None:
        return True
    if people.person is not None:
        return seen.who == PERSON or (seen.who == CANT_TELL and (seen.likeness or 0) >= GUARD_LEAST)
    is_between_two = people.question is not None and people.question.code == said.WHICH_PERSON
    return not is_between_two or seen.group in (0, 1)  # at least one of them


def _candidate(item: Item, look: Look, seen: Seen | None, traits: Traits, judged: Judgement, rank: int) -> Candidate:
    is_pinned = item.is_by_hand and item.keep
    quality = quality_of(look, seen, judged.warnings)
    return Candidate(id=item.id, traits=traits, quality=quality, rank=rank, is_pinned=is_pinned)


def quality_of(look: Look, seen: Seen | None, doubts: Sequence[Remark]) -> float:
    """About 0 to 1: sharp, large in the face, surely the person; each doubt costs, a note does not. What was not measured counts half."""
    face = person_face(look, seen)
    sharp, large, sure = 0.5, 0.5, 0.5
    if face is not None:
        sharp = 1 - face.blur / BY_NAME["blur"].limit if face.blur is not None else sharp
        large = min(1.0, face.width / SHARP_ENOUGH_PX)
    if seen is not None and seen.likeness is not None:
        sure = min(1.0, max(0.0, (seen.likeness - LOOK_LEAST) / (2 * (SAME_LEAST - LOOK_LEAST))))
    num_doubts = sum(doubt.code != said.CANT_TELL for doubt in doubts)
    return 0.4 * max(0.0, sharp) + 0.3 * large + 0.3 * sure - DOUBT * num_doubts


# -- twins


def _lose_twins(items: Sequence[Item], looks: Mapping[str, Look], people: People) -> dict[str, Remark]:
    """{id: why it goes} for every photo that is another one again: of twins stay those in colour, sharp, larger, older."""
    thumbnails = {item.id: looks[item.id].thumbnail_pixels() for item in items if looks[item.id].thumbnail}
    by_id = {item.id: item for item in items}
    twins = find_twins(thumbnails, lambda one, other: _may_be_one(by_id[one], by_id[other], looks))
    lost: dict[str, Remark] = {}
    for names in gather(list(thumbnails), twins):
        best = min(names, key=lambda name: _worth(by_id[name], people, names, looks))
        is_any_turned = any(twin.how for twin in twins if twin.one in names)
        for name in names:
            if name != best and not by_id[name].is_by_hand:
                lost[name] = _say_twin(best, _how_alike(name, best, thumbnails) if is_any_turned else STRAIGHT)
    return lost


def _may_be_one(item: Item, other_item: Item, looks: Mapping[str, Look]) -> bool:
    """Whether two items that look alike may be one: no photo and clip, and no two pieces of one clip. Of clips, and of drawings (the small
    world's people stand alike before other walls), the colours must be alike too; photos may be twins in grey."""
    one, other = looks[item.id], looks[other_item.id]
    if item.kind != other_item.kind or (item.kind == "clip" and item.original and item.original == other_item.original):
        return False
    if item.kind == "photo" and not (_is_of_small_world(one) and _is_of_small_world(other)):
        return True
    return max(abs(a - b) for a, b in zip(*(bytes.fromhex(look.colours) for look in (one, other)))) <= ALIKE_COLOUR


def _is_of_small_world(look: Look) -> bool:
    return look.face is not None and not look.face.has_points


def _worth(item: Item, people: People, names: Sequence[str], looks: Mapping[str, Look]) -> tuple[object, ...]:
    """What is smaller stays: by hand, colour, not the softer one, larger, older."""
    look = looks[item.id]
    is_grey = BY_NAME["monochrome"].is_beyond(look.colour)
    blurs = [blur for name in names if (face := person_face(looks[name], people.seen.get(name))) and (blur := face.blur) is not None]
    face = person_face(look, people.seen.get(item.id))
    own = face.blur if face else None
    is_softer = own is not None and own > min(blurs) + SOFTER
    return not item.is_by_hand, is_grey, is_softer, -look.width * look.height, names.index(item.id)


def _how_alike(name: str, best: str, thumbnails: Mapping[str, np.ndarray]) -> str:
    """As Twin has it; two that are one over others alone are said to be so straight."""
    found = find_twins({best: thumbnails[best], name: thumbnails[name]})
    return found[0].how if found else STRAIGHT


def _say_twin(best: str, how: str) -> Remark:
    return Remark(code=said.TWIN, words=TWIN_WORDS[how].format(best), about=best)


# -- words


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What became of every item, to be said of each."""

    chosen: set[str]
    held: set[str]
    lost: Mapping[str, Remark]
    judged: Mapping[str, Judgement]
    people: People

    def word(self, item: Item, is_measured: bool, wishes: Wishes) -> Proposal:
        """The proposal for one item, in words."""
        judged = self.judged[item.id]
        plain = Proposal(decided_by=said.CURATE, warnings=judged.warnings)
        if judged.reasons:
            return replace(plain, keep=False, reasons=judged.reasons)
        if item.id in self.lost:
            return replace(plain, keep=False, reasons=(self.lost[item.id],))
        if item.id in self.chosen or not is_measured:
            return plain
        if item.id in self.held:
            words = "held out: training never sees it, and what is drawn is compared with it"
            return replace(plain, keep=False, held_out=True, reasons=(Remark(code=said.HELD_OUT, words=words),))
        return replace(plain, keep=False, reasons=(self._why_not_chosen(item, wishes),))

    def _why_not_chosen(self, item: Item, wishes: Wishes) -> Remark:
        """Of an item without a fault: who it shows is not sure, or there are enough."""
        if _may_win(item, self.people):
            return Remark(code=said.ENOUGH, words=f"{wishes.keep} better or more different ones are kept")
        seen = self.people.seen.get(item.id)
        if seen is not None and (seen.who == LOOK or seen.likeness is not None):
            return Remark(code=said.PLEASE_LOOK, words="may be somebody else: say whether it is the person")
        return Remark(code=said.CANT_TELL, words="who this is can't be told from this face: say whether it is the person")
