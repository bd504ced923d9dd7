"""What a parser complains about, as advice: which line, what is wrong in it, and how it should be written."""

from __future__ import annotations

import json
import re

import yaml

from studio.errors import Problem
from studio.project_facts import clean_line

MAX_LINE = 160
SAVE_AGAIN = "Open it in the program that wrote it and save it again."
WINDOWS_PATH = re.compile(r'"([^"\n]*\\[^"\n]*)"')  # a backslash within double quotes
ABOUT_ESCAPES = ("escape", "hex", "\\")  # what parsers say of a backslash that they can't read
LINE = re.compile(r"line (\d+)")


def advise(name: str, text: str, error: Exception) -> Problem:
    """The Problem of a file that a parser refused."""
    number = _line_number(error)
    lines = text.split("\n")
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    is_json = isinstance(error, json.JSONDecodeError)
    path = WINDOWS_PATH.search(line)
    if path and any(word in str(error).lower() for word in ABOUT_ESCAPES):
        return _wrong_path(name, number, line, path[1], is_json=is_json)
    if isinstance(error, yaml.YAMLError) and "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(
            f"{name} can't be read: line {number} begins with a tab.",
            fix="YAML takes spaces alone: replace the tabs at the beginning of lines.",
        )
    where = f"line {number}: {_shorten(line)}" if line.strip() else _first_line(error)
    return Problem(f"{name} can't be read: {_first_line(error)}.", fix=f"Look at {where}" if line.strip() else SAVE_AGAIN)


def _wrong_path(name: str, number: int, line: str, path: str, *, is_json: bool) -> Problem:
    """Backslashes mean something in double quotes, so a Windows path does not stand there."""
    if is_json:
        right, how = line.replace(path, path.replace("\\", "/")), "with / in place of \\"
    else:
        right, how = line.replace(f'"{path}"', f"'{path}'"), "in single quotes"
    return Problem(
        f"{name} can't be read: in line {number} a path with \\ stands in double quotes.",
        fix=f"Write it {how}: {_shorten(right)}",
    )


def _line_number(error: Exception) -> int:
    """The line that the parser speaks of, or 0."""
    if isinstance(error, json.JSONDecodeError):
        return error.lineno
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    found = LINE.search(str(error))
    return int(found[1]) if found else 0


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error)
    if "could not determine a constructor for the tag" in problem:
        return "it holds objects of a program (!!...), which are never made here"
    return clean_line(problem)[:MAX_LINE].rstrip(".")


def _shorten(line: str) -> str:
    words = clean_line(line.strip())
    return words if len(words) <= MAX_LINE else f"{words[:MAX_LINE]}..."
