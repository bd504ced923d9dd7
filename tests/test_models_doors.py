"""What grows has a door: a kind of thing that can be fetched, and a family of captioners, are one file each."""

import json

import pytest
from hub_kit import FakeHub

import studio.models.captioners.families as families
import studio.models.fetch.fetchables as fetchables
from studio.cli import main
from studio.data.dataset import kept_items
from studio.errors import Problem
from studio.models.captioners.opening import find_captioner
from studio.models.fetch.fetchable import find_fetchable, kinds, list_names
from studio.models.fetch.offers import WISH
from studio.workspace import Workspace

EYE = '''
"""Eyes: one small file."""
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Problem

WORD, ID = "eye", "eye"


def knows(name):
    return name in list_names()


@dataclass(frozen=True)
class About:
    name: str
    title: str = "The eye of a falcon"
    description: str = "Sees far."
    repository: str = "some/eye"
    licence: str = "MIT"
    download_gb: float = 0.1
    is_built_in: bool = False


@dataclass(frozen=True)
class Eye:
    about: About

    def why_not_here(self, workspace):
        return "" if self.find_files(workspace)[1] else "No eye is here."

    def find_files(self, workspace):
        folder = workspace.models_dir / self.about.name
        link = folder.with_suffix(".path")
        folder = Path(link.read_text()) if link.is_file() else folder
        return folder, sorted(folder.glob("eye.safetensors"))

    def link(self, paths, workspace):
        workspace.models_dir.mkdir(parents=True, exist_ok=True)
        (workspace.models_dir / f"{self.about.name}.path").write_text(str(paths[0]))
        return [str(paths[0]), "It blinks."]

    def choose_names(self, names, read_json):
        return [name for name in names if name.startswith("eye")]

    def check(self, folder):
        if not (folder / "eye.safetensors").is_file():
            raise Problem("the eye is not whole")


def list_names():
    return ["falcon"]


def fetchable(name):
    return Eye(About(name))
'''

ECHO = '''
"""Captioners that say how large the picture is."""
from studio.models.captioners.family import Answer, Fit


def fit(config):
    return Fit.MADE_FOR_IT if config.get("model_type") == "echo" else Fit.NONE


def list_missing(folder):
    return [] if (folder / "voice.txt").is_file() else ["its voice (voice.txt)"]


def choose_names(names, read_json):
    return ["config.json", "voice.txt"]


def load(folder, precision=""):
    return Echo((folder / "voice.txt").read_text(encoding="utf-8"))


class Echo:
    name, version, sees_movement = "parrot", "1", True

    def __init__(self, voice):
        self.voice = voice

    def answer(self, pictures, fps, instruction, max_new_tokens, attempt=0):
        return Answer(f"PERSON: {self.voice}\\nSCENE: {pictures[0].width} px of wall, {max_new_tokens} words at most", True)

    def close(self):
        self.voice = None
'''


