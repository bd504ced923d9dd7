"""How the program is built, read from its source: no circles of imports, few imports inside functions, small folders and files."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STUDIO = ROOT / "studio"
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(STUDIO.rglob("*.py"))}
MOST_IMPORTS_INSIDE = 60
MOST_FILES = 14
MOST_LINES = 480


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path) for path in TREES}


def targets(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The modules of our own that an import statement names."""
    if isinstance(node, ast.Import):
        named = {alias.name for alias in node.names}
    else:
        named = {full if (full := f"{node.module}.{alias.name}") in NAMES else str(node.module) for alias in node.names}
    return named & NAMES


def imports(tree: ast.Module, inside: bool = False) -> list[ast.Import | ast.ImportFrom]:
    """The import statements of a file; with `inside` those within functions alone."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    nodes = [node for start in (functions if inside else [tree]) for node in ast.walk(start)]
    return [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)) and targets(node)]


def test_no_files_import_each_other_in_a_circle():
    graph = {module_name(path): {t for node in imports(tree) for t in targets(node)} - {module_name(path)} for path, tree in TREES.items()}
    left = dict(graph)
    while free := [name for name, others in left.items() if not others & left.keys()]:  # whoever needs nobody that is left is in no circle
        for name in free:
            del left[name]
    in_circles = {name for name in left if any(name in left[other] for other in left)}
    assert not in_circles


def test_imports_inside_functions_are_few():
    inside = {f"{path.relative_to(ROOT)}:{node.lineno}" for path, tree in TREES.items() for node in imports(tree, inside=True)}
    assert len(inside) <= MOST_IMPORTS_INSIDE, sorted(inside)


def test_a_name_is_imported_from_where_it_is_defined():
    """Settings apart: studio.config has in one place what its files define."""

    def defined(tree: ast.Module) -> set[str]:
        named = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        return named | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}

    own = {module_name(path): defined(tree) for path, tree in TREES.items()}
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {alias.name}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in own.keys() - {"studio.config"}
        for alias in node.names
        if alias.name not in own[node.module] and f"{node.module}.{alias.name}" not in own
    }
    assert not found


def test_no_choice_hides_in_another():
    def is_nested(node: ast.AST) -> bool:
        return isinstance(node, ast.IfExp) and any(isinstance(part, ast.IfExp) for part in ast.walk(node) if part is not node)

    found = [f"{path.relative_to(ROOT)}:{node.lineno}" for path, tree in TREES.items() for node in ast.walk(tree) if is_nested(node)]
    assert not found


@pytest.mark.parametrize("folder", sorted({path.parent for path in TREES}), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_folder_can_be_looked_over(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_FILES


def test_a_file_can_be_read_at_a_sitting():
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in TREES
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long
