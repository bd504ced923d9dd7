"""Files of the workspace: safe names, whole files, logs that survive a crash."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from studio import disk
from studio.data import dataset
from studio.data.importer import import_media
from studio.disk import append_jsonl, finished_dir, locked, read_json, read_jsonl, read_path, write_json
from studio.errors import NewerFormat
from studio.jobs import launcher
from studio.jobs.kinds.curate import CurateJob
from studio.workspace import Project, Workspace, default_home, new_numbered_dir, project_of, safe_join, slugify


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
        ("x" * 99, "x" * 24),
    ],
)
def test_any_name_becomes_a_folder_name(name, slug):
    assert slugify(name) == slug


def test_two_people_of_the_same_name_get_two_folders(workspace):
    first, second = workspace.create_project("Anna"), workspace.create_project("Anna")
    assert (first.slug, second.slug) == ("anna", "anna-2")
    assert workspace.find_project("anna-2") == second
    assert [p.slug for p in workspace.list_projects()] == ["anna", "anna-2"]


def test_a_project_that_could_not_be_written_leaves_its_name_free(workspace, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write_atomic", full)
        with pytest.raises(OSError, match="No space"):
            workspace.create_project("Anna")
    assert workspace.create_project("Anna").slug == "anna"


def test_a_project_is_found_by_its_name_in_any_script(workspace):
    project = workspace.create_project("Ольга 日本")
    assert workspace.find_project("Ольга 日本") == project


def test_a_name_that_two_people_bear_is_asked_back_and_a_folder_is_always_clear(workspace):
    first, second = workspace.create_project("Anna"), workspace.create_project("Anna")
    with pytest.raises(ValueError, match="2 projects are named 'Anna'; give the folder: anna, anna-2"):
        workspace.find_project("Anna")
    third = workspace.create_project("anna-2")
    assert [workspace.find_project(name) for name in ("anna", "anna-2", "anna-2-2")] == [first, second, third]


def test_signs_that_are_not_seen_do_not_become_part_of_a_name(workspace):
    hidden = workspace.create_project("Eva\x01\x00\n \u202elive\u2069\udce9")
    family = workspace.create_project("\U0001f468\u200d\U0001f469\u200d\U0001f467")
    assert hidden.facts().name == "Eva live" and family.facts().name == "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("noun", "kept"), [("", "person"), ("  young \n woman ", "young woman"), ("жінка", "жінка"), ("best friend's", "best friend's")]
)
def test_the_class_noun_is_a_word_or_two_and_never_empty(workspace, noun, kept):
    project = workspace.create_project("Anna", class_noun=noun)
    assert project.facts().class_noun == kept
    assert project.update(class_noun=noun).class_noun == kept


@pytest.mark.parametrize("noun", ["x" * 41, "🎉", "man, woman", "a\\b"])
def test_a_class_noun_that_says_nothing_is_refused(workspace, noun):
    with pytest.raises(ValueError, match="say what the person is"):
        workspace.create_project("Anna", class_noun=noun)


def test_a_project_that_is_not_there_is_answered_with_those_that_are(workspace):
    workspace.create_project("Anna")
    with pytest.raises(ValueError, match=r"no project 'bob' \(projects: anna\)"):
        workspace.project("bob")


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_name_must_have_one_to_eighty_characters(workspace, name):
    with pytest.raises(ValueError, match="the name"):
        workspace.create_project(name)


def test_unknown_fields_of_a_project_are_kept(project):
    write_json(project.file, read_json(project.file) | {"later_field": {"a": 1}})
    project.update(trigger="new")
    assert read_json(project.file)["later_field"] == {"a": 1} and project.facts().trigger == "new"


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"v": 1})
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"v": 2})
    assert read_json(path)["v"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_json_file_that_is_nested_to_do_harm_is_named_and_a_line_left_out(tmp_path):
    (tmp_path / "project.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ValueError, match=r"project\.json is damaged \(nested too deeply"):
        read_json(tmp_path / "project.json")
    (tmp_path / "events.jsonl").write_text('{"a": 1}\n' + '{"a":' * 100_000 + '\n{"a": 2}\n', encoding="utf-8")
    assert read_jsonl(tmp_path / "events.jsonl")[0] == [{"a": 1}, {"a": 2}]


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
    code = """import sys; from studio.workspace import Project; from pathlib import Path
for i in range(20):
    Project(Path(sys.argv[1])).update(**{sys.argv[2]: sys.argv[2] * i})
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(project.root), name]) for name in ("trigger", "sample_prompt")]
    assert [p.wait() for p in processes] == [0, 0]
    assert (project.facts().trigger, project.facts().sample_prompt) == ("trigger" * 19, "sample_prompt" * 19)


def test_a_lock_held_by_another_program_is_an_error_in_words(tmp_path):
    with locked(tmp_path / "a.json"):
        code = "import sys; from studio.disk import locked\nwith locked(sys.argv[1], 0.1): pass"
        found = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], capture_output=True, text=True)
    assert found.returncode == 1 and "a.json is in use by another program" in found.stderr


def test_the_workspace_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "elsewhere"))
    assert default_home() == (tmp_path / "elsewhere").resolve()


def test_runs_are_listed_in_order_and_belong_to_their_project(project):
    for _ in range(3):
        run_dir = project.new_run_dir("train")
        write_json(run_dir / "config.json", {})
    assert [p.name for p in project.list_runs("train")] == ["train-001", "train-002", "train-003"]
    assert project_of(run_dir) == Project(project.root.resolve())


def test_project_json_is_readable_by_people(project):
    text = project.file.read_text(encoding="utf-8")
    assert json.loads(text)["name"] == "Anna" and "\n" in text


