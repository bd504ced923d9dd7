"""Trainings that a script starts: the arguments of a Python program in a .sh, .bat or .ps1 file, as plain data. Nothing of it is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from studio.errors import Problem

NAMES = (".sh", ".bash", ".bat", ".cmd", ".ps1", ".txt")
PROGRAM = "program"  # where the name of the Python program is kept beside its arguments
CONTINUED = {".bat": r"\^", ".cmd": r"\^", ".ps1": "`", ".sh": r"\\", ".bash": r"\\", ".txt": r"[\\^`]"}
COMMENTS = ("rem ", "::", "@rem ")
SH_ASSIGNMENT = re.compile(r"""(?:export\s+)?([A-Za-z_]\w*)=("[^"]*"|'[^']*'|\S*)$""")
BAT_ASSIGNMENT = re.compile(r"""set\s+(?:/\w\s+)?"?([A-Za-z_]\w*)=(.*)$""", re.IGNORECASE)
PS_ASSIGNMENT = re.compile(r"""\$([A-Za-z_]\w*)\s*=\s*(.*)$""")
ASSIGNMENTS = {
    **{".bat": (BAT_ASSIGNMENT,), ".cmd": (BAT_ASSIGNMENT,), ".ps1": (PS_ASSIGNMENT,), ".txt": (BAT_ASSIGNMENT, SH_ASSIGNMENT)},
    **{".sh": (SH_ASSIGNMENT,), ".bash": (SH_ASSIGNMENT,)},
}
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)|%(\w+)%")
ENDS = {"&&", "||", ";", "|", "&"}
MOST_ROUNDS = 5  # of variables that stand in variables


def read_commands(text: str, name: str) -> list[dict[str, Any]]:
    """[{"program": "wan_train_network.py", argument: value}] of every training in a script. Problem if there is none."""
    suffix = name[name.rindex(".") :].lower()
    found = [command for line in _commands(text, suffix) if (command := _read_one(line, suffix))]
    trainings = [command for command in found if "train" in command[PROGRAM]]
    if not trainings:
        raise Problem(
            f"{name} starts no training that is known here.", fix="Choose the script that holds the line with the training program."
        )
    return trainings


def _commands(text: str, suffix: str) -> Iterator[str]:
    """Commands, each on one line, with the variables of the script filled in."""
    known: dict[str, str] = {}
    joined = re.sub(rf"{CONTINUED[suffix]}[ \t]*\n", " ", text)
    for line in joined.split("\n"):
        plain = line.strip()
        if not plain or plain.startswith("#") or plain.lower().startswith(COMMENTS):
            continue
        if assigned := _find_assignment(plain, suffix):
            known[assigned[1].lower()] = _fill_in(assigned[2].strip().strip("\"'"), known)
        else:
            yield _fill_in(plain, known)


def _find_assignment(line: str, suffix: str) -> re.Match[str] | None:
    return next((found for kind in ASSIGNMENTS[suffix] if (found := kind.match(line))), None)


def _fill_in(text: str, known: dict[str, str]) -> str:
    """Variables that the script sets; others stay as they are."""
    for _ in range(MOST_ROUNDS):
        filled = VARIABLE.sub(lambda found: known.get((found[1] or found[2] or found[3]).lower(), found[0]), text)
        if filled == text or len(filled) > 10 * len(text) + 1000:
            break
        text = filled
    return text


def _read_one(line: str, suffix: str) -> dict[str, Any]:
    """The arguments of a command, or {} where it runs no Python program."""
    tokens = _split(line, suffix)
    starts = [number for number, token in enumerate(tokens) if token.lower().endswith(".py")]
    if not starts:
        return {}
    start = starts[-1]
    found: dict[str, Any] = {PROGRAM: re.split(r"[\\/]", tokens[start])[-1].lower()}
    option = ""
    for token in tokens[start + 1 :]:
        if token in ENDS:
            break
        if token.startswith("--"):
            name, _, value = token[2:].partition("=")
            option = name.replace("-", "_")
            found[option] = value if "=" in token else True
        elif option:
            found[option] = token if found[option] is True else [*_as_list(found[option]), token]
    return found


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _split(line: str, suffix: str) -> list[str]:
    """Words of a command; quotes hold them together, and \\ is plain on Windows."""
    splitter = shlex.shlex(line, posix=True, punctuation_chars=False)
    splitter.whitespace_split, splitter.commenters = True, ""
    if suffix not in (".sh", ".bash"):
        splitter.escape = ""
        splitter.quotes = '"' if suffix in (".bat", ".cmd") else "\"'"
    try:
        return list(splitter)
    except ValueError:  # a quote that is never closed
        return line.split()
