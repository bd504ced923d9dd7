"""What a drop zone sends: of each file its place, and the name that the person knows it by.

As plain data: files in gradio's own form it looks at one by one, and reads, on the thread that answers all pages; thousands stop it for seconds.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.errors import Problem
from studio.ui import uploads
from studio.ui.uploads import Sent
from studio.workspace import Workspace

# Runs in the browser, with what the event takes: the files go along with whose page it was.
AS_PLAIN = "(project, from, files) => [project, { ...from, files: (files || []).map((f) => [f.path, f.orig_name || '']) }, null]"


def read_sent(workspace: Workspace, files: Iterable[Any] | None) -> list[Sent]:
    """What AS_PLAIN made of the files. Problem unless each lies where uploads do: a page of others may name any file."""
    home = os.path.realpath(uploads.browser_dir(workspace))
    sent = [Sent(Path(str(path)), str(name) or Path(str(path)).name) for path, name in files or []]
    for file in sent:
        if not Path(os.path.realpath(file.path)).is_relative_to(home):
            raise Problem("Files came from a place where no browser sends them: nothing was taken.", fix="Drop them again.")
    return sent
