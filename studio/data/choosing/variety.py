"""How a photo differs from the others: where the person looks, how near they are, the light, and about which place and outfit it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.data.looking.look import FRONT, LEFT, PROFILE_LEFT, PROFILE_RIGHT, RIGHT, Look
from studio.data.looking.look_alikes import group_outfits, group_places
from studio.data.people.who import Seen, person_face
from studio.facts import Facts

DIM, WARM, COOL, NEUTRAL = "dim", "warm", "cool", "neutral"
DIM_MOST = 70.0  # mean of the picture, 0 to 255
NEUTRAL_WARMTH, WARMTH_REACH = 4.0, 8.0  # CIELAB's b of the place; ours, as marks on a scale and no faults: said "about"
SIDES = {PROFILE_LEFT: LEFT, LEFT: LEFT, FRONT: "", RIGHT: RIGHT, PROFILE_RIGHT: RIGHT, "": ""}  # angle -> the side that it shows


@dataclass(frozen=True, kw_only=True)
class Traits(Facts):
    """What a photo is varied by. "" and None: can't be told."""

    angle: str = ""  # of ANGLES
    framing: str = ""  # of FRAMINGS
    light: str = ""
    place: int | None = None  # number of a group of photos that look as if taken in about one place
    outfit: int | None = None  # the same for clothes

    @property
    def cell(self) -> tuple[str, str]:
        return self.angle, self.framing

    @property
    def side(self) -> str:
        return SIDES[self.angle]

    @property
    def is_profile(self) -> bool:
        return self.angle in (PROFILE_LEFT, PROFILE_RIGHT)


def find_traits(looks: Mapping[str, Look], seen: Mapping[str, Seen]) -> dict[str, Traits]:
    """{id: traits} of the person's face in each photo, or of the largest where the person is not known."""
    places, outfits = group_places(looks), group_outfits(looks)
    return {item: _traits(look, seen.get(item), places.get(item), outfits.get(item)) for item, look in looks.items()}


def _traits(look: Look, seen: Seen | None, place: int | None, outfit: int | None) -> Traits:
    face = person_face(look, seen)
    angle = face.angle if face else ""
    return Traits(angle=angle, framing=look.framing_of(face), light=light_of(look), place=place, outfit=outfit)


def light_of(look: Look) -> str:
    """DIM, WARM, COOL or NEUTRAL, about; "" where it was not measured."""
    if look.luma is None or look.warmth is None:
        return ""
    if look.luma < DIM_MOST:
        return DIM
    if abs(look.warmth - NEUTRAL_WARMTH) <= WARMTH_REACH:
        return NEUTRAL
    return WARM if look.warmth > NEUTRAL_WARMTH else COOL
