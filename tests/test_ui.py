"""The studio without a browser: what handlers read and do, what the web server refuses and serves."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import gradio as gr
import pytest
from page_kit import Event, fire, page_of, reader_values
from starlette.testclient import TestClient

from studio.config import SweepConfig, TrainConfig, flatten, list_settings, to_dict
from studio.data import dataset
from studio.data.importer import import_media
from studio.data.media.thumbnails import version_of
from studio.data.remarks import ALIKE, BLUR, SEVERAL_PEOPLE, Remark
from studio.disk import read_json, write_json
from studio.errors import Problem
from studio.evaluation.sweep_facts import Prompt, Sweep
from studio.evaluation.sweeps import comparison_file
from studio.jobs import launcher, state, worker
from studio.jobs.kind import read_config
from studio.jobs.kinds.caption import CaptionJob
from studio.jobs.kinds.curate import CurateJob
from studio.jobs.kinds.import_media import ImportJob
from studio.jobs.kinds.train import TrainJob
from studio.project_facts import Permission
from studio.tiny.demo_project import ensure_demo_project
from studio.ui import actions, app, uploads
from studio.ui import formatting as f
from studio.ui.app import build, make_app
from studio.ui.dataset import job_results as results_view
from studio.ui.dataset import tab as dataset_tab
from studio.ui.dataset import view as dataset_view
from studio.ui.drop import read_sent
from studio.ui.evaluate import choice as evaluate_choice
from studio.ui.evaluate import view as evaluate_view
from studio.ui.page import Seen, describe_error
from studio.ui.settings_form import build_form, place_field, search_index
from studio.ui.side import new_person, status_line
from studio.ui.train import choice as train_choice
from studio.ui.train import plan as train_plan
from studio.ui.train import tab as train_tab
from studio.ui.train import view as train_view
from studio.ui.views import Button
from studio.workspace import Workspace

with suppress(ImportError):  # not on Windows
    import resource

ROOT = Path(__file__).resolve().parent.parent
LOCAL = {"host": "127.0.0.1:7860"}


@pytest.fixture
def filled(project, media):
    """A project with two photos and a clip, captioned."""
    import_media(project, [media / name for name in ("person_a_1.jpg", "person_a_2.jpg", "bigbuckbunny.mp4")])
    for item in dataset.list_items(project):
        dataset.set_caption(project, item.id, f"{project.facts().trigger}, a person, at place {item.id}")
    return project


@pytest.fixture
def idle(monkeypatch):
    """Jobs stay in the queue: no worker is started."""
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A project of one photo and one clip that no test changes."""
    media = Path(__file__).parent / "media"
    project = Workspace(tmp_path_factory.mktemp("served")).create_project("Anna", trigger="ohwx", base_model="tiny")
    import_media(project, [media / "person_a_1.jpg", media / "bigbuckbunny.mp4"])
    return project


@pytest.fixture(scope="module")
def client(served):
    with TestClient(make_app(served.workspace), base_url="http://127.0.0.1:7860") as web:
        yield web


def test_importing_the_studio_loads_no_torch():
    code = "import sys, studio.ui.app; sys.exit(any(m in sys.modules for m in ('torch', 'diffusers', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# -- the web server


def test_the_page_is_served_with_our_title_and_no_foreign_script(client):
    page = client.get("/").text
    assert "<title>Likeness Studio" in page or '"title":"Likeness Studio"' in page
    assert '"analytics_enabled":false' in page
    assert client.get("/look/studio.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""])
def test_another_host_name_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "localhost"])
def test_this_computers_own_names_are_served(client, host):
    assert client.get("/look/icon.svg", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
def test_another_site_can_not_change_anything(client, headers):
    assert client.post("/gradio_api/run/predict", json={}, headers=LOCAL | headers).status_code == 403


def test_our_own_page_may_post(client):
    same = {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}
    assert client.post("/gradio_api/run/predict", json={}, headers=LOCAL | same).status_code != 403


def test_on_the_lan_everything_asks_for_the_password(served):
    with TestClient(make_app(served.workspace, lan_password="long secret"), base_url="http://192.168.1.20:7860") as web:
        right = {"authorization": "Basic " + base64.b64encode(b"me:long secret").decode()}
        wrong = {"authorization": "Basic " + base64.b64encode(b"me:guess").decode()}
        address = f"/media/{served.slug}/thumbnails/0001"
        assert [web.get(address).status_code, web.get(address, headers=wrong).status_code] == [401, 401]
        assert web.get(address, headers=right).status_code == 200
        assert web.get(address, headers=right | {"host": "evil.example"}).status_code == 403


def test_a_thumbnail_that_is_there_is_served_without_a_look_at_the_dataset(client, served, monkeypatch):
    address = dataset_view.media_address(served, "thumbnails", dataset.list_items(served)[0])
    first = client.get(address)
    monkeypatch.setattr("studio.ui.serving.served_files.get_item", None)
    assert client.get(address).content == first.content
    for version in ("..%2f..%2f..%2fproject.json", "0" * 31 + "/", "*" * 32):
        with pytest.raises(TypeError):  # not taken for a thumbnail's name: the dataset is asked
            client.get(f"/media/{served.slug}/thumbnails/0001?v={version}")


def test_media_are_served_with_ranges_and_an_etag(client, served):
    thumb = client.get(f"/media/{served.slug}/thumbnails/0001")
    assert thumb.headers["content-type"] == "image/jpeg" and thumb.headers["etag"]
    part = client.get(f"/media/{served.slug}/previews/clip-01", headers={"range": "bytes=0-99"})
    assert part.status_code == 206 and len(part.content) == 100


@pytest.mark.parametrize(
    "address",
    [
        "/media/{slug}/thumbnails/..%2f..%2fproject.json",
        "/media/{slug}/sweeps/x/cells/..%2f..%2f..%2fproject.json",
        "/media/{slug}/sweeps/..%2f../cells/project.json",
        "/media/nobody/thumbnails/0001",
        "/media/{slug}/sweeps/sweep-001/report.html",
        "/media/{slug}/sweeps/x/comparisons/..%2f..%2f..%2fproject.json",
        "/media/{slug}/project.json",
    ],
)
def test_nothing_else_of_the_workspace_is_served(client, served, address):
    assert client.get(address.format(slug=served.slug)).status_code == 404


def test_a_side_by_side_video_is_offered_once_it_is_made_and_can_be_watched(client, served):
    folder = served.sweep_dir("sweep-001")
    (folder / "comparisons").mkdir(parents=True)
    prompts = (Prompt(label="Portrait", text="x", kind="person"),)
    facts = {"created": 0.0, "base_model": "tiny", "base_key": "k", "fps": 16, "settings": {"seeds": [42]}}
    sweep = Sweep(**facts, prompts=prompts, pairs=(), cells=())
    address = f"/media/{served.slug}/sweeps/sweep-001"
    assert evaluate_view.describe_row(folder, address, sweep, 0).video == ""
    comparison_file(folder, 0, 42).write_bytes(b"video")
    row = evaluate_view.describe_row(folder, address, sweep, 0)
    assert row.label == "Portrait"
    assert client.get(row.video).content == b"video"


def test_gradios_own_file_route_does_not_reach_the_workspace(client, served):
    for path in (served.file, dataset.list_items(served)[0].path):
        assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)


