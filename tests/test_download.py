"""Base models from the hub: only what is needed, resumable at any byte, checked, offline unless asked, and the token nowhere but in the request."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub_kit import DECOYS, MODEL, FakeHub, files_below, in_shards, make_repository
from safetensors.torch import load

from studio import cli
from studio.commands import models as models_command
from studio.config import PRESETS_DIR
from studio.data import dataset
from studio.data.importer import import_media
from studio.errors import Problem
from studio.jobs import launcher, state, worker
from studio.jobs.kind import GPU
from studio.jobs.kinds.download import DownloadJob
from studio.jobs.recorder import Recorder
from studio.models.captioners.opening import find_captioner
from studio.models.catalogue import describe_model, find_model
from studio.models.fetch import offers as sources
from studio.models.fetch.downloading import PARTS, WAITS, DownloadReport, download_model, list_needed
from studio.models.fetch.fetchable import describe, find_fetchable
from studio.models.fetch.needed import names_of_diffusers_folder
from studio.models.files.folders import check_folder
from studio.models.preset import model_preset
from studio.project_facts import Permission
from studio.ui import actions, download_view
from studio.ui.actions import find_button
from studio.ui.dataset import view as dataset_view
from studio.ui.side import new_person, status_line
from studio.ui.train import choice as train_choice
from studio.ui.train import view as train_view
from studio.workspace import Workspace

TOKEN = "hf_secretSECRETsecret0123456789"
LOW = "transformer_2/diffusion_pytorch_model.safetensors"
SHARDS = [f"transformer/diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
CAPTIONER = "Qwen3-VL-8B-Instruct"
QUICK = (0.01, 0.02, 0.03)


@pytest.fixture(scope="session")
def repository():
    return make_repository()


@pytest.fixture
def hub(repository, monkeypatch, tmp_path):
    with FakeHub(dict(repository)) as hub:
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv(sources.WISH, "0")
        yield hub


class Watch:
    """What a job's recorder is to a download: hears its events, and may ask it to stop."""

    def __init__(self, stop_when=lambda events: False):
        self.events, self.stop_when = [], stop_when

    def report(self, event, **fields):
        self.events.append({"event": event} | fields)

    def should_stop(self):
        return self.stop_when(self.events)

    def notes(self):
        return [e["message"] for e in self.events if e["event"] == "note"]


def fetch(workspace, watch=None, **options):
    watch = watch or Watch()
    options = {"waits": QUICK, "free_gb": lambda folder: 500.0} | options
    return download_model(MODEL, workspace, report=watch.report, should_stop=watch.should_stop, **options)


def needed_of(files):
    return names_of_diffusers_folder(files, lambda name: json.loads(files[name]))


def assert_whole(workspace, files):
    folder = workspace.models_dir / MODEL
    assert {name: path.read_bytes() for name, path in files_below(folder).items()} == {name: files[name] for name in needed_of(files)}
    assert describe_model(MODEL, workspace).available


# -- what is fetched


def test_only_the_files_that_are_needed_are_fetched_and_the_folder_is_a_model(hub, workspace):
    watch = Watch()
    assert not describe_model(MODEL, workspace).available
    result = fetch(workspace, watch)
    assert_whole(workspace, hub.files)
    needed = needed_of(hub.files)
    assert not set(DECOYS) & set(needed) and not set(DECOYS) & {r.name for r in hub.asked()}
    assert result.fetched_bytes == result.bytes == sum(len(hub.files[name]) for name in needed)
    assert result.files == len(needed) and not result.stopped
    assert find_model(MODEL, workspace).weight_files("transformer") == [workspace.models_dir / MODEL / shard for shard in SHARDS]
    last = watch.events[-1]
    assert last["done"] == last["total"] == round(result.bytes / 1e6, 2) and last["unit"] == "MB"


def test_the_sizes_are_told_before_anything_is_fetched(hub, workspace):
    needed = list_needed(MODEL, workspace)
    assert needed.total_bytes == needed.missing_bytes == sum(len(hub.files[name]) for name in needed_of(hub.files))
    assert [r.name for r in hub.asked()] == ["transformer/diffusion_pytorch_model.safetensors.index.json"]  # it names the shards
    assert not workspace.models_dir.exists()


def test_the_weights_come_after_the_small_files_and_the_folder_counts_only_when_all_are_there(hub, workspace):
    seen = []

    def look(events):
        seen.append(describe_model(MODEL, workspace).available)
        return False

    fetch(workspace, Watch(look))
    assert not any(seen[:-1]) and describe_model(MODEL, workspace).available
    order = [r.name for r in hub.asked()][1:]
    assert order.index(SHARDS[0]) > order.index("tokenizer/tokenizer.json") and order[-1].endswith(".safetensors")


def test_a_repository_that_lacks_a_file_or_holds_only_bin_files_is_named(hub, workspace):
    hub.files["vae/diffusion_pytorch_model.bin"] = hub.files.pop("vae/diffusion_pytorch_model.safetensors")
    with pytest.raises(Problem, match=r"does not hold vae/diffusion_pytorch_model\.safetensors"):
        fetch(workspace)
    assert not hub.asked("vae/diffusion_pytorch_model.bin")


def test_an_index_cannot_lead_out_of_the_folder(hub, workspace):
    hub.files["transformer/diffusion_pytorch_model.safetensors.index.json"] = b'{"weight_map": {"a": "../../../evil.safetensors"}}'
    with pytest.raises(Problem, match="damaged"):
        fetch(workspace)


