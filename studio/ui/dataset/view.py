"""What the Dataset tab shows, as plain JSON for its components; only reads."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from studio.data import dataset
from studio.data import remarks as said
from studio.data.auditing.project_audit import find_reader
from studio.data.captions.rules import check_caption, class_prompt
from studio.data.coverage.study import Study, study_items
from studio.data.item_record import Item
from studio.data.looking import looks
from studio.data.media.thumbnails import version_of
from studio.data.records import stamp
from studio.jobs import state
from studio.jobs.turns import find_turn
from studio.models.eyes import find_eye
from studio.models.files.prompt_length import PromptReader
from studio.models.preset import ModelPreset, model_preset
from studio.project_facts import ProjectFacts
from studio.training.material import learnable, why_nothing_to_learn
from studio.ui import actions, download_view, views
from studio.ui import formatting as f
from studio.ui.actions import find_button
from studio.ui.dataset.pictures import choices
from studio.ui.dataset.pictures.board_view import Coverage
from studio.ui.dataset.pictures.choices import SHOWN, by_what_they_show, describe_choice
from studio.ui.dataset.pictures.closer_look import look_closer, photo_sizes
from studio.ui.dataset.pictures.media_addresses import media_address
from studio.ui.dataset.pictures.people_view import read_coverage
from studio.ui.dataset.pictures.reasons import reason_on_tile
from studio.ui.dataset.pictures.viewer_view import SOURCES, Viewer, describe_media
from studio.ui.views import NextStep, View
from studio.workspace import Project

PER_PAGE = 60
DIFFERENCES = "Different places, light, clothes and angles matter more than the number."
WAITS = {  # a kind of job -> the next step while one of that kind is not over
    "import": "wait while photos come in.",
    "caption": "wait while captions are written.",
    "curate": "wait for the check.",
    "pieces": "wait while pieces are looked for.",
}
WORTH_CHECKING = 5  # fewer pictures are quicker looked at


@dataclass(frozen=True)
class Place:
    """Where in the grid the person is."""

    item: str = ""  # the chosen picture
    page: int = 0
    show: str = "all"  # the choice, as of studio.ui.dataset.pictures.choices


@dataclass(frozen=True)
class Badge(View):
    """A word on a thumbnail. tone: "out", "warn" or "plain"."""

    text: str
    tone: str


@dataclass(frozen=True)
class Thumbnail(View):
    """A small picture. said: what a screen reader says; why: the reason why it is left out, or the doubts; is_pinned: kept by hand."""

    id: str
    version: str
    src: str
    keep: bool
    is_pinned: bool
    badges: tuple[Badge, ...]
    said: str
    why: str


@dataclass(frozen=True)
class Filter(View):
    """A choice of pictures, and how many there are."""

    id: str
    label: str
    count: int


@dataclass(frozen=True)
class Empty(View):
    """What stands in place of the grid while there is nothing."""

    title: str
    text: str


@dataclass(frozen=True)
class Grid(View):
    """A page of thumbnails. chosen: the id of the picture that is shown large; undo: what can be undone, in words, or ""."""

    items: tuple[Thumbnail, ...]
    chosen: str
    page: int
    pages: int
    filters: tuple[Filter, ...]
    show: str
    counters: tuple[str, ...]
    undo: str
    empty: Empty | None


@dataclass(frozen=True)
class Look:
    """The items of a project and what there is to say about their captions."""

    items: tuple[Item, ...]
    remarks: Mapping[str, tuple[said.Remark, ...]]  # id -> what is wrong with the caption
    unread: Mapping[str, str]  # id -> the end of the caption that the base model does not see
    study: Study
    trained_at: tuple[int, int]  # the side of photos in the chosen recipe, and the step of sizes, px

    @property
    def kept(self) -> list[Item]:
        return [item for item in self.items if item.keep]


def look_at(project: Project) -> Look:
    """The Look of a project; made anew only when a file of its dataset, what was seen of it, its trigger or its base model has changed."""
    stamps = (looks.version(project), stamp(project.file))
    return _look_at(dataset.version(project), words_of(project), find_reader(project), stamps)


@functools.lru_cache(maxsize=4)
def _look_at(
    version: dataset.Version, words: tuple[str, str], reader: PromptReader | None, stamps: tuple[tuple[int, ...], tuple[int, ...]]
) -> Look:
    project = version[0]
    items, sizes = dataset.list_items(project), photo_sizes(project)
    unread = {item.id: rest for item in items if reader and (rest := reader.unread(item.caption))}
    remarks = {item.id: tuple(check_caption(item.caption, *words)) for item in items}
    if reader:
        cut = said.Remark(code=said.CUT, words=f"The model reads {reader.prompt_tokens} tokens and does not see the end.")
        remarks |= {item_id: (*remarks[item_id], cut) for item_id in unread}
    return Look(tuple(items), remarks, unread, study_items(items, looks.seen_in(project, items), sizes[0]), sizes)


def next_step(project: Project | None) -> NextStep:
    """The one thing to do next, with its button."""
    if project is None:
        return actions.next_new_person()
    return describe_next(project, look_at(project))


def describe_next(project: Project, look: Look) -> NextStep:
    items, kept = look.items, look.kept
    busy = [job for job in state.list_jobs(project.workspace, project) if not job.is_over]
    for kind, words in WAITS.items():
        for job in (job for job in busy if job.kind == kind and (items or kind == "import")):
            return NextStep(words, why_waiting(job))
    preset = model_preset(project.facts().base_model)
    if not items:
        photos = "" if preset.takes_first_picture else "10 to 30 varied photos of the person, or "
        return NextStep(f"add {photos}12 to 20 clips of 4 to 8 seconds.", button=find_button("upload"))
    if not kept:
        return NextStep("keep some photos: everything is left out, so there is nothing to train with.")
    if reason := why_nothing_to_learn(kept, preset):
        return NextStep("add clips of the person.", reason, find_button("upload"))
    kept = learnable(kept, preset)
    bare = [item for item in kept if not item.caption]
    if len(bare) >= WORTH_CHECKING and not any(item.measurements.are_there for item in items):
        reason = f"{what_a_check_finds(preset)} are found before you write captions for them."
        return NextStep(f"have {count_media(kept)} checked.", reason, find_button("check-photos"))
    if bare:
        return write_or_get_captioner(project, count_media(bare))
    wrong = [item for item in kept if look.remarks[item.id]]
    if wrong:
        text = f"look at {f.count(len(wrong), 'caption')} with a remark, beginning with {wrong[0].id}."
        return NextStep(text, look.remarks[wrong[0].id][0].words, find_button("see-remarks"))
    if len(kept) < 10:
        more, many = ("clips", "12 to 20 varied clips") if preset.takes_first_picture else ("photos", "10 to 30 varied photos")
        reason = f"{count_media(kept)} can be trained; {many} give a better likeness."
        return NextStep(f"train, or add more {more}.", reason, find_button("open-train"))
    return NextStep(f"train with {count_media(kept)}.", button=find_button("open-train"))


def what_a_check_finds(preset: ModelPreset) -> str:
    """Other people are promised only where an eye looks that knows people of every kind."""
    eye = find_eye(preset)
    return "Blurred, dark and doubled pictures, and other people," if eye and not eye.needs_base else "Blurred, dark and doubled pictures"


def why_waiting(job: state.JobStatus) -> str:
    """For what a job waits, and until when; "" where it runs."""
    turn = find_turn(job)
    return f.sentence(f"{job.title} {turn.words()}") if turn else ""


def write_or_get_captioner(project: Project, what: str) -> NextStep:
    """The next step where captions are missing: writing them, or the model that does it."""
    missing = download_view.read_captioner(project)
    if not missing:
        return NextStep(f"write captions for {what}.", button=find_button("write-captions"))
    if not missing.is_missing:
        return NextStep(f"wait for the captioner, or write captions for {what} by hand meanwhile.")
    reason = "It writes captions on this computer alone. You can also write them by hand, beside each picture."
    get = find_button("download-captioner") if missing.offer else None
    return NextStep(f"get the captioner, for {what} without a caption.", reason, get)


def words_of(project: Project) -> tuple[str, str]:
    data = project.facts()
    return data.trigger, data.class_noun


def count_media(items: Sequence[Item]) -> str:
    photos, clips = sum(i.kind == "photo" for i in items), sum(i.kind == "clip" for i in items)
    parts = [f.count(photos, "photo")] * bool(photos) + [f.count(clips, "clip")] * bool(clips)
    return " and ".join(parts) or "nothing"


def choice_of(look: Look, show: str) -> Callable[[Item], bool]:
    """Whether an item is among the pictures of a choice."""
    usual = usual_choices(look)
    return usual[show] if show in usual else by_what_they_show(show, look.study)


def usual_choices(look: Look) -> dict[str, Callable[[Item], bool]]:
    return choices.usual_choices(look.remarks, look.study.small)


def shown_items(look: Look, place: Place) -> list[Item]:
    return list(filter(choice_of(look, place.show), look.items))


def read_pictures(project: Project | None, place: Place) -> tuple[bool, Coverage | None, Grid | None, Viewer | None]:
    """From one look at the folder: whether the drop zone is open, coverage, grid, viewer."""
    if project is None:
        return False, None, None, None
    look = look_at(project)
    shown = shown_items(look, place)
    chosen = next((item for item in look.items if item.id == place.item), None) or next(iter(shown), None)
    grid = read_grid(project, look, shown, place, chosen)
    coverage = read_coverage(project, look.study, look.items, place.show) if look.items else None
    return not look.items, coverage, grid, read_viewer(project, look, chosen)


def read_grid(project: Project, look: Look, shown: list[Item], place: Place, chosen: Item | None) -> Grid:
    pages = max(1, -(-len(shown) // PER_PAGE))
    page = min(max(0, place.page), pages - 1)
    usual = usual_choices(look)
    filters = [Filter(key, label, sum(map(usual[key], look.items))) for key, label in SHOWN.items()]
    if place.show not in usual:
        filters.append(Filter(place.show, describe_choice(place.show), len(shown)))
    return Grid(
        items=tuple(thumbnail(project, item, look) for item in shown[page * PER_PAGE : (page + 1) * PER_PAGE]),
        chosen=chosen.id if chosen else "",
        page=page,
        pages=pages,
        filters=tuple(filters),
        show=place.show,
        counters=counters(look.items, look.kept),
        undo=dataset.can_undo(project),
        empty=None if look.items else describe_empty(project),
    )


def describe_empty(project: Project) -> Empty:
    """A model that is given first pictures learns from clips alone."""
    clips = "12 to 20 clips of 4 to 8 seconds"
    if model_preset(project.facts().base_model).takes_first_picture:
        return Empty("No clips yet", f"Drop in {clips} of one person. {DIFFERENCES}")
    return Empty("No photos yet", f"Drop in 10 to 30 photos of one person, or {clips}. {DIFFERENCES}")


def counters(items: Sequence[Item], kept: list[Item]) -> tuple[str, ...]:
    """Plain numbers about variety: how much of what."""
    seconds = sum(item.seconds or 0 for item in kept if item.kind == "clip")
    captioned = sum(bool(item.caption) for item in kept)
    numbers = [f"{len(kept)} of {len(items)} kept"]
    if seconds:
        numbers.append(f"{seconds:.0f} s of clips")
    numbers.append(f"{captioned} with a caption")
    return tuple(numbers)


def thumbnail(project: Project, item: Item, look: Look) -> Thumbnail:
    badges = []
    reason = reason_on_tile(item)
    if reason:
        badges.append(Badge(reason, "plain" if item.keep else "out"))
    if item.kind == "clip":
        badges.append(Badge(f"{item.seconds:.1f} s", "plain"))
    if not item.caption:
        badges.append(Badge("no caption", "warn"))
    elif look.remarks[item.id]:
        badges.append(Badge("caption", "warn"))
    return Thumbnail(
        id=item.id,
        version=version_of(item),
        src=media_address(project, "thumbnails", item),
        keep=item.keep,
        is_pinned=item.keep and item.is_by_hand,
        badges=tuple(badges),
        said=", ".join([item.id, "kept by you" if item.keep and item.is_by_hand else "", *[b.text for b in badges]]),
        why=said.join(item.doubts) if item.keep else item.reason,
    )


def read_viewer(project: Project, look: Look, item: Item | None) -> Viewer | None:
    if item is None:
        return None
    trigger, noun = words_of(project)
    return Viewer(
        id=item.id,
        project=project.slug,
        version=version_of(item),
        kind=item.kind,
        src=media_address(project, "previews", item),
        poster=media_address(project, "thumbnails", item),
        width=item.width,
        height=item.height,
        seconds=item.seconds,
        facts=describe_media(item),
        caption=item.caption,
        source=say_source(item),
        class_prompt=class_prompt(item.caption, trigger, noun) if item.caption else "",
        problems=tuple(remark.words for remark in look.remarks[item.id]),
        unread=look.unread.get(item.id, ""),
        others=item.other_captions,
        placeholder=f"{trigger or 'the trigger'}, a {noun} with ..., in ...",
        keep=item.keep,
        is_by_hand=item.is_by_hand,
        reason=item.reason,
        doubts=said.join(item.doubts) if item.keep else "",
        problem=item.problem,
        closer=look_closer(project, item, look.study, look.items, look.trained_at),
    )


def say_source(item: Item) -> str:
    """Who wrote a caption, and with what."""
    return f"written by {item.caption_by.words()}" if item.caption_by else SOURCES[item.caption_source]


def permission_line(data: ProjectFacts) -> views.Remarks:
    if data.permission is None or not data.is_permitted:
        return views.Remarks((views.Remark("No permission is written down for this person, so training is not possible."),))
    return views.Remarks((views.Remark(f"Permission: {data.permission.statement or 'given'}"),))
