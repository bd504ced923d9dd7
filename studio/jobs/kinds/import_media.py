"""Import: photos, clips, folders and zips come into the dataset."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.data.reports.import_report import FileNote, ImportReport
from studio.jobs.kind import PROCESSOR, JobConfig, Work
from studio.words import count

TITLE = "Import"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class ImportJob(JobConfig):
    """delete_after: they are copies that a browser sent; left_out: (name, reason) of what did not even get here."""

    KIND = "import"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "paths")
    paths: tuple[str, ...]
    delete_after: bool = False
    left_out: tuple[tuple[str, ...], ...] = ()


Config = ImportJob
Result = ImportReport


def run(config: ImportJob, work: Work) -> ImportReport:
    from studio.data.importer import import_media  # reads clips: start-up time

    project, paths = work.project, [Path(path) for path in config.paths]
    sent = config.delete_after  # a person's own folders are never touched
    try:
        given = list(_contents(paths)) if sent else paths
        found = import_media(project, given, report=work.recorder.report, should_stop=work.recorder.should_stop)
    finally:
        if sent:
            for path in paths:
                if path.is_relative_to(project.root):
                    shutil.rmtree(path, ignore_errors=True)
    found.rejected[:0] = [FileNote(name, reason) for name, reason in config.left_out]
    return found


def _contents(folders: Iterable[Path]) -> Iterable[Path]:
    """The files in the folders of an upload, one by one: so they are called by the names that the person knows."""
    for folder in folders:
        yield from _files_in(folder) if folder.is_dir() else [folder]


def _files_in(folder: Path) -> list[Path]:
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: (len(path.parts), path))


def describe_end(result: ImportReport) -> str:
    added, rejected = len(result.added), len(result.rejected)
    missed = f" {count(rejected, 'file')} could not be used." if rejected else ""
    return (f"Imported {count(added, 'item')}." if added else "Nothing new was imported.") + missed
