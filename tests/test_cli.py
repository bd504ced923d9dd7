"""The command line: exit codes, one line for a mistake, one JSON object, and the demo from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from studio import cli
from studio.commands import demo as demo_command
from studio.data import dataset
from studio.data.importer import import_media
from studio.disk import FORMAT, read_json, write_json
from studio.jobs import launcher
from studio.jobs.kinds.import_media import ImportJob
from studio.jobs.state import list_jobs


@pytest.fixture
def run(workspace, capsys):
    """run(*argv) -> (exit code, stdout, stderr), in this process."""

    def call(*argv):
        code = cli.main([str(a) for a in argv])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture
def run_json(run):
    def call(*argv):
        code, out, _ = run(*argv, "--json")
        return code, json.loads(out)

    return call


def is_one_line(text):
    return text.count("\n") == 1 and text.startswith("error: ") and "Traceback" not in text


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["trian", "x"], "did you mean 'train'"),
        (["plan"], "PROJECT"),
        (["plan", "Nobody"], "there is no project"),
        (["new", "Anna"], "--trigger"),
        (["new", "Anna", "--trigger", "ohwx", "--model", "tinny", "--i-have-permission"], "Did you mean tiny"),
        (["new", "Anna", "--trigger", "ohwx", "--model", "tiny"], "--i-have-permission"),
        (["new", "Anna", "--trigger", "house", "--model", "tiny", "--i-have-permission"], "house"),
        (["new", "", "--trigger", "ohwx", "--model", "tiny", "--i-have-permission"], "the name is empty"),
        (["new", "Anna", "--trigger", "ohwx", "--class", "ohwx", "--model", "tiny", "--i-have-permission"], "the class noun itself"),
        (["new", "Anna", "--trigger", "ohwx", "--class", "a,b", "--model", "tiny", "--i-have-permission"], "say what the person is"),
        (["new", "Anna", "--trigger", "ohwx", "--model", "tiny"], "permission. Add"),
        (["--json"], "no command"),
    ],
)
def test_a_mistake_is_one_line_with_the_fix_and_exit_code_2(run, argv, words):
    code, _, err = run(*argv)
    assert code == 2 and words in err and is_one_line(err)


def test_a_fault_of_ours_is_a_sentence_a_log_and_exit_code_1(run, monkeypatch):
    def broken(args, workspace, out):
        raise RuntimeError("the gears fell off")

    monkeypatch.setattr(demo_command, "demo", broken)
    code, _, err = run("demo")
    assert code == 1 and is_one_line(err) and "the gears fell off" in err
    assert "Traceback" in Path(err.rsplit("Log: ", 1)[1].strip()).read_text(encoding="utf-8")
    assert "Traceback" in run("demo", "--debug")[2]


def test_a_mistake_with_json_is_one_object_too(run_json):
    code, data = run_json("plan", "Nobody")
    assert code == 2 and "no project" in data["error"]["message"]


def test_help_is_there_for_every_command(run):
    code, text, _ = run("--help")
    assert code == 0
    for command in cli.COMMANDS:
        assert command in text
        assert run(command, "--help")[0] == 0


def test_a_new_project_keeps_the_permission_with_its_time(run_json, workspace):
    code, data = run_json("new", "Ána 日本", "--trigger", "ohwx", "--model", "tiny", "--i-have-permission")
    assert code == 0
    permission = workspace.project(data["project"]).facts().permission
    assert permission.granted is True and permission.time > 0 and "agreed" in permission.statement
    assert [p["name"] for p in run_json("list")[1]["projects"]] == ["Ána 日本"]


def test_a_project_is_addressed_by_name_or_folder(run_json, project):
    assert run_json("plan", "Anna")[1]["project"] == run_json("plan", "anna")[1]["project"] == "anna"


def test_photos_are_imported_and_what_was_left_out_is_told(run, run_json, project, media, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    code, data = run_json("import", "Anna", media / "person_a_1.jpg", media / "person_a_1.jpg", tmp_path / "broken.jpg")
    assert code == 0 and len(data["added"]) == 1 and data["rejected"][0][0] == "broken.jpg"
    code, _, err = run("import", "Anna", tmp_path / "broken.jpg")
    assert code == 2 and "broken.jpg" in err
    assert run("import", "Anna", tmp_path / "nothing here")[0] == 2


def test_the_plan_for_another_card_is_shown_with_reasons(run, run_json, workspace):
    workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b")
    code, data = run_json("plan", "Bea", "--vram", "16", "--ram", "64", "--set", "lora.rank=16", "--steps", "500")
    assert code == 0 and data["hardware"] == "16gb" and data["fits"]
    assert data["config"]["lora"]["rank"] == 16 and data["config"]["steps"] == 500
    assert data["config"]["memory"]["blocks_swapped"] > 20
    text = run("plan", "Bea", "--vram", "16")[1]
    assert "blocks wait in RAM" in text and "VRAM" in text
    assert "did you mean 'rank'" in run("plan", "Bea", "--set", "lora.rnak=3")[2]


def test_training_that_does_not_fit_is_not_started(run, workspace, media, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    project = workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b")
    import_media(project, [media / "person_a_1.jpg"])
    code, _, err = run("train", "Bea")
    assert code == 2 and "does not fit" in err and project.list_runs() == []
    code, _, err = run("train", "Bea", "--device", "cuda")
    assert code == 2 and "no GPU can be used" in err


def test_training_with_an_optimizer_that_cannot_be_used_is_not_started(run, project, media):
    import_media(project, [media / "person_a_1.jpg"])
    code, _, err = run("train", "Anna", "--set", "optimizer.name=adamw8bit")
    assert code == 2 and "8-bit AdamW" in err and is_one_line(err) and project.list_runs() == []


def test_a_time_of_day_that_is_none_starts_no_training(run, project, media):
    import_media(project, [media / "person_a_1.jpg"])
    code, _, err = run("train", "Anna", "--finish-by", "soon")
    assert code == 2 and "a time of day such as 07:00" in err and project.list_runs() == []


def test_training_without_photos_says_so_and_nothing_to_resume_too(run, project):
    code, _, err = run("train", "Anna", "--resume")
    assert code == 2 and "no training run yet" in err
    code, _, err = run("train", "Anna", "--steps", "2")
    assert code == 2 and "no photos or clips" in err and is_one_line(err) and project.list_runs() == []


def test_what_needs_an_earlier_step_names_it(run, project):
    assert "Train first" in run("sweep", "Anna")[2]
    assert "python -m studio sweep" in run("verdict", "Anna")[2]
    assert run("export", "Anna", "--to", "nowhere")[0] == 2


def test_the_doctor_finds_this_machine_in_order(run_json, workspace):
    code, data = run_json("doctor")
    found = {f["what"]: f for f in data["findings"]}
    assert code == 0 and found["workspace"]["state"] == found["ffmpeg"]["state"] == found["Python"]["state"] == "good"
    assert {"RAM", "disk", "libraries", "torch", "model tiny", "model wan22-t2v-a14b", "model Qwen3-VL-8B-Instruct"} <= set(found)


def test_a_damaged_project_is_named_and_hides_no_other(run, run_json, project):
    damaged, uncurated = (project.workspace.create_project(name, trigger="ohwx", base_model="tiny") for name in ("Bea", "Cleo"))
    damaged.file.write_bytes(b'{"name": "Be')
    uncurated.curation_file.write_bytes(b"[]")
    code, data = run_json("list")
    assert code == 0 and [row["slug"] for row in data["projects"]] == ["anna"]
    assert {entry["project"]: "damaged" in entry["message"] for entry in data["damaged"]} == {"bea": True, "cleo": True}
    for argv in (["plan", "bea"], ["plan", "cleo"], ["import", "cleo", Path(__file__).parent / "media"]):
        code, _, err = run(*argv)
        assert code == 2 and is_one_line(err[err.index("error: ") :]) and "is damaged" in err and "backup" in err


def test_training_on_photos_that_are_all_left_out_says_so(run, project, media):
    import_media(project, [media / "person_a_1.jpg"])
    dataset.set_keep(project, "0001", False)
    code, _, err = run("train", "Anna")
    assert code == 2 and is_one_line(err) and "every photo and clip of Anna is left out (1 in all)" in err and "curate anna" in err


def test_a_file_given_as_the_workspace_is_refused(run, tmp_path):
    (tmp_path / "notes.txt").write_text("words", encoding="utf-8")
    for home in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "deeper"):
        code, _, err = run("new", "Anna", "--trigger", "ohwx", "--model", "tiny", "--i-have-permission", "--home", home)
        assert code == 2 and is_one_line(err) and "a file" in err.lower()


def test_a_job_in_the_queue_is_listed(run_json, project):
    launcher.cancel(launcher.enqueue(project, ImportJob(paths=())))
    code, data = run_json("jobs")
    assert code == 0 and [(j["name"], j["state"]) for j in data["jobs"]] == [("import-001", "stopped")]


def test_a_console_of_an_old_code_page_can_show_every_name(tmp_path, workspace):
    workspace.create_project("日本", trigger="ohwx", base_model="tiny")
    command = [sys.executable, "-m", "studio", "list", "--home", str(workspace.home)]
    env = launcher.worker_environment() | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    found = subprocess.run(command, cwd=launcher.ROOT, env=env, capture_output=True)
    assert found.returncode == 0 and "日本".encode() in found.stdout


def test_the_parser_loads_neither_torch_nor_gradio():
    code = "import sys; from studio.cli import main; main(['list', '--json']); sys.exit(bool({'torch', 'gradio'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=launcher.ROOT, capture_output=True).returncode == 0


def test_the_demo_does_everything_once_and_the_second_time_nothing_again(run_json, workspace):
    code, first = run_json("demo", "--steps", "4")
    assert code == 0 and first["pairs"] == 2 and first["cells"]["failed"] == 0
    assert first["cells"]["rendered"] == first["cells"]["total"] > 0
    project = workspace.project(first["project"])
    sweep = json.loads((project.sweep_dir(first["sweep"]) / "sweep.json").read_text(encoding="utf-8"))
    assert any(cell["pair"] is None and cell["state"] == "done" for cell in sweep["cells"]), "the base is drawn too"
    assert "<html" in Path(first["report"]).read_text(encoding="utf-8")[:2000].lower()
    num_jobs = len(list_jobs(workspace))

    code, second = run_json("demo", "--steps", "4")
    assert code == 0 and second["cells"]["rendered"] == 0 and second["cells"]["reused"] == first["cells"]["total"]
    did = {stage["name"]: stage for stage in second["stages"]}
    assert all(stage["skipped"] for stage in second["stages"])
    assert list(did)[:3] == ["project", "curate", "captions"] and "left out: 0013 blurred" in did["curate"]["did"]
    assert did["training"]["skipped"] and "nothing was trained" in did["training"]["did"]
    assert did["test clips"]["skipped"] and "nothing was drawn" in did["test clips"]["did"]
    assert second["exported"] == first["exported"] and did["export"]["skipped"]
    assert len(list_jobs(workspace)) == num_jobs


def test_commands_say_that_a_project_of_a_newer_studio_can_only_be_looked_at(run, project, media):
    assert run("import", "Anna", str(media / "person_a_1.jpg"))[0] == 0
    write_json(project.file, read_json(project.file) | {"format": FORMAT + 1})
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    code, out, err = run("list")
    assert code == 0 and "Anna was made by a newer version of the studio" in out
    for command in (("plan", "Anna"), ("jobs", "Anna")):
        code, out, err = run(*command)
        assert code == 0 and "can only be looked at here" in err
    for command in (("import", "Anna", str(media / "person_a_2.jpg")), ("caption", "Anna"), ("sweep", "Anna")):
        code, out, err = run(*command)
        assert code == 2 and "Update the studio to go on with it." in err
    assert {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()} == before
