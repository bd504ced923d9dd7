"""What the audit says about all captions together: each finding with what would mend it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from studio.data.auditing.finding import Finding
from studio.data.auditing.project_audit import Stamp, audit_project, stamp_of
from studio.data.captions.rules import NO_CAPTION
from studio.ui import formatting as f
from studio.ui.views import View
from studio.workspace import Project

MOST_FINDINGS = 12


@dataclass(frozen=True)
class Told(View):
    """What is said of several captions. about: which ones, where they are few."""

    text: str
    about: str


@dataclass(frozen=True)
class Findings(View):
    """What the audit says about all captions together, and what to do about it."""

    title: str
    findings: tuple[Told, ...]
    fixes: tuple[str, ...]


def read_findings(project: Project | None) -> Findings | None:
    """None where there is nothing to say; a missing caption is said by "Next" already."""
    found = [finding for finding in find_all(project) if finding.code != NO_CAPTION] if project else []
    if not found:
        return None
    lines = tuple(Told(finding.message, named(finding.items)) for finding in found[:MOST_FINDINGS])
    return Findings(f"{f.count(len(found), 'remark')} about the captions", lines, tuple(dict.fromkeys(finding.fix for finding in found)))


def find_all(project: Project) -> tuple[Finding, ...]:
    """Every finding, looked for anew only when something changed that it follows from."""
    return _find_all(stamp_of(project))


@functools.lru_cache(maxsize=4)
def _find_all(stamp: Stamp) -> tuple[Finding, ...]:
    return tuple(audit_project(stamp.project))


def named(ids: Sequence[str]) -> str:
    """ "0001, 0002, 0003, 0004 and 7 more"."""
    if not ids or len(ids) > 20:
        return ""
    more = f" and {len(ids) - 4} more" if len(ids) > 4 else ""
    return ", ".join(ids[:4]) + more
