"""Shared fixtures: the workspace moves to a temporary folder, the network is closed but for loopback, the tiny base model."""

import gc
import ipaddress
import os
import socket
from pathlib import Path

import pytest

from studio.project_facts import Permission
from studio.workspace import Workspace

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", GRADIO_ANALYTICS_ENABLED="False")
side_by_side = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if side_by_side > 1:  # the processors are shared
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // side_by_side)))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # else torch's threads spin against each other on a busy machine: 20 times slower
_connect = socket.socket.connect


def _connect_to_loopback_only(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] != "localhost" and not ipaddress.ip_address(address[0]).is_loopback:
        raise OSError(f"a test tried to reach {address[0]}; tests do not use the network")
    return _connect(self, address)


socket.socket.connect = _connect_to_loopback_only
gc.disable()  # while a million things are loaded that stay


def pytest_collection_finish():
    """What was loaded to collect the tests stays: looked through at each change of models, it costs more than what most tests do."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "home")


@pytest.fixture
def project(workspace):
    return workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model="tiny", permission=Permission(granted=True))


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    from studio.models.catalogue import find_model

    return find_model("tiny", Workspace(tmp_path_factory.mktemp("tiny_home")))


@pytest.fixture
def media():
    return Path(__file__).parent / "media"


# -- browser tests; the kit skips whoever loads it where there is no browser, so that it is not loaded above


@pytest.fixture(scope="session")
def _studio_of_all(tmp_path_factory):
    from browser_kit import shared_studio

    with shared_studio(tmp_path_factory.mktemp("browser é")) as shared:
        yield shared


@pytest.fixture
def shared(_studio_of_all):
    """A studio without persons: its start takes longer than most tests. What a test makes in its workspace is gone after it."""
    from browser_kit import as_found

    with as_found(_studio_of_all.workspace):
        yield _studio_of_all
