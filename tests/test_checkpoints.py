"""States and pairs on disk: whole or not there, checked before use, the older one when the newest is damaged, a disk that fills up."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from training_kit import Events, lora_bits, new_project, new_run, small_config

from studio.config import EXPERTS
from studio.disk import read_json, write_json
from studio.errors import Problem, is_disk_full
from studio.training import checkpoints
from studio.training.checkpoints import empty_state, load_state, remove_leftovers, save_pair, save_state
from studio.training.endure import waiting
from studio.training.loop import train
from studio.training.pairs import find_pair, list_pairs, list_run_pairs, pair_folder, read_pair, verify_pair
from studio.workspace import Project

PARTS = ("lora", "exp_avg", "exp_avg_sq")
LORA = {f"diffusion_model.blocks.0.self_attn.q.lora_{part}.weight": (2, 3) for part in "AB"}


@pytest.fixture
def run_dir(project):
    return new_run(project)


def tensors(value, size=None):
    shapes = dict.fromkeys(LORA, (size, 4)) if size else LORA
    return {f"{part}/{key}": torch.full(shape, float(value)) for part in PARTS for key, shape in shapes.items()}


def saved(run_dir, step, expert="high_noise", before=None, **options):
    """A state at that step, the expert having done all steps since the state before."""
    before = before or empty_state()
    steps = before.expert_steps | {expert: before.expert_steps[expert] + step - before.step}
    state = replace(before, step=step, expert_steps=steps, base_key="k")
    return save_state(run_dir, state, expert, tensors(step, **options))


def damage(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


# -- the resume state


def test_without_a_state_a_run_begins_at_zero(run_dir):
    assert load_state(run_dir, Events()) == empty_state()


def test_a_state_comes_back_as_it_was_saved(run_dir):
    first = saved(run_dir, 3)
    second = saved(run_dir, 5, "low_noise", first)
    found = load_state(run_dir, Events())
    assert found == second and found.expert_steps == {"high_noise": 3, "low_noise": 2}
    for expert, value in (("high_noise", 3.0), ("low_noise", 5.0)):
        with safe_open(found.expert_file(expert), "pt") as file:
            assert {file.get_tensor(key).mean().item() for key in file.keys()} == {value}  # noqa: SIM118


def test_the_last_two_states_are_kept(run_dir):
    state = None
    for step in (2, 4, 6, 8):
        state = saved(run_dir, step, before=state)
    assert sorted(p.name for p in (run_dir / "resume").iterdir()) == ["step-000006", "step-000008"]


@pytest.mark.parametrize("name", ["high_noise.safetensors", "low_noise.safetensors", "progress.json"])
def test_a_damaged_state_gives_way_to_the_one_before(run_dir, name):
    saved(run_dir, 5, "low_noise", saved(run_dir, 3))
    state = load_state(run_dir, Events())
    newest, events = saved(run_dir, 7, "low_noise", state), Events()
    if name == "progress.json":
        (newest.folder / name).write_text('{"step": 7', encoding="utf-8")
    else:
        damage(newest.folder / name)
    assert load_state(run_dir, events) == state
    assert "step-000007 is damaged" in events.of("note")[0]["message"]
    assert not newest.folder.exists()  # so that step 7 can be saved again


def test_a_state_deleted_while_training_runs_is_said_in_words(run_dir, tiny_base):
    before = saved(run_dir, 3)
    shutil.rmtree(run_dir / "resume")
    with pytest.raises(Problem, match="safety copy was moved or deleted"):
        saved(run_dir, 5, "low_noise", before)
    with pytest.raises(Problem, match="safety copy was moved or deleted"):
        save_pair(run_dir, before, small_config(), tiny_base)
    with pytest.raises(Problem, match="safety copy was moved or deleted"):
        checkpoints.restore_expert(before, "high_noise", None)
    assert not list(run_dir.glob("*/.*"))


def test_a_copy_that_a_person_made_of_a_state_is_left_alone(run_dir):
    state = saved(run_dir, 3)
    shutil.copytree(state.folder, state.folder.with_name("step-000003 (copy)"))
    assert load_state(run_dir, Events()) == state
    for step in (5, 7, 9):
        state = saved(run_dir, step, before=state)
    assert (run_dir / "resume" / "step-000003 (copy)").is_dir()


def test_what_a_killed_process_had_begun_is_removed(run_dir):
    for folder in ("resume/.step-000004.123.tmp", "checkpoints/.step-000004.123.tmp"):
        (run_dir / folder).mkdir(parents=True)
        (run_dir / folder / "high_noise.safetensors").write_bytes(b"half")
    remove_leftovers(run_dir)
    assert not list(run_dir.glob("*/.*"))


# -- pairs


@pytest.fixture
def pair(run_dir, tiny_base):
    state = saved(run_dir, 5, "low_noise", saved(run_dir, 3))
    assert save_pair(run_dir, state, small_config(), tiny_base) == 5
    return read_pair(pair_folder(run_dir, 5))


def test_a_pair_is_listed_found_and_sound(pair, project):
    assert pair.id == "train-001/step-000005" and pair.step == 5
    assert [p.id for p in list_pairs(project)] == [pair.id] and find_pair(project, pair.id) == pair
    verify_pair(pair)
    with pytest.raises(ValueError, match="no checkpoint pair 'train-001/step-000009'"):
        find_pair(project, "train-001/step-000009")


def test_pairs_are_listed_oldest_first_across_runs(pair, project, tiny_base):
    second = new_run(project)
    for step in (1000, 2):
        save_pair(second, saved(second, step), small_config(), tiny_base)
    ids = [p.id for p in list_pairs(project)]
    assert ids == ["train-001/step-000005", "train-002/step-000002", "train-002/step-001000"]


def test_half_a_pair_is_no_pair(pair, project):
    pair.low_noise.unlink()
    assert list_pairs(project) == []


@pytest.mark.parametrize("text", ["", "{}", '{"experts": 3}', '{"experts": {"high_noise": {"file": "../../config.json", "sha256": ""}}}'])
def test_a_damaged_manifest_is_no_pair(pair, project, text):
    (pair.folder / "manifest.json").write_text(text, encoding="utf-8")
    assert list_pairs(project) == []


def test_a_changed_file_is_named(pair):
    damage(pair.high_noise)
    with pytest.raises(ValueError, match=r"high_noise\.safetensors of train-001/step-000005 was changed"):
        verify_pair(pair)


def test_a_pair_that_is_there_is_left_alone(pair, run_dir, tiny_base):
    before = pair.manifest.created
    assert save_pair(run_dir, load_state(run_dir, Events()), small_config(), tiny_base) is None
    assert read_pair(pair.folder).manifest.created == before


def test_files_say_what_they_are_without_paths_or_names(pair, project, tmp_path):
    texts = [str(read_json(pair.folder / "manifest.json"))]
    for expert, path in pair.files.items():
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            assert list(file.keys()) == sorted(LORA)
        assert metadata["expert"] == expert and metadata["base_model"] == "tiny" and metadata["step"] == "5"
        texts.append(str(metadata))
    for text in texts:
        assert str(tmp_path) not in text and "/" not in text.replace("\\", "/") and "Anna" not in text and "ohwx" not in text


# -- a disk that fills up


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.name != "posix" or not shutil.which("mount"):
        pytest.skip("a small file system can only be mounted on Linux")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system needs the right to mount one: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a traceback that was caught may still hold a file


def test_a_full_disk_keeps_what_was_saved_before_and_goes_on_once_there_is_space(small_disk, tiny_base):
    project = Project(small_disk / "projects" / "anna")
    project.runs_dir.mkdir(parents=True)
    write_json(project.file, {"name": "Anna"})
    run_dir = new_run(project)
    first = saved(run_dir, 2, size=4000)  # 3 x 2 x 64 KB
    assert save_pair(run_dir, first, small_config(), tiny_base) == 2
    second = saved(run_dir, 4, before=first, size=4000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 100_000))
    for save in (
        lambda: saved(run_dir, 6, before=second, size=4000),
        lambda: save_pair(run_dir, second, small_config(), tiny_base),
    ):
        with pytest.raises(Problem, match="The disk is full") as caught:
            save()
        assert caught.value.action == "resume" and "kept" in caught.value.cost
    assert load_state(run_dir, Events()) == second
    assert [p.step for p in list_run_pairs(run_dir)] == [2]
    verify_pair(list_run_pairs(run_dir)[0])
    assert not list(run_dir.glob("*/.*"))
    ballast.unlink()
    saved(run_dir, 6, before=second, size=4000)
    assert save_pair(run_dir, second, small_config(), tiny_base) == 4


@pytest.fixture
def largest_file():
    """Bounds the size of files that this process may write, which works without rights to mount a small disk; call it with bytes or None."""
    resource = pytest.importorskip("resource", reason="only POSIX systems can bound the size of files")
    import signal

    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def bound(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits[0] if size is None else size, limits[1]))

    yield bound
    bound(None)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(scope="module")
def whole(tiny_base):
    """(project, config, run folder) of a run with space enough."""
    project, config = new_project(tiny_base, photos=5), small_config(steps=4, save_every=2)
    run_dir = new_run(project)
    train(config, run_dir, report=Events())
    return project, config, run_dir


def test_training_waits_for_space_on_the_disk_and_ends_with_the_same_bits(whole, largest_file, monkeypatch):
    project, config, expected = whole
    monkeypatch.setattr(waiting, "RETRY_SECONDS", 0.01)
    run_dir, events = new_run(project), Events()

    def report(event, **fields):
        events(event, **fields)
        if event == "step" and fields["step"] == 3:
            largest_file(200_000)
        if len(waits()) == 3:
            assert not list(run_dir.glob("*/.*"))  # nothing torn
            largest_file(None)

    def waits():
        return [e for e in events.of("progress") if "training waits" in e["message"]]

    train(config, run_dir, report=report)
    notes = [e["message"] for e in events.of("note")]
    assert len(waits()) == 3 and "The disk is full: the safety copy" in notes[0] and "goes on" in notes[1]
    assert [e["step"] for e in events.of("step")] == [1, 2, 3, 4] and lora_bits(run_dir) == lora_bits(expected)


def test_a_stop_while_training_waits_for_space_loses_no_earlier_pair(whole, largest_file):
    project, config, expected = whole
    run_dir, events = new_run(project), Events()

    def report(event, **fields):
        events(event, **fields)
        if event == "checkpoint":
            largest_file(200_000)

    with pytest.raises(Problem, match="The disk is full: the safety copy"):
        train(config, run_dir, report=report, should_stop=lambda: any("waits" in e.get("message", "") for e in events.of("progress")))
    largest_file(None)
    assert [p.step for p in list_run_pairs(run_dir)] == [2]
    train(config, run_dir, report=events)
    assert lora_bits(run_dir) == lora_bits(expected)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(13, "Permission denied"), False),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("I/O error: (os error 112)"), True),
        (RuntimeError("I/O error: File too large (os error 27)"), True),
        (RuntimeError("I/O error: (os error 5)"), False),
    ],
)
def test_a_full_disk_is_told_from_other_faults(error, full):
    assert is_disk_full(error) is full


def test_both_experts_have_their_names(pair):
    assert list(pair.files) == list(EXPERTS) and all(isinstance(p, Path) for p in pair.files.values())
