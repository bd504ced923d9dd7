"""What a set of photos should have and lacks."""

from dataclasses import dataclass

from studio.data.remarks import Remark

SIDE, PROFILE, FULL_BODY, FEW, OUTFITS, PLACES = "side", "profile", "full-body", "few", "outfits", "places"


@dataclass(frozen=True, kw_only=True)
class Lack(Remark):
    """What the choice should hold and the good photos can't give; what the kept ones lack is a Shortfall (studio.data.coverage)."""

    ALWAYS_WRITTEN = (*Remark.ALWAYS_WRITTEN, "have", "wanted")
    have: int
    wanted: int
    angle: str = ""  # of ANGLES, where the lack is one
