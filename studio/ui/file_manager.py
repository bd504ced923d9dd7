"""Opens a folder in the file manager of the computer that the studio runs on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from studio.errors import Problem
from studio.surroundings import as_found

LINUX = (("xdg-open",), ("gio", "open"), ("wslview",))  # the desktop's own choice first; the last one opens Windows' from WSL


def open_folder(folder: Path) -> None:
    """Problem if the folder is gone, or there is no file manager; it names the folder then, for the person to go there."""
    if not folder.is_dir():
        raise Problem(f"The folder {folder.name} is gone.", fix="Make it again.")
    if sys.platform == "win32":
        os.startfile(folder)
        return
    command = ["open"] if sys.platform == "darwin" else find_file_manager()
    quiet = subprocess.DEVNULL
    subprocess.Popen([*command, str(folder)], env=as_found(os.environ), stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)


def find_file_manager() -> list[str]:
    for command in LINUX:
        if shutil.which(command[0]):
            return list(command)
    raise Problem(
        "This computer has no program that opens folders.", fix="The place of the folder stands beside the button: go there by hand."
    )
