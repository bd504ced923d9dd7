"""Files that a browser sent: moved into the project for the import job, and deleted when it is over."""

import shutil
from pathlib import Path

from studio.errors import Problem
from studio.jobs import state
from studio.workspace import new_numbered_dir


def incoming_dir(project):
    return project.root / "uploads"


def take(project, files):
    """Move uploaded temporary files into a new folder uploads/import-NNN/; its path. Equal names get folders of their own."""
    if not files:
        raise Problem("No file arrived.", fix="Drop the photos or clips again.")
    clear(project)
    folder = new_numbered_dir(incoming_dir(project), "import")
    for path in map(Path, files):
        target = folder / path.name
        if target.exists():
            target = new_numbered_dir(folder, "more") / path.name
        shutil.move(path, target)
    return folder


def clear(project):
    """Delete what no waiting, running or resumable import needs any more."""
    if not incoming_dir(project).is_dir():
        return
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "import" and job.state != "done"]
    needed = {Path(path) for job in jobs for path in state.read_config(job.run_dir)["paths"]}
    for folder in incoming_dir(project).glob("import-*"):
        if folder not in needed:
            shutil.rmtree(folder, ignore_errors=True)


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