def test_an_empty_workspace_lists_nothing(tmp_path):
    assert Workspace(tmp_path / "none").list_projects() == []


# -- what Windows does differently: open files may be neither replaced nor removed, and clocks tick slowly


def busy(times):
    """os.replace as Windows answers while a virus scanner or reader has the file open, the first few times."""
    real, left = os.replace, [times]

    def replace(source, target):
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used by another process", str(source))
        return real(source, target)

    return replace


def test_a_folder_that_cannot_be_replaced_stays_whole_as_it_was(tmp_path, monkeypatch):
    target = tmp_path / "pair"
    target.mkdir()
    (target / "a").write_text("old", encoding="utf-8")
    monkeypatch.setattr(disk, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(disk, "FOLDER_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(os, "replace", busy(1_000_000))
    with pytest.raises(PermissionError), finished_dir(target) as folder:
        (folder / "a").write_text("new", encoding="utf-8")
    assert (target / "a").read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["pair"]


def test_a_killed_program_loses_no_folder_that_it_was_about_to_replace(tmp_path, monkeypatch):
    target = tmp_path / "pair"
    target.mkdir()
    (target / "a").write_text("old", encoding="utf-8")
    real, seen = os.replace, []

    def watch(source, to):
        seen.append(sorted(p.read_text(encoding="utf-8") for p in tmp_path.rglob("a")))
        return real(source, to)

    monkeypatch.setattr(os, "replace", watch)
    with finished_dir(target) as folder:
        (folder / "a").write_text("new", encoding="utf-8")
    assert seen == [["new", "old"]] * 2, "at every rename both are on the disk, whole"
    assert (target / "a").read_text(encoding="utf-8") == "new" and [p.name for p in tmp_path.iterdir()] == ["pair"]


def test_a_finished_folder_waits_for_a_virus_scanner_longer_than_a_file_does(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(os, "replace", busy(5))
    with finished_dir(tmp_path / "pair") as folder:
        (folder / "a").write_text("whole", encoding="utf-8")
    assert (tmp_path / "pair" / "a").is_file()


def test_two_threads_that_write_one_file_in_the_same_tick_of_the_clock_do_not_mix(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.time, "monotonic_ns", lambda: 5)  # Windows' clock stands still for 15 ms
    texts, failed = [letter * 200_000 for letter in "abcd"], []

    def write(text):
        try:
            for _ in range(20):
                write_json(tmp_path / "a.json", {"text": text})
                assert read_json(tmp_path / "a.json")["text"] in texts
        except Exception as e:
            failed.append(e)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert failed == [] and [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_records_of_two_writers_are_all_there(tmp_path):
    code = "import sys; from studio.disk import append_jsonl\nfor i in range(200): append_jsonl(sys.argv[1], {'who': sys.argv[2], 'i': i})"
    path = tmp_path / "votes.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), who]) for who in "ab"]
    assert [w.wait() for w in writers] == [0, 0]
    records, _ = read_jsonl(path)
    assert [[r["i"] for r in records if r["who"] == who] for who in "ab"] == [list(range(200))] * 2


def test_a_log_that_was_cut_is_read_from_its_start_again(tmp_path):
    path = tmp_path / "log.jsonl"
    append_jsonl(path, {"n": 1})
    append_jsonl(path, {"n": 2})
    _, offset = read_jsonl(path)
    path.unlink()
    append_jsonl(path, {"n": 3})
    assert read_jsonl(path, offset)[0] == [{"n": 3}]


@pytest.mark.parametrize(
    "data", ["C:\\Modelle\\Größe".encode("utf-16"), '"C:\\Modelle\\Größe"\r\n'.encode("utf-8-sig"), "C:\\Modelle\\Größe\n".encode()]
)
def test_a_path_is_read_from_a_text_file_as_notepad_and_powershell_write_it(tmp_path, data):
    (tmp_path / "wan.path").write_bytes(data)
    assert read_path(tmp_path / "wan.path") == Path("C:\\Modelle\\Größe")


# -- formats


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", [{"format": 0}, {}])
def test_a_project_of_an_older_format_opens_and_is_brought_up_to_date_when_it_is_written(workspace, form):
    root = workspace.projects_dir / "anna"
    root.mkdir(parents=True)
    known = {"name": "Anna", "trigger": "ohwx", "class_noun": "person", "base_model": "tiny"}
    (root / "project.json").write_text(json.dumps(form | known | {"theirs": 1}), encoding="utf-8")
    project = workspace.find_project("Anna")
    assert not project.facts().is_newer
    project.update(trigger="zxqv")
    assert read_json(project.file) == {"format": disk.FORMAT, "permission": None, "theirs": 1} | known | {"trigger": "zxqv"}


def test_a_project_of_a_newer_format_can_be_looked_at_and_nothing_is_written_to_it(project, media):
    import_media(project, [media / "person_a_1.jpg"])
    write_json(project.file, read_json(project.file) | {"format": disk.FORMAT + 1, "aura": "blue"})
    before = files_of(project.root)
    assert project.facts().is_newer and [item.id for item in dataset.list_items(project)] == ["0001"]
    for change in (
        lambda: project.update(trigger="zxqv"),
        lambda: dataset.set_caption(project, "0001", "ohwx, elsewhere"),
        lambda: import_media(project, [media / "person_a_2.jpg"]),
        lambda: launcher.enqueue(project, CurateJob(keep=3)),
    ):
        with pytest.raises(NewerFormat, match="Anna was made by a newer version"):
            change()
    assert files_of(project.root) == before
