"""What commands say to people on stdout and stderr, line by line; --json has the same as data (test_cli.py)."""

from dataclasses import replace

import pytest
from PIL import Image
from test_cli import run, run_json

from studio.commands import doctor
from studio.commands.output import Output
from studio.commands.results import choose_pair
from studio.commands.training import parse_settings
from studio.data import dataset
from studio.data.importer import import_media
from studio.disk import write_json
from studio.jobs import launcher
from studio.jobs.kinds.import_media import ImportJob
from studio.machine import read_machine

__all__ = ("run", "run_json")  # fixtures


def lines(found):
    code, out, err = found
    assert code == 0, err
    return out.splitlines()


# -- new, list


def test_a_new_project_is_told_with_its_folder_and_the_next_step(run, workspace):
    assert lines(run("new", "Anna Müller", "--trigger", "ohwx", "--model", "tiny", "--i-have-permission")) == [
        f"Made the project Anna Müller in {workspace.projects_dir / 'anna-muller'}.",
        "Next: python -m studio import anna-muller PHOTOS",
    ]
    told = lines(run("new", "Bea", "--trigger", "ohwx", "--model", "wan22-t2v-a14b", "--i-have-permission"))
    assert (
        told[0] == f"Made the project Bea in {workspace.projects_dir / 'bea'}." and told[-1] == "Next: python -m studio import bea PHOTOS"
    )
    assert len(told) == 3 and told[1].startswith("WAN 2.2")  # that it is not on this computer


def test_without_any_project_it_is_said_how_one_is_made(run):
    assert lines(run("list")) == ["There are no projects yet. Make one with: python -m studio new NAME --trigger WORD"]


def test_projects_are_listed_in_a_table_of_even_columns(run, project, media):
    project.workspace.create_project("Bea", trigger="sks", base_model="wan22-t2v-a14b")
    import_media(project, [media / f"person_{name}.jpg" for name in ("a_1", "a_2")])
    dataset.set_keep(project, "0002", False)
    assert lines(run("list")) == [
        "project  name  model           trigger  pictures  kept  pairs",
        "-------  ----  --------------  -------  --------  ----  -----",
        "anna     Anna  tiny            ohwx     2         1     0",
        "bea      Bea   wan22-t2v-a14b  sks      0         0     0",
    ]


# -- import


def test_what_became_of_each_file_of_an_import_is_a_line(run, project, media, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "notes.doc").write_bytes(b"words")
    found = lines(run("import", "Anna", media / "person_a_1.jpg", tmp_path / "broken.jpg"))
    assert found[0] == "Added 1 picture or clip to Anna." and found[1].startswith("  broken.jpg was left out: ")
    found = lines(run("import", "Anna", media / "person_a_1.jpg", media / "person_a_2.jpg", media / "person_b_1.jpg"))
    assert found == ["Added 2 pictures and clips to Anna.", "  person_a_1.jpg is the same as 0001; not added again."]


def test_captions_that_came_are_told_with_how_many_files_they_came_from(run, project, media, tmp_path):
    for name in ("a_1", "a_2"):
        (tmp_path / f"{name}.jpg").write_bytes((media / f"person_{name}.jpg").read_bytes())
        (tmp_path / f"{name}.txt").write_text("ohwx, a person in a garden", encoding="utf-8")
    assert lines(run("import", "Anna", tmp_path))[0] == "Added 2 pictures and clips to Anna; captions came from 2 files."


