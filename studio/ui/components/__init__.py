"""The studio's own components: a `gr.HTML` each, whose style and script lie in a folder beside this file."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from studio.ui.views import View

FOLDER = Path(__file__).resolve().parent


def component(name: str, value: View | None = None, *, elem_id: str = "", **options: Any) -> gr.HTML:
    """A `gr.HTML` that draws the JSON of its `value` with components/<name>/<name>.js."""
    elem_id = elem_id or f"studio-{name.replace('_', '-')}"
    shown = value.to_json() if value else {}
    return gr.HTML(shown, html_template="", js_on_load=script(name), apply_default_css=False, elem_id=elem_id, **options)


@cache
def script(name: str) -> str:
    parts = ["shared.js", *sorted(f"{name}/{p.name}" for p in (FOLDER / name).glob("*.js") if p.stem != name), f"{name}/{name}.js"]
    return "\n".join((FOLDER / part).read_text(encoding="utf-8") for part in parts)


@cache
def stylesheet() -> str:
    """The whole style of the studio: the theme, then every component's."""
    files = [FOLDER.parent / "theme.css", *sorted(FOLDER.glob("*/*.css"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def stylesheet_version() -> str:
    return hashlib.sha256(stylesheet().encode()).hexdigest()[:12]
