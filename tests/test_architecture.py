"""Which room may import what (DESIGN.md, section 2), read from the source; and that the window loads no torch. Change the table on purpose."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STUDIO = ROOT / "studio"
LEAVES = {
    "clocks",
    "config",
    "disk",
    "doors",
    "facts",
    "project_facts",
    "workspace",
    "errors",
    "machine",
    "surroundings",
    "words",
}
TORCH = {"torch", "accelerate", "diffusers", "transformers", "peft", "torchvision"}

# room -> rooms it may import, beside the leaves and itself
ROOMS = {
    "data": {"models"},
    "models": set(),
    "training": {"data", "models"},
    "evaluation": {"data", "models", "training"},
    "export": {"data", "models", "training", "evaluation"},
    "jobs": {"data", "models", "training", "evaluation", "export"},
    "tiny": {"data", "models", "training", "evaluation"},  # the builder of the embedded model; nothing but the demo imports it
    "ui": {"jobs", "data", "models", "training", "evaluation", "export", "tiny"},
    "commands": {"jobs", "data", "models", "training", "evaluation", "export", "tiny"},
}
# the studio's own modules that need only the standard library and other leaves
LEAF_PACKAGES = {
    "clocks": set(),
    "config": set(),
    "doors": set(),
    "facts": set(),
    "disk": {"filelock"},
    "project_facts": set(),
    "workspace": set(),
    "errors": set(),
    "machine": {"psutil", "pynvml"},
    "surroundings": set(),
    "words": set(),
}

# modules that load torch when they are imported; everything else in studio/ must not
TORCH_ROOMS = {"models", "training", "evaluation", "data", "tiny"}
TORCH_FREE = {
    "models/captioners/family.py",
    "models/captioners/families/vision_language.py",
    "models/captioners/families/florence2.py",
    "models/captioners/families/llava.py",
    "models/captioners/choosing.py",
    "models/captioners/generating.py",
    "models/captioners/opening.py",
    "models/captioners/places.py",
    "models/captioners/server/server_address.py",
    "models/captioners/server/server_captioner.py",
    "models/captioners/server/served.py",
    "models/catalogue.py",
    "models/presence.py",
    "models/simple_schedule.py",
    "models/preset.py",
    "models/fetch/fetchable.py",
    "models/fetch/fetchables/base_models.py",
    "models/fetch/fetchables/caption_models.py",
    "models/fetch/fetchables/hub_models.py",
    "models/fetch/looked_up.py",
    "models/fetch/needed.py",
    "models/fetch/offers.py",
    "models/fetch/downloading.py",
    "models/fetch/connection.py",
    "models/fetch/hub.py",
    "models/eyes/of_faces.py",
    "models/faces/sight.py",
    "models/files/weight_files.py",
    "models/files/layouts.py",
    "models/files/folders.py",
    "models/files/comfyui_files.py",
    "models/files/comfyui_folders.py",
    "models/files/extra_model_paths.py",
    "training/endure/deadline.py",
    "training/pairs.py",
    "evaluation/drawing_time.py",
    "training/plan/planner.py",
    "training/plan/plan_words.py",
    "training/plan/cards.py",
    "training/plan/estimates.py",
    "training/plan/optimizer_facts.py",
    "training/history.py",
    "training/step/distributions/__init__.py",
    "training/step/distributions/cosine.py",
    "training/step/distributions/shift.py",
    "training/step/distributions/sigmoid.py",
    "training/step/distributions/uniform.py",
    "training/plan/measured.py",
    "training/material.py",
    "training/plan/memory.py",
    "training/plan/placement.py",
    "evaluation/first_pictures.py",
    "evaluation/sweeps.py",
    "evaluation/judge/verdict.py",
    "evaluation/report.py",
    "data/dataset.py",
    "data/captions/rules.py",
    "data/captions/traits.py",
    "data/captions/writing/vocabulary.py",
    "data/importer.py",
    "data/incoming/survey.py",
    "data/media/thumbnails.py",
    "data/persons.py",
    "data/curation.py",
    "data/media/clips.py",
    "tiny/world.py",
    "tiny/pixel_drawing.py",
    "tiny/demo_project.py",
}


def sources():
    return sorted(p for p in STUDIO.rglob("*.py") if p.name != "__init__.py" or p.read_text(encoding="utf-8").strip())


def imports(path, *, at_top_only=False):
    """Full names of the modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module.startswith("studio"))


def room_of(module):
    """studio.data.media.clips -> data; studio.config -> config; anything else -> None."""
    parts = module.split(".")
    return parts[1] if parts[0] == "studio" and len(parts) > 1 else None


def name(path):
    return path.relative_to(STUDIO).as_posix()


