"""A pair goes into ComfyUI without ever overwriting, is recognised there, and comes out again; all of it is told."""

import json
import os
from contextlib import contextmanager

import pytest
from comfy_kit import HIGH, LOW, make_empty_comfyui, make_project, make_whole_comfyui, pair_of

from studio import cli
from studio.errors import Problem
from studio.export.comfy import sentences
from studio.export.comfy.installation import find_installation
from studio.export.comfy.placing import NOTES, read_notes, take_back
from studio.export.comfy.use import put_into_comfyui
from studio.export.exporting import export_pair
from studio.workspace import Workspace


@pytest.fixture
def root(tmp_path):
    return make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))


@pytest.fixture
def bare(tmp_path):
    """Without models: what is copied does not depend on them."""
    return make_empty_comfyui(tmp_path / "bare/ComfyUI")


def everything(folder):
    """{path: bytes} below a folder, without the models."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000}


def exported_files(project):
    """{name: bytes} of the pair as it is written for ComfyUI."""
    return {path.name: path.read_bytes() for path in export_pair(project, pair_of(project), "comfyui", 0.7).glob("*.safetensors")}


def put(project, root, strength=0.7):
    return put_into_comfyui(project, find_installation(root), pair_of(project), strength)


def test_the_pair_is_copied_and_its_workflows_stand_in_comfyuis_list(workspace, root):
    project = make_project(workspace)
    done = put(project, root)
    exported = exported_files(project)
    assert (root / "models/loras" / HIGH).read_bytes() == exported[HIGH] and (root / "models/loras" / LOW).read_bytes() == exported[LOW]
    assert len(exported[HIGH]) < pair_of(project).high_noise.stat().st_size  # in half the bits
    listed = root / "user/default/workflows/anna_run1_step3000 text to video.json"
    assert done.listed == (listed,)
    assert listed.read_bytes() == (done.folder / listed.name).read_bytes()
    said = " ".join(done.said)
    assert f"Copied {HIGH} and {LOW} into {root / 'models/loras'}." in said and "press R" in said
    assert "In ComfyUI press W to see 1 workflow: anna_run1_step3000 text to video." in said


def test_doing_it_again_changes_nothing_and_says_so(workspace, root):
    project = make_project(workspace)
    put(project, root)
    before = everything(root)
    done = put(project, root)
    assert everything(root) == before
    assert f"{HIGH} and {LOW} are in ComfyUI already." in done.said
    assert all(one.was_there for one in done.loras.values())


def test_another_file_of_that_name_stays_and_ours_gets_a_new_one_in_the_workflow_too(workspace, root):
    project = make_project(workspace)
    (root / "models/loras" / HIGH).write_bytes(b"somebody else's")
    done = put(project, root)
    assert (root / "models/loras" / HIGH).read_bytes() == b"somebody else's"
    new = HIGH.replace(".safetensors", "-2.safetensors")
    assert done.loras["high_noise"].path == root / "models/loras" / new
    assert f'"{new}"' in done.listed[0].read_text(encoding="utf-8")


def test_a_file_of_that_name_that_comfyui_would_find_first_is_seen(workspace, bare, tmp_path):
    """In another of its folders: ComfyUI knows names, not folders."""
    project, disk = make_project(workspace), tmp_path / "disk"
    disk.mkdir()
    (bare / "extra_model_paths.yaml").write_text(f"a:\n  base_path: {tmp_path}\n  loras: disk\n", encoding="utf-8")
    (disk / LOW).write_bytes(b"somebody else's")
    done = put(project, bare)
    assert done.loras["low_noise"].path.name == LOW.replace(".safetensors", "-2.safetensors")
    assert (disk / LOW).read_bytes() == b"somebody else's"


def test_an_edited_workflow_is_never_replaced(workspace, root):
    project = make_project(workspace)
    [listed] = put(project, root).listed
    listed.write_text("mine now", encoding="utf-8")
    [again] = put(project, root).listed
    assert listed.read_text(encoding="utf-8") == "mine now"
    assert again.name == "anna_run1_step3000 text to video-2.json"


def test_what_was_put_there_comes_out_again_and_nothing_else(workspace, root):
    project, before = make_project(workspace), None
    (root / "models/loras/other.safetensors").write_bytes(b"theirs")
    before = everything(root)
    put(project, root)
    put(project, root, strength=0.9)
    taken = take_back(project)
    assert everything(root) == before
    assert set(taken.removed) >= {HIGH, LOW} and not (taken.changed or taken.held or taken.gone)
    assert not (project.root / NOTES).exists()
    assert "Taken back out: " in sentences.tell_taken_back(taken)
    assert sentences.tell_taken_back(take_back(project)) == "Nothing of this person was put into ComfyUI."


def test_what_lay_there_before_or_was_changed_since_stays(workspace, root):
    project = make_project(workspace)
    high = root / "models/loras" / HIGH
    high.write_bytes(exported_files(project)[HIGH])  # put there by hand
    [listed] = put(project, root).listed
    listed.write_text("mine now", encoding="utf-8")
    (root / "models/loras" / LOW).unlink()
    taken = take_back(project)
    assert high.is_file() and listed.read_text(encoding="utf-8") == "mine now"
    assert (taken.removed, taken.changed, taken.gone) == ((), (listed.name,), (LOW,))
    said = sentences.tell_taken_back(taken)
    assert f"Changed since they were put there, and left where they are: {listed.name}." in said and f"Gone already: {LOW}." in said


@contextmanager
def read_only(folder):
    mode = folder.stat().st_mode
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(mode)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the account that runs the tests may write anywhere")
def test_a_folder_that_can_t_be_written_is_named_and_its_files_can_be_taken_out_later(workspace, bare):
    project = make_project(workspace)
    with read_only(bare / "models/loras"), pytest.raises(Problem, match=f"{HIGH} can't be put into"):
        put(project, bare)
    put(project, bare)
    with read_only(bare / "models/loras"):
        taken = take_back(project)
    assert set(taken.held) == {HIGH, LOW}
    assert set(take_back(project).removed) >= {HIGH, LOW}


def test_a_target_that_is_in_the_way_is_no_half_file(workspace, root):
    """The folder for workflows is a file: the LoRA files are there, what failed is said, and all of it can be taken back."""
    project = make_project(workspace)
    (root / "user/default/workflows").rmdir()
    (root / "user/default/workflows").write_text("in the way", encoding="utf-8")
    with pytest.raises(Problem, match="can't be put into"):
        put(project, root)
    assert take_back(project).removed == (HIGH, LOW)
    assert not [path for path in (root / "models/loras").iterdir() if path.suffix != ".safetensors"]


def test_a_copy_that_was_killed_leaves_nothing_under_its_name_and_is_done_again(workspace, bare):
    project = make_project(workspace)
    half = bare / "models/loras" / f".{HIGH}.unfinished"
    half.write_bytes(b"half")  # as a killed copy leaves it
    put(project, bare)
    assert not half.exists()
    assert (bare / "models/loras" / HIGH).read_bytes() == exported_files(project)[HIGH]


def test_a_folder_for_loras_alone_gets_the_pair_and_is_told_that_no_workflow_is_possible(workspace, tmp_path):
    loras, project = tmp_path / "Lora", make_project(workspace)
    loras.mkdir()
    done = put(project, loras)
    assert sorted(path.name for path in loras.iterdir()) == [HIGH, LOW]
    assert done.folder is None and "No workflow could be written." in done.said
    assert any("are not in" in sentence for sentence in done.said)


def test_a_comfyui_that_never_ran_gets_its_workflows_by_hand(workspace, root):
    project = make_project(workspace)
    for folder in ("user/default/workflows", "user/default", "user"):
        (root / folder).rmdir()
    done = put(project, root)
    assert done.listed == () and not (root / "user").exists()
    assert any(str(done.folder) in sentence and sentence.startswith("Drag one of these") for sentence in done.said)


def test_a_pair_of_the_built_in_model_is_not_copied(workspace, bare):
    project = make_project(workspace, "tiny")
    before = everything(bare)
    with pytest.raises(Problem, match=r"ComfyUI can't draw with .*nothing was copied"):
        put(project, bare)
    assert everything(bare) == before


def test_a_damaged_pair_is_not_copied(workspace, bare):
    project = make_project(workspace)
    file = pair_of(project).low_noise
    file.write_bytes(file.read_bytes()[:-4])
    before = everything(bare)
    with pytest.raises(ValueError, match="was changed or damaged"):
        put(project, bare)
    assert everything(bare) == before


def test_two_people_of_one_name_do_not_meet(workspace, bare):
    first, second = make_project(workspace), make_project(workspace, seed=1)
    put(first, bare)
    put(second, bare)
    take_back(first)
    assert {path.name for path in (bare / "models/loras").iterdir()} == {HIGH.replace("anna", "anna-2"), LOW.replace("anna", "anna-2")}


def test_nothing_written_into_comfyui_names_a_folder_of_this_computer(workspace, root, tmp_path):
    project = make_project(workspace)
    done = put(project, root)
    for path in (*done.listed, *done.folder.iterdir()):
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


# -- the command


def run(capsys, workspace, *argv):
    code = cli.main([*argv, "--home", str(workspace.home), "--json"])
    out = capsys.readouterr()
    return code, json.loads(out.out), out.err


def test_the_command_puts_the_pair_in_remembers_where_and_takes_it_back(workspace, root, capsys):
    make_project(workspace)
    code, answer, _ = run(capsys, workspace, "use", "anna", "--comfyui", str(root), "--strength", "0.8")
    assert (code, answer["strength"], answer["comfyui"]) == (0, 0.8, str(root))
    assert set(answer["loras"]) == {"high_noise", "low_noise"} and len(answer["workflows"]) == 1 and answer["said"]
    code, answer, _ = run(capsys, workspace, "use", "anna")
    assert code == 0 and any("are in ComfyUI already" in sentence for sentence in answer["said"])
    code, answer, _ = run(capsys, workspace, "use", "anna", "--take-back")
    assert code == 0 and {HIGH, LOW} <= set(answer["removed"])


def test_the_command_says_what_to_do_where_there_is_no_comfyui(workspace, capsys, tmp_path):
    make_project(workspace)
    code, answer, _ = run(capsys, workspace, "use", "anna")
    assert code == 2 and "--comfyui FOLDER" in answer["error"]["fix"]
    code, answer, _ = run(capsys, workspace, "use", "anna", "--comfyui", str(tmp_path / "gone"))
    assert code == 2 and "There is no folder" in answer["error"]["message"]


def test_the_notes_outlive_another_version_and_a_second_comfyui(workspace, root, tmp_path):
    project, other = make_project(workspace), make_empty_comfyui(tmp_path / "second/ComfyUI")
    put(project, root)
    put(project, other)
    assert len(read_notes(Workspace(workspace.home).project("anna")).files) == 5
    take_back(project)
    assert not list((other / "models/loras").iterdir()) and not (root / "models/loras" / HIGH).exists()
