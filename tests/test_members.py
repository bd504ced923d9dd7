"""One mechanism finds the members of every door, and names the file that gives less than a member gives."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import studio.ui
from studio.evaluation.judge import scores
from studio.jobs import kinds
from studio.jobs.kind import find_kinds
from studio.models import eyes
from studio.models.captioners import families
from studio.models.captioners.family import list_families
from studio.models.fetch import fetchable, fetchables
from studio.ui.tabs import find_tabs

STUDIO = Path(kinds.__file__).resolve().parents[2]
DOORS = [  # package, file of a member, who finds the members, what a member gives first of all
    (scores, "empty", scores.all_scores.__wrapped__, "SCORE"),
    (eyes, "empty", eyes.list_eyes, "EYE"),
    (kinds, "empty", find_kinds, "TITLE"),
    (families, "empty", list_families, "fit"),
    (fetchables, "empty", fetchable.kinds, "WORD"),
    (studio.ui, "empty_tab", find_tabs, "ID"),
]


@pytest.mark.parametrize("package, name, find, gives", DOORS, ids=[door[0].__name__.rpartition(".")[2] for door in DOORS])
def test_a_file_that_gives_nothing_is_named(package, name, find: Callable[[], object], gives, tmp_path, monkeypatch):
    (tmp_path / f"{name}.py").write_text('"""Nothing."""\n', encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match=rf"{package.__name__}\.{name} gives no {gives}"):
        find()
    del sys.modules[f"{package.__name__}.{name}"]


@pytest.mark.parametrize("package, name, find, gives", DOORS, ids=[door[0].__name__.rpartition(".")[2] for door in DOORS])
def test_a_file_whose_name_begins_with_a_line_is_no_member(package, name, find: Callable[[], object], gives, tmp_path, monkeypatch):
    (tmp_path / f"_{name}.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    find()


def test_only_the_doors_look_for_modules_in_folders():
    def finds(path: Path) -> bool:
        return any(
            isinstance(node, ast.Import) and "pkgutil" in {a.name for a in node.names}
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )

    assert not [path.relative_to(STUDIO).as_posix() for path in STUDIO.rglob("*.py") if finds(path)]
