"""A copy of the studio in a temporary folder, in which a test adds a file and runs the program as a person does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class House:
    """The program's own files without the tests, so that what a test adds lies where the program looks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "studio", folder / "studio", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "presets", folder / "presets")

    def add(self, path: str, text: str) -> None:
        """Put a new file among the program's; never in the place of one of its own."""
        file = self.folder / path
        assert file.parent.is_dir() and not file.exists()
        file.write_text(text, encoding="utf-8")

    def run(self, home: Path, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "studio", *map(str, argv), "--home", str(home)]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, encoding="utf-8")

    def answer(self, home: Path, *argv: str | Path) -> tuple[dict[str, Any], str]:
        """(the answer of a command that must end well, what it said meanwhile)."""
        done = self.run(home, *argv, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr
