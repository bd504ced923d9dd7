"""Start scripts of exports: start.sh for Linux and macOS, start.bat for Windows, where diffusion-pipe runs in WSL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SH_HEAD = """#!/bin/sh
# {title}. Usage: sh start.sh {usage}
# Folders with spaces stand in quotes.
set -eu
full() {{ if [ -d "$1" ]; then (cd "$1" && pwd); else printf '%s' "$1"; fi; }}
place=$(full "${{1:-}}") files=$(full "${{2:-}}")
cd "$(dirname "$0")"
fail() {{ echo "$1" >&2; exit 2; }}
"""
BAT_HEAD = """@echo off
rem {title}. Usage: start.bat {usage}
setlocal
if not "%~1"=="" set "place=%~f1"
if not "%~2"=="" set "files=%~f2"
cd /d "%~dp0"
"""


@dataclass(frozen=True, kw_only=True)
class Scripts:
    """The two scripts of a trainer. usage: its arguments as they are named in the comment at the top."""

    program: str
    usage: str
    sh: str  # after the head
    bat: str


def write_scripts(scripts: Scripts, folder: Path) -> None:
    title = f"Starts {scripts.program} with this folder"
    sh = SH_HEAD.format(title=title, usage=scripts.usage) + scripts.sh
    bat = BAT_HEAD.format(title=title, usage=scripts.usage) + scripts.bat
    (folder / "start.sh").write_text(sh, encoding="utf-8", newline="\n")
    (folder / "start.sh").chmod(0o755)
    (folder / "start.bat").write_text(bat, encoding="ascii", newline="\r\n")
