"""Files that a browser sent: moved into the project for the import job, and deleted as soon as they are in. While it asks about some of them,
they stay until that is answered or dismissed; where it ended too early, until it has gone on, is dismissed, or another drop has come."""

import itertools
import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from studio.data.incoming.found import fold, stem_of, why_unreadable
from studio.data.incoming.import_report import ImportReport
from studio.data.incoming.matching import TEXT_SUFFIXES
from studio.data.media.kinds import looks_like_media
from studio.data.records import portable_name
from studio.errors import Problem, is_disk_full
from studio.jobs import state
from studio.jobs.kind import read_config
from studio.jobs.kinds.import_media import LOOSE, ImportJob
from studio.jobs.state import JobStatus
from studio.workspace import Project, Workspace, new_numbered_dir

log = logging.getLogger(__name__)
CLEAN_SECONDS = 3.0
DROP = "drop"  # name of the folders of an upload


def incoming_dir(project: Project) -> Path:
    return project.root / "uploads"


def browser_dir(workspace: Workspace) -> Path:
    """Where gradio writes what a browser sends; `take` moves it on."""
    return workspace.home / "uploads"


@dataclass(frozen=True)
class Sent:
    """One file that a browser sent. gradio files it by its content: equal files share a folder, and those of one name share the place."""

    path: Path
    name: str  # as the person knows it, with / where its folder was dropped; gradio's own is poorer by the signs that it does not like


@dataclass(frozen=True)
class Taken:
    """What became of the files of one drop: the folder for the import, and (name, reason) of each that did not get there."""

    folder: Path
    left_out: list[tuple[str, str]]


def take(project: Project, files: list[Sent], prefix: str = "import") -> Taken:
    """Move what a browser sent into a new folder uploads/<prefix>-NNN/. Nothing stays at gradio's place."""
    if not files:
        raise Problem("No file arrived.", fix="Drop the files again.")
    folder, left_out = new_numbered_dir(incoming_dir(project), prefix), []
    try:
        _move_all(files, folder, left_out)
        if len(left_out) == len(files):
            name, reason = left_out[0]
            raise Problem(f"None of the files could be taken: {name}: {reason}.", fix="Drop the photos or clips again.")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        forget(project.workspace, [file.path for file in files])
    return Taken(folder, left_out)


def give_up(taken: Taken) -> None:
    """Delete what was taken and found no import."""
    shutil.rmtree(taken.folder, ignore_errors=True)


def _move_all(files: list[Sent], folder: Path, left_out: list[tuple[str, str]]) -> None:
    moved = {}  # place -> where its content is now
    doubtful = _doubtful_names(files)
    for file in files:
        parts = ["".join(portable_name(part)) for part in file.name.replace("\\", "/").split("/") if part not in ("", ".", "..")] or [
            "file"
        ]
        target = _free_place(folder / LOOSE if file.name in doubtful else folder, parts)
        try:
            if file.path.is_dir():
                left_out.append((file.name, "it is a folder; drop the files in it, or name the folder beside the drop zone"))
            elif file.path in moved:
                _name_again(moved[file.path], target)
            else:
                shutil.move(file.path, target)
                moved[file.path] = target
        except OSError as e:
            if is_disk_full(e):
                raise Problem("The disk is full; nothing was imported.", fix="Free some space, then drop the files again.") from e
            with suppress(OSError):  # copied, and then its source could not be removed
                target.unlink()
            left_out.append((file.name, why_unreadable(e)))


def _doubtful_names(files: list[Sent]) -> set[str]:
    """Texts of which nobody can tell whose they are: a browser sends no folders, and there are more photos of that name, or fewer."""
    bare = [file.name for file in files if "/" not in file.name]
    texts = Counter(fold(name) for name in bare if fold(name).endswith(TEXT_SUFFIXES))
    photos = Counter(fold(stem_of(name)) for name in bare if looks_like_media(name))
    return {
        name
        for name in bare
        if fold(name) in texts
        and photos[stem := fold(stem_of(name))] != texts[fold(name)]
        and max(photos[stem], texts[fold(name)]) > 1 <= photos[stem]
    }


