"""Where captioners lie, and whether one that lies in a folder is whole: its family knows what that takes. Torch-free."""

from pathlib import Path

from studio.disk import read_path, write_atomic
from studio.errors import Problem
from studio.models.captioners.family import AGAIN, AS_STORED, Captioner, family_of
from studio.models.preset import list_captioners
from studio.workspace import Workspace, model_dir_name


def captioner_folder(name: str, workspace: Workspace) -> Path:
    """Where a captioner lies, or would: models/<name>, else where the one line of text in models/<name>.path says. An absolute name is its own place."""
    folder = _folder_named(name, workspace)
    link = _link_file(folder.name, workspace)
    return read_path(link) if not folder.is_dir() and link.exists() else folder


def _folder_named(name: str, workspace: Workspace) -> Path:
    """owner/name of the hub lies in a folder owner--name; "~" is the person's own folder."""
    path = Path(name).expanduser()
    if path.is_absolute():
        return path
    return workspace.models_dir / (model_dir_name(name) if len(path.parts) == 2 else name)


def why_not_here(name: str, workspace: Workspace) -> str:
    """A sentence where a captioner is not on this computer, or not whole; "" where it is ready."""
    try:
        check_captioner(captioner_folder(name, workspace))
    except Problem as e:
        return e.message
    return ""


def link_captioner(name: str, folder: str | Path, workspace: Workspace) -> Path:
    """Use a captioner that is on this computer already, where it is. Problem if it is not whole; an earlier link stays then."""
    folder = Path(folder).expanduser().resolve()
    check_captioner(folder)
    write_atomic(_link_file(model_dir_name(name), workspace), f"{folder}\n".encode())
    return folder


def _link_file(name: str, workspace: Workspace) -> Path:
    return workspace.models_dir / f"{name}.path"


def check_captioner(folder: Path) -> None:
    """Problem if the folder, or a file in it that a captioner needs, is not there, or its weights are not whole."""
    if not folder.is_dir():
        raise _not_here(folder)
    if missing := family_of(folder).list_missing(folder):
        message = f"the captioner in {folder.name!r} is not whole: {', '.join(missing)} missing"
        raise Problem(
            message, cost="Nothing was changed.", fix=AGAIN, action="download-captioner" if folder.name in list_captioners() else ""
        )


def load_captioner(folder: Path, precision: str = AS_STORED) -> Captioner:
    """The captioner in a folder, its weights kept so. Problem if it is not whole, or can't be loaded."""
    check_captioner(folder)
    return family_of(folder).load(folder, precision)


def _not_here(folder: Path) -> Problem:
    by_hand = "or write the captions by hand"
    if folder.name in list_captioners():
        return Problem(
            f"the captioner {folder.name!r} is not on this computer",
            cost="Nothing was changed.",
            fix=f"download it in the window or with `python -m studio download {folder.name}`, put its folder at {folder} if you have it, {by_hand}",
            action="download-captioner",
        )
    return Problem(
        f"the captioner {folder.name!r} is not on this computer",
        cost="Nothing was changed.",
        fix=f"put the model's folder at {folder}, or its place as one line of text into {folder.name}.path beside it, {by_hand}",
        action="open-dataset",
    )
