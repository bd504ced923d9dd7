"""The project Demo: drawn, imported and curated as a person's own would be; its faults are found, and it is made once."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from studio.commands import demo as demo_command
from studio.commands.output import Output
from studio.data import curation
from studio.data.captions.rules import check_caption
from studio.data.dataset import list_items, remove_item, set_caption
from studio.data.importer import import_media
from studio.data.judging.thresholds import BY_NAME
from studio.models.catalogue import find_model
from studio.tiny import demo_project, world
from studio.tiny.demo_project import CLASS_NOUN, PERSON, STRANGER, TRIGGER, draw_media, ensure_demo_project, scene_of

FAULTS = {"0013": "blurred", "0014": "nearly the same picture as 0005", "0015": "shows a different person", "0016": "too dark"}
NUM_ITEMS = demo_project.NUM_PHOTOS + len(FAULTS) + len(demo_project.MOTIONS)


def hashes(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def left_out(project):
    return {item.id: item.reason for item in list_items(project) if not item.keep}


def assert_each_says(reasons, faults):
    assert reasons.keys() == faults.keys()
    assert all(words in reasons[item_id] for item_id, words in faults.items()), reasons


# -- what is drawn


def test_the_demo_project_is_there_to_curate_and_caption(workspace):
    project = ensure_demo_project(workspace)
    data, items = project.facts(), list_items(project)
    assert (project.slug, data.name, data.base_model, data.trigger) == ("demo", "Demo", "tiny", TRIGGER)
    assert data.is_permitted
    assert [i.kind for i in items].count("photo") == 16 and [i.kind for i in items].count("clip") == 2
    assert all(i.keep and i.caption == "" for i in items)
    assert all((i.width, i.height) == (320, 320) for i in items if i.id != "0014")
    assert [(i.num_frames, round(i.fps)) for i in items if i.kind == "clip"] == [(33, 16)] * 2


def test_nobody_has_seen_the_person_and_most_of_her_has_no_words():
    assert world.is_held_out_identity(PERSON) and PERSON.mark and PERSON.streak
    plain = world.Identity(PERSON.hair, PERSON.style, PERSON.skin)
    assert world.describe(PERSON) == world.describe(plain) != world.describe(STRANGER)


def test_the_good_pictures_show_the_person_in_many_ways():
    scenes = [scene_of(i) for i in range(demo_project.NUM_PHOTOS + len(demo_project.MOTIONS))]
    assert not any(world.is_held_out_scene(scene) for scene in scenes) and len(set(scenes)) == len(scenes)
    for what, choices in (
        ("shirt", world.SHIRT),
        ("place", world.PLACE),
        ("view", world.VIEW),
        ("framing", world.FRAMING),
        ("light", world.LIGHT),
    ):
        assert {getattr(scene, what) for scene in scenes[: demo_project.NUM_PHOTOS]} == set(choices)
    assert 2 <= sum(scene.glasses for scene in scenes[: demo_project.NUM_PHOTOS]) <= 4


def test_the_same_files_are_drawn_every_time_and_captions_only_when_asked(tmp_path):
    first, second, plain = (tmp_path / name for name in ("first", "second", "plain"))
    for folder in (first, second, plain):
        folder.mkdir()
    draw_media(first)
    draw_media(second)
    draw_media(plain, faults=False, captions=True)
    assert hashes(first) == hashes(second) and len(hashes(first)) == NUM_ITEMS
    media = {name: value for name, value in hashes(plain).items() if not name.endswith(".txt")}
    assert len(media) == 14 and media.items() <= hashes(first).items()
    captions = {path.stem: path.read_text(encoding="utf-8").strip() for path in plain.glob("*.txt")}
    assert captions.keys() == {name.rsplit(".", 1)[0] for name in media} and len(set(captions.values())) == 14
    assert all(not check_caption(text, TRIGGER, CLASS_NOUN) for text in captions.values())


# -- what the curator makes of it


def test_the_curator_finds_all_four_faults_and_keeps_the_rest_without_remark(workspace):
    assert find_model("tiny", workspace).preset.observer
    project = ensure_demo_project(workspace)
    result = curation.curate(project)
    assert_each_says(left_out(project), FAULTS)
    assert result.kept == 14 and result.left_out == 4
    assert not [i.id for i in list_items(project) if i.keep and i.measurements.warnings]
    assert curation.is_settled(project) and curation.curate(project).measured == 0


def test_for_a_model_of_real_people_drawn_ones_are_drawings(workspace):
    project = ensure_demo_project(workspace)
    project.update(base_model="wan22-t2v-a14b")
    curation.curate(project)
    photos = {item.id: item.reasons for item in list_items(project) if item.kind == "photo"}
    assert sum(any(reason.code == "drawing" for reason in reasons) for reasons in photos.values()) >= 14
    assert not any(reason.code == "stranger" for reasons in photos.values() for reason in reasons)


def test_each_fault_is_far_beyond_its_limit_and_no_good_picture_is_near(workspace):
    project = ensure_demo_project(workspace)
    curation.curate(project)
    found = {item_id: look.face or look.middle for item_id, look in curation.looks_by_item(project).items()}
    good = [values for item_id, values in found.items() if item_id not in FAULTS]
    assert found["0013"].blur > BY_NAME["middle-blur"].limit + 0.1 and max(v.blur for v in good) < BY_NAME["middle-soft"].limit - 0.2
    assert found["0016"].luma < BY_NAME["middle-dark"].limit / 2 and min(v.luma for v in good) > BY_NAME["middle-dim"].limit
    assert max(v.luma for v in good) < BY_NAME["middle-light"].limit and not np.any([v.blown for v in good])


def test_the_demo_curates_once_and_says_what_was_left_out_and_why(workspace):
    project = ensure_demo_project(workspace)
    _, did, skipped = demo_command._curate(project, Output(as_json=True))
    assert not skipped and " of 18 kept; left out: 0013 blurred in the middle of the picture; 0014 nearly the same" in did
    num_jobs = len(list(project.runs_dir.iterdir()))
    assert demo_command._curate(project, Output(as_json=True)) == (None, f"found the same choice: {did}", True)
    assert len(list(project.runs_dir.iterdir())) == num_jobs


# -- made once


def test_the_demo_project_is_made_once_and_keeps_what_was_done_to_it(workspace):
    project = ensure_demo_project(workspace)
    set_caption(project, "0001", "ohwx, mine")
    remove_item(project, "0002")
    project.update(trigger="abcx", name="Renamed")
    before = hashes(project.root)
    assert ensure_demo_project(workspace) == project
    assert hashes(project.root) == before and len(workspace.list_projects()) == 1


def test_a_half_made_demo_is_filled_and_a_persons_own_demo_is_left_alone(workspace, monkeypatch):
    own = workspace.create_project("Demo", trigger="mine", base_model="tiny")

    def fail_halfway(project, folders):
        import_media(project, sorted(folders[0].iterdir())[:5])
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(demo_project, "import_media", fail_halfway)
        ensure_demo_project(workspace)
    project = ensure_demo_project(workspace)
    assert project != own and len(list_items(project)) == NUM_ITEMS and not list_items(own)
    assert len(workspace.list_projects()) == 2


def test_the_demo_needs_no_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from studio.workspace import Workspace; from studio.tiny.demo_project import ensure_demo_project\n"
        "ensure_demo_project(Workspace(Path(sys.argv[1]))); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
