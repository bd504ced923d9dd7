"""What a person sees, and what their buttons do, when a project is damaged, or another one is chosen than the page shows."""

import json
import logging
import shutil

import gradio as gr
import pytest
from page_kit import Window, page_of, reader_values
from PIL import Image

from studio import cli
from studio.config import SweepConfig
from studio.data import dataset
from studio.data.importer import import_media
from studio.disk import FORMAT, read_json, write_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.jobs import launcher
from studio.jobs.kind import read_config
from studio.jobs.kinds.caption import CaptionJob
from studio.jobs.problems import explain
from studio.project_facts import Permission
from studio.training.pairs import damaged_pairs, list_pairs, pair_folder
from studio.ui.evaluate import view as evaluate_view
from studio.ui.side import chooser as chooser_view
from studio.ui.side import project_menu

WORDS = {"kim": "ohwx, Kim on a pier at dusk", "carla": "zxqv, Carla in a red armchair"}


@pytest.fixture(autouse=True)
def idle(monkeypatch):
    """Jobs stay in the queue: no worker is started."""
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)


@pytest.fixture
def people(workspace, media):
    """Kim and Carla, with a captioned photo each that bears the same number."""
    made = {}
    for name, trigger, photo in (("Kim", "ohwx", "person_a_1.jpg"), ("Carla", "zxqv", "person_b_1.jpg")):
        project = workspace.create_project(name, trigger=trigger, base_model="tiny", permission=Permission(granted=True))
        import_media(project, [media / photo])
        dataset.set_caption(project, "0001", WORDS[project.slug])
        made[project.slug] = project
    return made["kim"], made["carla"]


def save_caption(window, text):
    viewer = window.value("studio-viewer")
    return window.press("studio-viewer", "save", id="0001", version=viewer.get("version"), text=text, next=False)


def caption_of(project):
    return (project.dataset_dir / "0001.txt").read_text(encoding="utf-8").strip()


# -- what can't be read


def test_an_unknown_base_model_is_named_and_nothing_of_the_project_before_stays(people):
    kim, carla = people
    carla.update(base_model="wan99-future")
    window = Window(kim.workspace, "kim")
    window.choose("carla")
    window.look()
    shown = window.shown()
    assert "kim" not in shown.replace("kimono", "") and WORDS["kim"] not in shown
    assert any("There is no base model named 'wan99-future'." in sentence for sentence in window.troubles)
    assert window.value("studio-viewer")["caption"] == WORDS["carla"]  # her pictures need no base model
    assert window.value("base-model") == "wan99-future"
    for tab in ("train", "evaluate"):
        window.open(tab)
        assert [sentence for sentence in window.troubles if "'wan99-future'" in sentence] == window.troubles[:1]  # said once
    assert save_caption(window, "zxqv, Carla by the sea") in ({}, {"text": ""}) and caption_of(carla) == "zxqv, Carla by the sea"
    carla.update(base_model="tiny")
    window.look()
    assert window.troubles == [] and window.value("sweep-prompts")


def test_a_damaged_curation_file_empties_the_pictures_and_the_person_still_stands(people):
    kim, carla = people
    carla.curation_file.write_bytes(b'{"items": {"0001"')
    window = Window(kim.workspace, "kim")
    window.choose("carla")
    window.look()
    with pytest.raises(Problem) as told:
        dataset.list_items(carla)
    words = explain(told.value)
    assert f"{words.message} {words.cost} {words.fix}" in window.troubles  # as the commands say it
    assert window.value("studio-viewer") == {} and window.value("studio-grid") == {}
    assert window.value("trigger") == "zxqv" and "kim" not in window.shown()


def test_a_broken_project_file_is_in_the_chooser_and_its_page_says_what_to_do(people):
    kim, carla = people
    carla.file.write_bytes(b'{"name": "Carl')
    assert project_menu.project_choices(kim.workspace) == [("Kim", "kim"), ("carla (damaged)", "carla")]
    window = Window(kim.workspace, "kim")
    window.choose("carla")
    window.look()
    assert len(window.troubles) == 1 and "project.json of carla is damaged. The photos, runs and clips are all there." in window.troubles[0]
    assert "backup" in window.troubles[0] and "kim" not in window.shown().replace(str(window.troubles), "")
    assert window.value("studio-viewer") == {} and window.value("trigger") == "" and window.value("train-steps") is None
    assert "New person" not in str(window.value("next-dataset"))
    assert "damaged" in window.press("save-person", "click")["text"]


