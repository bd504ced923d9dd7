"""The first picture of each prompt's clips, for base models that draw from one. Free of torch."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

from studio.config import DataConfig
from studio.data.buckets import cover_size
from studio.data.cropping.person_heads import person_heads
from studio.data.cropping.trained_photo import find_corner
from studio.data.dataset import kept_items, list_items
from studio.data.item_record import Item
from studio.errors import Problem
from studio.evaluation.sweep_facts import FirstPicture, Prompt
from studio.training.material import held_out_first, share_held_out
from studio.workspace import Project


def add_first_pictures(project: Project, prompts: Sequence[Prompt], size: tuple[int, int]) -> tuple[Prompt, ...]:
    """The prompts of `resolve_prompts`, each with its first picture: the one it names, else one that is chosen.

    ValueError for a name that no photo or clip has.
    """
    known, with_pictures = {item.id: item for item in list_items(project) if not item.problem}, []
    heads = person_heads(project)
    for prompt, chosen in zip(prompts, choose_first_pictures(project, len(prompts), size), strict=True):
        if (named := prompt.picture or chosen.id) not in known:
            raise ValueError(f"there is no photo or clip {named} that test clips could begin with; {chosen.id} is one")
        item = known[named]
        corner = find_corner(item.width, item.height, size, heads.get(item.id)) if item.kind == "photo" else None
        picture = FirstPicture(item=item.id, kind=item.kind, sha256=item.sha256, corner=corner)
        with_pictures.append(replace(prompt, first_picture=picture))
    return tuple(with_pictures)


def choose_first_pictures(project: Project, count: int, size: tuple[int, int]) -> list[Item]:
    """`count` items, one for each prompt, in turn: the person's kept photos, which a model that begins with them never learned from.

    Those come first that fill the size (width, height) best. Without photos, the clips that training sets aside by default, or one clip where it
    sets none aside. Problem if nothing is kept.
    """
    items = [item for item in kept_items(project) if not item.problem]
    photos = sorted((item for item in items if item.kind == "photo"), key=lambda item: _misfit(item, size))
    clips = held_out_first([item for item in items if item.kind == "clip"])
    chosen = photos or clips[: max(1, share_held_out(len(clips), DataConfig().held_out_items))]
    if not chosen:
        message = "There is no picture of the person that test clips could begin with."
        raise Problem(message, fix="Keep a photo or a clip in the dataset.", action="open-dataset")
    return list(islice(cycle(chosen), count))


def _misfit(item: Item, size: tuple[int, int]) -> int:
    """How much of a photo is cut off, or how far it is enlarged, in tenths: photos that are about as good stay in their order."""
    width, height = cover_size(item.width, item.height, size)
    cut_off = 1 - size[0] * size[1] / (width * height)
    return round(10 * (cut_off + max(0.0, width / item.width - 1)))


def find_first_picture(project: Project, picture: FirstPicture) -> Item:
    """The item of a first picture. Problem if it is gone or changed since."""
    for item in list_items(project):
        if item.sha256 == picture.sha256:
            return item
    raise Problem(
        f"The {picture.kind} {picture.item}, which test clips begin with, was changed or removed.",
        cost="The clips drawn so far are kept.",
        fix="Start a new comparison.",
        action="new-sweep",
    )


def describe_first_pictures(prompts: Sequence[Prompt]) -> str:
    """A sentence on what the clips of a plan's prompts begin with; "" where the base model draws from words alone."""
    names = dict.fromkeys(prompt.first_picture.item for prompt in prompts if prompt.first_picture)
    return f"Each clip begins with a picture of the person: {', '.join(names)}." if names else ""
