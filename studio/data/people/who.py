"""Who is in each photo: groups of faces, which of them is the person, and a verdict for each photo that accuses only what can be judged."""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from studio.data.item_record import OTHER, THEM, Item, Said
from studio.data.looking.look import OTHER_LEAST, FaceLook, Look
from studio.data.people.groups import SAME_LEAST, best_likeness, compared, group, without_barred
from studio.data.people.sightings import Sighted, all_faces, likenesses
from studio.data.remarks import NO_FACES, TOO_FEW_FACES, WHICH_PERSON, Remark
from studio.facts import Facts

PERSON, LOOK, STRANGER, CANT_TELL, NOBODY = "person", "look", "stranger", "cant-tell", "nobody"
LOOK_LEAST = 0.33  # mean of the five best: from here to SAME_LEAST a human should look (FACTS.md: .8 % err at the best single limit)
GUARD_LEAST = 0.36  # in the middle, where both errors are .8 %: from here on a profile may be chosen without anybody looking at it
LEAST_TO_ACCUSE = 5  # clear faces of the person; the rule takes the mean of five
LEAST_TO_COMPARE = 3
TIE = 0.6  # a second group this large beside the largest: asked, not guessed
NUM_EXAMPLES = 5
BARRED_SHARE = 0.5  # of a group's faces said to be somebody else: then the group is