def test_the_only_project_may_be_a_damaged_one(people):
    kim, carla = people
    shutil.rmtree(kim.root)
    carla.file.write_bytes(b"[]")
    assert chooser_view.read_chooser(kim.workspace, None)["value"] == "carla"


def test_every_part_of_the_page_can_be_emptied(workspace):
    page = page_of(workspace)
    values = iter(reader_values(page))
    for reader in page.readers:
        own = [next(values) for _ in reader.inputs]
        blank = list(reader.blank or reader.read(None, *own))
        assert len(blank) == len(reader.outputs)
        assert gr.skip() not in blank or reader.outputs == (page.project,)  # the chooser stays as it is


def test_what_can_not_be_read_is_in_the_log_once(people, caplog):
    kim, carla = people
    window = Window(kim.workspace, "kim")
    carla.curation_file.write_bytes(b"{")
    with caplog.at_level(logging.WARNING):
        window.choose("carla")
        for _ in range(3):
            window.look()
        told = [(record.message, record.exc_info) for record in caplog.records]
    assert len(window.page.failures) > 3 and len(told) == 1 and told[0][1]  # with its traceback


# -- what is pressed on a page that shows another project


def test_words_typed_for_one_person_are_never_written_into_the_files_of_another(people):
    kim, carla = people
    window = Window(kim.workspace, "kim")
    window.choose("carla")  # and the page still shows Kim
    notice = save_caption(window, "ohwx, Kim in the rain")
    assert notice["text"] == "This page showed Kim; Carla is chosen now: nothing was changed."
    assert (caption_of(kim), caption_of(carla)) == (WORDS["kim"], WORDS["carla"])
    window.look()
    save_caption(window, "zxqv, Carla in the rain")
    assert caption_of(carla) == "zxqv, Carla in the rain"


def test_every_action_is_refused_where_the_page_showed_another_person(people):
    kim, _ = people
    window = Window(kim.workspace, "kim")
    window.choose("carla")
    before, refused = everything_in(kim.workspace), 0
    of_no_project = {window.control(name)._id for name in ("studio-new-person", "studio-status")}
    menu = window.control("studio-project-menu")._id
    of_deleted_ones = {(menu, "restore"), (menu, "forget")}
    for function in window.demo.fns.values():
        target = function.targets[0]
        if window.page.shows not in function.inputs or target[0] in of_no_project or target in of_deleted_ones:
            continue
        event = gr.EventData(window.demo.blocks[function.targets[0][0]], {"project": "carla"})
        answer = function.fn(event, *[window.held[block._id] for block in function.inputs])
        notice = answer[-1] if isinstance(answer, (list, tuple)) else answer
        assert "This page showed Kim; Carla is chosen now" in notice["text"], function.targets
        refused += 1
    assert refused > 60 and everything_in(kim.workspace) == before


def test_what_the_page_remembers_does_not_outlive_a_switch(people, media):
    kim, _ = people
    for project in people:
        import_media(project, [media / "astronaut.png"])
    window = Window(kim.workspace, "kim")
    window.press("studio-grid", "pick", id="0002")
    window.look()
    assert window.value("studio-viewer")["id"] == "0002"
    for slug in ("carla", "kim"):
        window.choose(slug)
        window.look()
        assert window.value("studio-viewer")["id"] == "0001" and window.value("studio-viewer")["project"] == slug


def test_what_an_action_of_the_project_before_remembers_late_is_nothing_to_the_one_after(people, media):
    kim, carla = people
    import_media(carla, [media / "astronaut.png"])
    import_media(kim, [media / "astronaut.png"])
    window = Window(kim.workspace, "kim")
    window.press("studio-grid", "pick", id="0002")
    late = {state: window.held[state] for state in window.page.memories}
    window.choose("carla")
    window.look()
    window.held |= late  # the answer to the press arrives now
    window.look()
    assert window.value("studio-viewer")["project"] == "carla" and window.value("studio-viewer")["id"] == "0001"


