"""On a processor the same numbers give the same bits, wherever in memory they lie."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OLD_PATH = {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}  # on this path MKL heeds alignment on Intel's processors too; AMD's show it without
SHAPES = [(33, 192, 2), (7, 48, 48), (17, 100, 37), (64, 256, 77), (200, 96, 192)]  # (rows, in, out)
PROGRAM = """
import hashlib, json, os, sys
import studio
import torch

torch.set_num_threads(int(sys.argv[1]))

def lay(tensor, offset):
    "The same numbers, `offset` bytes behind a multiple of 64."
    size = tensor.numel() * 4
    room = torch.empty(size + 128, dtype=torch.uint8)
    start = -room.data_ptr() % 64 + offset
    laid = room[start : start + size].view(torch.float32).view(tensor.shape)
    return laid.copy_(tensor)

def compute(offset):
    "Hash of what a layer gives forward and backward, with its weight and its input laid so."
    generator = torch.Generator().manual_seed(0)
    digest = hashlib.sha256()
    for rows, size_in, size_out in json.loads(sys.argv[2]):
        x = lay(torch.randn(rows, size_in, generator=generator), offset).requires_grad_()
        weight = lay(torch.randn(size_out, size_in, generator=generator), (offset + 20) % 64).requires_grad_()
        y = torch.nn.functional.linear(x, weight)
        (y.square().mean() + (weight @ x[0]).mean()).backward()
        for tensor in (y.detach(), weight @ x[0].detach(), x.grad, weight.grad):
            digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()

print(json.dumps({"mode": os.environ["MKL_CBWR"], "results": len({compute(offset) for offset in range(0, 64, 4)})}))
"""


def run(threads=1, **variables):
    """{"mode", "results": how many different ones at 16 alignments} of a new process."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("MKL_")} | variables | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(threads), json.dumps(SHAPES)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("path", [{}, OLD_PATH], ids=["this processor's path", "an old path"])
@pytest.mark.parametrize("threads", [1, 2])
def test_weights_at_any_alignment_give_the_same_layer_bit_for_bit(path, threads):
    assert run(threads, **path) == {"mode": "AUTO,STRICT", "results": 1}


def test_what_a_person_has_set_stays():
    assert run(MKL_CBWR="COMPATIBLE")["mode"] == "COMPATIBLE"


@pytest.mark.parametrize(
    "start", ["import studio.cli", "import studio.jobs.worker", "import studio.tiny.build", "from studio.jobs import launcher"]
)
def test_everything_that_computes_sets_it_before_torch(start):
    """The processes that these start inherit it."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("MKL_")} | {"PYTHONPATH": str(ROOT)}
    program = f"import os, sys; {start}; print(os.environ.get('MKL_CBWR'))"
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["AUTO,STRICT"]
