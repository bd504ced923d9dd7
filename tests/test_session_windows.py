"""The end of a Windows session while a job runs, by wine and a Python for Windows: the question arrives, the job saves, and Windows waits for it.

Of Windows' own patience with a job (seconds) wine knows nothing. The Python is not part of the project: name one in STUDIO_WINDOWS_PYTHON.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from test_launch_windows import NO_WINE, REPOSITORY, windows_path, wine  # noqa: F401

PYTHON = os.environ.get("STUDIO_WINDOWS_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(os.name == "nt" or not shutil.which("wine"), reason=NO_WINE),
    pytest.mark.skipif(not Path(PYTHON).is_file(), reason="needs python.exe of a Python for Windows, named in STUDIO_WINDOWS_PYTHON"),
]
JOB = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from studio.jobs import windows

def note(word):
    with open(sys.argv[2], "a") as file:
        file.write(word + " ")

asked, patience = threading.Event(), float(sys.argv[3])
with windows.long_job(lambda: (note("asked"), asked.set())):
    note("works")
    if asked.wait(patience):
        time.sleep(1)
        note("saved")
note("ended")
"""


@pytest.fixture(scope="module")
def desktop(tmp_path_factory):
    """The environment of a fresh Windows that has windows, and no screen to show them on."""
    home = tmp_path_factory.mktemp("wine")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "WINEPREFIX": str(home / "prefix"), "WINEDEBUG": "-all", "LANG": "C.UTF-8"}
    env["WINEDLLOVERRIDES"] = "mscoree,mshtml="
    quiet = dict(env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    no_screen = ["reg", "add", r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"]
    for command in (["wine", "wineboot", "-i"], ["wine", *no_screen], ["wineserver", "-k"]):  # the next start of it heeds the change
        subprocess.run(command, timeout=240, **quiet)
    yield env
    subprocess.run(["wineserver", "-k"], **quiet)


def start(desktop, folder, patience):
    """(process, file of its notes) of a job that works until it is asked to stop, for `patience` seconds at most."""
    script, notes = folder / "job.py", folder / "notes.txt"
    script.write_text(JOB, encoding="utf-8")
    command = ["wine", PYTHON, windows_path(script), windows_path(REPOSITORY), windows_path(notes), str(patience)]
    job = subprocess.Popen(command, env=desktop, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while "works" not in (notes.read_text() if notes.exists() else ""):
        assert time.monotonic() < deadline and job.poll() is None, job.communicate()[0]
        time.sleep(0.1)
    return job, notes


def test_a_job_saves_before_the_session_ends(desktop, tmp_path):
    job, notes = start(desktop, tmp_path, 60)
    subprocess.run(["wine", "wineboot", "--end-session"], env=desktop, stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert notes.read_text().startswith("works asked saved")
    job.communicate(timeout=30)


def test_a_job_that_ends_takes_its_window_with_it(desktop, tmp_path):
    job, notes = start(desktop, tmp_path, 0.2)
    said, _ = job.communicate(timeout=30)
    assert notes.read_text() == "works ended " and b"no window" not in said and job.returncode == 0
