"""Files of the workspace: safe names, whole files, logs that survive a crash."""

import json
import os
import subprocess
import sys
import threading

import pytest

from studio import workspace as ws
from studio.workspace import (
    Workspace,
    append_jsonl,
    finished_dir,
    locked,
    new_numbered_dir,
    read_json,
    read_jsonl,
    safe_join,
    slugify,
    write_json,
)


@pytest.mark.parametrize(
    "name", ["../x", "a/../../b", "/etc/passwd", "C:\\x", "a\0b", "", "a//b", ".", "..", "aux.txt", "\\\\server\\x", "dir/con", "./a"]
)
def test_a_name_that_leaves_its_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="safe file name"):
        safe_join(tmp_path, name)


def test_a_link_that_leads_outside_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    try:
        (tmp_path / "in" / "door").symlink_to(tmp_path)
    except OSError:
        pytest.skip("links may not be made here")
    with pytest.raises(ValueError, match="leads outside"):
        safe_join(tmp_path / "in", "door/secret")


def test_safe_names_are_joined(tmp_path):
    assert safe_join(tmp_path, "a/b.txt") == tmp_path / "a" / "b.txt"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Anna", "anna"),
        ("Ána María", "ana-maria"),
        ("日本", "project"),
        ("con", "project-con"),
        ("a/b\\c", "a-b-c"),
        ("🙂", "project"),
        ("x" * 99, "x" * 40),
    ],
)
def test_any_name_becomes_a_folder_name(name, slug):
    assert slugify(name) == slug


def test_two_people_of_the_same_name_get_two_folders(workspace):
    first, second = workspace.create_project("Anna"), workspace.create_project("Anna")
    assert (first.slug, second.slug) == ("anna", "anna-2")
    assert workspace.find_project("anna-2") == second
    assert [p.slug for p in workspace.list_projects()] == ["anna", "anna-2"]


def test_a_project_is_found_by_its_name_in_any_script(workspace):
    project = workspace.create_project("Ольга 日本")
    assert workspace.find_project("Ольга 日本") == project


def test_a_project_that_is_not_there_is_answered_with_those_that_are(workspace):
    workspace.create_project("Anna")
    with pytest.raises(ValueError, match=r"no project 'bob' \(projects: anna\)"):
        workspace.project("bob")


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_name_must_have_one_to_eighty_characters(workspace, name):
    with pytest.raises(ValueError, match="the name"):
        workspace.create_project(name)


def test_unknown_fields_of_a_project_are_kept(project):
    project.update(later_field={"a": 1})
    project.update(trigger="new")
    assert project.read()["later_field"] == {"a": 1} and project.read()["format"] == ws.FORMAT


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"v": 1})
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"v": 2})
    assert read_json(path)["v"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_damaged_json_file_is_named_in_words(tmp_path):
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")


def test_a_torn_last_line_of_a_log_is_left_out_and_costs_only_itself(tmp_path):
    path = tmp_path / "log.jsonl"
    append_jsonl(path, {"n": 1})
    with open(path, "ab") as file:
        file.write(b'{"n": 2, "torn')
    records, offset = read_jsonl(path)
    assert [r["n"] for r in records] == [1]
    append_jsonl(path, {"n": 3})
    assert [r["n"] for r in read_jsonl(path)[0]] == [1, 3]
    assert [r["n"] for r in read_jsonl(path, offset)[0]] == [3]


def test_readers_never_see_half_a_json_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"text": "x" * 50_000, "n": 0})
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            write_json(path, {"text": "x" * 50_000, "n": (n := n + 1)})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            assert len(read_json(path)["text"]) == 50_000
    finally:
        stop.set()
        writer.join()


def test_a_finished_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), finished_dir(tmp_path / "pair") as folder:
        (folder / "a").write_text("half", encoding="utf-8")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with finished_dir(tmp_path / "pair") as folder:
        (folder / "a").write_text("whole", encoding="utf-8")
        assert not (tmp_path / "pair").exists()
    assert (tmp_path / "pair" / "a").read_text(encoding="utf-8") == "whole"


def test_numbered_folders_go_up_and_are_never_given_twice(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(new_numbered_dir(tmp_path / "runs", "train").name)) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(made) == [f"train-{n:03d}" for n in range(1, 9)]


def test_changes_from_two_processes_are_both_kept(project):
    code = "import sys, json; from studio.workspace import Project; from pathlib import Path\nfor i in range(20): Project(Path(sys.argv[1])).update(**{sys.argv[2] + str(i): i})"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(project.root), name]) for name in ("a", "b")]
    assert [p.wait() for p in processes] == [0, 0]
    assert {f"{name}{i}" for name in "ab" for i in range(20)} <= set(project.read())


def test_a_lock_held_by_another_program_is_an_error_in_words(tmp_path):
    with locked(tmp_path / "a.json"):
        code = "import sys; from studio.workspace import locked\nwith locked(sys.argv[1], 0.1): pass"
        found = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], capture_output=True, text=True)
    assert found.returncode == 1 and "a.json is in use by another program" in found.stderr


def test_the_workspace_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "elsewhere"))
    assert ws.default_home() == (tmp_path / "elsewhere").resolve()


def test_runs_are_listed_in_order_and_belong_to_their_project(project):
    for _ in range(3):
        run_dir = project.new_run_dir("train")
        write_json(run_dir / "config.json", {})
    assert [p.name for p in project.list_runs("train")] == ["train-001", "train-002", "train-003"]
    assert ws.project_of(run_dir) == ws.Project(project.root.resolve())


def test_project_json_is_readable_by_people(project):
    text = project.file.read_text(encoding="utf-8")
    assert json.loads(text)["name"] == "Anna" and "\n" in text


def test_an_empty_workspace_lists_nothing(tmp_path):
    assert Workspace(tmp_path / "none").list_projects() == []
