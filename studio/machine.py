"""What this computer has: GPU and its memory (through NVML, without torch), RAM, processor, free disk. Never raises, cheap to poll."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import platform
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from studio.config import load_preset

_STEP_BACK = 5  # of the 19 that POSIX knows: a third of the time of what does not step back

MANY_FILES = 10_240  # open at a time; macOS' own bound
GIB = 2**30  # memory is counted as graphics cards are labelled: a "24 GB" card has 24 x 2^30 bytes


@dataclass(frozen=True)
class Gpu:
    index: int
    name: str
    vram_total_gb: float
    vram_free_gb: float
    driver: str
    holders: tuple[tuple[str, float], ...] = ()  # (program, gb), the largest first; 0.0 where Windows does not tell
    pcie: tuple[int, int] = (0, 0)  # generation and lanes that slot and card have in common; zeros where it is not told
    driver_cuda: tuple[int, int] = (0, 0)  # the newest CUDA that the driver runs; zeros where it is not told

    @property
    def link_gb_per_second(self) -> float:
        """From page-locked RAM to the GPU, by the standard of its slot; 0.0 if that is not known."""
        generation, lanes = self.pcie
        return load_preset("speeds", "gpus")["pcie_gb_per_second_per_lane"].get(str(generation), 0.0) * lanes

    def describe(self) -> str:
        """ "RTX 4090, 24 GB, 22.1 GB free (1.1 GB held by chrome)"."""
        held = ", ".join(f"{gb:.1f} GB held by {name}" if gb else f"also used by {name}" for name, gb in self.holders[:3])
        return f"{self.name}, {self.vram_total_gb:.0f} GB, {self.vram_free_gb:.1f} GB free" + (f" ({held})" if held else "")


@dataclass(frozen=True)
class Machine:
    gpus: tuple[Gpu, ...]
    ram_total_gb: float
    ram_free_gb: float
    cpu_name: str
    cpu_cores: int
    notes: tuple[str, ...] = ()  # sentences about hardware that is there but not usable

    def disk_free_gb(self, path: Path | str) -> float:
        return free_disk_gb(path)


def read_machine() -> Machine:
    """The machine as it is now. No NVIDIA driver: gpus is empty."""
    memory = psutil.virtual_memory()
    gpus = _read_gpus()
    return Machine(
        gpus=gpus,
        ram_total_gb=memory.total / GIB,
        ram_free_gb=memory.available / GIB,
        cpu_name=_cpu_name(),
        cpu_cores=os.cpu_count() or 1,
        notes=() if gpus else _other_gpus(),
    )


def free_disk_gb(path: Path | str) -> float:
    """Free space where `path` is or would be, in GB of 10^9 bytes as file managers count; 0.0 if that cannot be told."""
    path = Path(path).absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free / 1e9
    except OSError:
        return 0.0


@dataclass(frozen=True)
class TorchBuild:
    """What the installed torch was built for: cuda is (major, minor), (0, 0) for a build that computes on the processor alone."""

    version: str
    cuda: tuple[int, int] = (0, 0)
    rocm: bool = False

    def why_not(self, gpu: Gpu) -> str:
        """Why it cannot use this GPU, in words with the way out; "" where it can. A driver runs every build of its CUDA's major version or older."""
        there = f"There is a {gpu.name}, but the installed torch ({self.version}) cannot use it"
        if self.cuda == (0, 0) and not self.rocm:
            return f"{there}; start the studio with launch to repair that."
        if gpu.driver_cuda != (0, 0) and self.cuda[0] > gpu.driver_cuda[0]:
            return f"{there}: its driver {gpu.driver} is too old, it knows CUDA {gpu.driver_cuda[0]} and not {self.cuda[0]}. Update the graphics driver."
        return ""


