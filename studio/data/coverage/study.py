"""All that is known of a project's photos together: who is in them, what each shows, what the kept ones cover and lack. Cheap to ask again."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from studio.data.coverage.board import Board, make_board
from studio.data.coverage.look_alikes import OUTFIT_MOST, PLACE_MOST, groups_of
from studio.data.coverage.readiness import KeptSet, Readiness, judge
from studio.data.coverage.shown import Shown, shown_in
from studio.data.cropping.trained_photo import is_small
from studio.data.item_record import Item
from studio.data.looking.look import Look
from studio.data.looking.packing import unpack_roots
from studio.data.people.who import LOOK, STRANGER, People, find_people_in, person_face
from studio.data.remarks import SEVERAL_PEOPLE

MOST_COMPARED = 400  # kept photos whose places and outfits are compared; of more it is said that they are not


@dataclass(frozen=True)
class Study:
    """looks: of every item that was looked at. shown: what those show; places and outfits of kept ones alone."""

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
    shown = {item_id: shown_in(item_id, look, person_face(look, people.seen.get(item_id))) for item_id, look in looks.items()}
    kept = [item for item in items if item.keep]
    shown |= _with_places({item.id: shown[item.id] for item in kept if item.id in shown}, looks)
    board = make_board([shown[item.id] for item in kept if item.id in shown])
    left_out = tuple(shown[item.id] for item in items if not item.keep and item.id in shown)
    small = frozenset(
        item.id for item in items if item.kind == "photo" and not item.problem and is_small(item.width, item.height, photo_size)
    )
    return Study(looks, people, shown, board, left_out, small, judge(_count(kept, looks, people, small), board))


def _with_places(shown: Mapping[str, Shown], looks: Mapping[str, Look]) -> dict[str, Shown]:
    """The same with place and outfit, where they were measured and are not too many to compare."""
    places = _groups({item_id: looks[item_id].background for item_id in shown}, PLACE_MOST)
    outfits = _groups({item_id: looks[item_id].outfit for item_id in shown}, OUTFIT_MOST)
    return {
        item_id: replace(one, place=places.get(item_id, one.place), outfit=outfits.get(item_id, one.outfit))
        for item_id, one in shown.items()
    }


def _groups(packed: Mapping[str, str], most: float) -> dict[str, str]:
    known = [item_id for item_id, text in packed.items() if text]
    if len(known) > MOST_COMPARED:
        return {}
    numbers = _groups_again(tuple(packed[item_id] for item_id in known), most)
    return {item_id: str(number) for item_id, number in zip(known, numbers, strict=True)}


@functools.lru_cache(maxsize=8)
def _groups_again(packed: tuple[str, ...], most: float) -> list[int]:
    return groups_of(np.stack([unpack_roots(text) for text in packed]), most) if packed else []


# -- how many


def has_doubt(item: Item) -> bool:
    """Whether the check saw something in a picture that is no reason to leave it out; what it says of all of them does not count."""
    return any(warning.code != SEVERAL_PEOPLE for warning in item.measurements.warnings)


def _count(kept: Sequence[Item], looks: Mapping[str, Look], people: People, small: frozenset[str]) -> KeptSet:
    who = [people.seen[item.id].who for item in kept if item.id in people.seen]
    return KeptSet(
        photos=sum(item.kind == "photo" for item in kept),
        clips=sum(item.kind == "clip" for item in kept),
        unmeasured=sum(item.id not in looks for item in kept),
        strangers=who.count(STRANGER),
        unsure=who.count(LOOK),
        faulty=sum(map(has_doubt, kept)),
        small=sum(item.id in small for item in kept),
        bare=sum(not item.caption for item in kept),
        question=people.question.words if people.question else "",
    )
