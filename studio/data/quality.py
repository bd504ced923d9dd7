"""How good a picture is to learn from, measured, and which of them make the best varied set.

There is no face detector here: everything is judged on the middle of the picture, where a person usually is, and the words say so.
"""

from dataclasses import dataclass

from studio.data import persons

VERSION = 1  # of the measurements
# blur_effect, 0 sharp to 1 blurred. Looser than the limits known for face crops, since the middle may hold soft background.
BLUR_WARN, BLUR_REJECT = 0.60, 0.72
LUMA_WARN, LUMA_REJECT = (60, 185), (40, 215)
BLOWN_WARN, BLOWN_REJECT = 0.15, 0.40
BLOCKS_WARN, BLOCKS_REJECT = 1.35, 1.9
TWIN_BITS, NEAR_BITS = 4, 10  # of 64 in the perceptual hash, which sees no colours
ALIKE_COLOUR = 40  # largest difference of a colour between pictures that are alike, on a grid of 4 x 4
FLAT = 0.05  # grey levels from pixel to pixel: flatter is drawn, not photographed, and shows no JPEG blocks
MIN_MEASURED_SIDE = 192  # blur and blocks mean nothing in smaller pictures
CROP = 0.6
_VARIETY = 1.0  # a fully different picture counts as much as one grade of quality


@dataclass(frozen=True)
class Verdict:
    keep: bool
    reason: str  # why it is left out, in words
    warnings: tuple[str, ...]  # what to know of one that is kept