# -- reading and acting


def test_only_what_changed_is_sent_again(filled):
    page = page_of(filled.workspace)
    values = reader_values(page)
    seen, *first = page.read_all(filled.slug, "dataset", Seen(), *values)
    seen, *second = page.read_all(filled.slug, "dataset", seen, *values)
    unchanged = [a for a, b in zip(first, second) if b == gr.skip()]
    assert len(unchanged) >= len(second) - 2  # the computer's free memory may have moved, and then whose page it is comes with it
    dataset.set_caption(filled, "0001", "ohwx, something else")
    _, *third = page.read_all(filled.slug, "dataset", seen, *values)
    assert any(isinstance(value, dict) and value.get("caption") == "ohwx, something else" for value in third)


def test_a_look_that_began_before_the_page_knew_its_project_changes_nothing(filled):
    filled.workspace.create_project("A first one", base_model="tiny")
    page = page_of(filled.workspace)
    values = reader_values(page)
    for seen in (None, Seen(filled.slug, fresh=True)):
        assert all(value == gr.skip() for value in page.read_all(None, "dataset", seen, *values))


def test_after_a_switch_no_tab_shows_the_project_before(filled):
    """A field that still held the other project's value would be overwritten while someone types in it."""
    other = filled.workspace.create_project("Another", base_model="tiny")
    page = page_of(filled.workspace)
    values = reader_values(page)
    seen, *_ = page.read_all(filled.slug, "train", Seen(), *values)
    seen, *switched = page.read_all(other.slug, "dataset", seen, *values)
    assert any("no photos or clips to train with" in str(value) for value in switched)
    _, *opened = page.read_all(other.slug, "train", seen, *values)
    assert sum(value != gr.skip() for value in opened) <= 2  # the computer's free memory may have moved


def test_a_person_s_mistake_is_a_sentence_and_ours_is_not_a_traceback():
    assert describe_error(Problem("It broke.", fix="Mend it.")).fix == "Mend it."
    assert describe_error(Problem("No pair yet.", action="open-train")).button == Button("open-train", "Open Train", place="tab:train")
    assert describe_error(Problem("Odd.", action="an-action-of-tomorrow")).button is None
    assert describe_error(ValueError("the name is empty")).text == "the name is empty"
    assert "Traceback" not in str(describe_error(KeyError("x"))) and "KeyError" not in str(describe_error(KeyError("x")))


def test_a_new_person_needs_permission_and_a_trigger_that_is_no_word(workspace):
    answers = dict(name="Zoë", trigger="zxqv", class_noun="", base_model="tiny", permission=True)
    with pytest.raises(Problem, match="permission"):
        new_person.create(workspace, Event(**answers | {"permission": False}))
    with pytest.raises(Problem, match="real word"):
        new_person.create(workspace, Event(**answers | {"trigger": "table"}))
    data = workspace.project(new_person.create(workspace, Event(**answers))).facts()
    assert data.is_permitted and data.permission.statement and data.class_noun == "person"


def test_the_status_line_says_what_runs_and_what_waits(filled, idle):
    actions.check_photos(None, filled)
    actions.write_captions(None, filled)
    train_choice.start(filled)
    line = status_line.read_status_line(filled.workspace)
    assert line.jobs == () and [job.title for job in line.waiting] == ["Write captions", "Train Anna", "Check photos"]
    captions, training, check = line.waiting
    assert training.waits == "waits for: Write captions; not known how long" and training.project == "Anna"
    assert check.waits == captions.waits == "is about to begin"  # what needs no graphics card waits for nothing that does
    assert (training.up, training.down, check.up, check.down) == (True, False, False, False)
    status_line.move_job(filled.workspace, Event(id=training.id, places=-1))
    assert [job.title for job in status_line.read_status_line(filled.workspace).waiting][:2] == ["Train Anna", "Write captions"]
    with pytest.raises(Problem, match="one place"):
        status_line.move_job(filled.workspace, Event(id=training.id, places=-2))
    with pytest.raises(Problem, match="not there any more"):
        status_line.stop_job(filled.workspace, Event(id=f"{filled.slug}/train-099"))
    status_line.stop_job(filled.workspace, Event(id=captions.id))
    assert [job.title for job in status_line.read_status_line(filled.workspace).waiting] == ["Train Anna", "Check photos"]


def test_next_follows_the_dataset(project, media, idle):
    assert dataset_view.next_step(project).button.name == "upload"
    import_media(project, [media / "person_a_1.jpg"])
    assert dataset_view.next_step(project).button.name == "write-captions"
    actions.write_captions(None, project)
    assert dataset_view.next_step(project).button is None  # it runs: nothing to press
    with pytest.raises(Problem, match="already"):
        actions.write_captions(None, project)


def test_next_has_a_dataset_checked_before_captions_are_written_for_it(project, media, idle):
    import_media(project, sorted(media.glob("*.jpg")))
    step = dataset_view.next_step(project)
    assert step.button.name == "check-photos" and "6 photos checked" in step.text
    items = dataset.list_items(project)
    dataset.store_warnings(project, {items[0].id: (items[0].sha256, ())})
    assert dataset_view.next_step(project).button.name == "write-captions"
    dataset.set_caption(project, items[0].id, "zz, a person")


def item_event(project, item_id, **data):
    """What the viewer sends that shows this picture."""
    return Event(id=item_id, version=version_of(dataset.get_item(project, item_id)), **data)


def test_a_saved_caption_belongs_to_the_picture_it_was_typed_for(filled):
    place = dataset_view.Place(item="0002")  # the selection has moved on already
    dataset_tab.save_caption(filled, place, item_event(filled, "0001", text="ohwx, a person in the rain", next=False))
    assert dataset.get_item(filled, "0001").caption == "ohwx, a person in the rain"
    [after] = dataset_tab.save_caption(filled, place, item_event(filled, "0001", text="ohwx, in the sun", next=True))
    assert after.item == "0002"