def read_torch_build() -> TorchBuild:
    """The TorchBuild that is installed, read from its file of versions: importing torch takes seconds and much memory."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise ImportError("torch is not installed")
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    found = dict(re.findall(r"^(\w+)(?:: [^=]*)? = '([^']*)'", text, re.MULTILINE))
    major, _, minor = found.get("cuda", "0.0").partition(".")
    return TorchBuild(found["__version__"], (int(major), int(minor)), "hip" in found)


def long_paths_work() -> bool:
    """Whether paths may have more than 260 characters; on Windows that is a switch, and off unless somebody turned it on."""
    if os.name != "nt":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return winreg.QueryValueEx(key, "LongPathsEnabled")[0] == 1
    except OSError:
        return False


@functools.cache
def _nvml() -> ModuleType | None:
    """The initialised NVML module, or None without an NVIDIA driver."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _read_gpus() -> tuple[Gpu, ...]:
    nvml = _nvml()
    if nvml is None:
        return ()
    try:
        driver, cuda = _text(nvml.nvmlSystemGetDriverVersion()), nvml.nvmlSystemGetCudaDriverVersion()
        indices = _visible(nvml, nvml.nvmlDeviceGetCount())
        return tuple(_read_gpu(nvml, index, driver, (cuda // 1000, cuda % 1000 // 10)) for index in indices)
    except nvml.NVMLError:  # the driver was updated or the card fell off the bus
        return ()


def _read_gpu(nvml: ModuleType, index: int, driver: str, cuda: tuple[int, int]) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    name = _text(nvml.nvmlDeviceGetName(handle)).removeprefix("NVIDIA ").removeprefix("GeForce ")
    return Gpu(index, name, memory.total / GIB, memory.free / GIB, driver, _holders(nvml, handle), _pcie(nvml, handle), cuda)


def _pcie(nvml: ModuleType, handle: Any) -> tuple[int, int]:
    """(generation, lanes) at their best: at rest a card goes down to the slowest."""
    try:
        return nvml.nvmlDeviceGetMaxPcieLinkGeneration(handle), nvml.nvmlDeviceGetMaxPcieLinkWidth(handle)
    except nvml.NVMLError:  # virtual machines don't tell
        return 0, 0


def _visible(nvml: ModuleType, count: int) -> list[int]:
    """Indices of the GPUs that CUDA may use, in its order (we run with CUDA_DEVICE_ORDER=PCI_BUS_ID, which is NVML's)."""
    text = os.environ.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return list(range(count))
    uuids = {_text(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(i))): i for i in range(count)}
    indices = []
    for part in (p.strip() for p in text.split(",")):
        index = int(part) if part.isdigit() else next((i for u, i in uuids.items() if part and u.startswith(part)), count)
        if index >= count:
            break  # as CUDA does: a wrong entry hides everything after it
        indices.append(index)
    return indices


def _holders(nvml: ModuleType, handle: Any) -> tuple[tuple[str, float], ...]:
    """(program, gb) of what occupies the card, summed by program."""
    used: defaultdict[str, float] = defaultdict(float)
    seen: set[int] = set()
    for query in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        try:
            processes = query(handle)
        except nvml.NVMLError:  # not supported on this card or not permitted
            continue
        for process in processes:
            if process.pid not in seen:
                seen.add(process.pid)
                used[_program(process.pid)] += (process.usedGpuMemory or 0) / GIB
    return tuple(sorted(used.items(), key=lambda entry: -entry[1]))


def _program(pid: int) -> str:
    try:
        return psutil.Process(pid).name().removesuffix(".exe")
    except psutil.Error:
        return f"process {pid}"


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@functools.cache
def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


@functools.cache
def _other_gpus() -> tuple[str, ...]:
    """A sentence for an AMD card: it may work with a ROCm build of torch, but its memory is not read here."""
    for vendor in Path("/sys/class/drm").glob("card*/device/vendor"):
        try:
            if vendor.read_text(encoding="ascii").strip() == "0x1002":
                return ("There is an AMD GPU. Its memory cannot be read here, so plans count on the processor; use --vram to plan for it.",)
        except OSError:
            continue
    return ()


def allow_open_files() -> int:
    """Let this process hold as many files open as it may be allowed to: a browser sends a thousand at once. The number; 0 where there is none
    to be set (Windows)."""
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wish in (most, MANY_FILES):  # macOS says "no end" and refuses it
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wish, most))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def step_back() -> None:
    """The window and a training go before what this process does, and before whatever it starts."""
    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):  # a computer that does not allow it shares equally
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else max(_STEP_BACK, process.nice()))
