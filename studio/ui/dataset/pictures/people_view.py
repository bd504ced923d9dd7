"""The panel above the pictures: how ready they are, who is in them, what they cover. And what a person answers there."""

from collections.abc import Mapping, Sequence

from studio.data.coverage.study import Study
from studio.data.item_record import Item
from studio.data.people.answers import choose_group, rule_out_group
from studio.data.people.who import FaceRef, Group, People
from studio.errors import Problem
from studio.ui import formatting as f
from studio.ui.dataset.pictures.board_view import (
    GRADES,
    BoardView,
    Coverage,
    FaceView,
    GroupView,
    PeopleView,
    describe_board,
    describe_findings_of,
)
from studio.ui.dataset.pictures.media_addresses import face_address, media_address
from studio.workspace import Project

MOST_GROUPS = 4  # the rest is counted
MOST_FACES = 3  # of a group
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NOT_MEASURED = "not measured yet. Check photos does it."
NOT_KNOWN = "not measured: no face is seen in what is kept, so its angles and framings can't be told."


def read_coverage(project: Project, study: Study, items: Sequence[Item], show: str) -> Coverage:
    by_id, ready = {item.id: item for item in items}, study.readiness
    board, reason = _board(project, study, by_id)
    word, tone = GRADES[ready.grade]
    return Coverage(
        share=ready.share,
        word=word,
        tone=tone,
        findings=describe_findings_of(ready),
        board=board,
        not_measured=reason,
        people=describe_people(project, study.people, by_id),
        show=show,
    )


def _board(project: Project, study: Study, items: Mapping[str, Item]) -> tuple[BoardView | None, str]:
    """(the board, or why there is none)."""
    if not study.shown:
        return None, NOT_MEASURED
    if not any(one.is_measured for one in study.board.shown):
        return None, NOT_KNOWN
    pictures = {one.id: media_address(project, "thumbnails", items[one.id]) for one in study.board.shown}
    return describe_board(study.board, study.left_out, pictures), ""


# -- who is in them


def describe_people(project: Project, people: People, items: Mapping[str, Item]) -> PeopleView | None:
    """None where no face was seen."""
    if not people.groups and not people.num_once:
        return None
    shown = sorted(enumerate(people.groups), key=lambda pair: pair[0] != people.person)[:MOST_GROUPS]
    groups = tuple(_describe_group(project, group, number, number == people.person, items) for number, group in shown)
    hidden = len(people.groups) - len(shown)
    parts = [f"{f.count(hidden, 'more person', 'more people')} in a few photos each"] * bool(hidden)
    parts += [f"{f.count(people.num_once, 'face is', 'faces are')} in one photo only"] * bool(people.num_once)
    return PeopleView(
        title=title_of(people),
        is_said=people.is_said,
        question=f.sentence(people.question.words) if people.question else "",
        groups=groups,
        more=f.sentence("; ".join(parts)) if parts else "",
    )


def title_of(people: People) -> str:
    """ "Is this the person? 214 photos; three others: 18, 9, 4"."""
    if people.person is None:
        return "Who is the person?"
    count = f.count(people.groups[people.person].photos, "photo")
    others = [str(group.photos) for group in people.others]
    number = NUMBERS[len(others)] if len(others) < len(NUMBERS) else str(len(others))
    noun = "other" if len(others) == 1 else "others"
    more = f"; {number} {noun}: {', '.join(others[:MOST_GROUPS])}" if others else "; nobody else more than once"
    return f"{'The person' if people.is_said else 'Is this the person?'}{':' if people.is_said else ''} {count}{more}"


def _describe_group(project: Project, group: Group, number: int, is_person: bool, items: Mapping[str, Item]) -> GroupView:
    known = [ref for ref in group.examples if ref.item in items][:MOST_FACES]
    faces = tuple(FaceView(ref.item, face_address(project, items[ref.item], ref.index)) for ref in known)
    return GroupView(key=key_of(group.faces[0]), photos=group.photos, faces=faces, show=f"all/group:{number}", is_person=is_person)


def key_of(face: FaceRef) -> str:
    """Names a face, and the group that it is in, until somebody looks anew."""
    return f"{face.item}/{face.index}"


# -- what a person answers


def find_group(study: Study, key: str) -> Group:
    """The group that a face is in. Problem if nobody is there any more."""
    for group in study.people.groups:
        if any(key_of(face) == key for face in group.faces):
            return group
    raise Problem("These faces are grouped otherwise by now: nothing was changed.", fix="Look at the page, then do it again.")


def say_who_is_meant(project: Project, study: Study, key: str) -> str:
    group = find_group(study, key)
    choose_group(project, group, study.looks)
    return f"That is the person, in {f.count(group.photos, 'photo')}. Check photos chooses anew; Undo takes it back."


def say_somebody_else(project: Project, study: Study, key: str) -> str:
    group = find_group(study, key)
    rule_out_group(project, group, study.looks)
    return f"Somebody else, in {f.count(group.photos, 'photo')}. Check photos chooses anew; Undo takes it back."
