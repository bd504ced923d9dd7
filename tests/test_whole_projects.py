"""A project is renamed, duplicated, deleted and brought back, in the window and by commands, and nothing of it is lost on the way."""

import json

import pytest
from page_kit import Window, page_of

from studio import cli
from studio.data import dataset
from studio.data.importer import import_media
from studio.disk import file_sha256, write_json
from studio.errors import Problem
from studio.jobs import launcher
from studio.jobs.kinds import duplicate as kind
from studio.jobs.kinds.curate import CurateJob
from studio.jobs.kinds.duplicate import DuplicateJob, DuplicateReport
from studio.jobs.worker import run_job
from studio.project_facts import ChosenPair
from studio.ui.side import chooser, project_menu
from studio.workspace import Workspace


@pytest.fixture
def idle(monkeypatch):
    """Jobs stay in the queue: no worker is started."""
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)


@pytest.fixture
def anna(project, media):
    """A person with two photos, a caption, a removed photo and a run."""
    import_media(project, [media / f"person_{name}.jpg" for name in ("a_1", "a_2", "b_1")])
    dataset.set_caption(project, "0001", "ohwx, a person, in a garden")
    dataset.remove_item(project, "0003")
    launcher.cancel(launcher.enqueue(project, CurateJob()))
    return project


def files(root):
    """{path: hash} of all that lies in a folder."""
    return {p.relative_to(root).as_posix(): file_sha256(p) for p in sorted(root.rglob("*")) if p.is_file() and not p.name.endswith(".lock")}


def run(workspace, *command):
    return cli.main([*command, "--home", str(workspace.home)])


def test_a_person_gets_another_name_and_keeps_the_folder(anna, capsys):
    assert project_menu.rename(anna, "  Anna   Müller ") == "Anna is called Anna Müller now."
    assert anna.facts().name == "Anna Müller" and anna.slug == "anna"
    assert run(anna.workspace, "rename", "Anna Müller", "Zoë") == 0 and "is called Zoë now" in capsys.readouterr().out
    with pytest.raises(ValueError, match="name is empty"):
        project_menu.rename(anna, " \u200b ")
    assert run(anna.workspace, "rename", "nobody", "Zoë") == 2


def test_equal_names_are_told_where_a_name_is_given(anna, capsys):
    workspace = anna.workspace
    other = workspace.create_project("Bea")
    assert project_menu.check_name_live(workspace, " anna") == (
        "There is a project of that name already (anna); in the list their folders will tell them apart."
    )
    assert project_menu.check_name_live(workspace, "Cleo") == project_menu.check_name_live(workspace, " ") == ""
    assert "2 projects have that name" in project_menu.rename(other, "Anna")
    assert project_menu.project_choices(workspace) == [("Anna (anna)", "anna"), ("Anna (bea)", "bea")]
    assert run(workspace, "rename", "bea", "anna") == 0
    assert "their folders tell them apart: anna, bea" in capsys.readouterr().out
    assert run(workspace, "new", "Anna", "--trigger", "ohwx", "--class", "woman", "--model", "tiny", "--i-have-permission") == 0
    assert "3 projects are called Anna; their folders tell them apart: anna, anna-2, bea" in capsys.readouterr().out


def test_a_duplicate_has_the_photos_the_captions_and_the_undo_and_nothing_of_the_runs(anna):
    anna.update(chosen=ChosenPair(pair="train-001/step-000100", step=100, strength=0.7, folder="x"), dismissed=("import-001@1",))
    job = run_job(launcher.prepare(anna, DuplicateJob(name="Anna (copy)")))
    copy = anna.workspace.project(job.read_result(DuplicateReport).slug)
    assert (copy.slug, copy.facts().name, copy.facts().trigger) == ("anna-copy", "Anna (copy)", anna.facts().trigger)
    assert copy.facts().permission == anna.facts().permission and copy.facts().created != anna.facts().created
    assert copy.facts().chosen is None and copy.facts().dismissed == () and not copy.runs_dir.exists()
    assert files(copy.dataset_dir) == files(anna.dataset_dir) and files(copy.originals_dir) == files(anna.originals_dir)
    assert [(item.id, item.caption) for item in dataset.list_items(copy)] == [(item.id, item.caption) for item in dataset.list_items(anna)]
    dataset.undo(copy)
    assert [item.id for item in dataset.list_items(copy)] == ["0001", "0002", "0003"]
    assert [item.id for item in dataset.list_items(anna)] == ["0001", "0002"]


def test_a_duplicate_that_is_stopped_or_killed_leaves_nothing(anna, monkeypatch):
    monkeypatch.setattr(kind, "free_slug", lambda folder, name: folder / "half")
    run_dir = launcher.prepare(anna, DuplicateJob(name="Half"))
    launcher.request_stop(run_dir)
    job = run_job(run_dir)
    assert job.state == "stopped" and job.read_result(DuplicateReport).slug == ""
    left = anna.workspace.projects_dir / ".half.0badcafe.tmp"
    (left / "dataset").mkdir(parents=True)
    assert [project.slug for project in anna.workspace.list_projects()] == ["anna"]
    run_job(launcher.prepare(anna, DuplicateJob(name="Whole")))
    assert not left.exists() and {path.name for path in anna.workspace.projects_dir.iterdir()} == {"anna", "half"}


