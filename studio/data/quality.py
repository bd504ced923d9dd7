"""How good a picture is to learn from, measured, and which of them make the best varied set.

What was measured comes from the looks (studio.data.looking): of the largest face, else of the middle of the picture, where a person usually is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from studio.data import persons
from studio.data import remarks as said
from studio.data.curate_report import Proposal
from studio.data.item_record import Item, Measurements, Sighting
from studio.data.looking.look import Look
from studio.data.remarks import Remark

VERSION = 2  # of the measurements; 1 measured the middle of every picture
# blur_effect, 0 sharp to 1 blurred. Looser than the limits known for face crops, since the middle may hold soft background.
BLUR_WARN, BLUR_REJECT = 0.60, 0.72
LUMA_WARN, LUMA_REJECT = (60, 185), (40, 215)
BLOWN_WARN, BLOWN_REJECT = 0.15, 0.40
BLOCKS_WARN, BLOCKS_REJECT = 1.35, 1.9
TWIN_BITS, NEAR_BITS = 4, 10  # of 64 in the perceptual hash, which sees no colours
ALIKE_COLOUR = 40  # largest difference of a colour between pictures that are alike, on a grid of 4 x 4
MIN_MEASURED_SIDE = 192  # blur and blocks mean nothing in smaller pictures
_VARIETY = 1.0  # a fully different picture counts as much as one grade of quality


def of_looks(item: Item, looks: Sequence[Look]) -> Measurements:
    """What the looks of one photo, or of the frames of a clip (their median), say of sharpness, light, JPEG damage and of whom they show."""
    middle, areas = looks[len(looks) // 2], [look.judged for look in looks]
    large = min(middle.width, middle.height) >= MIN_MEASURED_SIDE
    embeddings = [persons.unpack(look.face.embedding) for look in looks if look.face and look.face.embedding and look.eye == middle.eye]
    return Measurements(
        version=VERSION,
        eye=middle.eye,
        phash=middle.phash,
        colours=middle.colours,
        blur=_median(area.blur for area in areas) if large else None,
        luma=_median(area.luma for area in areas),
        blown=_median(area.blown for area in areas),
        blocks=_median(look.blocks for look in looks),
        person=Sighting(observer=middle.eye, embedding=persons.pack(np.stack(embeddings)) if embeddings else ""),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 4) if known else None


def propose(items: Sequence[Item], keep: int = 24, photo_size: int = 768, clip_size: int = 480) -> dict[str, Proposal]:
    """{id: Proposal} for measured items: at most `keep` photos and `keep` clips, good ones of one person that differ from each other.

    Items without measurements are kept. photo_size, clip_size: the side that training wants, in px.
    """
    proposals: dict[str, Proposal] = {}
    candidates: list[_Candidate] = []
    judged = {item.id: judge(item, photo_size if item.kind == "photo" else clip_size) for item in items}
    strangers, doubts = _find_strangers([item for item in items if not judged[item.id][0]])
    for item in items:
        reasons, warnings = judged[item.id]
        reasons += strangers.get(item.id, [])
        warnings += doubts.get(item.id, [])
        if reasons:
            proposals[item.id] = _leave_out(reasons, warnings)
        elif not item.measurements.phash:
            proposals[item.id] = _keep(warnings)
        else:
            candidates.append(_Candidate(item, tuple(warnings)))
    for kind in ("photo", "clip"):
        proposals |= _choose([candidate for candidate in candidates if candidate.item.kind == kind], keep)
    return proposals


def _leave_out(reasons: Iterable[Remark], warnings: Iterable[Remark]) -> Proposal:
    return Proposal(keep=False, reasons=tuple(reasons), decided_by="curate", warnings=tuple(warnings))


def _keep(warnings: Iterable[Remark]) -> Proposal:
    return Proposal(decided_by="curate", warnings=tuple(warnings))


def judge(item: Item, wanted: int) -> tuple[list[Remark], list[Remark]]:
    """(reasons to leave an item out, warnings) from its measurements; `wanted`: the side that training wants, in px."""
    reasons: list[Remark] = []
    warnings: list[Remark] = []

    def grade(code: str, value: float | None, warn: float, reject: float, warning: str, reason: str) -> None:
        if value is not None and value > reject:
            reasons.append(Remark(code=code, words=reason))
        elif value is not None and value > warn:
            warnings.append(Remark(code=code, words=warning))

    m, side = item.measurements, min(item.width, item.height)
    if item.problem:
        return [Remark(code=said.UNREADABLE, words=item.problem)], []
    px = f"{side} px on the short side"
    grade(said.SIZE, -side, -wanted * 2 / 3, -wanted / 3, f"small: {px}", f"too small: {px}")
    grade(said.BLUR, m.blur, BLUR_WARN, BLUR_REJECT, "a little soft in the middle", "blurred in the middle of the picture")
    grade(said.BLOWN, m.blown, BLOWN_WARN, BLOWN_REJECT, "some parts are blown out to white", "the middle is blown out to white")
    grade(said.BLOCKS, m.blocks, BLOCKS_WARN, BLOCKS_REJECT, "JPEG blocks are visible", "damaged by strong JPEG compression")
    if m.luma is not None:
        grade(said.DARK, -m.luma, -LUMA_WARN[0], -LUMA_REJECT[0], "rather dark", "too dark to see the person")
        grade(said.BRIGHT, m.luma, LUMA_WARN[1], LUMA_REJECT[1], "rather bright", "too bright to see the person")
    return reasons, warnings


def _find_strangers(items: Sequence[Item]) -> tuple[dict[str, list[Remark]], dict[str, list[Remark]]]:
    """({id: [reason]}, {id: [warning]}) about who is shown, of items that are good enough and not left out by hand."""
    people: dict[str, dict[str, np.ndarray]] = {}
    strangers: dict[str, list[Remark]] = {}
    doubts: dict[str, list[Remark]] = {}
    for item in items:
        person = item.measurements.person
        if person and person.embedding and (item.keep or item.decided_by != "hand"):
            people.setdefault(person.observer, {})[item.id] = persons.unpack(person.embedding)
    for embeddings in people.values():  # what different eyes saw can't be compared
        found, doubt = persons.find_strangers(embeddings)
        strangers |= {item_id: [reason] for item_id, reason in found.items()}
        doubts |= {item_id: [doubt] for item_id in embeddings if doubt}
    return strangers, doubts


# -- choosing


@dataclass(frozen=True)
class _Candidate:
    """An item that nothing speaks against."""

    item: Item
    warnings: tuple[Remark, ...]

    @property
    def quality(self) -> float:
        """A grade around 0 to 1: sharper is better, each warning costs."""
        blur = self.item.measurements.blur
        return 1 - (blur if blur is not None else 0.5) - 0.15 * len(self.warnings)

    def variety(self, chosen: Sequence["_Candidate"]) -> float:
        """How different it is from the nearest of those that are chosen, 0 to 1 for what is usual."""
        return min((distance(self.item, other.item) for other in chosen), default=0) / 32


def _choose(candidates: Sequence[_Candidate], keep: int) -> dict[str, Proposal]:
    """Twins lose to the better of them; of the rest, greedily what is good and unlike the ones chosen before."""
    unique, proposals = _without_twins(candidates)
    chosen: list[_Candidate] = []
    while unique and len(chosen) < keep:
        best = max(unique, key=lambda candidate: candidate.quality + _VARIETY * candidate.variety(chosen))
        unique.remove(best)
        chosen.append(best)
    for candidate in chosen:
        near = [o.item.id for o in chosen if o is not candidate and _are_alike(candidate.item, o.item, NEAR_BITS)]
        alike = [Remark(code=said.ALIKE, words=f"much like {near[0]}", about=near[0])] if near else []
        proposals[candidate.item.id] = _keep((*candidate.warnings, *alike))
    for candidate in unique:
        proposals[candidate.item.id] = _leave_out([_enough(candidate, chosen, keep)], candidate.warnings)
    return proposals


def _without_twins(candidates: Sequence[_Candidate]) -> tuple[list[_Candidate], dict[str, Proposal]]:
    """(those that differ, the better ones first, and what is proposed for the twins of them)."""
    unique: list[_Candidate] = []
    proposals = {}
    for candidate in sorted(candidates, key=lambda c: (-c.quality, c.item.id)):
        twin = next((other.item.id for other in unique if _are_alike(candidate.item, other.item, TWIN_BITS)), "")
        if twin:
            reason = Remark(code=said.TWIN, words=f"nearly the same picture as {twin}, which is as good or better", about=twin)
            proposals[candidate.item.id] = _leave_out([reason], candidate.warnings)
        else:
            unique.append(candidate)
    return unique, proposals


def _enough(candidate: _Candidate, chosen: Sequence[_Candidate], keep: int) -> Remark:
    nearest = min(chosen, key=lambda c: distance(candidate.item, c.item)).item.id if chosen else ""
    like = f"; of those it is most like {nearest}" if nearest else ""
    return Remark(code=said.ENOUGH, words=f"{keep} better or more different ones are kept{like}", about=nearest)


def distance(item: Item, other: Item) -> int:
    """Bits by which two perceptual hashes differ, 0 to 64."""
    return (int(item.measurements.phash, 16) ^ int(other.measurements.phash, 16)).bit_count()


def _are_alike(item: Item, other: Item, bits: int) -> bool:
    colours = [bytes.fromhex(i.measurements.colours) for i in (item, other)]
    return distance(item, other) <= bits and max(abs(a - b) for a, b in zip(*colours)) <= ALIKE_COLOUR
