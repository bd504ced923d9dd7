"""What the audit says about all captions together: each finding with its cause, and what would mend it."""

import functools
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from studio.data import dataset
from studio.data.auditing.finding import CAPTIONS, FUSED, PHOTOS, TRAIT, UNKNOWN, Finding
from studio.data.auditing.project_audit import Stamp, audit_project, stamp_of
from studio.data.captions.rules import NO_CAPTION
from studio.data.item_record import Item
from studio.ui import formatting as f
from studio.ui.dataset.pictures.media_addresses import media_address
from studio.ui.views import View
from studio.workspace import Project

log = logging.getLogger(__name__)
LARGE = 600  # files of a dataset, captions counted: fewer are looked over at once
MOST_DETAILS = 4  # sentences about single items that stand with a finding
MOST_PICTURES = 8
CAUSES = {PHOTOS: "change photos", CAPTIONS: "change captions", TRAIT: "your choice", UNKNOWN: "", "": ""}  # in a word, on the finding


@dataclass(frozen=True)
class Told(View):
    """One finding. key: goes back with its buttons; cause: in a word, or ""; edit, show: words of the buttons, or "" for none."""

    key: str
    text: str
    fix: str
    cause: str
    about: str
    details: tuple[str, ...]
    more: int  # details that are only counted
    pictures: tuple[str, ...]
    edit: str
    show: str
    shows_first: bool  # looking at the pictures is what helps most


@dataclass(frozen=True)
class Findings(View):
    title: str
    findings: tuple[Told, ...]


def read_findings(project: Project | None) -> Findings | None:
    """None where there is nothing to say; a missing caption is said by "Next" already."""
    found = [finding for finding in find_all(project) if finding.code != NO_CAPTION] if project else []
    if not found or project is None:
        return None
    items = {item.id: item for item in dataset.list_items(project)}
    pictures = [[items[item_id] for item_id in finding.items if item_id in items] for finding in found]
    told = tuple(describe(project, finding, shown) for finding, shown in zip(found, pictures))
    return Findings(f"{f.count(len(found), 'remark')} about the captions", told)


def describe(project: Project, finding: Finding, items: Sequence[Item]) -> Told:
    is_of_photos = finding.cause == PHOTOS
    return Told(
        key=finding.key,
        text=finding.message,
        fix=finding.fix,
        cause=CAUSES[finding.cause],
        about=named(finding.items) if finding.code != FUSED else "",
        details=tuple(f"{detail.about}: {detail.words}" for detail in finding.details[:MOST_DETAILS]),
        more=max(0, len(finding.details) - MOST_DETAILS),
        pictures=tuple(media_address(project, "thumbnails", item) for item in items[:MOST_PICTURES]) if is_of_photos else (),
        edit="Edit these captions" if finding.edit else "",
        show=words_of_show(is_of_photos) if items else "",
        shows_first=is_of_photos or not finding.edit,
    )


def words_of_show(is_of_photos: bool) -> str:
    return "Show these photos" if is_of_photos else "Show them"


def find_all(project: Project) -> tuple[Finding, ...]:
    """Every finding, looked for anew only when something changed that it follows from. In a large set that takes a moment: until then what was
    found before stands, so that the page waits for nothing."""
    stamp = stamp_of(project)
    before = _known().get(project)
    if before and before.stamp == stamp:
        return before.findings
    if len(stamp.version[2]) > LARGE:
        _look_in_background(stamp)
        return before.findings if before else ()
    found = Found(stamp, tuple(audit_project(project)))
    _known()[project] = found
    return found.findings


@dataclass(frozen=True)
class Found:
    stamp: Stamp
    findings: tuple[Finding, ...]


@functools.cache
def _known() -> dict[Project, Found]:
    return {}


@functools.cache
def _looking() -> set[Project]:
    """Projects that a thread is looking at."""
    return set()


def _look_in_background(stamp: Stamp) -> None:
    """Look in a thread of its own, one for a project."""
    if stamp.project in _looking():
        return
    _looking().add(stamp.project)

    def look() -> None:
        try:
            _known()[stamp.project] = Found(stamp, tuple(audit_project(stamp.project)))
        except (OSError, ValueError) as error:  # the project is being changed or deleted: the next look says what is wrong
            log.warning("the captions could not be looked over: %s", error, exc_info=True)
        finally:
            _looking().discard(stamp.project)

    threading.Thread(target=look, daemon=True).start()


def named(ids: Sequence[str]) -> str:
    """ "0001, 0002, 0003, 0004 and 7 more"."""
    if not ids or len(ids) > 20:
        return ""
    more = f" and {len(ids) - 4} more" if len(ids) > 4 else ""
    return ", ".join(ids[:4]) + more
