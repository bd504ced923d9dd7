"""Files that a browser sent: moved into the project for the import job, and deleted as soon as it is over, however it ended."""

import logging
import shutil
from pathlib import Path

from studio.errors import Problem
from studio.jobs import state
from studio.workspace import new_numbered_dir

log = logging.getLogger(__name__)
CLEAN_SECONDS = 3.0


def incoming_dir(project):
    return project.root / "uploads"


def browser_dir(workspace):
    """Where gradio writes what a browser sends; `take` moves it on."""
    return workspace.home / "uploads"


def take(project, files):
    """Move uploaded temporary files into a new folder uploads/import-NNN/; its path. Equal names get folders of their own."""
    if not files:
        raise Problem("No file arrived.", fix="Drop the photos or clips again.")
    folder = new_numbered_dir(incoming_dir(project), "import")
    for path in map(Path, files):
        target = folder / path.name
        if target.exists():
            target = new_numbered_dir(folder, "more") / path.name
        shutil.move(path, target)
        _forget_place_of(project.workspace, path)
    return folder


def forget(workspace, files):
    """Delete files that a browser sent and that were read at once."""
    for path in map(Path, files):
        if path.is_relative_to(browser_dir(workspace)):
            path.unlink(missing_ok=True)
            _forget_place_of(workspace, path)


def _forget_place_of(workspace, path):
    """Remove the folder that gradio made for one upload, and the empty marker files it leaves beside those folders."""
    place, home = path.parent, browser_dir(workspace)
    if place.parent == home:
        shutil.rmtree(place, ignore_errors=True)
    for marker in home.glob("tmp*"):
        if marker.is_file() and marker.stat().st_size == 0:
            marker.unlink(missing_ok=True)


def is_upload(project, paths):
    """Whether an import takes files that a browser sent, which are gone when it is over."""
    return any(Path(path).is_relative_to(incoming_dir(project)) for path in paths)


def clear(project, *, at_start=False):
    """Delete what no waiting or running import needs any more; at the start of a studio also what never reached the queue."""
    folders = list(incoming_dir(project).glob("import-*"))
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "import"] if folders else []
    paths = {job.name: set(map(Path, state.read_config(job.run_dir)["paths"])) for job in jobs}
    needed = set().union(*(paths[job.name] for job in jobs if not job.is_over))
    known = set().union(*paths.values())
    for folder in folders:
        if folder not in needed and (at_start or folder in known):
            shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(workspace):
    """At the start of a studio, when no browser is sending anything: delete what a crash left, gradio's copies included."""
    shutil.rmtree(browser_dir(workspace), ignore_errors=True)
    for project in workspace.list_projects():
        clear(project, at_start=True)


def keep_clean(workspace, closing):
    """While the studio runs: see to it that nothing outlives its import, even when its worker was killed. Ends with `closing`."""
    while not closing.wait(CLEAN_SECONDS):
        for project in workspace.list_projects():
            try:
                clear(project)
            except (OSError, ValueError):
                log.warning("uploads of %s could not be looked at", project.slug, exc_info=True)


def check_folder(text):
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
