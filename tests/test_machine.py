"""Reading the machine: it never fails, whatever is there."""

import os
import subprocess
import sys

import psutil
import pytest

from studio.machine import GIB, Gpu, TorchBuild, free_disk_gb, read_machine, read_torch_build


def test_the_machine_is_read_without_failing_whatever_is_there():
    found = read_machine()
    assert abs(found.ram_total_gb - psutil.virtual_memory().total / GIB) < 0.1
    assert 0 < found.ram_free_gb <= found.ram_total_gb
    assert found.cpu_cores >= 1 and found.cpu_name
    for gpu in found.gpus:
        assert gpu.name and 0 <= gpu.vram_free_gb <= gpu.vram_total_gb


def test_reading_the_machine_loads_no_torch():
    code = "import sys; from studio.machine import read_machine; read_machine(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_steps_back_runs_below_the_window_and_a_training():
    code = "import psutil; from studio.machine import step_back; step_back(); step_back(); print(int(psutil.Process().nice()))"
    mine = psutil.Process().nice()
    after = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert after == psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else after == max(5, mine)


def test_free_disk_is_told_for_a_folder_that_is_not_made_yet(tmp_path):
    assert free_disk_gb(tmp_path / "not" / "yet") > 0
    assert read_machine().disk_free_gb(tmp_path) > 0


def test_a_gpu_says_who_holds_its_memory():
    text = Gpu(0, "RTX 4090", 23.99, 22.1, "555", (("chrome", 1.1), ("python", 0.0))).describe()
    assert text == "RTX 4090, 24 GB, 22.1 GB free (1.1 GB held by chrome, also used by python)"


@pytest.mark.parametrize(
    ("build", "driver_cuda", "words"),
    [
        (TorchBuild("2.14.1+cpu"), (13, 0), "start the studio with launch"),
        (TorchBuild("2.14.1+cu130", (13, 0)), (12, 4), "Update the graphics driver"),
        (TorchBuild("2.14.1+cu130", (13, 0)), (13, 0), ""),
        (TorchBuild("2.14.1+cu128", (12, 8)), (12, 2), ""),  # a minor version makes no difference
        (TorchBuild("2.14.1+cu128", (12, 8)), (13, 1), ""),
        (TorchBuild("2.14.1+rocm7", rocm=True), (0, 0), ""),
    ],
)
def test_a_torch_that_cannot_use_the_gpu_says_why(build, driver_cuda, words):
    why = build.why_not(Gpu(0, "RTX 4090", 24, 22, "555", driver_cuda=driver_cuda))
    assert words in why and bool(words) == bool(why)


def test_the_installed_torch_is_read_without_importing_it():
    build = read_torch_build()
    import torch

    assert build.version == torch.__version__ and build.rocm == (torch.version.hip is not None)
    assert build.cuda == tuple(int(part) for part in (torch.version.cuda or "0.0").split("."))
