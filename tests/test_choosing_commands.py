"""Curating, saying who is meant and deciding by hand, through the commands, over a project whose looks are known: settled, undone, repeated."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from people_kit import make_face, make_look, make_photo
from PIL import Image

from studio import cli
from studio.data import curation, dataset
from studio.data.importer import import_media
from studio.data.looking import looks
from studio.workspace import Project, Workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """20 photos of one person, 5 of another, one of both, one blurred; small pictures stand in for them, their looks are made."""
    tmp_path = tmp_path_factory.mktemp("pictures")
    project = Workspace(tmp_path_factory.mktemp("made")).create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    rng = np.random.default_rng(0)
    angles = ("front", "left", "right", "profile-left", "front")
    seen = [
        make_photo(n, rng, 0, angles[n % 5], ("close", "upper", "full")[n % 3], (1400, 1400), place=n % 5, outfit=n % 4) for n in range(20)
    ]
    seen += [make_photo(50 + n, rng, 1) for n in range(5)]
    both = make_look(make_face(0, rng, at=(60, 60), width=100), make_face(1, rng, at=(560, 60), width=90), size=(800, 600), seed=98)
    seen += [both, make_photo(99, rng, 0, blur=0.9)]
    for number in range(len(seen)):
        noise = np.random.default_rng(number).integers(0, 255, (300, 400, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number:03d}.png")
    import_media(project, sorted(tmp_path.glob("*.png")))
    for item, look in zip(dataset.list_items(project), seen):
        looks.add(looks.looks_file(project), item.sha256, [look])
    return project


@pytest.fixture
def folder(made, workspace):
    return Project(Path(shutil.copytree(made.root, workspace.projects_dir / "anna")))


def run(workspace, capsys, *arguments, code=0):
    assert cli.main([*arguments, "--home", str(workspace.home), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def state(project):
    return {item.id: (item.keep, item.held_out, item.reason) for item in dataset.list_items(project)}


def test_a_check_says_who_is_there_what_is_kept_and_what_is_lacking(folder, workspace, capsys):
    told = run(workspace, capsys, "curate", "anna", "--keep", "12")
    assert [group["photos"] for group in told["groups"]] == [22, 6] and told["person"] == 0 and "faces" not in told["groups"][0]
    assert (told["kept"], told["held_out"], told["measured"]) == (12, 2, 0)
    reasons = {item: value["reason"] for item, value in told["items"].items()}
    assert all("a different person" in reasons[f"{n:04d}"] for n in range(21, 26))
    assert reasons["0026"] == "other people are in the picture" and reasons["0027"] == "the face is blurred"
    assert not told["lacks"] and told["question"] is None


def test_a_second_check_changes_nothing_and_one_undo_takes_the_first_back(folder, workspace, capsys):
    before = state(folder)
    first = run(workspace, capsys, "curate", "anna", "--keep", "12")
    after = state(folder)
    content = folder.curation_file.read_bytes()
    second = run(workspace, capsys, "curate", "anna", "--keep", "12")
    assert first["changed"] > 0 and second["changed"] == 0 and state(folder) == after and folder.curation_file.read_bytes() == content
    assert curation.is_settled(folder, 12)
    dataset.undo(folder)
    assert state(folder) == before and not curation.is_settled(folder, 12)


def test_what_a_human_says_about_who_is_meant_decides_the_next_check(folder, workspace, capsys):
    told = run(workspace, capsys, "people", "anna", "--this-is", "0021", "--this-is", "0022", "--this-is", "0023")
    assert told["changed"] == 3 and told["groups"][told["person"]]["photos"] == 6
    told = run(workspace, capsys, "curate", "anna")
    assert {item for item, value in told["items"].items() if value["keep"]} == {f"{n:04d}" for n in range(21, 26)}
    assert told["lacks"][0]["code"] == "few"
    run(workspace, capsys, "people", "anna", "--forget", "0021", "--forget", "0022", "--forget", "0023")
    assert run(workspace, capsys, "people", "anna", "--group", "2")["groups"][0]["photos"] == 6
    assert "there is no group 9" in run(workspace, capsys, "people", "anna", "--group", "9", code=2)["error"]["message"]


def test_one_who_was_left_out_as_somebody_else_is_taken_back_by_a_word(folder, workspace, capsys):
    run(workspace, capsys, "curate", "anna")
    run(workspace, capsys, "people", "anna", "--this-is", "0024", "--this-is", "0001")
    told = run(workspace, capsys, "curate", "anna")
    taken_in = [item for item in ("0021", "0022", "0023", "0024", "0025") if "different person" not in told["items"][item]["reason"]]
    assert told["items"]["0024"]["keep"] and len(taken_in) >= 3  # what is like the one that was said to be them comes with it


def test_a_photo_of_two_is_cut_down_to_the_person_and_measured_like_any_other(folder, workspace, capsys):
    told = run(workspace, capsys, "people", "anna", "--crop", "0026")
    (new,) = told["cropped"]
    item = dataset.get_item(folder, new)
    assert (item.width, item.height) == (273, 300) and dataset.get_item(folder, "0026").width == 400
    assert "no face is known in" in run(workspace, capsys, "people", "anna", "--crop", new, code=2)["error"]["message"]


def test_pins_bans_and_swaps_stay_through_checks(folder, workspace, capsys):
    chosen = run(workspace, capsys, "choose", "anna", "--keep", "10")["chosen"]
    others = run(workspace, capsys, "choose", "anna", "--keep", "10", "--like", chosen[0])["like"]
    run(workspace, capsys, "choose", "anna", "--keep", "10", "--swap", chosen[0], others[0], "--ban", chosen[1], "--pin", "0021")
    for _ in range(2):
        told = run(workspace, capsys, "curate", "anna", "--keep", "10")
        keep = {item for item, value in told["items"].items() if value["keep"]}
        assert {others[0], "0021"} <= keep and not {chosen[0], chosen[1]} & keep and len(keep) == 10
    run(workspace, capsys, "choose", "anna", "--release", "0021")
    assert not run(workspace, capsys, "curate", "anna", "--keep", "10")["items"]["0021"]["keep"]


def test_a_moved_limit_is_stored_acts_at_the_next_check_and_measures_nothing(folder, workspace, capsys):
    assert run(workspace, capsys, "choose", "anna", "--how-many", "blur=0.95")["how_many"] == 0
    assert run(workspace, capsys, "choose", "anna", "--how-many", "blur=0.66")["how_many"] == 1
    told = run(workspace, capsys, "choose", "anna", "--limit", "blur=0.95", "--figures", "0027")
    assert folder.facts().photo_choice.limits == {"blur": 0.95} and not [text for text in told["figures"]["0027"] if "blurred" in text]
    told = run(workspace, capsys, "curate", "anna", "--keep", "30")
    assert told["measured"] == 0 and "blurred" not in told["items"]["0027"]["reason"]
    run(workspace, capsys, "choose", "anna", "--limit", "blur=0.66")
    assert folder.facts().photo_choice.limits == {}
    assert any("blur 0.90 of 1" in text for text in run(workspace, capsys, "choose", "anna", "--figures", "0027")["figures"]["0027"])
    assert "there is no limit 'bluur'" in run(workspace, capsys, "choose", "anna", "--limit", "bluur=1", code=2)["error"]["message"]
    assert "is no limit" in run(workspace, capsys, "choose", "anna", "--limit", "blur", code=2)["error"]["message"]


def test_with_the_comparing_of_people_off_no_stranger_is_chosen_either(folder, workspace, capsys):
    run(workspace, capsys, "choose", "anna", "--compare-people", "no")
    told = run(workspace, capsys, "curate", "anna", "--keep", "24")
    strangers = {f"{n:04d}" for n in range(21, 26)}
    assert not {item for item in strangers if told["items"][item]["keep"]}
    assert not [item for item in strangers if "different person" in told["items"][item]["reason"]]


def test_before_anything_was_measured_both_commands_say_what_to_do(workspace, capsys):
    workspace.create_project("Empty", trigger="ohwx", base_model="wan22-t2v-a14b")
    for command in ("people", "choose"):
        error = run(workspace, capsys, command, "empty", code=2)["error"]
        assert "no photo was measured yet" in error["message"] and "curate empty" in error["fix"]


# -- in words


def say(workspace, capsys, *arguments):
    """What a command says on stdout, line by line."""
    assert cli.main([*arguments, "--home", str(workspace.home)]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_check_tells_of_each_photo_then_of_the_people_and_of_what_is_lacking(folder, workspace, capsys):
    told = say(workspace, capsys, "curate", "anna", "--keep", "12")
    assert told[20] == "  0021  left out  shows a different person than the other photos"
    assert told[25:28] == [
        "  0026  left out  other people are in the picture",
        "  0027  left out  the face is blurred",
        "12 of 27 are kept.",
    ]
    assert told[28:] == ["The person: 22 photos; others: 6. See: python -m studio people anna"]
    assert sum("  kept  " in line for line in told) == 12 and sum("held out" in line for line in told) == 2
    said = say(workspace, capsys, "people", "anna", "--this-is", "0021", "--this-is", "0022", "--this-is", "0023")
    assert said[-1] == "Next: python -m studio curate anna"
    assert "Lacking: too few good photos of the person (5 of 10)." in say(workspace, capsys, "curate", "anna")


def test_people_are_listed_with_their_most_typical_photos(folder, workspace, capsys):
    told = say(workspace, capsys, "people", "anna")
    first, second = (line.partition(": ") for line in told)
    assert (first[0], second[0]) == ("  1  22 photos, the person", "  2  6 photos, somebody else")
    assert len(first[2].split(", ")) == 5 and set(second[2].split(", ")) <= {f"{n:04d}" for n in range(21, 27)}
    told = say(workspace, capsys, "people", "anna", "--group", "2")
    assert [line.partition(": ")[0] for line in told[:2]] == ["  1  6 photos, the person", "  2  17 photos, somebody else"]
    assert told[-1] == "Next: python -m studio curate anna"


def test_what_a_choice_would_be_is_told(folder, workspace, capsys):
    told = say(workspace, capsys, "choose", "anna", "--keep", "12", "--figures", "0027", "--figures", "0021", "--how-many", "blur=0.66")
    assert told[0] == "1 photo would be beyond blur=0.66."
    assert told[1].startswith("  0027  the face is blurred: blur 0.90 of 1; up to 0.66 is sharp enough; likeness 0.")
    assert told[2].startswith("  0021  likeness 0.") and told[2].endswith(": from 0.40 it is the person, below 0.33 somebody else")
    assert told[3:] == ["12 photos would be chosen, 2 held out. Next: python -m studio curate anna"]


def test_others_like_a_photo_are_listed_and_that_there_are_none_is_said(folder, workspace, capsys):
    told = say(workspace, capsys, "choose", "anna", "--keep", "12", "--like", "0001")
    names = told[0].removeprefix("Like 0001: ").split(", ")
    assert names and all(name in {f"{n:04d}" for n in range(1, 21)} for name in names)
    told = say(workspace, capsys, "choose", "anna", "--keep", "30", "--like", "0001")
    assert told[0] == "Like 0001: none that is good and not chosen" or told[0].startswith("Like 0001: 00")
    assert "  lacking: " not in "\n".join(told)


@pytest.mark.parametrize(("arguments", "message", "fix"), [
    (("people", "anna", "--group", "9"), "there is no group 9", "Choose one of 1 to 2, as `people anna` counts them."),
    (("people", "anna", "--group", "0"), "there is no group 0", "Choose one of 1 to 2, as `people anna` counts them."),
    (("choose", "anna", "--limit", "blur=soft"), "'blur=soft' is no limit", "Write for example blur=0.7; the names are face-width, blur,"),
    (("choose", "anna", "--how-many", "blur=3"), "blur of the face can be limited from 0.3 to 1, not at 3", ""),
    (("choose", "anna", "--figures", "0099"), "there is no item '0099'", ""),
    (("choose", "anna", "--swap", "0001", "0001"), "0001 can't take its own place.", "Choose another photo for it."),
    (("curate", "anna", "--keep", "0"), "--keep must be at least 1, got 0", ""),
])  # fmt: skip
def test_what_can_not_be_done_is_said_with_what_can(folder, workspace, capsys, arguments, message, fix):
    error = run(workspace, capsys, *arguments, code=2)["error"]
    assert error["message"].startswith(message) and (error.get("fix") or "").startswith(fix)
    assert not list(folder.runs_dir.glob("*")) if folder.runs_dir.exists() else True


def test_a_photo_that_nobody_looked_at_has_no_figures(folder, workspace, capsys, tmp_path):
    Image.new("RGB", (400, 300), (90, 120, 60)).save(tmp_path / "new.png")
    import_media(folder, [tmp_path / "new.png"])
    assert "  0028  not measured" in say(workspace, capsys, "choose", "anna", "--figures", "0028")


def test_what_is_held_out_by_hand_is_never_chosen_until_it_is_left_to_the_studio(folder, workspace, capsys):
    told = run(workspace, capsys, "choose", "anna", "--keep", "12", "--hold-out", "0003")
    assert "0003" not in told["chosen"] and dataset.get_item(folder, "0003").held_out
    run(workspace, capsys, "curate", "anna", "--keep", "30")
    assert dataset.get_item(folder, "0003").held_out and not dataset.get_item(folder, "0003").keep
    run(workspace, capsys, "choose", "anna", "--release", "0003")
    assert dataset.get_item(folder, "0003").decided_by == ""
