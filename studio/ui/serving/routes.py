"""Which addresses answer at all: the studio's own, and those of gradio's that the page uses. What is not listed is as if it were not there.

gradio brings some eighty more. One of them fetches any address of the internet for whoever asks, others run any function by its name.
"""

import re

OWN = r"/(media|look)/.+"
OPEN = {  # method -> paths, as the router sees them: decoded once
    "HEAD": (r"/",),
    "GET": (
        r"/",
        OWN,
        r"/favicon\.ico",
        r"/theme\.css",
        r"/assets/[\w.-]+(/[\w.-]+)?",  # gradio's scripts and styles
        r"/static/(js|fonts)(/[\w.-]+)+",
        r"/gradio_api/heartbeat/\w+",
        r"/gradio_api/upload_progress",
    ),
    "POST": (
        r"/gradio_api/run/predict",  # every event of the page: none of them goes through gradio's queue
        r"/gradio_api/component_server/?",  # what a component's own script asks
        r"/gradio_api/upload",
    ),
}
_OPEN = {method: re.compile("|".join(f"(?:{path})" for path in paths)) for method, paths in OPEN.items()}


def is_open(method: str, path: str) -> bool:
    """Whether the page needs this address, asked in this way."""
    return method in _OPEN and _OPEN[method].fullmatch(path) is not None and ".." not in path.split("/")