def _free_place(folder: Path, parts: list[str]) -> Path:
    """The first file of a name goes into the folder "drop 1", the second into "drop 2": a caption stays with the photo sent with it."""
    names = (folder / f"{DROP} {number}" for number in itertools.count(1))
    target = next(place for name in names if not (place := name.joinpath(*parts)).exists())
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _name_again(path: Path, target: Path) -> None:
    """One content under another name, for the import to see and to tell: a link where the disk knows such, for a clip is large."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


def forget(workspace: Workspace, files: Iterable[Path | str]) -> None:
    """Delete files that a browser sent, where they still are, with the folders that gradio made for them."""
    home = browser_dir(workspace)
    for path in [path for path in map(Path, files) if path.is_relative_to(home)]:
        with suppress(OSError):  # a folder in its place, or open in a virus scanner: gone at the studio's end
            path.unlink()
        if path.parent.parent == home:
            with suppress(OSError):  # an equal file of another drop is in it
                path.parent.rmdir()
    for marker in home.glob("tmp*"):  # empty files that it leaves beside those folders
        if marker.is_file() and marker.stat().st_size == 0:
            marker.unlink(missing_ok=True)


def is_upload(project: Project, paths: Iterable[str]) -> bool:
    """Whether an import takes files that a browser sent, which are gone when they are in."""
    return any(Path(path).is_relative_to(incoming_dir(project)) for path in paths)


def clear(project: Project, *, at_start: bool = False) -> None:
    """Delete what no import needs any more; at the start of a studio also what never reached the queue."""
    folders = list(incoming_dir(project).glob("import-*"))
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "import"] if folders else []
    paths = {job.name: set(map(Path, read_config(ImportJob, job.run_dir).paths)) for job in jobs}
    needed = set().union(*(paths[job.name] for job in jobs if not job.is_over or (job == jobs[0] and is_unfinished(project, job))))
    known = set().union(*paths.values())
    for folder in folders:
        if folder not in needed and (at_start or folder in known):
            shutil.rmtree(folder, ignore_errors=True)


def left_by_a_fault(project: Project) -> list[Path]:
    """Folders of the newest import, if it failed or its worker was killed: the next drop takes them along. What a person stopped, they may
    have dropped by mistake."""
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "import"]
    if not jobs or jobs[0].state == "stopped" or not ended_early(project, jobs[0]):
        return []
    paths = map(Path, read_config(ImportJob, jobs[0].run_dir).paths)
    return [path for path in paths if path.is_relative_to(incoming_dir(project)) and path.is_dir()]


def is_unfinished(project: Project, job: JobStatus) -> bool:
    """Whether an import that is over still needs its files, as long as it is the newest."""
    return ended_early(project, job) or waits_for_answer(project, job)


def ended_early(project: Project, job: JobStatus) -> bool:
    """Whether an import was killed, failed or was stopped, and may go on: until that is dismissed."""
    return job.is_over and job.state != "done" and stamp(job) not in project.facts().dismissed


def waits_for_answer(project: Project, job: JobStatus) -> bool:
    """Whether an import that is over left files that the person may still take in: until it is dismissed, or another import comes."""
    if job.state != "done" or stamp(job) in project.facts().dismissed:
        return False
    report = job.read_result(ImportReport)
    return report is not None and report.can_be_answered()


def stamp(job: JobStatus) -> str:
    """One end of a job: a job that runs again ends anew."""
    return f"{job.name}@{job.queued_at:.3f}"


def clear_leftovers(workspace: Workspace) -> None:
    """At the start of a studio, when no browser is sending anything: delete what a crash left, gradio's copies included."""
    shutil.rmtree(browser_dir(workspace), ignore_errors=True)
    for project in workspace.list_projects():
        clear(project, at_start=True)


def keep_clean(workspace: Workspace, closing: threading.Event) -> None:
    """While the studio runs: see to it that nothing outlives its import, even when its worker was killed. Ends with `closing`."""
    while not closing.wait(CLEAN_SECONDS):
        for project in workspace.list_projects():
            try:
                clear(project)
            except (OSError, ValueError):
                log.warning("uploads of %s could not be looked at", project.slug, exc_info=True)


def check_folder(text: str) -> Path:
    """The folder or file that a person typed, or the reason why not."""
    text = (text or "").strip().strip("\"'")
    if not text:
        raise Problem("The folder is empty.", fix="Type where the photos are, for example /home/me/photos of anna.")
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise Problem(f"{text} is not a full path.", fix="Begin with / or a drive letter such as C:\\.")
    if not path.exists():
        raise Problem(f"There is no folder {text} on this computer.", fix="Check the spelling.")
    return path