def test_a_new_trigger_replaces_the_old_one_in_every_caption(filled):
    page = Event(workspace=filled.workspace)
    dataset_tab.save_person(page, filled, "zxqv", "woman", "tiny")
    assert all(item.caption.startswith("zxqv, ") for item in dataset.list_items(filled))


def test_a_clip_is_cut_and_undone(filled):
    before = dataset.get_item(filled, "clip-01").seconds
    dataset_tab.cut(filled, item_event(filled, "clip-01", start="0.5", end="2.0", as_new=False))
    assert dataset.get_item(filled, "clip-01").seconds == pytest.approx(1.5, abs=0.15)
    dataset_tab.undo(filled)
    assert dataset.get_item(filled, "clip-01").seconds == before
    with pytest.raises(Problem, match="numbers"):
        dataset_tab.cut(filled, item_event(filled, "clip-01", start="soon", end="", as_new=False))


# -- uploads: what a browser sent is private, and gone when its import is over


def send(project, media, *names):
    """As gradio does it: a folder of its own for each file, and an empty marker file; (import folder, run folder)."""
    home, sent = uploads.browser_dir(project.workspace), []
    for number, name in enumerate(names):
        (home / f"hash{number}").mkdir(parents=True)
        sent.append(home / f"hash{number}" / "photo.jpg")  # every one of the same name
        sent[-1].write_bytes((media / name).read_bytes())
        (home / f"tmp{number}").touch()
    dataset_tab.take_uploads(project, [uploads.Sent(path, path.name) for path in sent])
    run = project.list_runs("import")[-1]
    folder, *_ = map(Path, read_config(ImportJob, run).paths)
    return folder, run


def files_under(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_uploads_are_moved_out_of_the_browser_s_place_and_kept_until_the_import_ran(project, media, idle):
    folder, _ = send(project, media, "person_a_1.jpg", "person_b_1.jpg")
    assert list(uploads.browser_dir(project.workspace).iterdir()) == []
    uploads.clear(project)
    uploads.clear_leftovers(project.workspace)  # a studio that starts while the import waits
    assert len(files_under(folder)) == 2


def test_uploads_are_deleted_as_soon_as_they_are_in(project, media, idle):
    folder, run = send(project, media, "person_a_1.jpg")
    assert worker._claim(run)
    worker.execute(run)
    assert state.read_status(run).state == "done" and not folder.exists()
    assert results_view.read_results(project).reports[0].button is None


def end_early(project, media, how):
    """(folder, run) of an import of two photos that ends before they are in."""
    folder, run = send(project, media, "person_a_1.jpg", "person_b_1.jpg")
    if how == "out of the queue":
        status_line.stop_job(project.workspace, Event(id=f"{project.slug}/{run.name}"))
        return folder, run
    if how == "failed":
        project.curation_file.write_bytes(b'{"items"')  # mended before it goes on
    if how == "stopped":
        launcher.request_stop(run)
    assert worker._claim(run)
    worker.execute(run)
    return folder, run


@pytest.mark.parametrize("how", ["failed", "stopped", "out of the queue"])
def test_uploads_of_an_import_that_ended_early_stay_until_it_has_gone_on(project, media, idle, how):
    folder, run = end_early(project, media, how)
    uploads.clear(project)
    uploads.clear_leftovers(project.workspace)  # a studio that was closed meanwhile
    assert len(files_under(folder)) == 2
    report = results_view.read_results(project).reports[0]
    assert report.button.action == f"resume:{run.name}" and "are kept until you go on" in report.fix
    project.curation_file.unlink(missing_ok=True)
    launcher.resume(run)
    assert worker._claim(run)
    worker.execute(run)
    assert len(dataset.list_items(project)) == 2 and not folder.exists()


@pytest.mark.parametrize("how", ["failed", "stopped", "out of the queue"])
def test_uploads_of_an_import_that_ended_early_are_deleted_when_that_is_dismissed(project, media, idle, how):
    folder, _ = end_early(project, media, how)
    results_view.dismiss(project, results_view.read_results(project).reports[0].job)
    uploads.clear(project)
    assert not folder.exists()


def test_what_a_person_stopped_does_not_come_in_with_the_next_drop_and_what_failed_does(project, media, idle):
    stopped, _ = end_early(project, media, "stopped")
    other, run = send(project, media, "person_a_2.jpg")
    uploads.clear(project)
    assert not stopped.exists() and other.exists()
    project.curation_file.write_bytes(b'{"items"')
    assert worker._claim(run)
    worker.execute(run)
    project.curation_file.unlink()
    _, last = send(project, media, "impostor_1.jpg")
    assert worker._claim(last)
    worker.execute(last)
    assert len(dataset.list_items(project)) == 2


def kill(run):
    write_json(run / "status.json", read_json(run / "status.json") | {"state": "running", "pid": 1, "create_time": 1.0})


def test_uploads_of_a_killed_import_stay_until_it_has_gone_on(project, media, idle):
    folder, run = send(project, media, "person_a_1.jpg")
    kill(run)
    uploads.clear(project)
    uploads.clear_leftovers(project.workspace)  # a studio that was closed meanwhile
    assert folder.exists()
    button = results_view.read_results(project).reports[0].button
    assert button.action == f"resume:{run.name}"
    launcher.resume(run)
    assert worker._claim(run)
    worker.execute(run)
    assert state.read_status(run).state == "done" and not folder.exists() and len(dataset.list_items(project)) == 1


def test_uploads_of_a_killed_import_come_in_with_the_next_drop(project, media, idle):
    folder, run = send(project, media, "person_a_1.jpg")
    kill(run)
    other, second = send(project, media, "person_b_1.jpg")
    uploads.clear(project)
    assert folder.exists() and other.exists()
    assert worker._claim(second)
    worker.execute(second)
    assert len(dataset.list_items(project)) == 2 and not folder.exists() and not other.exists()


def test_uploads_of_a_killed_import_are_deleted_when_that_is_dismissed(project, media, idle, monkeypatch):
    monkeypatch.setattr(uploads, "CLEAN_SECONDS", 0.01)
    folder, run = send(project, media, "person_a_1.jpg")
    kill(run)
    results_view.dismiss(project, results_view.read_results(project).reports[0].job)
    closing = threading.Event()
    thread = threading.Thread(target=uploads.keep_clean, args=(project.workspace, closing))
    thread.start()
    while folder.exists():
        assert thread.is_alive()
        time.sleep(0.01)
    closing.set()
    thread.join()


def test_what_never_reached_the_queue_is_deleted_at_the_next_start(project, media, idle):
    unknown = uploads.incoming_dir(project) / "import-009"  # the studio died between the move and the queue
    half_sent = uploads.browser_dir(project.workspace) / "hash9" / "photo.jpg"
    for path in (unknown / "photo.jpg", half_sent):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"private")
    uploads.clear(project)
    assert unknown.exists()  # it may be on its way into the queue
    uploads.clear_leftovers(project.workspace)
    assert not unknown.exists() and not half_sent.exists()