@dataclass(frozen=True, kw_only=True)
class FaceRef(Facts):
    """A face by its photo and its place in the photo's Look."""

    item: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Group(Facts):
    """Faces that are probably one person's. examples: the most typical ones, each of another photo."""

    ALWAYS_WRITTEN = ("photos",)
    photos: int
    examples: tuple[FaceRef, ...] = ()
    faces: tuple[FaceRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Seen(Facts):
    """Who one photo shows. likeness: mean of the five best to the person; None where it can't be compared."""

    ALWAYS_WRITTEN = ("who",)
    who: str  # PERSON, LOOK, STRANGER, CANT_TELL or NOBODY
    likeness: float | None = None
    face: int | None = None  # place in the Look of the person's face, or of the main one where nobody is known
    group: int | None = None  # of that face
    said: bool = False  # by a human
    share_of_others: float = 0.0  # width of the largest other face, in widths of this one
    num_alike: int = 0  # faces of this photo that are like the person; more than one: twins, a mirror, a collage


@dataclass(frozen=True, kw_only=True)
class People(Facts):
    """Who is in the photos. person: which group is meant; None where a human must say it."""

    ALWAYS_WRITTEN = ("groups", "person")
    groups: tuple[Group, ...] = ()  # with at least two photos, those in most photos first; the person who was said to be meant before all
    num_once: int = 0  # faces that are in one photo only
    person: int | None = None
    is_said: bool = False
    question: Remark | None = None
    seen: dict[str, Seen] = field(default_factory=dict)

    @property
    def others(self) -> tuple[Group, ...]:
        return tuple(found for number, found in enumerate(self.groups) if number != self.person)


def person_face(look: Look, seen: Seen | None) -> FaceLook | None:
    """The person's face in a photo; where nobody knows it, the largest one. seen: of that photo, None where nobody compared."""
    return look.face if seen is None or seen.face is None else look.faces[seen.face]


def find_people_in(items: Iterable[Item], looks: Mapping[str, Look]) -> People:
    """Who is in a project's photos, with what a human said of each; looks: by id. The same looks and answers cost nothing twice."""
    said = {item.id: item.said for item in items}
    return _find_people_again(tuple((item_id, look, said[item_id]) for item_id, look in looks.items()))


@functools.lru_cache(maxsize=2)
def _find_people_again(looked: tuple[tuple[str, Look, Said | None], ...]) -> People:
    return find_people({item_id: look for item_id, look, _ in looked}, {item_id: said for item_id, _, said in looked if said})


def find_people(looks: Mapping[str, Look], said: Mapping[str, Said]) -> People:
    """Who is in photos that were looked at by one eye; said: {id: what a human says of it}."""
    looks = _of_one_eye(looks)
    given, barred = _said_faces(looks, said, None)
    found = _group(looks, said, given, barred)
    if _open_answers(looks, said, given):  # which of several faces was meant shows from the others
        given, barred = _said_faces(looks, said, found)
        found = _group(looks, said, given, barred)
    return found.to_people(looks, said)


def _of_one_eye(looks: Mapping[str, Look]) -> dict[str, Look]:
    """What two eyes saw can't be compared: those of the one that saw most."""
    eyes = Counter(look.eye for look in looks.values())
    most = max(eyes, key=lambda key: (eyes[key], key), default="")
    return {item: look for item, look in looks.items() if look.eye == most}


# -- what a human said


Place = tuple[str, int]  # a photo, and a face in its Look


def nearest_face(look: Look, point: tuple[float, ...]) -> int | None:
    """The face whose middle is nearest to a point (shares of width and height), as it was when a human pointed at it."""
    x, y = point[0] * look.width, point[1] * look.height

    def off(face: FaceLook) -> float:
        return float(np.hypot(face.left + face.width / 2 - x, face.top + face.height / 2 - y))

    return min(range(len(look.faces)), key=lambda index: off(look.faces[index]), default=None)


def _said_faces(looks: Mapping[str, Look], said: Mapping[str, Said], before: "_Found | None") -> tuple[set[Place], set[Place]]:
    """(faces said to be the person, faces said to be somebody else)."""
    given: set[Place] = set()
    barred: set[Place] = set()
    for item, answer in said.items():
        if item not in looks:
            continue
        faces = [index for index, face in enumerate(looks[item].faces) if face.embedding]
        chosen = nearest_face(looks[item], answer.point) if answer.point else None
        if answer.who == OTHER:
            barred |= {(item, index) for index in faces if chosen is None or index == chosen}
        elif chosen is None and len(faces) > 1:
            chosen = before.best_face(item, faces) if before else None
        if answer.who == THEM and (chosen is not None or len(faces) == 1):
            given.add((item, faces[0] if chosen is None else chosen))
    return given, barred


def _open_answers(looks: Mapping[str, Look], said: Mapping[str, Said], given: set[Place]) -> bool:
    placed = {item for item, _ in given}
    return any(answer.who == THEM and item in looks and item not in placed for item, answer in said.items())


# -- groups


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Faces, their groups, and how like the person each is."""

    faces: list[Sighted]  # all that count
    clear: list[int]  # those that were grouped
    groups: list[list[int]]  # as indexes of faces
    person: int | None
    given: set[Place]
    barred: set[Place]
    likeness: np.ndarray  # (faces,) NaN where it can't be compared

    def best_face(self, item: str, indexes: Sequence[int]) -> int:
        """The face of a photo that is most like the person; the largest one where nobody knows."""
        known = {s.index: value for s, value in zip(self.faces, self.likeness) if s.item == item and not np.isnan(value)}
        return max(indexes, key=lambda index: (known.get(index, -1.0), -index))

    def to_people(self, looks: Mapping[str, Look], said: Mapping[str, Said]) -> People:
        counted = [part for part in self.groups if _photos(self.faces, part) > 1 or part is self._person_part()]
        numbers = {index: number for number, part in enumerate(counted) for index in part}
        person = next((number for number, part in enumerate(counted) if part is self._person_part()), None)
        question = _question(self, counted)
        seen = {item: _judge(self, looks[item], item, said.get(item), numbers, question) for item in looks}
        groups = [_describe(self.faces, part) for part in counted]
        if person is not None:  # also where the face could not be grouped: in profile, small, blurred
            shown = sum(found.who == PERSON for found in seen.values())
            groups[person] = replace(groups[person], photos=max(shown, groups[person].photos))
        return People(
            groups=tuple(groups),
            num_once=len(self.groups) - len(counted),
            person=None if question and not self.given else person,
            is_said=bool(self.given),
            question=question,
            seen=seen,
        )

    def _person_part(self) -> list[int] | None:
        return None if self.person is None else self.groups[self.person]

    @property
    def num_known(self) -> int:
        """Clear faces of the person, to compare with."""
        return len(self._person_part() or ())


def _group(looks: Mapping[str, Look], said: Mapping[str, Said], given: set[Place], barred: set[Place]) -> _Found:
    faces = all_faces(looks)
    places = [(sighted.item, sighted.index) for sighted in faces]
    spoken = given | barred
    clear = [n for n, sighted in enumerate(faces) if sighted.is_clear or (sighted.face.embedding and places[n] in spoken)]
    at = {places[n]: place for place, n in enumerate(clear)}
    given_at, barred_at = ([at[place] for place in sorted(side) if place in at] for side in (given, barred))
    chosen = [faces[n] for n in clear]
    parts = group(chosen, given_at, barred_at)
    person = _choose_person(chosen, parts, given_at, barred_at)
    if person is not None and not given_at and barred_at:
        parts = _take_out_barred(chosen, parts, person, barred_at)
    groups = [[clear[place] for place in part] for part in parts]
    members = [faces[n] for n in groups[person]] if person is not None else []
    columns = compared(range(len(members)), [n for n, member in enumerate(members) if (member.item, member.index) in given])
    return _Found(
        faces=faces, clear=clear, groups=groups, person=person, given=given, barred=barred, likeness=_likeness(faces, members, columns)
    )


def _choose_person(faces: Sequence[Sighted], parts: Sequence[list[int]], given: Sequence[int], barred: Sequence[int]) -> int | None:
    """Which group is the person's: the first one if a human said who is meant, else the one in most photos that nobody ruled out."""
    if given:
        return 0
    left = [n for n, part in enumerate(parts) if len(set(part) & set(barred)) < BARRED_SHARE * len(part)]
    best = max(left, key=lambda n: (_photos(faces, parts[n]), -n), default=None)
    return best if best is not None and _photos(faces, parts[best]) >= LEAST_TO_COMPARE else None


def _take_out_barred(faces: Sequence[Sighted], parts: Sequence[list[int]], person: int, barred: Sequence[int]) -> list[list[int]]:
    """The person's group without those of whom a human said that they are somebody else, and those more like them."""
    kept = without_barred(likenesses(faces, faces), parts[person], (), barred)
    gone = [index for index in parts[person] if index not in set(kept)]
    changed = [kept if n == person else part for n, part in enumerate(parts)]
    return changed + ([gone] if gone else [])


def _likeness(faces: Sequence[Sighted], members: Sequence[Sighted], columns: np.ndarray) -> np.ndarray:
    """(faces,) mean of the five best likenesses to the person's clear faces, leave-one-out; NaN without an embedding, or with too few to compare."""
    values = np.full(len(faces), np.nan)
    known = [n for n, sighted in enumerate(faces) if sighted.face.embedding]
    if known and len(members) >= LEAST_TO_COMPARE:
        found = likenesses([faces[n] for n in known], members)
        values[known] = best_likeness(found, columns)
    return values


def _photos(faces: Sequence[Sighted], part: Sequence[int]) -> int:
    return len({faces[index].item for index in part})


def _describe(faces: Sequence[Sighted], part: Sequence[int]) -> Group:
    members = [faces[index] for index in part]
    central = best_likeness(likenesses(members, members), np.arange(len(members)))
    order = sorted(range(len(members)), key=lambda n: (-round(float(central[n]), 3), -members[n].face.width, n))
    examples = {members[n].item: FaceRef(item=members[n].item, index=members[n].index) for n in reversed(order)}
    refs = [FaceRef(item=sighted.item, index=sighted.index) for sighted in members]
    return Group(photos=_photos(faces, part), examples=tuple(reversed(examples.values()))[:NUM_EXAMPLES], faces=tuple(refs))


def _question(found: _Found, groups: Sequence[list[int]]) -> Remark | None:
    """What a human must say before anybody is judged; None where it is clear, or they said it."""
    if found.given:
        return None
    if not found.faces:
        return Remark(code=NO_FACES, words="no face was found in any photo, so nobody is compared")
    meant = [part for part in groups if not _is_barred(found, part)]
    if not meant or _photos(found.faces, meant[0]) < LEAST_TO_COMPARE:
        words = "no face is in three photos, so the studio can't tell who is meant; choose a few photos of the person"
        return Remark(code=TOO_FEW_FACES, words=words)
    if len(meant) > 1 and _photos(found.faces, meant[1]) >= TIE * _photos(found.faces, meant[0]):
        first, second = ({found.faces[index].item for index in part} for part in meant[:2])
        together = f", {len(first & second)} of them together" if first & second else ""
        words = f"two people are in many photos ({len(first)} and {len(second)}{together}); say which one is meant"
        return Remark(code=WHICH_PERSON, words=words)
    return None


def _is_barred(found: _Found, part: Sequence[int]) -> bool:
    """Whether a human ruled a group out."""
    places = [(found.faces[index].item, found.faces[index].index) for index in part]
    return sum(place in found.barred for place in places) >= BARRED_SHARE * len(part)


# -- one photo


def _judge(found: _Found, look: Look, item: str, said: Said | None, numbers: Mapping[int, int], question: Remark | None) -> Seen:
    here = [n for n, sighted in enumerate(found.faces) if sighted.item == item]
    if not here:
        return Seen(who=_of_said(said, NOBODY), said=said is not None)
    like = {n: float(found.likeness[n]) for n in here if not np.isnan(found.likeness[n])}
    alike = [n for n in here if like.get(n, -1.0) >= SAME_LEAST]
    main = _main_face(found, look, item, here, like, said)
    who = _of_said(said, CANT_TELL if question else _verdict(found, here, main, like))
    others = [found.faces[n].face.width for n in here if n != main]
    return Seen(
        who=who,
        likeness=round(like[main], 3) if main in like else None,
        face=found.faces[main].index,
        group=numbers.get(main),
        said=said is not None,
        share_of_others=round(max(others, default=0.0) / max(found.faces[main].face.width, 1e-9), 3),
        num_alike=len(alike),
    )


def _of_said(said: Said | None, who: str) -> str:
    if said is None:
        return who
    return PERSON if said.who == THEM else STRANGER


def _main_face(found: _Found, look: Look, item: str, here: Sequence[int], like: Mapping[int, float], said: Said | None) -> int:
    """The person's face where there is one: said, or most like; else the largest of those that count."""
    by_index = {found.faces[n].index: n for n in here}
    if said is not None and said.who == THEM and said.point:
        pointed = nearest_face(look, said.point)
        if pointed in by_index:
            return by_index[pointed]
    best = max(like, key=lambda n: (like[n], -n), default=None)
    if best is not None and (like[best] >= SAME_LEAST or (said is not None and said.who == THEM)):
        return best
    return max(here, key=lambda n: (found.faces[n].face.width, -n))


def _verdict(found: _Found, here: Sequence[int], main: int, like: Mapping[int, float]) -> str:
    """Of what is large enough in a photo, who it is; somebody else only where every face can be judged, and by enough of the person's."""
    if like.get(main, -1.0) >= SAME_LEAST:
        return PERSON
    width = found.faces[main].face.width
    large = [n for n in here if found.faces[n].face.width >= OTHER_LEAST * width]
    if any(n not in like or not found.faces[n].is_clear for n in large):
        return CANT_TELL
    if max(like[n] for n in large) >= LOOK_LEAST or found.num_known < LEAST_TO_ACCUSE:
        return LOOK
    return STRANGER