def measure(item, images):
    """Numbers about one photo, or about three frames of a clip (their median): sharpness, light, JPEG damage, a perceptual hash.

    images: the item's `pictures`. {"version", "blur", "luma", "blown", "blocks", "phash", "colours"}; blur and blocks are None where
    they mean nothing.
    """
    import numpy as np

    each = [_measure_picture(image) for image in images]
    result = {"version": VERSION} | {name: each[len(each) // 2][name] for name in ("phash", "colours")}
    for name in ("blur", "luma", "blown", "blocks"):
        values = [m[name] for m in each if m[name] is not None]
        result[name] = round(float(np.median(values)), 4) if values else None
    if item.kind == "clip":
        result["blocks"] = None  # video codecs have grids of their own
    return result


def propose(items, keep=24, photo_size=768, clip_size=480):
    """{id: Verdict} for measured items: at most `keep` photos and `keep` clips, good ones of one person that differ from each other.

    Items without measurements are kept. photo_size, clip_size: the side that training wants, in px.
    """
    verdicts, candidates = {}, []
    judged = {item.id: judge(item, photo_size if item.kind == "photo" else clip_size) for item in items}
    strangers, doubts = _find_strangers([item for item in items if not judged[item.id][0]])
    for item in items:
        reasons, warnings = judged[item.id]
        reasons += strangers.get(item.id, [])
        warnings += doubts.get(item.id, [])
        if reasons:
            verdicts[item.id] = Verdict(False, "; ".join(reasons), tuple(warnings))
        elif not item.measurements.get("phash"):
            verdicts[item.id] = Verdict(True, "", tuple(warnings))
        else:
            candidates.append((item, tuple(warnings)))
    for kind in ("photo", "clip"):
        verdicts |= _choose([c for c in candidates if c[0].kind == kind], keep)
    return verdicts


def judge(item, wanted):
    """(reasons to leave an item out, warnings) from its measurements, in plain words; `wanted`: the side that training wants, in px."""
    m, reasons, warnings = item.measurements, [], []

    def grade(value, warn, reject, warning, reason):
        if value is not None and value > reject:
            reasons.append(reason)
        elif value is not None and value > warn:
            warnings.append(warning)

    side = min(item.width, item.height)
    if item.problem:
        return [item.problem], []
    grade(-side, -wanted * 2 / 3, -wanted / 3, f"small: {side} px on the short side", f"too small: {side} px on the short side")
    grade(m.get("blur"), BLUR_WARN, BLUR_REJECT, "a little soft in the middle", "blurred in the middle of the picture")
    grade(m.get("blown"), BLOWN_WARN, BLOWN_REJECT, "some parts are blown out to white", "the middle is blown out to white")
    grade(m.get("blocks"), BLOCKS_WARN, BLOCKS_REJECT, "JPEG blocks are visible", "damaged by strong JPEG compression")
    if (luma := m.get("luma")) is not None:
        grade(-luma, -LUMA_WARN[0], -LUMA_REJECT[0], "rather dark", "too dark to see the person")
        grade(luma, LUMA_WARN[1], LUMA_REJECT[1], "rather bright", "too bright to see the person")
    return reasons, warnings


def _find_strangers(items):
    """({id: [reason]}, {id: [warning]}) about who is shown, of items that are good enough and not left out by hand."""
    people, strangers, doubts = {}, {}, {}
    for item in items:
        person = item.measurements.get("person")
        if person and (item.keep or item.decided_by != "hand"):
            people.setdefault(person["observer"], {})[item.id] = persons.unpack(person["embedding"])
    for embeddings in people.values():  # what different observers saw can't be compared
        found, doubt = persons.find_strangers(embeddings)
        strangers |= {item_id: [reason] for item_id, reason in found.items()}
        doubts |= {item_id: [doubt] for item_id in embeddings if doubt}
    return strangers, doubts


# -- choosing


def _choose(candidates, keep):
    """Twins lose to the better of them; of the rest, greedily what is good and unlike the ones chosen before."""
    verdicts, unique = {}, []
    for item, warnings in sorted(candidates, key=lambda c: (-_quality(c[0], c[1]), c[0].id)):
        twin = next((other for other, _ in unique if _are_alike(item, other, TWIN_BITS)), None)
        if twin:
            verdicts[item.id] = Verdict(False, f"nearly the same picture as {twin.id}, which is as good or better", warnings)
        else:
            unique.append((item, warnings))
    chosen = []
    while unique and len(chosen) < keep:
        best = max(unique, key=lambda c: _quality(*c) + _VARIETY * min((distance(c[0], o[0]) for o in chosen), default=0) / 32)
        unique.remove(best)
        chosen.append(best)
    for item, warnings in chosen:
        near = [other.id for other, _ in chosen if other is not item and _are_alike(item, other, NEAR_BITS)]
        verdicts[item.id] = Verdict(True, "", warnings + ((f"much like {near[0]}",) if near else ()))
    for item, warnings in unique:
        nearest = min(chosen, key=lambda c: distance(item, c[0]))[0] if chosen else None
        like = f"; of those it is most like {nearest.id}" if nearest else ""
        verdicts[item.id] = Verdict(False, f"{keep} better or more different ones are kept{like}", warnings)
    return verdicts


def _quality(item, warnings):
    """A grade around 0 to 1: sharper is better, each warning costs."""
    blur = item.measurements.get("blur")
    return 1 - (blur if blur is not None else 0.5) - 0.15 * len(warnings)


def distance(item, other):
    """Bits by which two perceptual hashes differ, 0 to 64."""
    return (int(item.measurements["phash"], 16) ^ int(other.measurements["phash"], 16)).bit_count()


def _are_alike(item, other, bits):
    colours = [bytes.fromhex(i.measurements["colours"]) for i in (item, other)]
    return distance(item, other) <= bits and max(abs(a - b) for a, b in zip(*colours)) <= ALIKE_COLOUR


# -- measuring


def pictures(item):
    """PIL images to judge an item by: the photo, or three frames of a clip. ValueError if the file can't be read."""
    from PIL import Image

    from studio.data.media.clips import read_frames
    from studio.data.media.photos import load_photo

    if item.kind == "photo":
        return [load_photo(item.path)]
    scale = min(1.0, 1280 / max(item.width, item.height))
    size = (max(1, round(item.width * scale)), max(1, round(item.height * scale)))
    return [Image.fromarray(read_frames(item.path, 1, item.fps, item.seconds * part, size)[0]) for part in (0.2, 0.5, 0.8)]


def _measure_picture(image):
    import imagehash
    import numpy as np
    from PIL import Image
    from skimage.measure import blur_effect

    crop = _middle(image)
    pixels = np.asarray(crop)
    grey = np.asarray(crop.convert("L"), np.float32)
    large = min(image.size) >= MIN_MEASURED_SIDE
    small = crop.convert("L").resize((256, 256), Image.Resampling.LANCZOS) if large else None
    return {
        "blur": float(blur_effect(np.asarray(small), h_size=11)) if large else None,
        "luma": float(grey.mean()),
        "blown": float((pixels.min(axis=-1) >= 250).mean()),
        "blocks": _blockiness(np.asarray(image.convert("L"), np.float32)) if large else None,
        "phash": str(imagehash.phash(image)),
        "colours": image.resize((4, 4), Image.Resampling.BOX).tobytes().hex(),
    }


def _middle(image):
    """The square in the middle, 60 % of the short side."""
    side = max(1, round(min(image.size) * CROP))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _blockiness(grey):
    """How much stronger steps are across the edges of JPEG's 8 x 8 blocks than inside them; 1 is none. The grid may start anywhere."""
    import numpy as np

    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        phases = np.array([steps[phase::8].mean() for phase in range(8)])
        strongest = phases.argmax()
        inside = np.delete(phases, strongest).mean()
        if inside < FLAT:
            return None
        ratios.append(phases[strongest] / inside)
    return float(min(ratios))
