"""The drop zone: gradio's File, which tells of each file also the name that the person knows it by."""

from abc import ABCMeta
from pathlib import Path
from typing import Any

import gradio as gr

from studio.ui.uploads import Sent


def read_sent(self: gr.File, payload: Any) -> list[Sent]:
    """What arrived (ListFiles or None). gradio has checked that it lies where uploads do."""
    return [Sent(Path(file.path), file.orig_name or Path(file.path).name) for file in payload or []]


# gradio makes a component anew after every update, so this is a class of its own. By hand: gradio's way writes a .pyi beside the source.
Drop = ABCMeta.__new__(type(gr.File), "Drop", (gr.File,), {"__module__": __name__, "is_template": True, "preprocess": read_sent})
