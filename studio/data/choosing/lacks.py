"""What a set of photos should have and lacks."""

from dataclasses import dataclass

from studio.facts import Facts

SIDE, PROFILE, FULL_BODY, FEW, OUTFITS, PLACES = "side", "profile", "full-body", "few", "outfits", "places"


@dataclass(frozen=True, kw_only=True)
class Lack(Facts):
    """What the set should have and the photos can't give."""

    ALWAYS_WRITTEN = ("code", "words", "have", "wanted")
    code: str
    words: str
    have: int
    wanted: int
    angle: str = ""  # of ANGLES, where the lack is one
