"""The self-check finds a sound computer sound, and one that is not it names; what it writes down can be shown to anybody."""

import getpass
import json
from pathlib import Path

import pytest
import torch

from studio.cli import main
from studio.models.stream.links import Link
from studio.training import selfcheck
from studio.training.selfcheck import check_device, describe_system


def by_name(findings):
    return {finding.what: finding for finding in findings}


def test_a_sound_processor_is_found_sound():
    found = by_name(check_device("cpu"))
    assert set(found) == {
        "streaming",
        "gradients",
        "8-bit weights",
        "8-bit products",
        "compiled blocks",
        "attention",
        "RAM to GPU",
        "arithmetic",
    }
    assert {finding.state for what, finding in found.items() if what != "RAM to GPU"} == {"good"}
    assert found["streaming"].numbers["equal"] and 0 < found["gradients"].numbers["largest_relative_error"] < 1e-4
    assert found["compiled blocks"].numbers["largest_relative_error"] < 1e-5
    assert 0 < found["8-bit products"].numbers["int8"]["relative_error"] < 0.02
    assert found["arithmetic"].numbers["tflops"] > 0 and set(found["8-bit weights"].numbers["relative_error"]) == {"int8", "fp8"}


class ForgetfulLink(Link):
    """A link whose copies are sometimes late: every third never arrives."""

    def send(self, buffer, host):
        super().send(buffer, host)
        if self.num_copies % 3 == 0:
            buffer.fill_(0)


@pytest.mark.parametrize("check", ["check_streaming", "check_gradients"])
def test_a_computer_that_copies_wrongly_is_told_not_to_train(monkeypatch, check):
    monkeypatch.setattr(selfcheck, "make_link", lambda device, spoils: ForgetfulLink(spoils))
    finding = getattr(selfcheck, check)(torch.device("cpu"))
    assert finding.state == "bad" and "do not train" in finding.text


def test_a_check_that_breaks_off_is_a_finding_and_the_others_go_on(monkeypatch):
    def lost(device, spoils):
        raise RuntimeError("CUDA error: device lost\nat some address")

    monkeypatch.setattr(selfcheck, "make_link", lost)
    found = by_name(check_device("cpu"))
    assert found["streaming"].state == "bad" and "device lost" in found["streaming"].text and "address" not in found["streaming"].text
    assert found["attention"].state == "good"


def test_doctor_writes_a_report_that_names_no_person_and_no_folder(workspace, capsys):
    assert main(["doctor", "--gpu", "--json", "--home", str(workspace.home)]) == 0
    result = json.loads(capsys.readouterr().out)
    states = {finding["what"]: finding["state"] for finding in result["findings"]}
    assert states["streaming"] == states["gradients"] == "good"
    report = Path(result["report"]).read_text(encoding="utf-8")
    assert json.loads(report)["system"].keys() == describe_system("cpu").keys()
    assert str(workspace.home) not in report and str(Path.home()) not in report
    assert getpass.getuser() not in report or getpass.getuser() == "root"