def test_a_deleted_project_comes_back_whole(anna, capsys):
    before, workspace = files(anna.root), anna.workspace
    assert "can be brought back" in project_menu.delete(anna)
    assert workspace.list_projects() == [] and [gone.slug for gone in workspace.deleted_projects()] == ["anna"]
    assert run(workspace, "restore") == 0 and "anna" in capsys.readouterr().out
    assert run(workspace, "restore", "anna") == 0
    assert files(anna.root) == before and workspace.deleted_projects() == []
    assert run(workspace, "restore", "anna") == 2


def test_two_deleted_projects_of_one_folder_s_name_are_told_apart(anna, capsys):
    workspace = anna.workspace
    project_menu.delete(anna)
    workspace.create_project("Anna", trigger="other")
    assert run(workspace, "delete", "anna", "--json") == 0
    assert json.loads(capsys.readouterr().out)["deleted"] == "anna.2"
    workspace.create_project("Anna", trigger="third")
    back = workspace.restore_project(workspace.find_deleted("anna.2"))
    assert (back.slug, back.facts().trigger) == ("anna-2", "other")
    assert run(workspace, "restore", "anna", "--for-good") == 0
    assert workspace.deleted_projects() == [] and [p.facts().trigger for p in workspace.list_projects()] == ["third", "other"]


def test_what_a_job_works_on_is_not_deleted(anna, capsys):
    launcher.enqueue(anna, CurateJob())
    with pytest.raises(Problem, match="when this is over: Choose the best photos"):
        project_menu.delete(anna)
    assert run(anna.workspace, "delete", "anna") == 2 and "is not over" in capsys.readouterr().err
    assert project_menu.read_menu(anna.workspace, anna).busy and anna.file.is_file()


def test_a_file_that_another_program_holds_is_said(anna, monkeypatch):
    def held(source, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr("studio.workspace.os.replace", held)
    monkeypatch.setattr("studio.workspace.RETRY_SECONDS", 0)
    with pytest.raises(Problem, match="another program has a file of it open"):
        project_menu.delete(anna)
    assert anna.file.is_file() and anna.workspace.list_projects() == [anna]


def test_the_window_shows_the_next_person_after_a_deletion_and_the_one_that_came_back(anna, idle):
    anna.workspace.create_project("Bea")
    window = Window(anna.workspace, "anna")
    assert window.value("studio-project-menu")["name"] == "Anna"
    assert "is deleted" in window.press("studio-project-menu", "remove")["text"]
    window.look()
    assert window.held[window.page.project._id] == "bea"
    window.look()
    [gone] = window.value("studio-project-menu")["deleted"]
    assert (gone["slug"], gone["name"]) == ("anna", "Anna") and gone["when"].startswith("deleted ")
    window.press("studio-project-menu", "restore", slug="anna")
    assert window.held[window.page.project._id] == "anna"
    window.look()
    assert "being made" in window.press("studio-project-menu", "duplicate")["text"]
    assert "already" in window.press("studio-project-menu", "duplicate")["text"]


def test_a_window_that_shows_another_person_deletes_nobody(anna):
    anna.workspace.create_project("Bea")
    window = Window(anna.workspace, "anna")
    window.choose("bea")
    assert "nothing was changed" in window.press("studio-project-menu", "remove")["text"]
    assert len(anna.workspace.list_projects()) == 2


def test_the_folder_is_opened_and_said_where_that_can_t_be(anna, monkeypatch):
    opened = []
    monkeypatch.setattr(project_menu, "open_folder", opened.append)
    assert str(anna.root) in project_menu.open_project(anna) and opened == [anna.root]


def test_the_person_that_was_shown_last_is_shown_in_a_browser_that_knows_nobody(anna):
    anna.workspace.create_project("Zoë")
    write_json(anna.workspace.file, {"last_project": "zoe"})
    page = page_of(anna.workspace)
    assert page.workspace.facts().last_project == "zoe"
    assert Workspace(anna.workspace.home).facts().last_project == "zoe"
    assert chooser.first_shown(page.workspace, {}, ["anna", "zoe"]) == "zoe"
    assert chooser.first_shown(page.workspace, {"project": "anna"}, ["anna", "zoe"]) == "anna"
    assert chooser.first_shown(page.workspace, {"project": "gone"}, ["anna"]) == "anna"
    assert chooser.first_shown(page.workspace, {}, []) is None


def test_no_name_leads_out_of_the_deleted_ones(anna):
    for slug in ("../anna", "..", "anna", ""):
        with pytest.raises(ValueError, match="no deleted project is called"):
            project_menu.forget(anna.workspace, slug)
    assert anna.file.is_file()
