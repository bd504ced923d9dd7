"""How the program is built, read from its source: no circles of imports, few imports inside functions, small folders and files."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STUDIO = ROOT / "studio"
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(STUDIO.rglob("*.py"))}
MOST_IMPORTS_INSIDE = 60
MOST_FILES = 14
MOST_LINES = 480
OUR_FORMER_WORDS = {"mate", "mates", "sibling", "siblings", "voice", "voices", "shelf", "shelves", "forth", "walk", "walks"}
TAKING_APART = {
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "split",
    "rsplit",
    "partition",
    "rpartition",
    "replace",
    "find",
    "index",
}
WORDS_OF_OTHERS = {
    "data/captions/caption_files.py",  # Python's own, of a file that ends within a letter
    "data/remarks.py",  # files of versions in which sentences were data
    "export/reading/advice.py",  # what parsers of configs complain of
    "errors.py",  # a library's, of a full disk
    "jobs/problems.py",  # torch's, CUDA's and Windows'
    "machine.py",  # Linux's, of the processor
    "models/loading.py",  # CUDA's
    "tiny/pixel_drawing.py",  # the pixel world's prompts
    "tiny/words/captioner_training.py",
}
ASKED_BY_FILE = (
    "studio.data.incoming.carriers.",  # modules whose names are asked for by the name of their file
    "studio.commands.",
    "studio.evaluation.judge.scores.",
    "studio.export.targets.",
    "studio.jobs.kinds.",
    "studio.models.captioners.families.",
    "studio.models.captioners.server.programs.",
    "studio.models.eyes.",
    "studio.models.fetch.fetchables.",
    "studio.training.step.distributions.",
)


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


def names_at_top(tree: ast.Module) -> set[str]:
    """The functions, classes and constants of a file; what a decorator registers is used by it."""
    named = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.decorator_list}
    named |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    stored = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return {name for name in named | stored if not name.startswith("__")}


def names_asked_for(module: str, tree: ast.Module) -> set[tuple[str, str]]:
    """(module, name) of what a file uses: its own names, imported ones, those of a module that it imported, and those in types as text."""
    aliases = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    asked = {tuple(full.rsplit(".", 1)) for full in aliases.values()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            asked.add((module, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            asked.add((aliases.get(node.value.id, ""), node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            asked |= {(module, word) for word in re.findall(r"\w+", node.value) if re.fullmatch(r"[\w.\[\], |]+", node.value)}
    return asked


def test_the_program_uses_every_name_that_it_defines():
    """What only tests use lies in the tests. Members of doors and commands are asked for by the name of their file."""
    program = {module_name(path): tree for path, tree in TREES.items()} | {"app": ast.parse((ROOT / "app.py").read_text(encoding="utf-8"))}
    asked = {found for module, tree in program.items() for found in names_asked_for(module, tree)}
    unused = {
        f"{module}.{name}"
        for module, tree in program.items()
        if not module.startswith(ASKED_BY_FILE) and not module.endswith((".tab", "_tab"))
        for name in names_at_top(tree)
        if (module, name) not in asked
    }
    assert not unused


def defined_names(tree: ast.Module) -> set[str]:
    """Every name that a file makes up: of functions, classes, parameters, variables and attributes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def test_names_have_the_fields_words():
    """forward and backward, process group, activation store, block pass; lanes are PCIe's, and the page's for its two charts."""

    def parts(name: str) -> set[str]:
        return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}

    found = {
        (path.relative_to(STUDIO).as_posix(), name, *sorted(parts(name) & OUR_FORMER_WORDS))
        for path, tree in TREES.items()
        for name in defined_names(tree)
        if parts(name) & OUR_FORMER_WORDS
        and name != "rows_per_walk"
        and path.parent.name != "eye"  # in people's files; brothers and sisters
    }
    assert not found


def words_that_decide(node: ast.AST) -> list[str]:
    """The texts that something is compared with, matched with, or taken apart at."""
    if isinstance(node, ast.Compare):
        asked = [node.left, *node.comparators]
    elif isinstance(node, ast.MatchValue):
        asked = [node.value]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKING_APART:
        asked = node.args[:1]
    else:
        return []
    asked = [part for value in asked for part in (value.elts if isinstance(value, (ast.Tuple, ast.List, ast.Set)) else [value])]
    return [part.value for part in asked if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def test_sentences_are_never_data():
    """A code stands beside each sentence, so that better words break nothing. Other programs' words have no code."""
    found = {
        f"{path.relative_to(STUDIO).as_posix()}:{node.lineno} {text!r}"
        for path, tree in TREES.items()
        if path.relative_to(STUDIO).as_posix() not in WORDS_OF_OTHERS
        for node in ast.walk(tree)
        for text in words_that_decide(node)
        if re.search(r"\w \w", text) or text.strip() in (";", ". ", "\N{MIDDLE DOT}")
    }
    assert not found


def test_lower_rooms_name_no_tab_and_no_selector_of_the_page():
    """They name actions; which tab an action leads to, the window knows."""
    found = {
        f"{path.relative_to(STUDIO).as_posix()}:{node.lineno} {node.value!r}"
        for path, tree in TREES.items()
        if path.relative_to(STUDIO).parts[0] not in ("ui", "bootstrap.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search(r"\b(Dataset|Train|Evaluate) tab\b|^tab:|^#[a-z][\w-]*$|^\.[a-z]+-[a-z-]+$", node.value)
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


SAME_PART_OF_EACH_TAB = {"tab", "view", "choice"}
SAME_TRAINER = {"ai_toolkit", "diffusion_pipe", "musubi"}  # what is written for it, read of it, and known of its rules


def test_two_files_never_share_a_name():
    places = {}
    for path in TREES:
        if path.name != "__init__.py":
            places.setdefault(path.stem, []).append(path.relative_to(ROOT).as_posix())
    shared = {name: files for name, files in places.items() if len(files) > 1 and name not in SAME_PART_OF_EACH_TAB | SAME_TRAINER}
    assert not shared
