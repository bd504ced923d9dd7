"""What is known of one picture beyond its caption: who it shows, what was measured, what training makes of it, what could stand in its place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from studio.data.choosing.best_set import Candidate, alternatives
from studio.data.choosing.proposed_set import quality_of
from studio.data.choosing.variety import Traits
from studio.data.coverage.board import ANGLE_WORDS, FRAMING_WORDS
from studio.data.coverage.shown import Shown
from studio.data.coverage.study import Study
from studio.data.cropping.alone import part_alone
from studio.data.cropping.closer import part_closer
from studio.data.cropping.head import head_of
from studio.data.cropping.trained_photo import TrainedPhoto, choose_photo, is_small
from studio.data.cropping.turning import MIRROR, TURN_LEFT, TURN_RIGHT
from studio.data.item_record import Item
from studio.data.judging.judge import figure_of_who, sight_of
from studio.data.judging.thresholds import LEAVE_OUT, THRESHOLDS
from studio.data.looking.look import CLOSE, UPPER, Look
from studio.data.looking.looks import preset_of
from studio.data.media.thumbnails import version_of
from studio.data.people.sightings import LEAST_WIDTH
from studio.data.people.who import LOOK, NOBODY, Seen, person_face
from studio.data.remarks import ENOUGH
from studio.ui.dataset.pictures.choices import WHO_WORDS
from studio.ui.dataset.pictures.media_addresses import media_address
from studio.ui.train.choice import data_settings
from studio.ui.views import View
from studio.workspace import Project

ALONE, CLOSER = "alone", "closer"  # ways to cut a part out: without the other people; nearer, with the framing behind a colon
NOT_LOOKED = "Not measured yet: Check photos does it."
MOST_SIMILAR = 8
USUAL_STEP = 16  # px, of WAN's sizes


@dataclass(frozen=True)
class Figure(View):
    """Something that was measured, for who asks. is_beyond: it lies beyond its limit."""

    name: str
    value: str
    is_beyond: bool = False


@dataclass(frozen=True)
class Similar(View):
    """Another picture that could stand in this one's place."""

    id: str
    version: str
    src: str


@dataclass(frozen=True)
class Trained(View):
    """What training makes of a photo. left, top, width, height: of the part that it sees, in percent of the photo; text: the rest in words."""

    left: float
    top: float
    width: float
    height: float
    text: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Change(View):
    """A button that changes the photo, or adds a part of it. name: of what it does."""

    name: str
    label: str
    hint: str


@dataclass(frozen=True)
class Closer(View):
    """who: in words, "" where nobody compared; said: what a person says of it, THEM, OTHER or ""; asks_who: whether they may say it."""

    who: str
    said: str
    asks_who: bool
    figures: tuple[Figure, ...]
    not_measured: str  # why there are no figures, or ""
    trained: Trained | None
    similar: tuple[Similar, ...]
    changes: tuple[Change, ...]


def photo_sizes(project: Project) -> tuple[int, int]:
    """(the side that the chosen recipe trains photos at here, the step of sizes), px; as usual where the base model is not known here."""
    preset = preset_of(project.facts().base_model)
    return data_settings(project).photo_size, preset.shape.pixels_per_token if preset else USUAL_STEP


def look_closer(project: Project, item: Item, study: Study, items: Sequence[Item], trained_at: tuple[int, int]) -> Closer:
    """trained_at: the side of photos in the chosen recipe, and the step of sizes, px."""
    look, seen = study.looks.get(item.id), study.people.seen.get(item.id)
    return Closer(
        who=say_who(seen.who) if seen and study.people.question is None else "",
        said=item.said.who if item.said else "",
        asks_who=look is not None and bool(look.faces),
        figures=tuple(_figures(look, seen, study.shown.get(item.id), project.facts().photo_choice.limits)) if look else (),
        not_measured="" if look else NOT_LOOKED,
        trained=_trained(item, look, seen, *trained_at),
        similar=_similar(project, item, study, items),
        changes=tuple(_changes(item, look, seen)),
    )


def say_who(who: str) -> str:
    """Who a photo shows, in words."""
    return f"{WHO_WORDS[who]}: please look" if who == LOOK else WHO_WORDS[who]


