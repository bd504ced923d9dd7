"""One studio per workspace, and what a second start, a busy port or an unwritable folder says. The window itself is not started here."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from studio.disk import write_json
from studio.errors import Problem
from studio.ui import instance
from studio.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parent.parent
HOLDER = """
import sys, pathlib
from studio.ui.instance import claim
from studio.workspace import Workspace
with claim(Workspace(pathlib.Path(sys.argv[1])), 7999) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(workspace):
    """Another process that has the workspace."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, workspace.home], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "http://127.0.0.1:7999\n"
    yield process
    process.kill()
    process.communicate()


def start_app(workspace, *arguments, **variables):
    """Run app.py as a person's command."""
    env = dict(os.environ, STUDIO_HOME=str(workspace.home)) | variables
    return subprocess.run(
        [sys.executable, REPOSITORY / "app.py", "--no-browser", *arguments], env=env, capture_output=True, text=True, timeout=120
    )


def test_nobody_runs_in_a_fresh_workspace_and_asking_makes_no_folder(workspace):
    assert instance.find_running(workspace) is None
    assert not workspace.home.exists()


def test_a_claim_is_seen_and_ends_with_its_block(workspace):
    with instance.claim(workspace, 7861) as url:
        assert instance.find_running(workspace) == url == "http://127.0.0.1:7861"
    assert instance.find_running(workspace) is None
    with instance.claim(workspace, 7862):
        pass


def test_two_studios_on_one_workspace_are_refused_with_the_firsts_address(workspace, holder):
    with pytest.raises(instance.AlreadyRunning, match="already runs") as error, instance.claim(workspace, 7860):
        pass
    assert error.value.url == "http://127.0.0.1:7999"


def test_two_workspaces_have_a_studio_each(workspace, holder, tmp_path):
    with instance.claim(Workspace(tmp_path / "second"), 7860):
        assert instance.find_running(workspace) == "http://127.0.0.1:7999"


def test_a_killed_studio_does_not_block_the_next_one(workspace, holder):
    holder.kill()
    holder.wait()
    assert instance.record_file(workspace).exists()
    assert instance.find_running(workspace) is None
    with instance.claim(workspace, 7860) as url:
        assert instance.find_running(workspace) == url


def test_the_address_of_a_killed_studio_is_never_given_out_for_a_new_one(workspace, holder, monkeypatch):
    monkeypatch.setattr(instance, "APPEARS_WITHIN_SECONDS", 0.2)
    stale = json.loads(instance.record_file(workspace).read_text(encoding="utf-8"))
    write_json(instance.record_file(workspace), stale | {"create_time": 1.0})
    with pytest.raises(Problem, match="another program holds the workspace"):
        instance.find_running(workspace)


@pytest.mark.parametrize("name", ["taken", "next"])
def test_a_busy_port(name):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        if name == "next":
            assert port < instance.choose_port(port) <= port + instance.NUM_PORTS_TRIED
        else:
            with pytest.raises(Problem, match=f"port {port} is in use by another program"):
                instance.choose_port(port, fixed=True)


def test_a_second_start_says_where_the_first_runs_without_loading_gradio(workspace, holder):
    done = start_app(workspace, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert done.stdout == "The studio already runs at http://127.0.0.1:7999\n"
    assert "gradio" not in done.stderr and "torch" not in done.stderr


def test_app_says_that_the_wanted_port_is_taken(workspace):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = start_app(workspace, "--port", str(port))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"port {port} is in use by another program; choose another, for example --port {port + 1}\n"


def test_app_says_that_the_workspace_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = start_app(Workspace(tmp_path), "--home", str(tmp_path / "file/home"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr and "--home" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments, words", [(["--port", "70000"], "from 1 to 65535"), (["--share-on-lan"], "STUDIO_LAN_PASSWORD")])
def test_app_explains_wrong_options(workspace, arguments, words):
    done = start_app(workspace, *arguments, STUDIO_LAN_PASSWORD="")
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_app_in_a_python_without_the_libraries_points_to_the_launcher(workspace):
    done = subprocess.run([sys.executable, "-S", REPOSITORY / "app.py"], capture_output=True, text=True)
    assert done.returncode == 2 and "./launch.sh" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_ends_the_studio_quietly_and_frees_the_workspace(workspace):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, REPOSITORY / "app.py", "--no-browser", "--port", str(port)]
    options = dict(env=dict(os.environ, STUDIO_HOME=str(workspace.home)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process = subprocess.Popen(command, preexec_fn=hear_ctrl_c, **options)
    assert process.stderr.readline() == "Starting the studio...\n"
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in words
    assert instance.find_running(workspace) is None


def hear_ctrl_c():
    """A test run in the background may have been told to ignore it, and what it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_clock_that_was_set_right_does_not_hide_a_running_studio(workspace, holder):
    """As after sleep in WSL, or on a computer that starts with a wrong clock: Linux counts create times from the clock."""
    with socket.socket() as studio:
        studio.bind(("127.0.0.1", 0))
        studio.listen()
        address = {"url": f"http://127.0.0.1:{studio.getsockname()[1]}", "port": studio.getsockname()[1]}
        record = json.loads(instance.record_file(workspace).read_text(encoding="utf-8"))
        write_json(instance.record_file(workspace), record | address | {"create_time": record["create_time"] + 3600})
        assert instance.find_running(workspace) == address["url"]


def test_a_block_of_reserved_ports_is_no_reason_not_to_start(monkeypatch):
    """Windows with Hyper-V or Docker sets aside blocks of a hundred ports, which nobody may listen on."""
    monkeypatch.setattr(instance, "port_is_free", lambda port, host: False)
    port = instance.choose_port(7860)
    assert not 7860 <= port < 7960 and port > 1023