def test_the_mentioned_download_is_about_as_large_as_the_preset_says():
    preset = model_preset(MODEL)
    shape = preset.shape
    published = shape.num_experts * shape.parameters_per_expert * 4 / 1e9 + shape.text_encoder_gb + shape.vae_gb
    assert preset.download_gb == pytest.approx(published, rel=0.02) and preset.licence == "Apache-2.0"


# -- interruptions


def test_a_cut_connection_goes_on_where_it_broke(hub, workspace):
    hub.faults[LOW] = [("cut", 1_000_000), ("cut", 2_000_000), ("status", 503), ("status", 429, {"Retry-After": "0"})]
    watch = Watch()
    fetch(workspace, watch)
    assert_whole(workspace, hub.files)
    assert [r.start for r in hub.asked(LOW)] == [0, 1_000_000, 3_000_000, 3_000_000, 3_000_000]
    assert hub.sent(LOW) == len(hub.files[LOW])  # not a byte twice
    assert len(watch.notes()) == 4 and "broke the connection" in watch.notes()[0] and "too often" in watch.notes()[3]


def test_waits_grow_and_begin_anew_when_bytes_have_come(hub, workspace):
    assert list(WAITS) == sorted(WAITS) and sum(WAITS) >= 600
    hub.faults[LOW] = [("status", 500), ("status", 500), ("cut", 10), ("status", 500), ("status", 500)]
    watch = Watch()
    fetch(workspace, watch)
    assert len(watch.notes()) == 5  # more than there are waits
    hub.faults[LOW] = [("status", 500)] * 4
    (workspace.models_dir / MODEL / LOW).unlink()
    with pytest.raises(Problem, match=r"can't answer now \(error 500\)"):
        fetch(workspace)
    assert_eventually_whole(workspace, hub)


def assert_eventually_whole(workspace, hub):
    hub.faults.clear()
    fetch(workspace)
    assert_whole(workspace, hub.files)


def test_a_server_that_cannot_begin_in_the_middle_begins_anew(hub, workspace):
    hub.faults[LOW] = [("cut", 1_000_000), ("no range",)]
    result = fetch(workspace)
    assert_whole(workspace, hub.files)
    assert hub.sent(LOW) == len(hub.files[LOW]) + 1_000_000 and result.fetched_bytes == result.bytes + 1_000_000


def test_a_request_to_stop_is_seen_within_two_seconds_even_when_nothing_comes(hub, workspace):
    hub.faults[LOW] = [("stall", 3_000_000)]
    asked_at = []

    def stop(events):
        if not asked_at and hub.sent(LOW) >= 3_000_000:
            asked_at.append(time.monotonic())
        return bool(asked_at) and time.monotonic() > asked_at[0] + 0.5

    result = fetch(workspace, Watch(stop))
    assert time.monotonic() - asked_at[0] < 2.5 and result.stopped
    assert not describe_model(MODEL, workspace).available
    before = len(hub.requests)
    fetch(workspace)
    assert_whole(workspace, hub.files)
    assert [(r.name, r.start) for r in hub.requests[before:] if r.name][1:] == [(LOW, 3_000_000), *asked_after(LOW, hub)]


def asked_after(name, hub):
    order = needed_of(hub.files)
    return [(later, 0) for later in order[order.index(name) + 1 :]]


COMMAND = [sys.executable, "-m", "studio", "download", MODEL, "--yes", "--json"]