def test_every_file_of_the_studio_is_in_a_room_or_a_leaf():
    top = {"__init__.py", "__main__.py", "bootstrap.py", "cli.py", *(f"{leaf}.py" for leaf in LEAVES), *LEAVES}
    found = {p.relative_to(STUDIO).parts[0] for p in sources()}
    assert found <= top | set(ROOMS), f"not in the table: {found - top - set(ROOMS)}"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_rooms_below_it(room):
    allowed = ROOMS[room] | LEAVES | {room}
    wrong = {
        f"{name(path)} imports {module}"
        for path in sources()
        if path.relative_to(STUDIO).parts[0] == room
        for module in imports(path)
        if room_of(module) and room_of(module) not in allowed and (STUDIO / room_of(module)).with_suffix("").exists()
    }
    assert not wrong


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_a_leaf_imports_no_room_and_no_other_package(leaf):
    allowed = set(sys.stdlib_module_names) | LEAF_PACKAGES[leaf] | {"studio"}
    files = [path for path in sources() if path == STUDIO / f"{leaf}.py" or path.parent == STUDIO / leaf]
    assert files
    for module in (module for path in files for module in imports(path)):
        assert module.split(".")[0] in allowed, module
        assert room_of(module) is None or room_of(module) in LEAVES, module


def test_the_launcher_needs_nothing_installed():
    """It runs before there is an environment."""
    modules = {m.split(".")[0] for m in imports(STUDIO / "bootstrap.py", at_top_only=True)}
    assert modules <= set(sys.stdlib_module_names)


def test_only_the_window_imports_gradio():
    wrong = [name(p) for p in sources() if name(p).split("/")[0] != "ui" and any(m.split(".")[0] == "gradio" for m in imports(p))]
    assert not wrong


def test_core_code_knows_nothing_of_jobs():
    core = {"data", "models", "training", "evaluation", "export", "tiny"}
    wrong = [
        name(p) for p in sources() if name(p).split("/")[0] in core for m in imports(p) if room_of(m) in ("jobs", "ui", "commands", "cli")
    ]
    assert not wrong


def test_torch_is_imported_at_the_top_of_torch_rooms_only():
    for path in sources():
        heavy = {m for m in imports(path, at_top_only=True) if m.split(".")[0] in TORCH}
        if heavy:
            assert name(path).split("/")[0] in TORCH_ROOMS and name(path) not in TORCH_FREE, f"{name(path)} imports {heavy}"


def test_modules_promised_to_be_free_of_torch_are_there():
    assert not [path for path in TORCH_FREE if not (STUDIO / path).is_file()]


def modules_after(code):
    """Top-level names of the modules that a fresh Python holds after running `code`."""
    script = f"{code}\nimport sys\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return set(found.stdout.split())


def test_importing_the_window_loads_no_torch():
    files = [p for p in (STUDIO / "ui").rglob("*.py") if p.stem != "__init__"]
    pages = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in files]
    loaded = modules_after("import " + ", ".join(sorted(pages)))
    assert "gradio" in loaded and not loaded & (TORCH | {"cv2", "skimage"})


def test_reading_jobs_plans_and_results_loads_neither_torch_nor_gradio():
    modules = [path.removesuffix(".py").replace("/", ".") for path in sorted(TORCH_FREE)]
    modules += ["jobs.state", "jobs.launcher", "training.curves", "export", "cli", "machine"]
    loaded = modules_after("import " + ", ".join(f"studio.{m}" for m in modules))
    assert not loaded & (TORCH | {"gradio"})


def test_finding_a_running_studio_loads_no_gradio():
    assert "gradio" not in modules_after("import studio.ui.instance")


def test_nothing_asks_whether_the_model_is_the_tiny_one():
    allowed = {"models/catalogue.py", "tiny", "commands/demo.py"}
    for path in sources():
        if name(path) in allowed or name(path).split("/")[0] in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                values = [n.value for n in (node.left, *node.comparators) if isinstance(n, ast.Constant)]
                assert "tiny" not in values or name(path).startswith("ui/"), f"{name(path)}:{node.lineno} asks for the tiny model"


def test_files_and_functions_stay_small_enough_to_read():
    """The conventions ask for 400 and 40 lines; this is where a file is certainly two."""
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 500, f"{name(path)} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= 80, f"{name(path)}:{node.name} has {length} lines"


def test_every_module_says_what_it_is_for():
    assert not [name(p) for p in sources() if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]


def test_no_file_is_read_with_the_consoles_encoding():
    """Text files are opened as UTF-8: Windows would take another code page."""
    for path in [*sources(), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            keywords = {k.arg for k in node.keywords}
            mode = next((a.value for a in node.args[1:2] if isinstance(a, ast.Constant)), "r")
            text = called in ("read_text", "write_text") or (isinstance(node.func, ast.Name) and called == "open" and "b" not in str(mode))
            is_metadata = called == "read_text" and node.args  # importlib.metadata's takes a file name
            assert not text or "encoding" in keywords or is_metadata, f"{path.name}:{node.lineno} opens text without encoding"
