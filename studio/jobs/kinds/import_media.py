"""Import: photos, clips, folders and zips come into the dataset."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.data.incoming.import_report import FileNote, ImportReport
from studio.data.incoming.sorting import Answers
from studio.data.pieces.piece_report import in_short
from studio.jobs.kind import PROCESSOR, JobConfig, Work
from studio.jobs.state import read_status
from studio.words import count, sentence

TITLE = "Import"
LOOSE = "loose"  # folder of an upload: texts of which nobody can tell whose they are
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class ImportJob(JobConfig):
    """delete_after: they are copies that a browser sent, of no use once they are in; left_out: (name, reason) of what did not even get here.

    take, leave: what the person said of files that an import left out or asked about; earlier: the run of that import, whose report this
    one takes up.
    """

    KIND = "import"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "paths")
    paths: tuple[str, ...]
    delete_after: bool = False
    left_out: tuple[tuple[str, ...], ...] = ()
    take: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    encoding: str = ""
    encodings: Mapping[str, str] = field(default_factory=dict)  # that the person chose for texts that an import asked about
    earlier: str = ""


Config = ImportJob
Result = ImportReport


def run(config: ImportJob, work: Work) -> ImportReport:
    from studio.data.importer import import_media  # reads clips: start-up time

    project, paths = work.project, [Path(path) for path in config.paths]
    sent = config.delete_after  # a person's own folders are never touched
    given = list(_contents(paths)) if sent else paths
    answers = Answers(take=frozenset(config.take), leave=frozenset(config.leave), encoding=config.encoding, encodings=config.encodings)
    recorder = work.recorder
    found = import_media(
        project, given, answers=answers, earlier=_report_of(work, config), report=recorder.report, should_stop=recorder.should_stop
    )
    if sent and not found.stopped and not found.can_be_answered():  # else they stay until the person goes on with them, or dismisses it
        for path in paths:
            if path.is_relative_to(project.root):
                shutil.rmtree(path, ignore_errors=True)
    if not config.earlier:
        found.rejected[:0] = [FileNote(name, reason) for name, reason in config.left_out]
    return replace(found, num_given=found.num_given + len(config.left_out))


def _report_of(work: Work, config: ImportJob) -> ImportReport | None:
    """What the import before it told, if it is about one."""
    return read_status(work.project.run_dir(config.earlier)).read_result(ImportReport) if config.earlier else None


def _contents(folders: Iterable[Path]) -> Iterable[Path]:
    """What lies in the folders of an upload, one by one: so it is called by the names that the person knows. Folders that were dropped stay
    folders; the files of one drop that had equal names lie in folders beside each other."""
    for folder in folders:
        places = [folder] if folder.is_file() else sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
        for place in places:
            yield from _things_in(place) if place.is_dir() else [place]


def _things_in(folder: Path) -> list[Path]:
    """Files before folders; of loose texts all."""
    inner = [path for path in folder.iterdir() if folder.name == LOOSE and path.is_dir()]
    if inner:
        return [path for part in sorted(inner) for path in _things_in(part)]
    return sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name))


def describe_end(result: ImportReport) -> str:
    parts = [f"Imported {count(len(result.added), 'item')}." if result.added else "Nothing new was imported."]
    num_left = sum(len(group.files) for group in result.left_out)
    num_asked = sum(len(question.files) for question in result.asked)
    parts += [f"{count(len(result.rejected), 'file')} could not be used."] if result.rejected else []
    parts += [sentence(in_short(result.videos))] if result.videos else []
    parts += [f"Left out: {count(num_left, 'file')}."] if num_left else []
    parts += [f"Waiting for your answer: {count(num_asked, 'file')}."] if num_asked else []
    return " ".join(parts)
