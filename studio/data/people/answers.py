"""What a human says about who is in the photos: stored with each photo, undone like every other change, and heard by the grouping."""

from collections.abc import Mapping, Sequence

from studio.data import dataset
from studio.data.item_record import OTHER, THEM, Said
from studio.data.looking.look import Look
from studio.data.people.who import Group
from studio.workspace import Project


def say_it_is_them(project: Project, item_ids: Sequence[str], look: Look | None = None, face: int | None = None) -> int:
    """The person is in these photos; of a single one, look and face say which face. How many answers changed; one step of undo."""
    return _say(project, item_ids, THEM, point_of(look, face), "the person")


def say_it_is_somebody_else(project: Project, item_ids: Sequence[str], look: Look | None = None, face: int | None = None) -> int:
    """The person is not in these photos; of a single one, look and face say which face is somebody else."""
    return _say(project, item_ids, OTHER, point_of(look, face), "somebody else")


def take_back(project: Project, item_ids: Sequence[str]) -> int:
    """Nothing is said of these photos any more."""
    what = f"Answer about {_name(item_ids)}"
    return dataset.set_said(project, dict.fromkeys(item_ids), what)


def choose_group(project: Project, group: Group, looks: Mapping[str, Look]) -> int:
    """This group is the person: its most typical faces are said to be them. How many answers changed; one step of undo."""
    said = _of_examples(group, looks, THEM)
    return dataset.set_said(project, said, f"Choice of the person, as in {_name(list(said))}")


def rule_out_group(project: Project, group: Group, looks: Mapping[str, Look]) -> int:
    """This group is not the person: said of its most typical faces, so that those like them follow. The rest as of `choose_group`."""
    said = _of_examples(group, looks, OTHER)
    return dataset.set_said(project, said, f"Somebody else, as in {_name(list(said))}")


def _of_examples(group: Group, looks: Mapping[str, Look], who: str) -> dict[str, Said]:
    return {ref.item: Said(who=who, point=point_of(looks[ref.item], ref.index)) for ref in group.examples if ref.item in looks}


def point_of(look: Look | None, face: int | None) -> tuple[float, ...]:
    """The middle of a face as shares of width and height, which another look at the same photo finds again; () for the photo as a whole."""
    if look is None or face is None:
        return ()
    if not 0 <= face < len(look.faces):
        raise ValueError(f"there is no face {face + 1} in this photo; {len(look.faces)} were found")
    found = look.faces[face]
    return round((found.left + found.width / 2) / look.width, 4), round((found.top + found.height / 2) / look.height, 4)


def _say(project: Project, item_ids: Sequence[str], who: str, point: tuple[float, ...], words: str) -> int:
    if point and len(item_ids) != 1:
        raise ValueError(f"a face can be pointed at in one photo only, not in {len(item_ids)}")
    return dataset.set_said(project, dict.fromkeys(item_ids, Said(who=who, point=point)), f"Answer about {_name(item_ids)}: {words}")


def _name(item_ids: Sequence[str]) -> str:
    return item_ids[0] if len(item_ids) == 1 else f"{len(item_ids)} photos"
