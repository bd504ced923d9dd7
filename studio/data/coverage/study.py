"""All that is known of a project's photos together: who is in them, what each shows, what the kept ones cover and lack. Cheap to ask again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.data.choosing.variety import find_traits
from studio.data.coverage.board import Board, make_board
from studio.data.coverage.readiness import KeptSet, Readiness, judge
from studio.data.coverage.shown import Shown, shown_in
from studio.data.cropping.trained_photo import is_small
from studio.data.item_record import Item
from studio.data.looking.look import Look
from studio.data.people.who import LOOK, STRANGER, People, find_people_in


@dataclass(frozen=True)
class Study:
    """looks: of every item that was looked at. shown: what those show."""

    looks: Mapping[str, Look]
    people: People
    shown: Mapping[str, Shown]
    board: Board
    left_out: tuple[Shown, ...]
    small: frozenset[str]  # ids of photos with fewer px than training takes
    readiness: Readiness


def study_items(items: Sequence[Item], looks: Mapping[str, Look], photo_size: int) -> Study:
    """looks: of the items that were looked at, by id. photo_size: the side of a square with as many px as photos are trained at."""
    people = find_people_in(items, looks)
    traits = find_traits(looks, people.seen)
    shown = {item_id: shown_in(item_id, look, traits[item_id]) for item_id, look in looks.items()}
    kept = [item for item in items if item.keep]
    board = make_board([shown[item.id] for item in kept if item.id in shown])
    left_out = tuple(shown[item.id] for item in items if not item.keep and item.id in shown)
    small = frozenset(
        item.id for item in items if item.kind == "photo" and not item.problem and is_small(item.width, item.height, photo_size)
    )
    return Study(looks, people, shown, board, left_out, small, judge(_count(kept, looks, people, small), board))


# -- how many


def _count(kept: Sequence[Item], looks: Mapping[str, Look], people: People, small: frozenset[str]) -> KeptSet:
    who = [people.seen[item.id].who for item in kept if item.id in people.seen]
    return KeptSet(
        photos=sum(item.kind == "photo" for item in kept),
        clips=sum(item.kind == "clip" for item in kept),
        unmeasured=sum(item.id not in looks for item in kept),
        strangers=who.count(STRANGER),
        unsure=who.count(LOOK),
        faulty=sum(bool(item.doubts) for item in kept),
        small=sum(item.id in small for item in kept),
        bare=sum(not item.caption for item in kept),
        question=people.question.words if people.question else "",
    )