def test_a_person_s_own_folder_is_never_deleted_after_an_import(project, media, tmp_path, idle):
    own = tmp_path / "photos"
    own.mkdir()
    (own / "a.jpg").write_bytes((media / "person_a_1.jpg").read_bytes())
    for options in ({}, {"delete_after": True}):
        run = actions.queue(project, ImportJob(paths=(str(own),), **options))
        assert worker._claim(run)
        worker.execute(run)
        uploads.clear_leftovers(project.workspace)
        assert (own / "a.jpg").exists()


def send_at(project, *files):
    """gradio's places for (name, content): a folder for each content, the name without the signs that gradio does not like."""
    sent = []
    for name, content in files:
        path = uploads.browser_dir(project.workspace) / hashlib.sha256(content).hexdigest() / re.sub(r"[^\w. -]", "", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sent.append(uploads.Sent(path, name))
    return sent


def run_import(project):
    [run] = project.list_runs("import")
    assert worker._claim(run)
    worker.execute(run)
    status = state.read_status(run)
    assert status.state == "done", status.error
    return status.result


def nothing_sent_is_left(project):
    return files_under(uploads.browser_dir(project.workspace)) == files_under(uploads.incoming_dir(project)) == []


@pytest.mark.parametrize("second", ["photo (2).jpg", "photo (1).jpg", "photo 1.jpg"])
def test_equal_files_of_one_drop_are_taken_once_and_the_other_is_named(project, media, idle, second):
    """gradio keeps equal contents in one folder, and under one name if the names differ in brackets only."""
    content, other = (media / "person_a_1.jpg").read_bytes(), (media / "person_a_2.jpg").read_bytes()
    dataset_tab.take_uploads(project, send_at(project, ("photo (1).jpg", content), (second, content), ("photo (3).jpg", other)))
    result = run_import(project)
    assert result["added"] == ["0001", "0002"] and result["rejected"] == []
    assert [Path(name).name for name, _ in result["duplicates"]] in (["photo (1).jpg"], [second])
    assert nothing_sent_is_left(project)


def test_what_was_dropped_is_known_by_the_names_that_the_person_knows(project, tmp_path):
    places = [sent.path for sent in send_at(project, ("photo (1).jpg", b"x"), ("b.jpg", b"y"))]
    listed = [[str(places[0]), "set/photo (1).jpg"], [str(places[1]), ""]]
    assert read_sent(project.workspace, listed) == [uploads.Sent(places[0], "set/photo (1).jpg"), uploads.Sent(places[1], "b.jpg")]
    assert read_sent(project.workspace, None) == []


@pytest.mark.parametrize("where", ["outside.jpg", "home/uploads/../../outside.jpg", "home/uploads/link/outside.jpg"])
def test_a_file_that_no_browser_sent_is_not_taken_and_stays(project, tmp_path, where):
    """A forged request may name any file of this computer."""
    (tmp_path / "outside.jpg").write_bytes(b"a person's own")
    uploads.browser_dir(project.workspace).mkdir(parents=True)
    (uploads.browser_dir(project.workspace) / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(Problem, match="no browser sends them"):
        read_sent(project.workspace, [[str(tmp_path / where), "a.jpg"]])
    assert (tmp_path / "outside.jpg").exists()


def test_one_bad_file_of_a_drop_is_named_and_the_others_come_in(project, media, idle):
    good = (media / "person_a_1.jpg").read_bytes()
    gone, folder, fine = send_at(project, ("gone.jpg", b"x"), ("folder.jpg", b"y"), ("fine.jpg", good))
    gone.path.unlink()
    folder.path.unlink()
    folder.path.mkdir()
    dataset_tab.take_uploads(project, [gone, folder, fine])
    result = run_import(project)
    assert result["added"] == ["0001"] and dict(result["rejected"]).keys() == {"gone.jpg", "folder.jpg"}
    assert nothing_sent_is_left(project)


def test_a_drop_of_which_nothing_arrived_is_a_sentence_and_leaves_nothing(project, idle):
    sent = send_at(project, ("gone.jpg", b"x"))
    sent[0].path.unlink()
    with pytest.raises(Problem, match=r"gone\.jpg: it is not there any more"):
        dataset_tab.take_uploads(project, sent)
    assert not project.list_runs("import") and nothing_sent_is_left(project)


def test_a_caption_stays_with_the_photo_of_its_drop(project, media, idle):
    photos = [(media / f"person_a_{n}.jpg").read_bytes() for n in (1, 2)]
    files = [(name, content) for n, photo in enumerate(photos, 1) for name, content in (("a.jpg", photo), ("a.txt", b"ohwx, no %d" % n))]
    dataset_tab.take_uploads(project, send_at(project, *files))
    assert run_import(project)["rejected"] == []
    assert [item.caption for item in dataset.list_items(project)] == ["ohwx, no 1", "ohwx, no 2"]


def test_a_text_of_which_nobody_can_tell_whose_it_is_goes_to_no_photo(project, media, idle):
    photos = [(media / f"person_a_{n}.jpg").read_bytes() for n in (1, 2)]
    files = [("001.jpg", photos[0]), ("001.jpg", photos[1]), ("001.txt", b"ohwx, of one of them")]
    dataset_tab.take_uploads(project, send_at(project, *files))
    result = run_import(project)
    assert [item.caption for item in dataset.list_items(project)] == ["", ""] and len(result["added"]) == 2
    assert [Path(group["name"]).name for group in result["left_out"]] == ["001.txt"] and "their folders" in result["left_out"][0]["words"]


def test_a_dropped_folder_keeps_its_folders_and_what_it_asks_about_waits(project, media, idle):
    photos = [(media / name).read_bytes() for name in ("person_a_1.jpg", "person_a_2.jpg", "person_b_1.jpg")]
    files = [("set/a/001.jpg", photos[0]), ("set/b/001.jpg", photos[1]), ("set/b/001.txt", b"ohwx, in b"), ("set/masks/x.jpg", photos[2])]
    dataset_tab.take_uploads(project, send_at(project, *files))
    run_import(project)
    assert [item.caption for item in dataset.list_items(project)] == ["", "ohwx, in b"]
    uploads.clear_leftovers(project.workspace)  # a studio that was closed meanwhile
    [report] = results_view.read_results(project).reports
    [line] = report.groups[0].lines
    assert "set/masks" in line.text and [choice.label for choice in line.answers] == ["They show Anna", "Leave them out"]
    results_view.answer(project, report.job, line.answers[0].name, True)
    run_all(project)
    assert len(dataset.list_items(project)) == 3 and nothing_sent_is_left(project)
    [report] = results_view.read_results(project).reports
    assert report.text == "Imported 3 items." and report.groups == ()


def test_a_caption_whose_encoding_cant_be_told_waits_for_a_press_on_how_it_reads(project, media, idle):
    files = [(f"00{number}.jpg", (media / f"person_a_{number}.jpg").read_bytes()) for number in (1, 2)]
    dataset_tab.take_uploads(project, send_at(project, *files, ("001.txt", "ohwx, ЛЕС".encode("koi8_r"))))
    run_all(project)
    [report] = results_view.read_results(project).reports
    [line] = report.groups[0].lines
    labels = [choice.label for choice in line.answers]
    assert "KOI8-R: ohwx, ЛЕС" in labels and "Windows-1253: ohwx, μεσ" in labels and labels[-1] == "Leave out"
    chosen = next(choice for choice in line.answers if choice.encoding == "KOI8-R")
    results_view.answer(project, report.job, chosen.name, chosen.take, chosen.encoding)
    run_all(project)
    assert [item.caption for item in dataset.list_items(project)] == ["ohwx, ЛЕС", ""] and nothing_sent_is_left(project)
    assert "Please say what these are" not in [
        group.title for report in results_view.read_results(project).reports for group in report.groups
    ]


def test_dismissing_a_question_deletes_what_waited_for_its_answer(project, media, idle):
    dataset_tab.take_uploads(project, send_at(project, ("set/masks/x.jpg", (media / "person_a_1.jpg").read_bytes())))
    run_import(project)
    uploads.clear(project)
    assert not nothing_sent_is_left(project)
    results_view.dismiss(project, results_view.read_results(project).reports[0].job)
    uploads.clear(project)
    assert nothing_sent_is_left(project)


def run_all(project):
    for run in project.list_runs("import"):
        if state.read_status(run).state == "queued":
            assert worker._claim(run)
            worker.execute(run)
            assert state.read_status(run).state == "done"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on file size for a process")
def test_a_drop_that_finds_no_place_in_the_queue_leaves_nothing(project, media, idle):
    sent = send_at(project, ("a.jpg", (media / "person_a_1.jpg").read_bytes()))
    project.runs_dir.mkdir(exist_ok=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[0][1]))  # as on a full disk: the job's config can't be written
    try:
        with pytest.raises(OSError):
            dataset_tab.take_uploads(project, sent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert not project.list_runs("import") and nothing_sent_is_left(project)


# -- how a job ended


NOTHING_GIVEN = ImportJob(paths=())


def finish(project, config, result, end="done", error=None):
    run = actions.queue(project, config)
    status = {"state": end, "result": result, "error": error, "ended_at": time.time()}
    write_json(run / "status.json", read_json(run / "status.json") | status)
    return run


def test_an_import_tells_what_was_rejected_what_was_there_and_what_to_know(filled, idle):
    result = {
        "added": ["0003"],
        "duplicates": [("copy.jpg", "0001")],
        "rejected": [("notes.jpg", "it is no picture")],
        "notes": [("long.jpg", "its caption was cut to 2000 characters")],
    }
    finish(filled, NOTHING_GIVEN, result)
    [report] = results_view.read_results(filled).reports
    lines = [line.text for group in report.groups for line in group.lines]
    assert report.text == "Imported 1 item. 1 file could not be used."
    assert lines == [
        "notes.jpg: It is no picture.",
        "copy.jpg is the same as item 0001.",
        "long.jpg: Its caption was cut to 2000 characters.",
    ]


def test_a_result_stays_until_it_is_dismissed_in_any_window(filled, idle):
    finish(filled, NOTHING_GIVEN, {"added": [], "rejected": [("a.txt", "it is no picture")]})
    finish(filled, CurateJob(), {})
    reports = results_view.read_results(filled).reports
    assert [report.title for report in reports] == ["Choose the best photos", "Import"]
    results_view.dismiss(filled, reports[1].job)
    assert [report.title for report in results_view.read_results(filled).reports] == ["Choose the best photos"]
    results_view.dismiss(filled, reports[0].job)
    assert results_view.read_results(filled) is None
    finish(filled, NOTHING_GIVEN, {"added": ["0009"], "rejected": []})
    assert results_view.read_results(filled).reports[0].text == "Imported 1 item."


def test_captions_that_say_too_little_are_named_and_lead_to_their_picture(filled, idle):
    note = {"id": "0002", "file": "0002.jpg", "text": "the answer was no use; the caption says only 'ohwx, a person', please look at it"}
    finish(filled, CaptionJob(config={}), {"written": 2, "plain": 1, "kept": 1, "failed": 0, "notes": [note]})
    [report] = results_view.read_results(filled).reports
    assert "2 captions were written" in report.text and report.groups[0].lines[0].item == "0002"
    dataset.set_caption(filled, "0002", "ohwx, a person")
    step = dataset_view.next_step(filled)
    assert "1 caption with a remark, beginning with 0002" in step.text and "nothing about the scene" in step.reason
    place = dataset_view.Place(show="remark")
    assert [item.id for item in dataset_view.shown_items(dataset_view.look_at(filled), place)] == ["0002"]


def test_the_model_that_the_studio_is_made_for_is_offered_first(workspace):
    offered = [model.name for model in new_person.new_person_options(workspace).models]
    assert offered[:2] == ["tiny", "wan22-t2v-a14b"]  # what is here already, and then the one to fetch
    assert dataset_tab.model_choices(workspace)[0][1] == "wan22-t2v-a14b"


def test_what_the_check_doubts_in_a_kept_picture_is_shown_at_it(filled):
    item = dataset.list_items(filled)[0]
    doubts = ["a little soft in the middle", "much like 0002"]
    warnings = (
        Remark(code=BLUR, words=doubts[0]),
        Remark(code=ALIKE, words=doubts[1]),
        Remark(code=SEVERAL_PEOPLE, words="several people"),
    )
    dataset.store_warnings(filled, {item.id: (item.sha256, warnings)})
    place = dataset_view.Place(item=item.id, show="doubt")
    _, _, grid, viewer = dataset_view.read_pictures(filled, place)
    assert [shown.id for shown in grid.items] == [item.id] and grid.items[0].why == "; ".join(doubts)
    assert viewer.doubts == "a little soft in the middle; much like 0002"
    dataset.set_keep(filled, item.id, False, "left out by you")
    _, _, grid, viewer = dataset_view.read_pictures(filled, place)
    assert grid.items == () and viewer.doubts == ""


@pytest.mark.parametrize("text, words", [("", "empty"), ("photos", "full path"), ("/no/such/folder", "no folder")])
def test_a_wrong_folder_gets_a_sentence(text, words):
    with pytest.raises(Problem, match=words):
        uploads.check_folder(text)


# -- the start


def test_a_deleted_demo_does_not_come_back_at_the_next_start_but_on_demand(workspace):
    workspace.home.mkdir(parents=True)
    app.make_demo(workspace)
    [demo] = workspace.list_projects()
    shutil.rmtree(demo.root)
    app.make_demo(workspace)
    assert workspace.list_projects() == [] and workspace.facts().demo_created
    assert ensure_demo_project(workspace).facts().name == "Demo"


def test_an_open_page_can_tell_one_start_of_the_studio_from_another(client, served):
    first = client.get("/look/alive").json()
    assert client.get("/look/alive").json() == first
    with TestClient(make_app(served.workspace), base_url="http://127.0.0.1:7860") as again:
        assert again.get("/look/alive").json() != first


# -- the forms


def test_every_setting_has_a_field_with_words_and_limits():
    with gr.Blocks():
        form = build_form(TrainConfig, "train")
    assert list(form.fields) == [name for name, _, _ in list_settings(TrainConfig)]
    assert form.fields["optimizer.learning_rate"].info.startswith("learning rate: ")
    assert len({component.elem_id for component in form.components}) == len(form.fields)


def test_a_text_that_was_emptied_is_empty_and_other_empty_fields_are_left_out():
    with gr.Blocks():
        form = build_form(TrainConfig, "train")
    shown = {name: field.default for name, field, _ in list_settings(TrainConfig)} | {"finish_by": None, "steps": None}
    read = form.read([shown[name] for name in form.fields])
    assert read["finish_by"] == "" and "steps" not in read
    assert form.read([(shown | {"finish_by": " 07:00 "})[name] for name in form.fields])["finish_by"] == "07:00"


def test_an_edit_is_kept_on_disk_and_an_illegal_one_changes_nothing(filled):
    shown = flatten(train_choice.make_plan(filled).config)
    train_choice.save_edits(filled, shown | {"steps": 8, "lora.rank": 4})
    plan = train_choice.make_plan(filled)
    assert (plan.config.steps, plan.config.lora.rank) == (8, 4)
    assert filled.facts().train_choice.overrides == {"steps": 8, "lora.rank": 4}
    with pytest.raises(ValueError, match="at most 256"):
        train_choice.save_edits(filled, flatten(plan.config) | {"lora.rank": 9000})
    assert train_choice.make_plan(filled).config.lora.rank == 4
    assert "size of the lora 4" in train_plan.describe_choice(filled, plan).remarks[1].text
    train_choice.forget_edits(filled)
    assert train_choice.make_plan(filled).config.steps == shown["steps"]


def test_a_fraction_in_a_field_for_whole_numbers_is_told_and_not_cut_off(filled):
    demo, here = build(filled.workspace), {"project": filled.slug} | shows(filled)
    for elem_id, words in (
        ("train-steps", "Steps must be a whole number, got 2.5"),
        ("sweep-num-inference-steps", "Drawing steps must be a"),
    ):
        [field] = [block for block in demo.blocks.values() if getattr(block, "elem_id", "") == elem_id]
        typed = field.preprocess(2.5)
        before = filled.facts()
        assert words in fire(demo, elem_id, "blur", **here, **{elem_id.replace("-", "_"): typed})["text"]
        assert filled.facts() == before
    fire(demo, "train-steps", "blur", **here, train_steps=field.preprocess(8.0))
    assert filled.facts().train_choice.overrides == {"steps": 8}


def test_a_time_to_finish_by_that_is_none_is_told_with_an_example(filled):
    with pytest.raises(Problem, match="got '7 am'") as wrong:
        train_choice.save_edits(filled, {"finish_by": "7 am"})
    assert "07:00" in wrong.value.fix
    train_choice.save_edits(filled, {"finish_by": "07:00"})
    assert train_choice.make_plan(filled).config.finish_by == "07:00"


def test_each_section_is_a_fold_whose_title_says_what_was_changed_and_a_search_finds_every_setting(filled):
    with gr.Blocks():
        form = build_form(TrainConfig, "train")
    assert [fold.open for fold in form.groups.values()] == [True] + [False] * (len(form.groups) - 1)
    train_choice.save_edits(filled, {"lora.rank": 4, "memory.compile_blocks": True})
    titles = dict(zip(form.groups, (update["label"] for update in form.describe_groups(TrainConfig, train_choice.read_choice(filled)[1]))))
    assert titles["lora"] == "The LoRA (changed: size of the lora 4)" and titles["memory"] == "Memory (changed: compile the blocks on)"
    assert titles["data"] == "Photos and clips"
    index = search_index(TrainConfig, "train").folds
    assert set(index) == {fold.elem_id for fold in form.groups.values()} and sum(map(len, index.values())) == len(form.fields)


def test_a_field_may_stand_apart_from_its_form(filled):
    with gr.Blocks():
        apart = place_field(TrainConfig, "finish_by", "train")
        form = build_form(TrainConfig, "train", placed={"finish_by": apart})
    assert form.fields["finish_by"] is apart and apart.elem_id == "train-finish-by"


def shows(project):
    """What the page that showed this project sends with every action."""
    return {"studio_shows": {"project": project.slug, "made": project.facts().created, "unread": []}}


def test_a_late_answer_to_one_field_does_not_put_back_another_that_was_changed_meanwhile(filled):
    """A click leaves the field before it (blur) and changes its own (input) at the same time: the server may do the second first."""
    demo, here = build(filled.workspace), {"project": filled.slug} | shows(filled)
    before = evaluate_choice.read_choice(filled)[0]
    asked = here | {"sweep_prompts": "\n".join(before.prompts), "sweep_seeds": "42", "sweep_strengths": [0.7, 1.0]}
    fire(demo, "sweep-strengths", "input", **asked | {"sweep_strengths": [1.0]})
    fire(demo, "sweep-num-frames", "blur", **asked | {"sweep_num_frames": 5})
    fire(demo, "sweep-seeds", "blur", **asked | {"sweep_seeds": "7"})
    fire(demo, "sweep-prompts", "blur", **asked | {"sweep_prompts": "[trigger] smiling"})
    now = evaluate_choice.read_choice(filled)[0]
    assert (now.strengths, now.seeds, now.prompts, now.num_frames) == ((1.0,), (7,), ("[trigger] smiling",), 5)

    steps = train_choice.make_plan(filled).config.steps
    fire(demo, "train-steps", "blur", **here, train_steps=8)
    fire(demo, "train-seed", "blur", **here, train_steps=steps, train_seed=3)
    config = train_choice.make_plan(filled).config
    assert (config.steps, config.seed) == (8, 3)


def test_another_trainer_s_config_fills_the_form_and_what_has_no_counterpart_is_listed(filled):
    sent = uploads.browser_dir(filled.workspace) / "hash0" / "my job.yaml"
    sent.parent.mkdir(parents=True)
    process = {"train": {"steps": 1234, "lr": "1e-4", "skip_first_sample": True, "<b>": 1}, "network": {"linear": 24}}
    sent.write_text(json.dumps({"config": {"process": [process]}}), encoding="utf-8")
    assert train_choice.take_config(filled, [str(sent)]) == "4 settings taken over; 2 values of AI Toolkit have no counterpart."
    assert not sent.parent.exists()
    config = train_choice.make_plan(filled).config
    assert (config.steps, config.lora.rank, config.optimizer.learning_rate, config.accumulation) == (1234, 24, 1e-4, 1)
    panel = train_plan.describe_import(filled)
    assert panel.title == "4 settings from my job.yaml" and panel.about == "AI Toolkit, 2 without a counterpart" and panel.more == 0
    assert {row[0] for row in panel.rows} >= {"train.<b>"} and any("in a comparison" in row[2] for row in panel.rows)
    sent.parent.mkdir()
    sent.write_bytes(b"nothing: here")
    with pytest.raises(Problem, match="no config that is known"):
        train_choice.take_config(filled, [str(sent)])
    assert not sent.exists() and train_choice.make_plan(filled).config.steps == 1234
    train_choice.forget_edits(filled)
    assert train_plan.describe_import(filled) is None


def test_training_can_not_start_and_says_why(project, media):
    assert "no photos" in why(project)
    import_media(project, [media / "person_a_1.jpg"])
    assert "no caption" in why(project)
    dataset.set_caption(project, "0001", "ohwx, a person")
    project.update(permission=None)
    assert "permission" in why(project)
    project.update(permission=Permission(granted=True), base_model="wan22-t2v-a14b")
    assert "not ready" in why(project)
    with pytest.raises(Problem):
        train_choice.start(project)


def why(project):
    return train_choice.what_prevents(project, train_choice.make_plan(project))[0]


def test_start_queues_what_the_plan_shows_and_a_second_one_waits(filled, idle):
    assert "starts now" in train_choice.start(filled)
    assert "queue" in train_choice.start(filled)
    first, second = filled.list_runs("train")
    assert read_config(TrainJob, first).trigger == filled.facts().trigger
    assert train_plan.start_button(filled, train_choice.make_plan(filled)).label == "Add to the queue"
    assert train_view.read_run(filled).run == second.name


def test_the_end_of_a_run_is_told_in_words_with_one_button(filled, idle):
    train_choice.start(filled)
    [run] = filled.list_runs("train")
    for name, data, words, action in (
        ("done", {}, "finished", "open-evaluate"),
        ("stopped", {}, "stopped", "resume:train-001"),
        (
            "failed",
            {"error": {"message": "The loss broke down.", "cost": "", "fix": "", "action": "halve-learning-rate"}},
            "failed",
            "halve-learning-rate:train-001",
        ),
        ("running", {"pid": 1, "create_time": 1.0}, "interrupted", "resume:train-001"),
    ):
        write_json(run / "status.json", read_json(run / "status.json") | {"state": name, "ended_at": time.time()} | data)
        view = train_view.describe_run(filled, state.read_status(run))
        assert words in view.title and view.button.action == action
        assert train_view.read_run(filled).button is None or name == "done"  # it stands in "Next" already, where it is the main one


def test_a_paused_training_is_resumed_and_a_paused_queue_is_let_go_on_with_a_button(filled, idle):
    first = make_training(filled, 1, "running", step=12)
    write_json(first / "status.json", read_json(first / "status.json") | state.own_identity().identity())
    run = actions.queue(filled, CaptionJob(config={}))
    assert "frees the GPU" in train_tab.pause(filled, Event(run=first.name))
    assert state.read_status(first).state == "stopping"
    write_json(first / "status.json", read_json(first / "status.json") | {"state": "stopped", "pid": None})
    assert "no waiting job begins before" in train_view.next_step(filled).text
    line = status_line.read_status_line(filled.workspace)
    assert line.held and line.waiting[0].id.endswith(run.name) and line.waiting[0].waits == "waits: the queue is paused"
    assert actions.go_on_with_queue(page_of(filled.workspace), filled) == "The queue goes on."
    assert not status_line.read_status_line(filled.workspace).held
    launcher.pause(first)
    train_choice.start(filled)
    launcher.hold_queue(filled.workspace)
    assert train_view.next_step(filled).button.name == "go-on-queue" and "paused" in train_view.read_run(filled).sentence


def make_training(project, number, end, step=0, pairs=(), error=None):
    """A training that ended so, with a safety copy of that step."""
    train_choice.start(project)
    run = project.list_runs("train")[-1]
    assert run.name == f"train-{number:03d}"
    if step:
        (run / "resume" / f"step-{step:06d}").mkdir(parents=True)
    progress = {"done": step, "total": 40, "unit": "steps"}
    write_json(run / "status.json", read_json(run / "status.json") | {"state": end, "progress": progress, "error": error})
    return run


def test_any_training_with_a_safety_copy_can_be_resumed_and_any_can_be_looked_at(filled, idle):
    make_training(filled, 1, "stopped", step=12)
    assert [run.resume for run in train_view.read_run(filled).runs] == ["from step 12"]
    make_training(filled, 2, "failed")
    make_training(filled, 3, "done", step=40)
    view = train_view.read_run(filled)
    assert [(run.name, run.resume) for run in view.runs] == [("train-003", ""), ("train-002", ""), ("train-001", "from step 12")]
    assert view.runs[2].steps == "12 of 40 steps" and view.runs[2].state == "stopped" and view.is_newest
    older = train_view.read_run(filled, train_view.LookedAt("train-001", "train-003"))
    assert (older.run, older.is_newest) == ("train-001", False)
    assert "goes on from step 12" in actions.act(None, filled, "resume:train-001")
    resumed = train_view.read_run(filled, train_view.LookedAt("train-002", "train-003"))  # what starts comes to the front
    assert (resumed.run, resumed.state) == ("train-001", "queued")


def test_the_comparison_s_form_keeps_only_what_differs(filled):
    config, pairs = evaluate_choice.read_choice(filled)
    assert pairs is None and config.prompts
    shown = {"pairs": [], "strengths": [1.0], "seeds": "7, 8", "prompts": "\n".join(config.prompts)}
    evaluate_choice.save_choice(filled, **shown, num_inference_steps=4)
    config, _ = evaluate_choice.read_choice(filled)
    assert (config.strengths, config.seeds, config.num_inference_steps) == ((1.0,), (7, 8), 4)
    assert set(filled.facts().sweep_choice.settings) == {"strengths", "seeds", "num_inference_steps"}
    with pytest.raises(Problem, match="whole numbers"):
        evaluate_choice.save_choice(filled, seeds="lucky")
    with pytest.raises(ValueError, match="strengths"):
        evaluate_choice.save_choice(filled, strengths=[])


def test_without_pairs_evaluate_points_to_training(filled):
    assert evaluate_view.next_step(filled).button.name == "open-train"
    with gr.Blocks():
        form = build_form(SweepConfig, "sweep", skip=evaluate_choice.ASKED_APART)
    assert "train first" in evaluate_choice.what_prevents(filled)
    assert evaluate_view.read_clips(filled, "") is None and form.fields


def make_seen_sweep(project):
    """A drawn comparison of two pairs that an observer has seen; of the clips only empty files."""
    folder = project.sweeps_dir / "sweep-001"
    (folder / "cells").mkdir(parents=True)
    compared = {"motion": 0.9, "sharpness": 1.0, "flicker": 0.0, "base_flicker": 0.0, "clipping": 0.0, "change": 0.1, "applied": True}
    ids = [f"train-001/step-{step:06d}" for step in (1000, 2000)]
    cells = []
    for number, (pair, identity) in enumerate(zip((None, *ids), (0.06, 0.91, 0.6), strict=True)):
        for name in ("mp4", "jpg"):
            (folder / f"cells/{number}.{name}").touch()
        cell = {
            "key": str(number),
            "high_key": str(number),
            "pair": pair,
            "prompt": 0,
            "seed": 42,
            "strength": 0.7 if pair else 0.0,
            "state": "done",
            "error": "",
        }
        cell |= {"clip": f"cells/{number}.mp4", "poster": f"cells/{number}.jpg", "scored_by": "0123456789abcdef"}
        cells.append(cell | {"scores": (compared if pair else {}) | {"identity": identity, "follows": 0.95, "memorised": 1.1}})
    pairs = [
        {"id": id, "run": "train-001", "step": step, "high_sha256": "1", "low_sha256": "2"}
        for id, step in zip(ids, (1000, 2000), strict=True)
    ]
    prompts = [{"label": "Portrait", "text": "ohwx smiling", "kind": "person"}]
    facts = {
        "created": 0.0,
        "base_model": "tiny",
        "base_key": "k",
        "fps": 16,
        "settings": to_dict(SweepConfig(strengths=(0.7,))),
        "prompts": prompts,
    }
    write_json(folder / "sweep.json", facts | {"pairs": pairs, "cells": cells})
    return folder


def test_evaluate_shows_likeness_in_a_line_under_the_clips_in_a_chart_and_a_table(filled):
    make_seen_sweep(filled)
    shown = evaluate_view.read_clips(filled, "")
    assert shown.verdict.text == "Use step 1,000 at 0.7. Identity 91 % of your photos; motion 90 % of the base."
    assert [cell.note for cell in shown.cells] == [f"identity {share} %, prompt 95 %" for share in (6, 91, 60)]
    (chart,) = shown.verdict.charts
    assert [(point.column, point.label.split(":")[0]) for point in chart.points] == [
        (1, "Step 1,000 at 0.7"),
        (2, "Step 2,000 at 0.7"),
    ]
    assert "<svg" in chart.svg and 'role="img"' in chart.svg and shown.verdict.rows[0][2] == "91 % (base 6 %)"
    assert any(
        "Step 2000 of train-001 has a problem: identity is only 60 %" in sentence for sentence in shown.verdict.why
    )  # a clip proves nothing


def test_the_train_tab_s_values_fit_its_fields(filled):
    with gr.Blocks():
        form = build_form(TrainConfig, "train")
    values = train_tab.read_plan(filled, form)
    assert len(values) == 6 + len(form.groups) + len(form.fields) and values[0] == "person-photos"
    assert len(train_tab.read_plan(None, form)) == len(values)


# -- looks

TEXT_ON = {  # text colour -> what it is read on
    "ink": ("paper", "panel", "field", "accent-soft", "bad-soft", "warn-soft", "track"),
    "ink-2": ("paper", "panel", "field", "accent-soft", "bad-soft"),
    "accent": ("paper", "panel"),
    "on-accent": ("accent", "accent-hover"),
    "bad": ("panel", "paper", "bad-soft"),
    "good": ("panel", "paper"),
    "warn": ("panel", "paper", "warn-soft"),
    "ink-3": ("field",),  # what stands in an empty field
    "paper": ("ink",),
}
EDGES_ON = {
    "field-line": ("panel", "field", "paper"),
    "accent": ("paper", "panel", "field", "accent-soft"),
    "lane-high": ("panel",),
    "lane-low": ("panel",),
}


@pytest.mark.parametrize("mode", [":root", ".dark"])
def test_text_and_edges_stand_out_in_both_modes(mode):
    """WCAG 2.2 AA: 4.5 to 1 for text, 3 to 1 for the edges of controls, focus rings and curves."""
    colours = read_colours(mode)
    pairs = [(4.5, a, b) for a, grounds in TEXT_ON.items() for b in grounds] + [
        (3.0, a, b) for a, grounds in EDGES_ON.items() for b in grounds
    ]
    weak = {f"{a} on {b}": round(contrast(colours[a], colours[b]), 2) for least, a, b in pairs if contrast(colours[a], colours[b]) < least}
    assert weak == {}


def read_colours(mode):
    style = (ROOT / "studio/ui/theme.css").read_text(encoding="utf-8")
    block = re.search(re.escape(mode) + r" {(.*?)}", style, re.S)[1]
    return {name: [int(value[i : i + 2], 16) for i in (0, 2, 4)] for name, value in re.findall(r"--([\w-]+): #(\w{6})", block)}


def contrast(a, b):
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    low, high = sorted(map(luminance, (a, b)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# -- words


def test_numbers_have_units_and_unknown_ones_say_so():
    assert [f.gigabytes(None), f.gigabytes(0.02), f.gigabytes(21.44), f.gigabytes(512.3)] == ["not known yet", "20 MB", "21.4 GB", "512 GB"]
    assert [f.duration(5), f.duration(250), f.duration(3 * 3600 + 720), f.duration(100 * 3600)] == ["5 s", "4 min", "3 h 12 min", "4 d 4 h"]
    assert f.time_left(None) == "" and f.time_left(7200).startswith("about 2 h left (until ")