def everything_in(workspace):
    files = (path for path in workspace.projects_dir.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {path: path.read_bytes() for path in files}


def test_a_slow_look_that_arrives_late_brings_whose_it_is(people):
    kim, carla = people
    window = Window(kim.workspace, "kim")
    dataset.set_caption(kim, "0001", "ohwx, Kim, new words")
    slow = window.read()  # begun for Kim
    window.choose("carla")
    window.look()
    window.receive(slow)
    assert window.value("studio-viewer")["project"] == "kim"
    assert "This page showed Kim" in save_caption(window, "ohwx, Kim in the rain")["text"] and caption_of(carla) == WORDS["carla"]
    window.look()
    assert window.value("studio-viewer")["project"] == "carla"


def test_a_button_in_a_message_about_one_person_does_nothing_to_another(people):
    kim, carla = people
    window = Window(kim.workspace, "kim")
    window.choose("carla")
    window.look()
    notice = window.press("studio-notice", "act", action="check-photos", project="kim")
    assert "This page showed Kim; Carla is chosen now" in notice["text"] and carla.list_runs() == []


def test_a_project_that_took_the_place_of_another_is_not_changed_for_it(people):
    kim, _ = people
    window = Window(kim.workspace, "kim")
    shutil.rmtree(kim.root)
    other = kim.workspace.create_project("Kim", trigger="abcd", base_model="tiny")
    assert other.slug == "kim"
    assert "Another project has taken the place of the Kim" in window.press("save-person", "click")["text"]
    assert other.facts().trigger == "abcd"
    window.look()
    assert window.value("trigger") == "abcd" and window.value("studio-viewer") == {}


def test_words_for_a_picture_that_was_replaced_meanwhile_are_refused(people):
    kim, _ = people
    window = Window(kim.workspace, "kim")
    Image.new("RGB", (640, 640), "teal").save(dataset.get_item(kim, "0001").path)
    shown = {name: window.value("studio-viewer")[name] for name in ("id", "version")}
    for event, data in (("save", {"text": "ohwx, other words", "next": False}), ("keep", {"keep": False}), ("remove", {})):
        assert "0001 is another picture now" in window.press("studio-viewer", event, **shown, **data)["text"]
    assert caption_of(kim) == WORDS["kim"] and dataset.get_item(kim, "0001").keep
    window.look()
    save_caption(window, "ohwx, all teal")
    assert caption_of(kim) == "ohwx, all teal"


def test_fields_that_could_not_be_read_are_not_saved(people):
    kim, carla = people
    carla.update(base_model="wan99-future")
    window = Window(kim.workspace, "kim")
    window.choose("carla")
    window.look()
    before = carla.facts()
    for elem_id, event in (("train-steps", "blur"), ("start-training", "click"), ("sweep-seeds", "blur"), ("start-sweep", "click")):
        assert "could not be read: nothing was changed" in window.press(elem_id, event)["text"]
    assert carla.facts() == before and carla.list_runs() == []


# -- comparisons and pairs


@pytest.fixture
def trained(people):
    """Carla with two pairs, and a comparison of them of which one clip is drawn; of the files only a few bytes."""
    _, carla = people
    run = carla.new_run_dir("train")
    write_json(run / "config.json", {"kind": "train", "created": 1.0, "config": {}})
    for step in (1000, 2000):
        folder = pair_folder(run, step)
        folder.mkdir(parents=True)
        experts = {expert: {"file": f"{expert}.safetensors", "sha256": f"{step}-{expert}"} for expert in ("high_noise", "low_noise")}
        for entry in experts.values():
            (folder / entry["file"]).write_bytes(b"lora")
        write_json(folder / "manifest.json", {"step": step, "experts": experts})
    sweeps.open_sweep(carla, SweepConfig(width=64, height=64, num_frames=5, prompts=("[trigger] smiling",)), sample=False)
    return carla


def run_command(capsys, *argv):
    code = cli.main([*argv, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_a_broken_comparison_is_named_and_nothing_is_drawn_twice(trained, capsys):
    [folder] = sweeps.list_sweeps(trained)
    window = Window(trained.workspace, "carla")
    window.open("evaluate")
    assert window.value("studio-clips")["sweep"] == folder.name and window.troubles == []
    (folder / "sweep.json").write_bytes(b'{"cells": [')
    window.look()
    [sentence] = window.troubles
    assert "sweep.json of sweep-001 is damaged." in sentence and "backup" in sentence and "delete the folder sweep-001" in sentence
    assert window.value("studio-clips") == {} and "draw" not in window.value("next-evaluate")["text"]
    assert "sweep.json of sweep-001 is damaged" in window.press("start-sweep", "click")["text"]
    assert [f.name for f in trained.sweeps_dir.iterdir()] == ["sweep-001"] and trained.list_runs("sweep") == []
    for argv in (["sweep", "carla"], ["verdict", "carla"], ["verdict", "carla", "--sweep", "sweep-001"]):
        code, answer, _ = run_command(capsys, *argv)
        assert code == 2 and answer["error"]["message"] == "sweep.json of sweep-001 is damaged." and "backup" in answer["error"]["fix"]
    assert "sweep-001 is damaged" in run_command(capsys, "list")[1]["damaged"][0]["message"]
    shutil.rmtree(folder)
    window.look()
    assert window.troubles == [] and sweeps.damaged_sweeps(trained) == []


def test_a_comparison_of_a_newer_studio_is_shown_with_a_sentence(trained):
    [folder] = sweeps.list_sweeps(trained)
    write_json(folder / "sweep.json", read_json(folder / "sweep.json") | {"format": 99})
    window = Window(trained.workspace, "carla")
    window.open("evaluate")
    [sentence] = window.troubles
    assert "The comparison sweep-001 was made by a newer version of the studio" in sentence and "Update the studio" in sentence
    assert window.value("studio-clips")["sweep"] == "sweep-001"


def test_how_captions_are_written_is_chosen_on_the_page_and_remembered(people, idle):
    kim, _ = people
    window = Window(kim.workspace, "kim")
    window.look()
    assert (window.value("caption-style"), window.value("caption-max-new-tokens")) == ("standard", 120)
    window.hold("caption-style", "brief")
    window.press("caption-style", "input")
    window.hold("caption-max-new-tokens", 60)
    window.press("caption-max-new-tokens", "blur")
    assert Window(kim.workspace, "kim").value("caption-style") == "brief"
    window.press("studio-grid", "act", action="write-captions")
    job = read_config(CaptionJob, kim.list_runs("caption")[0])
    assert (job.config["style"], job.config["max_new_tokens"]) == ("brief", 60)
    window.hold("caption-max-new-tokens", 5000)
    assert "at most 512" in window.press("caption-max-new-tokens", "blur")["text"]
    assert kim.facts().caption_choice == {"style": "brief", "max_new_tokens": 60}


def test_a_pair_that_took_the_place_of_the_compared_one_is_not_used_for_it(trained):
    window = Window(trained.workspace, "carla")
    window.open("evaluate")
    first = list_pairs(trained)[0]
    manifest = json.loads((first.folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["experts"]["low_noise"]["sha256"] = "of another training"
    write_json(first.folder / "manifest.json", manifest)
    notice = window.press("studio-clips", "use", sweep="sweep-001", pair=first.id, strength=0.7)
    assert "train-001/step-001000 is another pair now" in notice["text"] and trained.facts().chosen is None


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda folder: (folder / "manifest.json").write_bytes(b"{"), "its manifest.json is damaged"),
        (lambda folder: (folder / "manifest.json").unlink(), "its manifest.json is missing"),
        (lambda folder: (folder / "low_noise.safetensors").unlink(), "the file low_noise.safetensors is missing"),
    ],
)
def test_a_pair_that_can_not_be_used_is_named_on_the_page_and_by_the_commands(trained, capsys, damage, words):
    first, second = list_pairs(trained)
    damage(first.folder)
    [problem] = damaged_pairs(trained)
    assert problem.message == f"The checkpoint pair train-001/step-001000 can't be used: {words}." and "backup" in problem.fix
    window = Window(trained.workspace, "carla")
    for tab in ("train", "evaluate"):
        window.open(tab)
        assert [words in sentence for sentence in window.troubles] == [True]
    assert [id for _, id in evaluate_view.pair_choices(trained)] == [second.id]
    code, answer, _ = run_command(capsys, "export", "carla", "--pair", first.id)
    assert code == 2 and answer["error"]["message"] == problem.message
    assert words in run_command(capsys, "list")[1]["damaged"][0]["message"]
    damage_all = [pair.folder for pair in list_pairs(trained)]
    for folder in damage_all:
        (folder / "manifest.json").unlink()
    assert "can't be used" in run_command(capsys, "sweep", "carla")[1]["error"]["message"]  # not "train first"


def test_a_project_of_a_newer_studio_is_shown_with_a_sentence_and_no_button_changes_it(people):
    kim, _ = people
    write_json(kim.file, read_json(kim.file) | {"format": FORMAT + 1})
    before = kim.file.read_bytes()
    window = Window(kim.workspace, "kim")
    window.look()
    assert any("Kim was made by a newer version of the studio" in sentence for sentence in window.troubles)
    assert window.value("studio-viewer")["caption"] == WORDS["kim"]
    notice = save_caption(window, "ohwx, Kim elsewhere")
    assert "can only be looked at" in notice["text"]
    assert caption_of(kim) == WORDS["kim"] and kim.file.read_bytes() == before
