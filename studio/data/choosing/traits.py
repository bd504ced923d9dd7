"""How a photo differs from the others: where the person looks, how near they are, the light, and about which place and outfit it is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from studio.data.looking.look import FRAMING_LEAST, FRAMINGS, LEFT, PROFILE_LEFT, PROFILE_RIGHT, RIGHT, Look
from studio.data.looking.packing import unpack_histogram
from studio.data.people.who import Seen
from studio.facts import Facts

SAME_PLACE, SAME_OUTFIT = 0.41, 0.40  # Hellinger distance of soft Lab histograms (FACTS.md: wrong for 9.5 and 7.1 % of pairs, so "about")
SIDES = {PROFILE_LEFT: LEFT, LEFT: LEFT, PROFILE_RIGHT: RIGHT, RIGHT: RIGHT}  # angle -> the side that it shows


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
        return SIDES.get(self.angle, "")

    @property
    def is_profile(self) -> bool:
        return self.angle in (PROFILE_LEFT, PROFILE_RIGHT)


def find_traits(looks: Mapping[str, Look], seen: Mapping[str, Seen]) -> dict[str, Traits]:
    """{id: traits} of the person's face in each photo, or of the largest where the person is not known."""
    places = group_alike({item: look.background for item, look in looks.items()}, SAME_PLACE)
    outfits = group_alike({item: look.outfit for item, look in looks.items()}, SAME_OUTFIT)
    return {item: _traits(look, seen.get(item), places.get(item), outfits.get(item)) for item, look in looks.items()}


def _traits(look: Look, seen: Seen | None, place: int | None, outfit: int | None) -> Traits:
    face = look.face if seen is None or seen.face is None else look.faces[seen.face]
    if face is None:
        return Traits(light=look.light, place=place, outfit=outfit)
    share = face.height / look.height
    framing = next(name for name in FRAMINGS if share >= FRAMING_LEAST[name])
    return Traits(angle=face.angle, framing=framing, light=look.light, place=place, outfit=outfit)


def group_alike(packed: Mapping[str, str], limit: float) -> dict[str, int]:
    """{id: number of its group} by soft histograms: each joins the first group whose mean is about the same, or begins one. "" is in none."""
    roots = {item: np.sqrt(unpack_histogram(text)) for item, text in packed.items() if text}
    leaders: list[tuple[np.ndarray, int]] = []
    found: dict[str, int] = {}
    for item, root in roots.items():
        distances = [hellinger(leader / np.linalg.norm(leader), root / max(float(np.linalg.norm(root)), 1e-12)) for leader, _ in leaders]
        nearest = int(np.argmin(distances)) if distances else -1
        if nearest < 0 or distances[nearest] >= limit:
            nearest = len(leaders)
            leaders.append((np.zeros_like(root), 0))
        total, count = leaders[nearest]
        leaders[nearest] = total + root, count + 1
        found[item] = nearest
    return found


def hellinger(one: np.ndarray, other: np.ndarray) -> float:
    """Distance of two histograms, given as roots of length 1: 0 the same, 1 nothing in common."""
    return float(np.sqrt(max(0.0, 1.0 - float(one @ other))))
