"""A kind of job is one file: what is put into the folder of kinds is queued, run by the worker and told of as the studio's own are."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from studio import cli
from studio.jobs import kinds, launcher, state
from studio.jobs.kind import find_kinds, read_config
from studio.jobs.kinds.curate import CurateJob
from studio.jobs.kinds.download import DownloadJob

GREET = '''
"""Greet: say hello to everybody."""

from dataclasses import dataclass

from studio.facts import Facts
from studio.jobs.kind import PROCESSOR, JobConfig

TITLE = "Greet"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class GreetJob(JobConfig):
    KIND = "greet"
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Greeted(Facts):
    greeted: int
    by: str


Config = GreetJob
Result = Greeted


def run(config, work):
    for number, name in enumerate(config.names, 1):
        work.recorder.report("progress", stage="Greeting", done=number, total=len(config.names), unit="people", message=name)
    return Greeted(greeted=len(config.names), by=work.project.facts().name)


def describe_end(result):
    return f"{result.greeted} people were greeted."
'''
WORKER = """
import sys
from studio.jobs import kinds, worker
kinds.__path__.append(sys.argv[1])
worker.main(sys.argv[2], "processor")
"""
VERDICT = {"keep": False, "decided_by": "curate", "reason": "blurred", "reasons": [{"code": "blur", "words": "blurred"}], "warnings": []}
TITLES = {
    "guest": "Take in a guest",
    "train": "Train",
    "rehearse": "Rehearse",
    "caption": "Write captions",
    "sweep": "Draw and compare",
    "import": "Import",
    "duplicate": "Duplicate",
    "pieces": "Find pieces of clips",
    "stills": "Take photos out of a clip",
    "curate": "Choose the best photos",
    "download": "Download",
    "export": "Export",
    "try_server": "Test the captioner",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder beside the studio's own, in which there is a kind more."""
    folder = tmp_path / "one more kind"
    folder.mkdir()
    (folder / "greet.py").write_text(GREET, encoding="utf-8")
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(folder)])
    yield folder
    sys.modules.pop("studio.jobs.kinds.greet", None)


def test_the_studio_s_kinds_of_jobs_are_these():
    assert {name: kind.TITLE for name, kind in find_kinds().items()} == TITLES


def test_a_kind_of_one_file_more_is_queued_run_by_the_worker_and_told_of(project, folder, capsys):
    greet = find_kinds()["greet"]
    run_dir = launcher.enqueue(project, greet.Config(names=("Anna", "Bea")))
    assert run_dir.name == "greet-001" and state.read_status(run_dir).title == "Greet"
    assert state.read_status(run_dir).read_result(greet.Result) is None, "it has not run"
    subprocess.run(
        [sys.executable, "-c", WORKER, str(folder), str(project.workspace.home)], check=True, cwd=Path(cli.__file__).parent.parent
    )
    job = state.read_status(run_dir)
    assert (job.state, job.progress.message, job.fraction) == ("done", "Bea", 1.0)
    result = job.read_result(greet.Result)
    assert isinstance(result, greet.Greeted) and result.by == "Anna" and job.result == {"greeted": 2, "by": "Anna"}
    assert greet.describe_end(result) == "2 people were greeted."
    assert cli.main(["jobs", "--json", "--home", str(project.workspace.home)]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"][0]["kind"] == "greet"


def test_a_job_of_a_kind_that_has_gone_is_still_listed_and_fails_in_words(project, folder):
    run_dir = launcher.enqueue(project, find_kinds()["greet"].Config(names=("Anna",)))
    subprocess.run(
        [sys.executable, "-m", "studio.jobs.worker", str(project.workspace.home)], check=True, cwd=Path(cli.__file__).parent.parent
    )
    job = state.read_status(run_dir)
    assert job.state == "failed" and "there is no job kind 'greet'" in job.error.message


def test_a_file_that_gives_less_than_a_kind_gives_is_named(folder):
    (folder / "empty.py").write_text("TITLE = 'Nothing'\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"studio\.jobs\.kinds\.empty gives no QUEUE"):
        find_kinds()
    sys.modules.pop("studio.jobs.kinds.empty")


def test_a_job_waits_in_the_queue_of_its_kind(project):
    with pytest.raises(AssertionError, match="queue downloads"):
        launcher.enqueue(project, DownloadJob(model="tiny"))
    with pytest.raises(AssertionError, match="queue processor"):
        launcher.enqueue(project.workspace.download_jobs("tiny"), CurateJob())


def test_what_another_version_wrote_into_a_config_is_kept_when_settings_change(project):
    run_dir = launcher.enqueue(project, CurateJob(keep=3, unknown={"later": 1}))
    assert read_config(CurateJob, run_dir).unknown == {"later": 1}


# what status.json held as the result of each kind before results had types, ended and stopped
KEPT_RESULTS = [
    ("train", {"step": 8, "steps": 8, "stopped": False, "nothing_to_do": False, "pairs": ["train-001/step-000008"]}),
    ("train", {"step": 3, "steps": 8, "stopped": True, "nothing_to_do": False, "pairs": [], "stopped_by": "finish-by"}),
    ("rehearse", {"stopped": True}),
    ("rehearse", {"memory": {}, "vram_gb": None, "ram_gb": 1.5, "seconds_per_step": 2.0, "seconds_largest": 3.0, "stopped": False}),
    ("caption", {"written": 1, "plain": 0, "kept": 2, "failed": 1, "stopped": False, "notes": [{"id": "0001", "file": "a.jpg", "text": "no"}]}),
    ("sweep", {"sweep": "sweep-001", "rendered": 2, "reused": 0, "failed": 1, "total": 3, "report": "report.html", "stopped": True}),
    ("import", {"added": ["0001"], "duplicates": [["a", "0001"]], "rejected": [["b", "no"]], "notes": [["c", "cut"]], "stopped": False}),
    ("curate", {"measured": 1, "kept": 1, "left_out": 0, "changed": 0, "stopped": False, "verdicts": {"0001": VERDICT}}),
    ("export", {"folder": "step-000008-comfyui"}),
    ("export", {"folder": "", "stopped": True}),
    ("download", {"stopped": False, "bytes": 10, "fetched_bytes": 4, "files": 2, "folder": "models/a"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kept"), KEPT_RESULTS)
def test_a_result_of_an_old_status_file_is_read_and_kept_as_it_was(project, name, kept):
    job = status_with(project, kept)
    result = job.read_result(find_kinds()[name].Result)
    assert result.to_json() | kept == result.to_json() and result.stopped == kept.get("stopped", False)
    assert isinstance(find_kinds()[name].describe_end(result), str)


@pytest.mark.parametrize("kept", [{}, {"aborted": True}])
def test_a_job_that_returned_nothing_has_no_result(project, kept):
    job = status_with(project, kept)
    assert {job.read_result(kind.Result) for kind in find_kinds().values()} == {None}


def status_with(project, result):
    run_dir = launcher.enqueue(project, CurateJob())
    state.write_record(run_dir, replace(state.read_record(run_dir), state="done", result=result))
    return state.read_status(run_dir)
