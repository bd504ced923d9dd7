"""Guests on the page: dropped, named or chosen, taken in by a job, ticked among the pairs; and what is wrong with files, where a person looks."""

import json

import pytest
from diagnosis_kit import EXPERTS, learned, lora_shapes, save_pair, save_run, weaken
from lora_kit import write
from page_kit import Window
from test_pair_files import draw
from test_sweep import PROMPTS

from studio.evaluation.guests.guest_list import list_guests
from studio.jobs import launcher, state, worker
from studio.ui import uploads
from studio.ui.evaluate import choice, guest_fold


@pytest.fixture(autouse=True)
def idle(monkeypatch):
    """Jobs stay in the queue: no worker is started."""
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)


@pytest.fixture(scope="session")
def shapes(tiny_base):
    return lora_shapes(tiny_base)


@pytest.fixture
def file(tmp_path, shapes):
    return write(tmp_path / "maria_high_noise.safetensors", learned(shapes, "Maria", "high_noise", 100))


def work(project):
    """The newest guest job, done."""
    run = project.list_runs("guest")[-1]
    assert worker._claim(run)
    worker.execute(run)
    return state.read_status(run)


def said(window):
    return " ".join(remark["text"] for remark in window.value("guests-said")["remarks"])


def press(project, window, **fields):
    for elem_id, value in fields.items():
        window.hold(f"guest-{elem_id}".replace("_", "-"), value)
    notice = window.press("add-guest", "click")
    done = work(project) if project.list_runs("guest") and not notice.get("text") else None
    window.look()
    return done, notice


def test_a_named_file_is_taken_in_with_its_trigger_and_can_be_ticked(project, shapes, file):
    save_run(project, shapes, (100,))
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    assert "Drop the LoRA file of a guest" in said(window)
    done, _ = press(project, window, files=str(file), trigger="m4ria")
    assert done.state == "done" and 'maria can be compared now. It is called by "m4ria".' in said(window)
    assert (window.value("guest-files"), window.value("guest-trigger")) == ("", "")
    guest = list_guests(project)[0].id
    assert choice.read_choice(project)[1] is None  # it is not drawn unasked
    choice.save_choice(project, pairs=["train-001/step-000100", guest])
    assert choice.read_choice(project)[1] == ["train-001/step-000100", guest]
    window.hold("guest-known", guest)
    assert "is no guest any more" in window.press("remove-guest", "click")["text"]
    assert list_guests(project) == [] and choice.read_choice(project)[1] == ["train-001/step-000100"]


def test_dropped_files_wait_until_their_trigger_is_said_and_are_gone_when_they_are_in(project, file):
    home = uploads.browser_dir(project.workspace) / "hash"
    home.mkdir(parents=True)
    sent = home / file.name
    sent.write_bytes(file.read_bytes())
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    assert "maria_high_noise.safetensors" in guest_fold.take_files(project, [uploads.Sent(sent, file.name)])
    window.look()
    assert "Waiting to be taken in: maria_high_noise.safetensors." in said(window)
    done, _ = press(project, window)
    assert done.state == "failed" and "which word calls its person" in said(window) and "Waiting" in said(window)
    done, _ = press(project, window, no_trigger=True)
    assert done.state == "done" and "has no trigger" in said(window) and "Waiting" not in said(window)
    assert not sent.exists() and guest_fold.upload_folders(project) == []


def test_another_person_s_pair_is_chosen_in_a_list(project, workspace, shapes):
    other = workspace.create_project("Berta", trigger="brta", class_noun="woman", base_model="tiny")
    save_run(other, shapes, (300,), person="Berta")
    window = Window(workspace, "anna")
    window.open("evaluate")
    ((title, value),) = guest_fold.pairs_of_others(project)
    assert title == "Berta, step 300 of train-001"
    done, _ = press(project, window, of=value)
    assert done.state == "done" and 'It is called by "brta".' in said(window)


def test_without_a_file_nothing_starts_and_it_is_said_what_to_do(project):
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    done, notice = press(project, window)
    assert done is None and "There is no file yet." in notice["text"] and project.list_runs("guest") == []


def test_a_guest_s_column_has_its_title_and_its_files_are_not_used_from_here(project, shapes, file):
    save_run(project, shapes, (100,))
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    press(project, window, files=str(file), trigger="m4ria")
    guest = list_guests(project)[0].id
    result = draw(project, ["train-001/step-000100", guest])
    window.look()
    clips = window.value("studio-clips")
    assert [column["label"] for column in clips["columns"]] == ["Base", "Step 100", "maria"]
    assert [column.get("is_guest", False) for column in clips["columns"]] == [False, False, True]
    notice = window.press("studio-clips", "use", sweep=result.sweep, pair=guest, strength=0.7)
    assert "A guest was made elsewhere" in notice["text"] and project.facts().chosen is None


def test_what_is_wrong_with_files_stands_under_the_clips_and_in_the_report(project, shapes):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, *states[100][::-1], headers=dict(zip(EXPERTS, EXPERTS[::-1])))
    result = draw(project)
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    words = "The high-noise and low-noise files of step 200 of train-001 are swapped"
    assert any(sentence.startswith(words) for sentence in window.value("studio-clips")["verdict"]["why"])
    assert [sentence.startswith(words) for sentence in window.troubles] == [True]
    folder = project.sweep_dir(result.sweep)
    assert words in (folder / "report.html").read_text(encoding="utf-8")
    assert "swapped" in json.dumps(json.loads((folder / "verdict.json").read_text(encoding="utf-8"))["table"])


def test_a_pair_that_changes_nothing_stops_the_drawing_before_it_begins_and_the_page_says_which_and_what_to_do(project, shapes):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, states[100][0], weaken(states[100][1], 0))
    choice.save_choice(project, prompts=PROMPTS[0], width=32, height=32, num_frames=5, num_inference_steps=2)
    window = Window(project.workspace, "anna")
    window.open("evaluate")
    window.press("start-sweep", "click")
    run = project.list_runs("sweep")[-1]
    assert worker._claim(run)
    worker.execute(run)
    assert state.read_status(run).state == "failed"
    window.look()
    said = str(window.value("next-evaluate"))
    assert "The low-noise file of step 200 of train-001 changes nothing" in said and "leave the pair out" in said
    assert not list(project.sweeps_dir.glob("*/cells/*"))
