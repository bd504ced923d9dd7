"""The audit of a project: what its captions are held against, and every caption's own line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from studio.data import dataset, records
from studio.data.auditing.audit import audit
from studio.data.auditing.finding import About, Finding
from studio.data.auditing.spelling import traces_in
from studio.data.captions.rules import check_caption, class_prompt
from studio.data.item_record import Item
from studio.data.looking.look_alikes import group_outfits, group_places
from studio.data.looking.looks import looks_file, seen_in
from studio.data.people.who import find_people_in
from studio.data.remarks import Remark
from studio.facts import Facts
from studio.models.files.prompt_length import PromptReader, find_prompt_reader
from studio.models.preset import list_models
from studio.workspace import Project


@dataclass(frozen=True, kw_only=True)
class CaptionLine(Facts):
    """One caption as it will be trained with. tokens: how many the model makes of it, None where its tokenizer is not here; traces: what of the
    trigger or the person's name the class prompt still holds."""

    ALWAYS_WRITTEN = ("id", "caption", "class_prompt", "tokens", "traces", "remarks")
    id: str
    caption: str
    class_prompt: str
    tokens: int | None = None
    unread: str = ""  # the end that the model does not see
    traces: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Stamp(NamedTuple):
    """What an audit follows from: equal stamps mean equal findings."""

    project: Project
    version: dataset.Version
    words: tuple[str, str, str]
    reader: PromptReader | None
    looks: tuple[int, ...]  # of the file that holds them


def stamp_of(project: Project) -> Stamp:
    facts = project.facts()
    words = (facts.trigger, facts.class_noun, facts.name)
    return Stamp(project, dataset.version(project), words, find_reader(project), records.stamp(looks_file(project)))


def audit_project(project: Project) -> list[Finding]:
    """Findings about the captions of a project's kept items, errors first."""
    return audit(dataset.list_items(project), about_project(project))


def about_project(project: Project) -> About:
    """With what was seen in the pictures, as far as somebody looked."""
    facts, items = project.facts(), dataset.list_items(project)
    looks = seen_in(project, items)
    return About(
        trigger=facts.trigger,
        class_noun=facts.class_noun,
        name=facts.name,
        looks=looks,
        seen=find_people_in(items, looks).seen,
        places=group_places(looks),
        outfits=group_outfits(looks),
        reader=find_reader(project),
    )


def find_reader(project: Project) -> PromptReader | None:
    """What counts the tokens of the project's base model; None where that model is not known, or not on this computer."""
    base_model = project.facts().base_model
    return find_prompt_reader(base_model, project.workspace) if base_model in list_models() else None


def describe_captions(items: Sequence[Item], about: About) -> list[CaptionLine]:
    """A line for every item that has a caption."""
    return [describe_caption(item, about) for item in items if item.caption]


def describe_caption(item: Item, about: About) -> CaptionLine:
    prompt = class_prompt(item.caption, about.trigger, about.class_noun)
    reader = about.reader
    return CaptionLine(
        id=item.id,
        caption=item.caption,
        class_prompt=prompt,
        tokens=reader.num_tokens(item.caption) if reader else None,
        unread=reader.unread(item.caption) if reader else "",
        traces=tuple(traces_in(prompt, about)),
        remarks=tuple(check_caption(item.caption, about.trigger, about.class_noun)),
    )
