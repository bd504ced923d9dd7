"""What stands under a clip in the viewer: what of it is trained, its pieces on a line of time, and what speaks against the rest. Only reads."""

from dataclasses import dataclass

from studio.data import dataset
from studio.data.item_record import Item
from studio.data.media.thumbnails import version_of
from studio.data.pieces import piece_facts as said
from studio.data.pieces.excerpt import Excerpt, choose_excerpt, describe_excerpt, rule_of
from studio.data.pieces.piece_report import WORDS, VideoReport, read_report
from studio.jobs import state
from studio.models.preset import model_preset
from studio.ui import formatting as f
from studio.ui.train.choice import data_settings
from studio.ui.views import View
from studio.workspace import Project

KINDS = {"pieces": "It is being looked through for pieces.", "stills": "Photos are being taken out of it."}


@dataclass(frozen=True)
class Band(View):
    """A stretch of the line of time. start, end: seconds; is_piece: worth training; words: why, or why not."""

    start: float
    end: float
    is_piece: bool
    words: str


@dataclass(frozen=True)
class ClipView(View):
    """A clip's line of time. trained: what of it is trained, in words; trained_seconds: so long from its first frame on."""

    id: str
    project: str
    version: str
    seconds: float
    fps: float
    part: str  # of which film it is a piece, or ""
    trained: str
    trained_seconds: float
    trained_src: str  # address of what training sees
    bands: tuple[Band, ...]
    found: tuple[str, ...]  # sentences of the last look through it
    busy: str  # what is done with it now, or ""


def read_clip(project: Project | None, item_id: str) -> ClipView | None:
    """Of the clip that is chosen; None for a photo, and for a clip that can't be read."""
    item = None if project is None else next((item for item in dataset.list_items(project) if item.id == item_id), None)
    if project is None or item is None or item.kind != "clip" or item.problem:
        return None
    report = read_report(project, item)
    words, seconds = describe_training(project, item)
    return ClipView(
        id=item.id,
        project=project.slug,
        version=version_of(item),
        seconds=item.seconds,
        fps=item.fps,
        part=describe_part(item),
        trained=f.sentence(words),
        trained_seconds=seconds,
        trained_src=f"/media/{project.slug}/trained/{item.id}?v={version_of(item)}-{seconds:.4f}" if seconds else "",
        bands=tuple(bands_of(report)) if report else (),
        found=tuple(report.sentences()) if report else (),
        busy=what_is_done(project, item),
    )


def excerpt_of(project: Project, item: Item) -> Excerpt:
    """What of a clip is trained here. ValueError if it is too small."""
    return choose_excerpt(item, data_settings(project), rule_of(model_preset(project.facts().base_model)))


def describe_training(project: Project, item: Item) -> tuple[str, float]:
    """(what of a clip is trained, in words; how many of its seconds)."""
    try:
        excerpt = excerpt_of(project, item)
    except ValueError as e:
        return str(e), 0.0
    return describe_excerpt(item.seconds, excerpt), min(excerpt.seconds, item.seconds)


def describe_part(item: Item) -> str:
    if len(item.part) != 2:
        return ""
    return f"{clock(item.part[0])} to {clock(item.part[1])} of {item.original}"


def clock(seconds: float) -> str:
    """1:02.5, or 2:10:04.0 in a film."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def bands_of(report: VideoReport) -> list[Band]:
    return [Band(s.start, s.end, s.code == said.TAKEN, f"{WORDS[s.code]}, {clock(s.start)} to {clock(s.end)}") for s in report.spans]


def what_is_done(project: Project, item: Item) -> str:
    busy = [job for job in state.list_jobs(project.workspace, project) if not job.is_over]
    return next((words for kind, words in KINDS.items() if any(job.kind == kind for job in busy)), "")
