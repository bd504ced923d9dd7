"""Writes the map of files in studio/README.md anew from the first sentences of the modules: `.venv/bin/python tests/map_of_files.py`."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUDIO = ROOT / "studio"
README = STUDIO / "README.md"
BEGIN, END = "<!-- map: begin -->", "<!-- map: end -->"


def first_sentence(path: Path) -> str:
    """What a module is for: its docstring up to the first full stop that ends a sentence, on one line."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", text)[0]


def draw_map() -> str:
    """A heading for each folder with its own sentence, and a line for each file."""
    lines = []
    folders = sorted({path.parent for path in STUDIO.rglob("*.py")})
    for folder in folders:
        files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        if not files:
            continue
        own = folder / "__init__.py"
        name = folder.relative_to(ROOT).as_posix()
        lines += ["", f"**`{name}/`** {first_sentence(own) if own.is_file() else ''}".rstrip(), ""]
        lines += [f"- `{path.name}`: {first_sentence(path)}" for path in files]
    return "\n".join(lines).strip()


def with_map(text: str) -> str:
    """A README with the map between its two marks made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{draw_map()}\n{END}{tail}"


if __name__ == "__main__":
    README.write_text(with_map(README.read_text(encoding="utf-8")), encoding="utf-8")
