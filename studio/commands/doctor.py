"""doctor: what this computer has, which libraries and models are there, and whether the workspace can be written."""

import dataclasses
import importlib.metadata
import platform
import re
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.commands.output import Output
from studio.disk import write_json
from studio.errors import Problem
from studio.jobs.problems import explain
from studio.jobs.state import list_jobs
from studio.machine import Machine, free_disk_gb, long_paths_work, read_machine, read_torch_build
from studio.models.eyes import list_eyes
from studio.models.fetch.fetchable import describe, list_names
from studio.training.plan.optimizer_facts import EIGHT_BIT_LIBRARY, EIGHT_BIT_VERSION, how_to_use
from studio.words import count
from studio.workspace import Workspace

REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / "requirements.txt"
GOOD, LOOK, BAD = "good", "look", "bad"
MIN_DISK_GB = 20
SELF_CHECK_FILE = "self-check.json"
MAX_HOME_CHARACTERS = 50  # the longest path of an export has 209 more


@dataclass(frozen=True)
class Finding:
    what: str
    state: str  # good | look | bad
    text: str


def doctor(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    """Every finding as {"what", "state": good | look | bad, "text"}; always ends well: findings are its answer."""
    machine = read_machine()
    findings = [
        *_gpu(machine),
        *_memory(machine),
        _disk(workspace),
        _python(),
        *_libraries(),
        _torch(machine),
        *_eight_bit_optimizer(machine),
        _ffmpeg(),
        *_eyes(),
        _writing(workspace),
        *_path(workspace.home, long_paths_work()),
    ]
    findings += [*_models(workspace), *_jobs(workspace)]
    report: Path | None = None
    if args.gpu:
        checked, report = _self_check(workspace, out)
        findings += checked
    out.table([[f.state, f.what, f.text] for f in findings], ["", "what", "finding"])
    bad = sum(f.state == BAD for f in findings)
    out.print(f"{count(bad, 'thing')} to mend." if bad else "Everything that is needed works.")
    if report:
        out.print(f"The self-check is written down in {report}; it holds no names and no folders, and can be attached to a bug report.")
    return {"findings": [dataclasses.asdict(f) for f in findings], "bad": bad, "home": workspace.home, "report": report or ""}


def _self_check(workspace: Workspace, out: Output) -> tuple[list[Finding], Path]:
    """(findings, the report's path): equality of the studio's own ways with plain ones, and speeds, on this computer's GPU."""
    from studio.models.loading import pick_device  # loads torch
    from studio.training.selfcheck import check_device, describe_system  # loads torch

    device = pick_device()
    if device.type != "cuda":
        out.print("There is no GPU that can be used: the checks run small, on the processor.")
    found = list(check_device(device, out.print))
    path = workspace.home / SELF_CHECK_FILE
    write_json(
        path, {"format": 1, "made": time.time(), "system": describe_system(device), "findings": [dataclasses.asdict(f) for f in found]}
    )
    return [Finding(f.what, f.state, f.text) for f in found], path


def _gpu(machine: Machine) -> list[Finding]:
    if not machine.gpus:
        text = "no NVIDIA GPU or driver found; the tiny model runs on the processor, WAN 2.2 needs a GPU with 8 GB or more"
        return [Finding("GPU", LOOK, ". ".join([text, " ".join(machine.notes)]) if machine.notes else text)]
    return [Finding(f"GPU {gpu.index}", GOOD, f"{gpu.describe()}; driver {gpu.driver}") for gpu in machine.gpus]


def _memory(machine: Machine) -> Iterator[Finding]:
    state = GOOD if machine.ram_total_gb >= 30 else LOOK
    text = f"{machine.ram_free_gb:.1f} of {machine.ram_total_gb:.0f} GB free"
    yield Finding("RAM", state, text + ("" if state == GOOD else "; WAN 2.2 needs 32 GB or more, the tiny model does not"))
    yield Finding("processor", GOOD, f"{machine.cpu_name}, {machine.cpu_cores} cores; {platform.system()} {platform.release()}")


def _disk(workspace: Workspace) -> Finding:
    free = free_disk_gb(workspace.home)
    return Finding("disk", GOOD if free >= MIN_DISK_GB else LOOK, f"{free:.0f} GB free for the workspace in {workspace.home}")


def _python() -> Finding:
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", GOOD if good else BAD, version if good else f"{version}; needs 3.11 to 3.13, start with launch to get it")


def _libraries() -> list[Finding]:
    """Installed versions against the pins of requirements.txt."""
    wrong, num_pins = [], 0
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;#]+)", line)
        if not match:
            continue
        num_pins += 1
        name, wanted = match.groups()
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(Finding(name, BAD, f"not installed (wanted {wanted}); start with launch to repair"))
            continue
        if installed.partition("+")[0] != wanted:
            wrong.append(Finding(name, LOOK, f"version {installed}, tested with {wanted}"))
    return [Finding("libraries", GOOD if not wrong else LOOK, f"{num_pins - len(wrong)} of {num_pins} are the tested versions"), *wrong]


def _torch(machine: Machine) -> Finding:
    try:
        import torch

        from studio.models.loading import why_no_gpu  # loads torch
    except (ImportError, OSError) as e:
        words = explain(e)
        if words.unexpected:
            return Finding("torch", BAD, f"cannot be loaded ({e}); start with launch to repair")
        return Finding("torch", BAD, f"{words.message} {words.fix}")
    if torch.cuda.is_available():
        return Finding("torch", GOOD, f"{torch.__version__} uses {torch.cuda.get_device_name()}")
    if not machine.gpus:
        return Finding("torch", GOOD, f"{torch.__version__} runs on the processor")
    return Finding("torch", BAD, read_torch_build().why_not(machine.gpus[0]) or f"{torch.__version__} cannot use the GPU: {why_no_gpu()}")


def _eight_bit_optimizer(machine: Machine) -> Iterator[Finding]:
    """Whether the library of 8-bit AdamW is there, where it can be of use."""
    if not machine.gpus:
        return
    try:
        installed = importlib.metadata.version(EIGHT_BIT_LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        yield Finding("8-bit AdamW", LOOK, f"{EIGHT_BIT_LIBRARY} is not installed. {how_to_use('adamw8bit', 'cuda')}")
        return
    tested = installed.partition("+")[0] == EIGHT_BIT_VERSION
    text = f"{EIGHT_BIT_LIBRARY} {installed} is there" + ("" if tested else f", tested with {EIGHT_BIT_VERSION}")
    yield Finding("8-bit AdamW", GOOD if tested else LOOK, text)


def _ffmpeg() -> Finding:
    try:
        import imageio_ffmpeg

        return Finding("ffmpeg", GOOD, imageio_ffmpeg.get_ffmpeg_version())
    except (ImportError, RuntimeError) as e:
        return Finding("ffmpeg", BAD, f"clips cannot be cut ({e}); start with launch to repair")


def _eyes() -> Iterator[Finding]:
    """The eyes that come with the studio, opened: their files are whole, and OpenCV runs them. Their licences are shown here."""
    for eye in list_eyes():
        if eye.needs_base:
            continue
        try:
            eye.open(None)
        except (Problem, ImportError) as e:
            yield Finding(
                f"eye {eye.name}", BAD, e.in_words() if isinstance(e, Problem) else f"can't be opened ({e}); start with launch to repair"
            )
        else:
            yield Finding(f"eye {eye.name}", GOOD, f"{eye.title} is ready; licences: {eye.licence}")


def _writing(workspace: Workspace) -> Finding:
    try:
        workspace.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workspace.home) as file:
            file.write(b"x" * 1_000_000)
    except OSError as e:
        return Finding("workspace", BAD, f"cannot be written ({e.strerror or e}); choose another folder with --home")
    return Finding("workspace", GOOD, f"{len(workspace.list_projects())} projects in {workspace.home}")


def _path(home: Path, any_length: bool) -> list[Finding]:
    """A long name of the workspace leaves too little of Windows' 260 characters for the longest names in it, those of exports."""
    if any_length or len(str(home)) <= MAX_HOME_CHARACTERS:
        return []
    text = f"its path has {len(str(home))} characters, and Windows takes 260 with all that is in it"
    return [
        Finding("workspace", LOOK, f"{text}; choose a short one with --home, for example C:\\Likeness, or turn on long paths in Windows")
    ]


def _models(workspace: Workspace) -> Iterator[Finding]:
    for name in list_names():
        thing = describe(name, workspace)
        yield Finding(f"model {name}", GOOD if thing.available else LOOK, thing.reason or "ready")


def _jobs(workspace: Workspace) -> Iterator[Finding]:
    for job in [*list_jobs(workspace), *list_jobs(workspace.downloads)]:
        if job.state == "crashed":
            yield Finding(f"job {job.name}", LOOK, f"of {job.project.slug} ended unexpectedly; it can be resumed")
        elif job.is_running:
            yield Finding(f"job {job.name}", GOOD, f"of {job.project.slug} is running")