def environment(hub, workspace, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_OFFLINE", "STUDIO_"))}
    home = workspace.home / "hf-home"
    return kept | {"STUDIO_HOME": str(workspace.home), "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"} | more


def test_a_killed_download_goes_on_at_the_byte_where_it_was(hub, workspace):
    """A real process, killed without warning in the middle of a file; the next one fetches only what is missing."""
    hub.rate = 4e6
    process = subprocess.Popen(COMMAND, cwd=launcher.ROOT, env=environment(hub, workspace), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while hub.sent(LOW) < 2_000_000:
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.communicate()
    job = state.list_jobs(workspace.downloads)[0]
    assert job.state == "crashed" and job.progress.total > 0
    parts = files_below(workspace.models_dir / MODEL / PARTS)
    [part] = [path for name, path in parts.items() if name.endswith(".part")]
    have, before, finished = part.stat().st_size, len(hub.requests), {r.name for r in hub.asked()} - {LOW}
    assert 0 < have < len(hub.files[LOW])

    hub.rate = 0
    found = subprocess.run(COMMAND, cwd=launcher.ROOT, env=environment(hub, workspace), capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    again = [r for r in hub.requests[before:] if r.name and not r.name.endswith("index.json")]
    assert [(r.name, r.start) for r in again] == [(LOW, have), *asked_after(LOW, hub)] and not finished & {r.name for r in again}
    result = json.loads(found.stdout)["result"]
    assert (
        result["fetched_bytes"] == sum(r.sent for r in again) == result["bytes"] - have - sum(len(hub.files[n]) for n in needed_before(hub))
    )
    assert_whole(workspace, hub.files)


def needed_before(hub):
    order = needed_of(hub.files)
    return order[: order.index(LOW)]


def test_files_that_lie_there_already_are_checked_once_and_not_fetched(hub, workspace):
    folder = workspace.models_dir / MODEL
    for name in (LOW, SHARDS[0]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(hub.files[name])
    damaged = bytearray(hub.files[SHARDS[1]])
    damaged[5000] ^= 1
    (folder / SHARDS[1]).write_bytes(damaged)
    (folder / ".cache/huggingface/download").mkdir(parents=True)
    (folder / ".cache/huggingface/download/x.incomplete").write_bytes(b"left over")
    fetch(workspace)
    assert not hub.asked(LOW) and not hub.asked(SHARDS[0]) and len(hub.asked(SHARDS[1])) == 1
    assert_whole(workspace, hub.files)  # and nothing hidden is left


def test_a_part_of_an_older_version_is_not_gone_on_with(hub, workspace):
    hub.faults[LOW] = [("cut", 1_000_000), *[("status", 500)] * 4]
    with pytest.raises(Problem):
        fetch(workspace)
    hub.faults.clear()
    newer = bytearray(hub.files[LOW])
    newer[-1] ^= 1
    hub.files[LOW] = bytes(newer)
    fetch(workspace)
    assert hub.asked(LOW)[-1].start == 0
    assert_whole(workspace, hub.files)


# -- wrong bytes


def test_a_part_that_a_power_cut_spoilt_is_found_by_its_checksum_and_fetched_anew(hub, workspace):
    hub.faults[LOW] = [("cut", 1_000_000), *[("status", 500)] * 4]
    with pytest.raises(Problem):
        fetch(workspace)
    hub.faults.clear()
    [part] = (workspace.models_dir / MODEL / PARTS).glob("*.part")
    part.write_bytes(part.read_bytes()[:-4096] + bytes(4096))
    fetch(workspace)
    assert [r.start for r in hub.asked(LOW)][-2:] == [1_000_000, 0]
    assert_whole(workspace, hub.files)


@pytest.mark.parametrize("name", [LOW, "vae/config.json"], ids=["large file", "small file"])
def test_a_file_that_arrives_damaged_is_fetched_once_more(hub, workspace, name):
    hub.faults[name] = [("wrong",)]
    watch = Watch()
    fetch(workspace, watch)
    assert_whole(workspace, hub.files)
    assert len(hub.asked(name)) == 2 and watch.notes() == [f"{name} arrived damaged"]


def test_a_file_that_is_damaged_twice_is_named_and_never_put_in_place(hub, workspace):
    hub.faults[LOW] = [("wrong",), ("wrong",)]
    with pytest.raises(Problem, match=rf"{LOW} arrived damaged twice: its checksum"):
        fetch(workspace)
    assert not (workspace.models_dir / MODEL / LOW).exists() and len(hub.asked(LOW)) == 2
    assert not describe_model(MODEL, workspace).available
    assert_eventually_whole(workspace, hub)


def test_a_server_that_never_ends_a_file_is_left(hub, workspace):
    hub.faults[LOW] = [("endless",), ("endless",)]
    with pytest.raises(Problem, match="damaged twice"):
        fetch(workspace)


def test_another_model_than_the_one_promised_is_told(hub, workspace):
    config = json.loads(hub.files["transformer/config.json"]) | {"num_layers": 30}
    hub.files["transformer/config.json"] = json.dumps(config).encode()
    with pytest.raises(Problem, match=r"This is not WAN 2\.2 T2V A14B"):
        fetch(workspace)


# -- the disk


def test_a_full_disk_is_told_before_anything_is_fetched_with_what_is_missing_and_where(hub, workspace):
    total = list_needed(MODEL, workspace).total_bytes / 1e9
    with pytest.raises(Problem) as found:
        fetch(workspace, free_gb=lambda folder: total + sources.RESERVE_GB - 2.0)
    assert "2.0 GB of free space is missing" in found.value.message and str(workspace.models_dir / MODEL) in found.value.message
    assert len(hub.asked()) == 2  # the index, asked twice
    fetch(workspace, free_gb=lambda folder: total + sources.RESERVE_GB + 0.001)


def test_what_is_here_already_needs_no_space_again(hub, workspace):
    hub.faults[LOW] = [("cut", 5_000_000), *[("status", 500)] * 4]
    with pytest.raises(Problem):
        fetch(workspace)
    hub.faults.clear()
    needed = list_needed(MODEL, workspace)
    assert needed.here_bytes == needed.total_bytes - needed.missing_bytes > 5_000_000
    fetch(workspace, free_gb=lambda folder: needed.missing_bytes / 1e9 + sources.RESERVE_GB + 1e-6)
    assert_whole(workspace, hub.files)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_on_the_way_is_told_and_what_was_fetched_is_kept(hub, workspace):
    digest = next(s for s in hub.listing()["siblings"] if s["rfilename"] == LOW)["lfs"]["sha256"]
    part = workspace.models_dir / MODEL / PARTS / f"{LOW.replace('/', '--')}.{digest[:12]}.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")  # every write to it ends with ENOSPC
    with pytest.raises(Problem, match=r"is full; \d+ MB of the model") as found:
        fetch(workspace)
    assert "kept" in found.value.cost and (workspace.models_dir / MODEL / SHARDS[0]).is_file()
    part.unlink()
    before = len(hub.requests)
    fetch(workspace)
    assert not {r.name for r in hub.requests[before:]} & set(SHARDS)
    assert_whole(workspace, hub.files)


# -- the network that is not there, or is another


def test_offline_is_one_clear_sentence(workspace, hub, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(Problem, match=r"^127\.0\.0\.1:\d+ can't be reached: this computer seems to be offline"):
            fetch(workspace)


def test_a_name_that_cannot_be_resolved_is_the_same_sentence(workspace, hub, monkeypatch):
    def no_dns(*args, **kwargs):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_dns)
    monkeypatch.setenv("HF_ENDPOINT", "https://huggingface.co")
    with pytest.raises(Problem, match=r"^huggingface\.co can't be reached: this computer seems to be offline"):
        fetch(workspace)


def test_a_page_that_wants_a_login_first_is_no_hub(hub, workspace):
    hub.faults[""] = [("text", b"<html>Welcome to the hotel</html>"), ("text", b'{"sha": null}')]
    for _ in range(2):
        with pytest.raises(Problem, match="does not answer as a model hub does"):
            fetch(workspace)


def test_a_repository_that_is_not_there_is_named(hub, workspace):
    hub.faults[""] = [("status", 404)]
    with pytest.raises(Problem, match=r"has no such file: Wan-AI/Wan2\.2-T2V-A14B-Diffusers"):
        fetch(workspace)


def test_offline_mode_says_so_and_asks_nobody(hub, workspace, monkeypatch):
    sources.set_hub(workspace, offline=True)
    for ask in (lambda: fetch(workspace), lambda: list_needed(MODEL, workspace)):
        with pytest.raises(Problem, match="offline mode is on"):
            ask()
    sources.set_hub(workspace, offline=False)
    monkeypatch.setenv(sources.WISH, "1")
    with pytest.raises(Problem, match="offline mode is on"):
        fetch(workspace)
    assert not hub.requests


def test_the_persons_own_offline_switch_is_told_from_the_studios(monkeypatch):
    monkeypatch.delenv(sources.WISH, raising=False)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    ours = launcher.worker_environment()
    assert ours["HF_HUB_OFFLINE"] == "1" and ours[sources.WISH] == "0"
    assert sources.note_wish(ours)[sources.WISH] == "0"  # a worker's worker knows it, too
    assert sources.note_wish({"HF_HUB_OFFLINE": "1"})[sources.WISH] == "1"


def test_a_mirror_is_an_address_and_nothing_else(workspace, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert sources.endpoint(workspace) == sources.HUB
    sources.set_hub(workspace, mirror="https://mirror.example/hub/")
    assert sources.endpoint(workspace) == "https://mirror.example/hub"
    for wrong in ("mirror.example", "https://anna:secret@mirror.example", "ftp://x", "https://", "https://a b"):
        with pytest.raises(Problem, match="mirror's address") as found:
            sources.set_hub(workspace, mirror=wrong)
        assert "secret" not in str(found.value.to_dict())
    sources.set_hub(workspace, mirror="")
    assert sources.endpoint(workspace) == sources.HUB


def test_after_a_download_the_library_is_offline_again_and_no_request_told_more_than_the_librarys_name(hub, workspace):
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    fetch(workspace)
    assert constants.HF_HUB_OFFLINE == before is True
    agents = {r.headers["user-agent"] for r in hub.requests}
    assert all("hf_hub/" in agent and "torch" not in agent for agent in agents)
    known = {"host", "user-agent", "accept", "accept-encoding", "connection", "range", "x-amzn-trace-id"}
    assert set().union(*(r.headers for r in hub.requests)) <= known
    paths = {r.path.split("?")[0] for r in hub.requests}
    assert all(path.startswith(("/api/models/Wan-AI/", "/Wan-AI/")) for path in paths)  # no telemetry, no look for updates


# -- the token


def everything_written(*folders):
    return b"".join(path.read_bytes() for folder in folders for path in files_below(folder).values() if path.stat().st_size < 2_000_000)


def test_the_login_is_sent_only_where_the_hub_asks_for_it(hub, workspace, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch(workspace)
    assert not any("authorization" in r.headers for r in hub.requests)


def test_the_login_opens_a_gated_repository_and_does_not_follow_to_another_host(hub, workspace, monkeypatch, repository):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with FakeHub(dict(repository)) as cdn:
        hub.token, hub.cdn = TOKEN, cdn
        cdn.faults[LOW] = [("cut", 1_000_000)]
        fetch(workspace)
        assert_whole(workspace, hub.files)
        assert hub.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
        assert cdn.requests and not any("authorization" in r.headers for r in cdn.requests)
        assert [r.start for r in cdn.asked(LOW)] == [0, 1_000_000]


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("", "only to people who are logged in"),
        ("hf_another0SECRET", "does not let your login read"),
        ("hf_bad\u201cSECRET", "signs that no token has"),
    ],
)
def test_a_gated_repository_says_what_to_do_and_never_shows_the_login(hub, workspace, monkeypatch, login, words):
    hub.token = TOKEN
    if login:
        monkeypatch.setenv("HF_TOKEN", login)
    job = run_job(workspace)
    assert job.state == "failed" and words in job.error.message and job.error.fix
    written = everything_written(workspace.home)
    assert b"SECRET" not in written and b"Traceback" in written  # the log has the traceback, without the login


def test_a_login_is_not_sent_over_an_open_connection(hub, workspace, monkeypatch):
    from studio.models.fetch import hub as hub_module

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(Problem, match="unencrypted") as found:
        hub_module.own_token("http://mirror.example")
    assert TOKEN not in str(found.value.to_dict()) and hub_module.own_token("https://mirror.example") == TOKEN


def test_the_login_is_found_nowhere_after_a_real_process_whatever_happened(hub, workspace):
    """A gated repository through the command, with the hub's own token file: a failure with a traceback, a success, and every file searched."""
    home = workspace.home.parent / "hf-home"
    home.mkdir()
    (home / "token").write_text(TOKEN, encoding="utf-8")
    hub.token = TOKEN
    outputs = []
    for faults in ({LOW: [("wrong",), ("wrong",)]}, {SHARDS[0]: [("status", 403)]}, {}):
        hub.faults = faults
        env = environment(hub, workspace, HF_HOME=str(home), HF_DEBUG="1")
        found = subprocess.run([*COMMAND, "--debug"], cwd=launcher.ROOT, env=env, capture_output=True)
        outputs += [found.stdout, found.stderr]
    assert found.returncode == 0 and hub.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    written = everything_written(workspace.home)
    assert b"arrived damaged twice" in written and TOKEN.encode() not in written
    assert not any(TOKEN.encode() in output for output in outputs)
    assert_whole(workspace, hub.files)


# -- as a job, and as a command


def run_job(workspace):
    run_dir = launcher.prepare(workspace.download_jobs(MODEL), DownloadJob(model=MODEL))
    return worker.run_job(run_dir)


def test_a_detached_worker_downloads_while_another_job_runs(hub, workspace, project):
    with launcher.worker_lock(workspace, GPU):  # something trains
        run_dir = launcher.enqueue(workspace.download_jobs(MODEL), DownloadJob(model=MODEL), "Download WAN")
        assert launcher.ensure_worker(workspace.downloads)
        deadline = time.monotonic() + 90
        while not (job := state.read_status(run_dir)).is_over:
            assert time.monotonic() < deadline, (workspace.downloads.home / "worker.log").read_text(encoding="utf-8")
            time.sleep(0.1)
    assert job.state == "done", job.error
    result = job.read_result(DownloadReport)
    assert result.fetched_bytes == result.bytes
    assert_whole(workspace, hub.files)
    assert state.list_jobs(workspace) == [] and [p.slug for p in workspace.list_projects()] == ["anna"]


def test_a_stopped_download_is_resumed_as_the_same_job(hub, workspace):
    hub.rate = 4e6
    run_dir = launcher.prepare(workspace.download_jobs(MODEL), DownloadJob(model=MODEL))

    def stop_soon(event, fields):
        if event == "progress" and fields["done"] > 3:
            launcher.request_stop(run_dir)

    job = worker.run_job(run_dir, echo=stop_soon)
    first = job.read_result(DownloadReport)
    assert job.state == "stopped" and 0 < first.fetched_bytes < first.bytes
    hub.rate = 0
    launcher.resume(run_dir, foreground=True)
    second = worker.run_job(run_dir)
    result = second.read_result(DownloadReport)
    assert second.state == "done" and result.fetched_bytes == result.bytes - first.fetched_bytes
    assert_whole(workspace, hub.files)


@pytest.fixture
def run(workspace, capsys, monkeypatch):
    def call(*argv, typed=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = cli.main([str(a) for a in argv])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_the_models_are_listed_with_size_and_folder(run, hub, workspace):
    code, text, _ = run("models")
    assert code == 0 and "126 GB to download" in text and "built in" in text and hub.endpoint in text
    data = json.loads(run("models", "--json")[1])
    rows = {row["name"]: row for row in data["models"]}
    assert rows["tiny"]["available"] and rows["tiny"]["size_gb"] > 0.01 and not rows[MODEL]["available"]
    assert rows[MODEL]["folder"] == str(workspace.models_dir / MODEL) and rows[MODEL]["licence"] == "Apache-2.0"
    fetch(workspace)
    row = {row["name"]: row for row in json.loads(run("models", "--json")[1])["models"]}[MODEL]
    assert row["available"] and row["size_gb"] == pytest.approx(0.0175, abs=0.002)


def test_the_command_says_the_size_and_asks_first(run, hub, workspace, monkeypatch):
    code, text, err = run("download", MODEL, typed="\n")
    assert code == 0 and "files, " in text and "Apache-2.0" in text and "free" in text and "Nothing was fetched" in text
    assert "[y/N]" in err and not (workspace.models_dir / MODEL).exists() and len(hub.asked()) == 1
    code, text, _ = run("download", MODEL, typed="y\n")
    assert code == 0 and "is ready" in text
    assert_whole(workspace, hub.files)
    before = len(hub.requests)
    code, out, _ = run("download", MODEL, "--json")
    assert code == 0 and json.loads(out)["state"] == "there" and len(hub.requests) == before


def test_mistakes_with_the_command_are_one_line_and_exit_code_2(run, hub, workspace, monkeypatch):
    for argv, words in (
        (["download", "tinny"], "Did you mean tiny"),
        (["download", "tiny"], "built in"),
        (["download"], "NAME"),
        (["models", "--mirror", "nowhere"], "mirror's address"),
    ):
        code, _, err = run(*argv)
        assert code == 2 and words in err and err.count("\n") == 1
    assert run("models", "--offline", "on")[0] == 0
    code, _, err = run("download", MODEL, "--yes")
    assert code == 2 and "offline mode is on" in err and not hub.requests
    assert run("models", "--offline", "off")[0] == 0
    hub.faults[""] = [("status", 401)]
    code, out, err = run("download", MODEL, "--yes", "--json")
    assert code == 2 and "logged in" in json.loads(out)["error"]["message"]
    hub.faults[LOW] = [("wrong",), ("wrong",)]
    code, _, err = run("download", MODEL, "--yes")
    assert code == 2 and f"{LOW} arrived damaged twice" in err


def test_one_model_is_not_downloaded_twice_at_once(run, hub, workspace):
    launcher.enqueue(workspace.download_jobs(MODEL), DownloadJob(model=MODEL))
    code, _, err = run("download", MODEL, "--yes")
    assert code == 2 and "being downloaded already" in err and not hub.requests
    assert json.loads(run("jobs", "--json")[1])["jobs"][0]["kind"] == "download"


def test_the_judge_of_a_whole_model_is_the_catalogue(hub, workspace):
    fetch(workspace)
    check_folder(workspace.models_dir / MODEL, model_preset(MODEL))
    assert Workspace(workspace.home).downloads.home == workspace.models_dir / ".downloads"


# -- in the window


@pytest.fixture
def person(workspace, monkeypatch):
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    return workspace.create_project("Anna", trigger="ohwx", base_model=MODEL, permission=Permission(granted=True))


class Event:
    def __init__(self, **data):
        self.__dict__.update(data)


def test_the_window_offers_the_download_with_its_size_the_space_and_the_licence(hub, person):
    view = download_view.read_download(person)
    assert view.is_missing and view.offer.label == "Download it (126 GB)" and "not on this computer" in view.title
    facts = dict(view.offer.facts)
    assert facts["Licence"] == "Apache-2.0" and facts["Size"] == "about 126 GB" and "free" in facts["Free space"]
    assert facts["Time"].startswith("about 2 h 48 min") and facts["Into"] == str(person.workspace.models_dir / MODEL)
    assert not hub.requests  # the window itself asks nobody


def test_the_button_says_why_it_cannot_be_used(hub, person, monkeypatch):
    monkeypatch.setattr(sources, "free_disk_gb", lambda path: 100.0)
    view = download_view.read_download(person)
    assert "31.0 GB of free space is missing" in view.offer.prevented
    with pytest.raises(Problem, match=r"31\.0 GB"):
        download_view.start(MODEL, person.workspace)
    monkeypatch.setattr(sources, "free_disk_gb", lambda path: 500.0)
    assert download_view.read_download(person).offer.prevented == ""
    sources.set_hub(person.workspace, offline=True)
    assert "offline mode" in download_view.read_download(person).offer.prevented
    sources.set_hub(person.workspace, offline=False)
    monkeypatch.setenv("HF_ENDPOINT", "nowhere")  # a mistake in the environment must not take the page away
    assert "mirror's address" in download_view.read_download(person).offer.prevented


def test_a_press_downloads_shows_how_far_it_is_and_goes_on_after_a_stop(hub, person, monkeypatch):
    monkeypatch.setattr(sources, "free_disk_gb", lambda path: 500.0)
    workspace = person.workspace
    assert "you may close this window" in download_view.start(MODEL, workspace)
    assert download_view.read_download(person).running.state == "waiting in the queue"
    assert new_person.offer_download(MODEL, workspace)[0].startswith("It is being downloaded")
    with pytest.raises(Problem, match="already"):
        download_view.start(MODEL, workspace)
    [job], seen = state.queued_jobs(workspace.downloads), []

    def look(run_dir, stop):
        assert worker._claim(run_dir)
        hub.rate = 6e6 if stop else 0
        report = Recorder.report

        def report_and_look(self, event, **fields):
            report(self, event, **fields)
            if event == "progress" and fields["done"] > 6 and stop:
                time.sleep(0.8)  # the status is written twice a second
                seen.append((download_view.read_download(person), status_line.read_status_line(workspace).jobs[0]))
                status_line.stop_job(workspace, Event(id=seen[-1][1].id))

        monkeypatch.setattr(Recorder, "report", report_and_look)
        worker.execute(run_dir)
        monkeypatch.setattr(Recorder, "report", report)

    look(job.run_dir, stop=True)
    (view, line), total = seen[0], round(sum(len(hub.files[name]) for name in needed_of(hub.files)) / 1e6, 2)
    running = view.running
    assert running.is_running and running.counted.endswith(f" of {total:g} MB") and "MB/s" in running.message
    assert 0.3 < running.share < 1 and running.left and line.verb == "Stop"
    view = download_view.read_download(person)
    assert view.is_missing and "You stopped it" in view.sentence and view.title.endswith("stopped")
    assert train_view.wait_for_model(view).button.name == "download-model"
    download_view.start(MODEL, workspace)
    assert len(state.list_jobs(workspace.downloads)) == 1
    look(job.run_dir, stop=False)
    assert download_view.read_download(person) is None and status_line.read_status_line(workspace).jobs == ()
    assert_whole(workspace, hub.files)


def test_the_next_step_of_a_person_whose_model_is_missing_is_to_get_it(hub, person, monkeypatch, media):
    monkeypatch.setattr(sources, "free_disk_gb", lambda path: 500.0)
    import_media(person, [media / "person_a_1.jpg"])
    dataset.set_caption(person, "0001", "ohwx, a person, in a garden")
    step = train_view.next_step(person)
    assert step.text == "get the base model." and step.button == find_button("download-model", label="Download it (126 GB)")
    reason, action = train_choice.what_prevents(person, train_choice.make_plan(person))
    assert "is not on this computer yet" in reason and action == "download-model"
    download_view.start(MODEL, person.workspace)
    assert train_view.next_step(person).button is None and "wait" in train_view.next_step(person).text
    models = {model.name: model for model in new_person.new_person_options(person.workspace).models}
    assert "being downloaded" in models[MODEL].reason and models[MODEL].download is None and models["tiny"].download is None
    assert train_choice.what_prevents(person, train_choice.make_plan(person)) == ("WAN 2.2 T2V A14B is being downloaded.", "")


def test_a_download_that_failed_says_why_where_it_was_started(hub, person, monkeypatch):
    monkeypatch.setattr(sources, "free_disk_gb", lambda path: 500.0)
    hub.faults[""] = [("status", 404)]
    download_view.start(MODEL, person.workspace)
    [job] = state.queued_jobs(person.workspace.downloads)
    assert worker._claim(job.run_dir)
    worker.execute(job.run_dir)
    view = download_view.read_download(person)
    assert "has no such file" in view.sentence and view.offer and view.title.endswith("failed")


def test_neither_the_window_nor_the_launcher_loads_the_hubs_library():
    modules = "studio.models.fetch.downloading, studio.models.fetch.offers, studio.jobs.launcher, studio.jobs.worker, studio.jobs.kinds.download, studio.commands.models"
    code = f"import {modules}, sys; sys.exit(bool({{'huggingface_hub', 'torch', 'httpx2'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=launcher.ROOT).returncode == 0


def test_a_person_downloads_the_model_in_the_browser_reloads_stops_and_goes_on(hub, workspace, media):
    """The size and the licence first, then progress that a reload does not lose; the words are those a person sees."""
    browser = pytest.importorskip("browser_kit")  # skips with its reason where there is no Chromium
    person = workspace.create_project("Anna", trigger="ohwx", base_model=MODEL, permission=Permission(granted=True))
    import_media(person, [media / "person_a_1.jpg"])
    dataset.set_caption(person, "0001", "ohwx, a person, in a garden")
    part = workspace.models_dir / MODEL / PARTS / "other.part"
    part.parent.mkdir(parents=True)
    with open(part, "wb") as file:
        file.truncate(125_900_000_000)  # it takes no room, and leaves little to fetch: the test needs no disk of 131 GB
    hub.rate, port = 1.5e6, browser.free_port()
    studio = browser.start_studio(workspace.home, port)
    try:
        with browser.playwright.sync_playwright() as engine:
            chromium = engine.chromium.launch(executable_path=browser.CHROMIUM, args=browser.FLAGS)
            with browser.window(chromium, f"http://127.0.0.1:{port}", 1280, 860) as page:
                download_in_browser(page, hub, browser.playwright.expect)
            chromium.close()
    finally:
        browser.stop_studio(studio)
        browser.stop_jobs(workspace.downloads)
    assert_whole(workspace, hub.files)


def download_in_browser(page, hub, expect):
    panel = page.locator("#studio-download")
    page.locator("#tab-train-button").click()
    page.locator("#next-train button", has_text="Go on with the download (100 MB left)").click()
    expect(panel).to_contain_text("about 126 GB")
    expect(panel).to_contain_text("Apache-2.0")
    assert not hub.requests  # nothing is asked before the press
    for is_offline, sentence in ((True, "nothing is downloaded"), (False, "Downloads come from")):
        if is_offline:
            panel.locator("#hub summary").click()
        panel.locator("[name=offline]").set_checked(is_offline)
        panel.locator("[data-do=hub]").click()
        expect(page.locator("#studio-notice")).to_contain_text(sentence)
        expect(page.locator("#start-download")).to_be_enabled(enabled=not is_offline)
    page.locator("#start-download").click()
    expect(panel).to_contain_text("MB/s")
    page.reload()
    expect(panel).to_contain_text("left")
    expect(page.locator(".status")).to_contain_text("Download WAN 2.2 T2V A14B")
    page.locator("#stop-download").click()
    expect(panel).to_contain_text("You stopped it; what was fetched is kept.")
    hub.rate = 0
    page.locator("#download-model").click()
    page.locator("#start-download").click()
    expect(panel.locator("section")).to_have_count(0)


def test_files_that_are_gated_while_the_list_is_public_are_fetched_with_the_login(hub, workspace, monkeypatch):
    """As the real hub does: anyone may read the list."""
    first = "transformer/diffusion_pytorch_model.safetensors.index.json"
    hub.faults[first] = [("status", 401, {"X-Error-Code": "GatedRepo"})]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch(workspace)
    assert_whole(workspace, hub.files)
    sent = ["authorization" in r.headers for r in hub.requests]
    assert sent[:2] == [False, False] and all(sent[2:])


# -- the captioner


@pytest.fixture
def captioner_files():
    """The embedded captioner as the hub has the large one: weights in two shards, and files that nobody needs."""
    folder = PRESETS_DIR / "tiny" / "captioner"
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    files |= dict.fromkeys(("README.md", "pytorch_model.bin"), b"not needed " * 40)
    return files | in_shards(load(files.pop("model.safetensors")), "", "model")


@pytest.fixture
def captioner_hub(hub, captioner_files):
    hub.files, hub.repository = captioner_files, model_repository(CAPTIONER)
    return hub


def model_repository(name):
    return find_fetchable(name).about.repository


def test_the_captioner_is_fetched_resumed_checked_and_then_found(captioner_hub, workspace):
    shard = "model-00001-of-00002.safetensors"
    captioner_hub.faults[shard] = [("cut", 50_000), ("wrong",)]
    watch, options = Watch(), {"waits": QUICK, "free_gb": lambda folder: 500.0}
    seen = []

    def look(events):
        seen.append(describe(CAPTIONER, workspace).available)
        return False

    watch.stop_when = look
    result = download_model(CAPTIONER, workspace, report=watch.report, should_stop=watch.should_stop, **options)
    fetched = files_below(workspace.models_dir / CAPTIONER)
    assert {name: path.read_bytes() for name, path in fetched.items()} == {
        name: data for name, data in captioner_hub.files.items() if name not in ("README.md", "pytorch_model.bin")
    }
    assert result.files == len(fetched) and [r.start for r in captioner_hub.asked(shard)][:2] == [0, 50_000]
    assert not any(seen[:-1]) and describe(CAPTIONER, workspace).available
    assert find_captioner(CAPTIONER, None, workspace) == workspace.models_dir / CAPTIONER


def test_a_captioner_without_one_of_its_shards_or_with_half_of_one_is_not_whole(captioner_files, workspace):
    folder = workspace.models_dir / CAPTIONER
    folder.mkdir(parents=True)
    for name, data in captioner_files.items():
        (folder / name).write_bytes(data)
    assert describe(CAPTIONER, workspace).available
    shard = folder / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    assert not describe(CAPTIONER, workspace).available
    shard.unlink()
    assert "model-00002-of-00002.safetensors missing" in describe(CAPTIONER, workspace).reason


def test_a_captioner_that_is_here_already_is_linked(run, captioner_files, workspace, tmp_path):
    folder = tmp_path / "my models" / "qwen"
    folder.mkdir(parents=True)
    assert run("models", "--link", CAPTIONER, str(folder))[0] == 2
    for name, data in captioner_files.items():
        (folder / name).write_bytes(data)
    assert run("models", "--link", CAPTIONER, str(folder))[0] == 0
    assert find_captioner(CAPTIONER, None, workspace) == folder


def test_the_command_fetches_the_captioner_and_lists_it(run, captioner_hub, workspace, monkeypatch):
    monkeypatch.setattr("studio.models.fetch.downloading.free_disk_gb", lambda path: 500.0)
    monkeypatch.setattr(models_command, "free_disk_gb", lambda path: 500.0)
    code, out, _ = run("download", CAPTIONER, "--yes", "--json")
    assert code == 0 and json.loads(out)["state"] == "done"
    code, out, _ = run("models", "--json")
    row = next(row for row in json.loads(out)["models"] if row["name"] == CAPTIONER)
    assert row["available"] and row["size_gb"] > 0 and row["repository"] == model_repository(CAPTIONER)


def test_the_dataset_tab_offers_the_captioner_while_captions_are_missing(hub, person, media, monkeypatch):
    monkeypatch.setattr(sources, "free_disk_gb", lambda path: 500.0)
    assert download_view.read_captioner(person) is None
    person.update(caption_choice={"captioner": CAPTIONER})  # whatever suits the graphics card of this computer
    import_media(person, [media / "person_a_1.jpg"])
    view = download_view.read_captioner(person)
    assert view.what == "captioner" and view.offer.label == "Download it (17.5 GB)" and "on this computer alone" in view.about
    step = dataset_view.next_step(person)
    assert step.button.name == "download-captioner" and "get the captioner" in step.text
    with pytest.raises(Problem, match="is not on this computer") as missing:
        actions.write_captions(None, person)
    assert missing.value.action == "download-captioner"
    download_view.start(CAPTIONER, person.workspace)
    dataset.set_caption(person, "0001", "ohwx, a person, in a garden")
    assert download_view.read_captioner(person).running.state == "waiting in the queue"  # shown as long as it comes
    assert not hub.requests


def test_a_base_model_that_brings_its_own_captioner_offers_none(project, media):
    import_media(project, [media / "person_a_1.jpg"])
    assert download_view.read_captioner(project) is None and dataset_view.next_step(project).button.name == "write-captions"


# -- where downloads come from, in the window


def test_a_mirror_and_the_offline_mode_are_fields_beside_the_button(person, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv(sources.WISH, "0")
    workspace = person.workspace
    assert download_view.read_download(person).hub == download_view.Hub("", False, "")
    assert "mirror.example" in download_view.save_hub(workspace, " https://mirror.example/hub/ ", False)
    assert download_view.read_download(person).hub.mirror == "https://mirror.example/hub"
    assert "mirror.example" in dict(download_view.read_download(person).offer.facts)["From"]
    with pytest.raises(Problem, match="mirror's address"):
        download_view.save_hub(workspace, "https://me:secret@mirror.example", True)
    assert not sources.is_offline(workspace) and "secret" not in (workspace.home / "workspace.json").read_text(encoding="utf-8")
    assert "nothing is downloaded" in download_view.save_hub(workspace, "huggingface.co", True)
    assert download_view.read_download(person).hub == download_view.Hub("", True, "")
    monkeypatch.setenv("HF_ENDPOINT", "https://other.example")
    assert "HF_ENDPOINT" in download_view.read_download(person).hub.fixed