def test_nothing_that_could_be_imported_is_a_mistake(run, project, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    code, out, err = run("import", "Anna", tmp_path / "broken.jpg")
    assert code == 2 and out.startswith("Added 0 pictures and clips to Anna.\n")
    assert (
        err.splitlines()[-1].startswith("error: nothing could be imported: broken.jpg: ") and "Give photos or clips of the person." in err
    )


# -- audit


def import_drawings(project, count, folder):
    for number in range(count):
        Image.effect_mandelbrot((300, 300), (-2 + number / 9, -1.5, 1, 1.5), 40).convert("RGB").save(folder / f"{number}.png")
    import_media(project, sorted(folder.glob("*.png")))


@pytest.fixture
def captioned(project, tmp_path):
    """Six photos: five captions, three of them without the trigger."""
    import_drawings(project, 6, tmp_path)
    for number, words in enumerate(("in a garden", "on a sofa", "at a lake"), 1):
        dataset.set_caption(project, f"{number:04d}", f"a person {words}")
    dataset.set_caption(project, "0004", "ohwx, a person by a tree")
    dataset.set_caption(project, "0005", "ohwx, a person by a wall")
    return project


def test_an_audit_names_what_is_to_be_mended_and_shows_a_class_prompt(run, captioned):
    told = lines(run("audit", "Anna"))
    assert told[0] == "5 of 6 kept pictures and clips have a caption."
    assert any(line.startswith("  ") and "trigger" in line for line in told)
    assert any(line.endswith("different class prompts for other people (DOP), for example: a person in a garden") for line in told)


def test_an_audit_without_captions_says_so_and_shows_none(run, project):
    assert lines(run("audit", "Anna")) == ["0 of 0 kept pictures and clips have a caption.", "  Nothing to mend was found."]


def test_of_many_details_five_are_shown_and_the_rest_counted(run, project, tmp_path):
    import_drawings(project, 7, tmp_path)
    items = dataset.list_items(project)
    for item in items:
        dataset.set_caption(project, item.id, f"ohwx, a person standing and sitting, place {item.id}")
    told = lines(run("audit", "Anna"))
    start = next(n for n, line in enumerate(told) if "seem to contradict themselves" in line)
    assert [line.strip().partition(":")[0] for line in told[start + 1 : start + 6]] == [item.id for item in items[:5]]
    assert told[start + 6].strip() == "and 2 more; --json has all of them"


# -- whole projects


def test_what_was_done_with_a_project_as_a_whole_is_said(run, project):
    assert lines(run("rename", "Anna", "Zoë")) == ["Anna is called Zoë now; the folder anna keeps its name."]
    made = lines(run("duplicate", "Zoë"))
    assert made == [f"Made Zoë (copy) in {project.workspace.projects_dir / 'zoe-copy'}."]
    assert lines(run("duplicate", "anna", "Zoë"))[-1] == ("2 projects are called Zoë; their folders tell them apart: anna, zoe.")
    gone = lines(run("delete", "zoe-copy"))
    assert gone[0].startswith("Deleted Zoë (copy). To bring it back: python -m studio restore ")
    slug = gone[0].rpartition(" ")[2]
    listed = lines(run("restore"))
    assert listed[0].split() == ["deleted", "name"] and listed[2].split(maxsplit=1) == [slug, "Zoë (copy)"]
    assert lines(run("restore", slug)) == [f"Zoë (copy) is back, in {project.workspace.projects_dir / 'zoe-copy'}."]
    assert lines(run("restore")) == ["deleted  name", "-------  ----", "No project was deleted."]


def test_a_project_deleted_for_good_is_gone(run, project):
    slug = lines(run("delete", "Anna"))[0].rpartition(" ")[2]
    assert lines(run("restore", slug, "--for-good")) == [f"{slug} is deleted for good."]
    assert lines(run("restore"))[-1] == "No project was deleted." and run("restore", slug)[0] == 2


# -- progress, on stderr


EVENTS = [
    ("progress", {"stage": "measure", "done": 3, "total": 12, "unit": "photos", "message": "0003"}, "  measure: 3 of 12 photos 0003\n"),
    ("progress", {"stage": "look", "done": 3}, "  look: 3\n"),
    ("progress", {}, "  working: 0\n"),
    ("progress", {"stage": "fetch", "done": 1.5, "total": 3.5, "unit": "GB", "bytes_per_second": 1e7}, "  fetch: 1.5 of 3.5 GB (3 min left)\n"),
    ("progress", {"stage": "fetch", "done": 500, "total": 560, "unit": "MB", "bytes_per_second": 1e6}, "  fetch: 500 of 560 MB (1 min left)\n"),
    ("progress", {"stage": "fetch", "done": 3.5, "total": 3.5, "unit": "GB", "bytes_per_second": 1e7}, "  fetch: 3.5 of 3.5 GB\n"),
    ("progress", {"stage": "train", "done": 1, "total": 9, "unit": "steps", "bytes_per_second": 1e7}, "  train: 1 of 9 steps\n"),
    ("phase", {"expert": "high_noise", "first_step": 1, "last_step": 50}, "  expert high_noise: steps 1 to 50\n"),
    ("checkpoint", {"step": 30}, "  saved the checkpoint pair of step 30\n"),
    ("resume", {"step": 30}, "  going on from step 30\n"),
    ("held_out", {"step": 30, "loss": 0.12345, "expert": "low_noise"}, "  step 30: loss on set-aside pictures 0.1235 (low_noise)\n"),
    ("note", {"message": "The disk is nearly full."}, "  The disk is nearly full.\n"),
    ("step", {"step": 3, "loss": 0.1}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("event", "fields", "words"), EVENTS)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_happens_is_a_line_on_stderr(capsys, event, fields, words, as_json):
    Output(as_json=as_json).report(event, fields)
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", words)


def test_of_one_stage_progress_is_not_told_at_every_step_and_of_a_new_one_and_its_end_at_once(capsys):
    out = Output()
    for done in range(5):
        out.report("progress", stage="measure", done=done, total=9)
    out.report("progress", stage="measure", done=9, total=9)
    out.report("progress", stage="choose", done=0, total=2)
    assert capsys.readouterr().err.splitlines() == ["  measure: 0 of 9", "  measure: 9 of 9", "  choose: 0 of 2"]


def test_with_json_nothing_but_one_object_stands_on_stdout(capsys, tmp_path):
    out = Output(as_json=True)
    out.print("words")
    out.table([["a"]], ["head"])
    out.finish({"folder": tmp_path, "name": "Zoë"})
    assert capsys.readouterr().out == f'{{"folder": "{tmp_path}", "name": "Zoë"}}\n'
    Output().finish({"name": "Zoë"})
    assert capsys.readouterr().out == ""
    with pytest.raises(TypeError, match="set is not JSON"):
        out.finish({"names": {1}})


# -- which pair


def save_pair(project, step):
    folder = project.run_dir("train-001") / "checkpoints" / f"step-{step:06d}"
    folder.mkdir(parents=True)
    write_json(project.run_dir("train-001") / "config.json", {"kind": "train"})
    (folder / "a.safetensors").write_bytes(b"x")
    write_json(folder / "manifest.json", {"experts": {"high_noise": {"file": "a.safetensors", "sha256": ""}}})


def test_without_a_comparison_the_last_pair_is_taken_and_it_is_said_that_there_are_others(project, capsys):
    save_pair(project, 100)
    pair, strength = choose_pair(project, Output())
    assert (pair.step, strength, capsys.readouterr().err) == (100, None, "")
    save_pair(project, 200)
    pair, strength = choose_pair(project, Output())
    assert (pair.step, strength) == (200, None)
    assert capsys.readouterr().err == "No comparison names a pair, so this is the last one saved of 2; --pair names another.\n"
    assert choose_pair(project, Output(), "train-001/step-000100")[0].step == 100 and capsys.readouterr().err == ""


# -- plan, train, jobs


@pytest.mark.parametrize(("pairs", "settings"), [
    ([], {}),
    (["lora.rank=16"], {"lora": {"rank": 16}}),
    (["lora.rank=16", "lora.alpha=8", "steps=5"], {"lora": {"rank": 16, "alpha": 8}, "steps": 5}),
    (["timesteps.distribution=uniform"], {"timesteps": {"distribution": "uniform"}}),
    ([" lora.rank = 16"], {"lora": {"rank": 16}}),
    (["prompt=a=b"], {"prompt": "a=b"}),
    (["on=true", "off=null", "text="], {"on": True, "off": None, "text": ""}),
    (['list=[1, 2]'], {"list": [1, 2]}),
])  # fmt: skip
def test_settings_of_a_command_are_numbers_where_they_can_be_else_text(pairs, settings):
    assert parse_settings(pairs) == settings


def test_a_setting_without_a_value_says_how_one_is_written():
    with pytest.raises(ValueError, match=r"--set lora\.rank: write NAME=VALUE, for example lora\.rank=16"):
        parse_settings(["lora.rank"])


def test_a_plan_says_the_recipe_what_it_takes_and_why(run, run_json, workspace):
    workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b")
    asked = ("plan", "Bea", "--vram", "16", "--ram", "64", "--steps", "500")
    told, data = lines(run(*asked)), run_json(*asked)[1]
    assert told[0] == f"Recipe {data['recipe']}, 500 steps, on the GPU, preset 16gb."
    places = [line.split(maxsplit=1) for line in told[1:4]]
    assert [name for name, _ in places] == ["VRAM", "RAM", "disk"]
    assert all(words.startswith("about ") and words.endswith(" free") for _, words in places)
    assert told[4].startswith("  time  ") and told[5:] == [f"  - {reason}" for reason in data["reasons"]]


def test_without_a_gpu_the_plan_is_for_the_processor(run, project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert lines(run("plan", "Anna", "--steps", "7"))[0].endswith(", 7 steps, on the processor.")


def test_jobs_are_a_table_with_what_waits_and_why(run, project, media):
    assert lines(run("jobs")) == ["project  job  state  progress  time  left", "-------  ---  -----  --------  ----  ----"]
    for _ in range(2):
        launcher.enqueue(project, ImportJob(paths=()))
    told = lines(run("jobs", "Anna"))
    assert [line.split()[:3] for line in told[2:4]] == [["anna", "import-002", "queued"], ["anna", "import-001", "queued"]]
    assert told[4] == "import-001 is about to begin."
    assert told[5].startswith("import-002 waits for: ") and told[5].endswith("; not known how long.")


def test_the_queue_is_changed_by_name_and_what_can_not_be_is_said(run, project):
    for _ in range(2):
        launcher.enqueue(project, ImportJob(paths=()))
    assert run("jobs", "Anna", "--up", "import-002")[0] == 0
    code, _, err = run("jobs", "Anna", "--up", "import-002")
    assert code == 2 and "import-002 is at that end of the queue already." in err
    assert run("jobs", "Anna", "--remove", "import-001")[0] == 0
    code, _, err = run("jobs", "Anna", "--down", "import-001")
    assert code == 2 and "import-001 does not wait in the queue." in err
    code, _, err = run("jobs", "Anna", "--up", "import-009")
    assert code == 2 and "anna has no job 'import-009'." in err and "See `jobs` for their names." in err


@pytest.mark.parametrize("more", [["--steps", "5"], ["--set", "lora.rank=8"]])
def test_a_resumed_run_keeps_its_settings(run, project, media, more):
    code, _, err = run("train", "Anna", "--resume", *more)
    assert code == 2 and "a resumed run keeps its settings" in err
    assert "Leave out --steps, --recipe and --set (but for --set processes=N), or start a new run without --resume." in err


def test_without_photos_training_says_how_some_come(run, project, tmp_path):
    code, _, err = run("train", "Anna")
    assert code == 2 and "Anna has no photos or clips to train with. Add some with: python -m studio import anna PHOTOS" in err


# -- models, doctor


def test_the_models_are_a_table_and_of_those_that_lack_it_is_said_why(run, workspace):
    told = lines(run("models"))
    rows = {line.split()[0]: line for line in told[2:] if line and not line.split()[0].endswith(":")}
    assert told[0].split() == ["name", "title", "here", "size", "folder"]
    assert "built in" in rows["tiny"] and "GB to download" in rows["wan22-t2v-a14b"]
    assert any(line.startswith("wan22-t2v-a14b: ") for line in told)
    assert told[-1] == "The offline mode is on: nothing is downloaded." and not any("Downloads come from" in line for line in told)


def test_a_link_without_a_folder_says_how_one_is_written(run, workspace):
    code, _, err = run("models", "--link", "wan22-t2v-a14b")
    assert code == 2 and "--link wan22-t2v-a14b needs the folder where the model lies." in err
    assert "Write it behind the name: --link wan22-t2v-a14b FOLDER." in err


def test_to_tell_experts_apart_takes_a_picture(run, workspace, tmp_path):
    code, _, err = run("models", "--tell-apart", "wan22-t2v-a14b", tmp_path)
    assert code == 2 and "To tell the experts apart takes a picture. Add --picture FILE" in err


def machine(**more):
    facts = {"gpus": (), "ram_total_gb": 64.0, "ram_free_gb": 40.04, "cpu_name": "A Processor", "cpu_cores": 8}
    return replace(read_machine(), **(facts | more))


@pytest.mark.parametrize(("total", "state", "more"), [
    (30.0, "good", ""), (29.9, "look", "; WAN 2.2 needs 32 GB or more, the tiny model does not"),
])  # fmt: skip
def test_the_doctor_doubts_a_computer_with_little_memory(total, state, more):
    memory, processor = doctor._memory(machine(ram_total_gb=total))
    assert (memory.state, memory.text) == (state, f"40.0 of 30 GB free{more}")
    assert processor.text.startswith("A Processor, 8 cores; ")


def test_the_doctor_says_what_goes_without_a_gpu():
    (found,) = doctor._gpu(machine(notes=("No driver answers.",)))
    assert (found.what, found.state) == ("GPU", "look")
    assert found.text == (
        "no NVIDIA GPU or driver found; the tiny model runs on the processor, WAN 2.2 needs a GPU with 8 GB or more. No driver answers."
    )


def test_the_doctor_ends_with_what_is_to_be_mended(run, workspace):
    told = lines(run("doctor"))
    assert told[0].split() == ["what", "finding"] and told[-1] == "Everything that is needed works."
    states = {line.split()[0] for line in told[2:-1]}
    assert states <= {"good", "look"}
