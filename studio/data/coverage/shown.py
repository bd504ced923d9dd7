"""What one photo or clip shows, as far as it was measured: the angle of the head, how much of the person, light; and where and in what, about."""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.data.choosing.variety import Traits
from studio.data.looking.look import (
    ANGLES,
    CLOSE,
    FRAMINGS,
    FRONT,
    LEFT,
    PROFILE_LEFT,
    PROFILE_RIGHT,
    RIGHT,
    UPPER,
    WAIST,
    Look,
)

UNTOLD = ""  # not measured, or it can't be told: which is never bad
NAMED_ANGLES = {  # what an eye that gives names (studio.models.eyes) calls the angle of a head
    "facing left": PROFILE_LEFT,
    "facing slightly left": LEFT,
    "facing forward": FRONT,
    "facing slightly right": RIGHT,
    "facing right": PROFILE_RIGHT,
}
NAMED_FRAMINGS = {"close-up": CLOSE, "upper body": UPPER, "waist up": WAIST}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """angle: of ANGLES; framing: of FRAMINGS. place, outfit: names of what looks alike, about. UNTOLD where nobody knows."""

    id: str
    angle: str = UNTOLD
    framing: str = UNTOLD
    light: str = UNTOLD
    place: str = UNTOLD
    outfit: str = UNTOLD

    def __post_init__(self) -> None:
        if self.angle not in (UNTOLD, *ANGLES) or self.framing not in (UNTOLD, *FRAMINGS):
            raise ValueError(f"{self.id} shows an angle or a framing that there is none of: {self.angle!r}, {self.framing!r}")

    @property
    def is_measured(self) -> bool:
        return any((self.angle, self.framing, self.light, self.place, self.outfit))


def shown_in(item_id: str, look: Look, traits: Traits) -> Shown:
    """What was measured of a photo, as the choice has it; of drawn people it is told by names."""
    if look.names:
        return shown_by_names(item_id, dict(look.names))
    place, outfit = (UNTOLD if number is None else str(number) for number in (traits.place, traits.outfit))
    return Shown(id=item_id, angle=traits.angle, framing=traits.framing, light=traits.light, place=place, outfit=outfit)


def shown_by_names(item_id: str, names: Mapping[str, str]) -> Shown:
    """What an eye that gives names says of a drawn person. A name that is not known here says nothing."""
    return Shown(
        id=item_id,
        angle=NAMED_ANGLES.get(names.get("view", ""), UNTOLD),
        framing=NAMED_FRAMINGS.get(names.get("framing", ""), UNTOLD),
        light=names.get("light", UNTOLD),
        place=names.get("place", UNTOLD),
        outfit=names.get("shirt", UNTOLD),
    )