def add_member(package, name, text, folder, monkeypatch):
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this computer that holds an eye and something else."""
    with FakeHub({"eye.safetensors": b"sees" * 1000, "README.md": b"no part of it"}) as hub:
        hub.repository = "some/eye"
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv(WISH, "0")
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
        for name in ("HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield hub


def run(*words):
    """(exit status, what the command said)."""
    return main([str(word) for word in words])


def test_a_kind_of_thing_that_can_be_fetched_is_one_file(tmp_path, monkeypatch, hub, capsys):
    home, door = tmp_path / "home", tmp_path / "door"
    door.mkdir()
    add_member(fetchables, "eye", EYE, door, monkeypatch)
    assert run("models", "--json", "--home", home) == 0
    [row] = [row for row in json.loads(capsys.readouterr().out)["models"] if row["name"] == "falcon"]
    assert (row["title"], row["available"], row["reason"], row["size_gb"]) == ("The eye of a falcon", False, "No eye is here.", 0.1)
    assert run("download", "falcon", "--yes", "--json", "--home", home) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["state"] == "done" and (home / "models/falcon/eye.safetensors").read_bytes() == b"sees" * 1000
    assert not (home / "models/falcon/README.md").exists()
    assert run("doctor", "--json", "--home", home) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {"what": "model falcon", "state": "good", "text": "ready"} in findings
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/eye.safetensors").write_bytes(b"mine")
    assert run("models", "--link", "falcon", tmp_path / "mine", "--home", home) == 0
    said = capsys.readouterr().out
    assert f"The eye of a falcon is ready to use, from {tmp_path / 'mine'}." in said and "It blinks." in said


def test_a_name_that_is_of_no_kind_is_answered_with_those_there_are(tmp_path, capsys):
    assert [kind.WORD for kind in kinds()] == ["base model", "captioner", "captioner of the hub"]
    assert {"tiny", "Qwen3-VL-8B-Instruct"} <= set(list_names())
    with pytest.raises(Problem, match="no base model or captioner named 'owl'") as e:
        find_fetchable("owl")
    assert "wan22-t2v-a14b" in e.value.fix
    assert run("download", "owl", "--home", tmp_path) == 2


def test_a_family_of_captioners_is_one_file(tmp_path, monkeypatch, media, capsys):
    home, door = tmp_path / "home", tmp_path / "door"
    door.mkdir()
    add_member(families, "echo", ECHO, door, monkeypatch)
    project = Workspace(home).create_project("Anna", trigger="ohwx", base_model="tiny", permission={"granted": True})
    assert run("import", project.slug, media / "person_a_1.jpg", "--home", home) == 0
    folder = home / "models/parrot"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "echo"}')
    with pytest.raises(Problem, match=r"its voice \(voice.txt\) missing"):
        find_captioner("parrot", None, Workspace(home))
    (folder / "voice.txt").write_text("wearing feathers, upper body", encoding="utf-8")
    assert run("caption", project.slug, "--captioner", "parrot", "--longest", 77, "--home", home) == 0
    [item] = kept_items(project)
    assert item.caption.startswith("ohwx, a person, wearing feathers, upper body") and "px of wall, 77 words at most" in item.caption


def test_the_style_of_the_captions_is_chosen_on_the_command_line(tmp_path, monkeypatch, media, capsys):
    home, door = tmp_path / "home", tmp_path / "door"
    door.mkdir()
    echo = ECHO.replace("{self.voice}", "{'brief' if 'at most 8 words' in instruction else 'standard'} clothes")
    add_member(families, "echo_style", echo, door, monkeypatch)
    project = Workspace(home).create_project("Anna", trigger="ohwx", base_model="tiny", permission={"granted": True})
    run("import", project.slug, media / "person_a_1.jpg", "--home", home)
    folder = home / "models/parrot"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "echo"}')
    (folder / "voice.txt").write_text("")
    for style in ("brief", "standard"):
        assert run("caption", project.slug, "--captioner", "parrot", "--style", style, "--overwrite-auto", "--home", home) == 0
        assert f"{style} clothes" in kept_items(project)[0].caption
    assert run("caption", project.slug, "--style", "breif", "--home", home) == 2
    assert "did you mean 'brief'" in capsys.readouterr().err


def test_a_captioner_of_the_hub_is_looked_up_before_anything_is_fetched(hub, tmp_path, capsys, monkeypatch):
    """Its size and licence are shown; its folder is named owner--name."""
    hub.repository = "some/vlm"
    small = dict.fromkeys(("config.json", "preprocessor_config.json", "tokenizer.json"), b"{}")
    hub.files = small | {"model.safetensors": b"x" * 3000, "pytorch_model.bin": b"no" * 9, "modeling.py": b"import os"}
    home = tmp_path / "home"
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO("n\n"))
    assert run("download", "some/vlm", "--home", home) == 0
    said = capsys.readouterr().out
    assert "The captioner some/vlm: 4 files" in said and "none is stated" in said and "Nothing was fetched" in said
    assert not (home / "models/some--vlm").exists()
    assert find_fetchable("some/vlm").why_not_here(Workspace(home))