def _figures(look: Look, seen: Seen | None, shown: Shown | None, limits: Mapping[str, float]) -> Iterator[Figure]:
    """The face first, then each limit with its value, then what the picture shows."""
    sight = sight_of(look, seen)
    if sight.face:
        yield Figure("Face", f"{sight.face.width:.0f} x {sight.face.height:.0f} px")
    if sight.face and sight.face.mouth_open is not None:
        yield Figure("Mouth", "open" if sight.face.mouth_open else "closed")
    if shown and shown.angle:
        yield Figure("Angle", ANGLE_WORDS[shown.angle])
    if shown and shown.framing:
        yield Figure("Framing", FRAMING_WORDS[shown.framing])
    if seen and seen.who != NOBODY:
        yield Figure("Who", figure_of_who(seen))
    if len(look.faces) > 1:
        yield Figure("Faces", str(len(look.faces)))
    for threshold in THRESHOLDS:
        value, limit = threshold.measure(sight), limits.get(threshold.name, threshold.limit)
        is_beyond = threshold.is_beyond(value, limit)
        if value is not None and (
            is_beyond or threshold.grade == LEAVE_OUT
        ):  # a doubt's limit lies before that of a fault, on the same value
            yield Figure(threshold.title, threshold.say(value, limit), is_beyond)
    if shown and shown.light:
        yield Figure("Light", f"about {shown.light}")


def _trained(item: Item, look: Look | None, seen: Seen | None, wanted: int, multiple: int) -> Trained | None:
    if item.kind != "photo" or item.problem or min(item.width, item.height) < multiple:
        return None
    person = person_face(look, seen) if look else None
    found = choose_photo(item.width, item.height, wanted, multiple, head_of(look, person) if look else None)
    part = found.part
    left, top, width, height = (round(100 * value, 2) for value in (part.left, part.top, part.width, part.height))
    face = found.width_of(person, look) if look and person else None
    return Trained(left, top, width, height, tuple(_words_of(found, face)), tuple(_remarks_of(item, face, wanted)))


def _words_of(found: TrainedPhoto, face: int | None) -> Iterator[str]:
    width, height = found.size
    yield f"{width} x {height} px"
    yield "the photo as large as it is" if found.scale == 1 else f"scaled to {found.scale:.0%}"
    yield f"{found.cut_off:.1%} is cut off" if found.cut_off >= 0.0005 else "nothing is cut off"
    if face is not None:
        yield f"the face is {face} px wide then"


def _remarks_of(item: Item, face: int | None, wanted: int) -> Iterator[str]:
    if is_small(item.width, item.height, wanted):
        yield f"Smaller than the {wanted} x {wanted} px of this recipe: it is never enlarged, and teaches less detail."
    if face is not None and face < LEAST_WIDTH:
        yield f"A face below {LEAST_WIDTH} px teaches little of its detail; a part closer to the person helps."


def _similar(project: Project, item: Item, study: Study, items: Sequence[Item]) -> tuple[Similar, ...]:
    """Photos that are left out for no fault of theirs, the likest view first."""
    if not item.keep or item.id not in study.shown:
        return ()
    by_id = {other.id: other for other in items}
    spare = [other for other in items if other.kind == item.kind and other.id in study.shown and is_spare(other)]
    candidates = [
        Candidate(
            id=other.id,
            traits=_traits(study.shown[other.id]),
            quality=quality_of(study.looks[other.id], study.people.seen.get(other.id), other.doubts),
            rank=rank,
        )
        for rank, other in enumerate(spare)
    ]
    found = [by_id[candidate.id] for candidate in alternatives(_traits(study.shown[item.id]), candidates)[:MOST_SIMILAR]]
    return tuple(Similar(other.id, version_of(other), media_address(project, "thumbnails", other)) for other in found)


def is_spare(item: Item) -> bool:
    """Whether an item is left out only because others were enough."""
    return not item.keep and not item.is_by_hand and {reason.code for reason in item.reasons} == {ENOUGH}


def _traits(shown: Shown) -> Traits:
    return Traits(angle=shown.angle, framing=shown.framing, light=shown.light)


def _changes(item: Item, look: Look | None, seen: Seen | None) -> Iterator[Change]:
    if item.kind != "photo" or item.problem:
        return
    face = person_face(look, seen) if look else None
    if look and face:
        if len(look.faces) > 1 and part_alone(look, face):
            yield Change(ALONE, "Only the person", "A part without the other faces, as a new photo")
        for framing in (CLOSE, UPPER):
            if part_closer(look, face, framing):
                yield Change(f"{CLOSER}:{framing}", f"Closer: {FRAMING_WORDS[framing]}", "A part with the person larger, as a new photo")
    yield Change(TURN_LEFT, "Turn left", "A quarter turn; Undo takes it back")
    yield Change(TURN_RIGHT, "Turn right", "A quarter turn; Undo takes it back")
    yield Change(
        MIRROR, "Mirror", "Faces are not symmetric: a parting or a mole would change sides. Only where the photo is mirrored already"
    )
