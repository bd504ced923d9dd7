"""Links to models that are damaged: each harms its own model alone, and is named with what can be done."""

import json
import shutil

import pytest

from studio import cli
from studio.disk import read_path
from studio.errors import Problem
from studio.models.catalogue import describe_model, find_model, has_small_files, models_to_choose
from studio.models.fetch import offers

A14B, CAPTIONER = "wan22-t2v-a14b", "Qwen3-VL-8B-Instruct"
DAMAGED = {  # what lies in the file: what is said of it
    b"D:\\M\xf6dels\\wan\r\n": "is no text in UTF-8",
    b"\xff\xfeD": "is no text in UTF-8",
    b"": "names no folder",
    b"\xef\xbb\xbf\r\n": "names no folder",
    b'""\n': "names no folder",
    b"x" * 100_000: "names no folder",
    b"C:\\wan\x00\x00": "names no folder",
    b"/nowhere/at all\n": "/nowhere/at all of the base model is gone",
}


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_link_harms_its_own_model_alone_and_is_named(data, workspace, capsys):
    workspace.models_dir.mkdir(parents=True)
    (workspace.models_dir / f"{A14B}.path").write_bytes(data)
    found = {model.name: model for model in models_to_choose(workspace)}
    assert DAMAGED[data] in found[A14B].reason and found["tiny"].available
    assert "Not on this computer" in found["wan22-ti2v-5b"].reason
    assert not has_small_files(A14B, workspace) and find_model("tiny", workspace).name == "tiny"
    assert len(offers.list_all(workspace)) > 5
    assert cli.main(["models", "--json", "--home", str(workspace.home)]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert DAMAGED[data] in rows[A14B]["reason"] and rows["tiny"]["available"]


@pytest.mark.parametrize("data", [data for data in DAMAGED if b"nowhere" not in data], ids=range(len(DAMAGED) - 1))
def test_a_damaged_link_to_a_captioner_harms_no_other(data, workspace):
    workspace.models_dir.mkdir(parents=True)
    (workspace.models_dir / f"{CAPTIONER}.path").write_bytes(data)
    rows = {row.presence.name: row.presence for row in offers.list_all(workspace)}
    assert DAMAGED[data] in rows[CAPTIONER].reason and rows["tiny"].available


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1]",
        b"{",
        b"\xff\xfe\x00",
        b'{"folder": 3, "files": {"vae": 7}}',
        b'{"folder": "x"}',
        b'{"folder": "/", "files": {"vae": "/"}}',
        b'{"folder": "x", "files": []}',
    ],
)
def test_a_damaged_list_of_files_harms_its_own_model_alone(data, workspace):
    workspace.models_dir.mkdir(parents=True)
    (workspace.models_dir / f"{A14B}.files.json").write_bytes(data)
    assert f"{A14B}.files.json is damaged" in describe_model(A14B, workspace).reason
    assert len(offers.list_all(workspace)) > 5


@pytest.mark.parametrize("name", [f"{A14B}.path", f"{A14B}.files.json"])
def test_a_folder_in_the_place_of_a_link_is_named(name, workspace):
    (workspace.models_dir / name).mkdir(parents=True)
    assert f"{name} is a folder" in describe_model(A14B, workspace).reason


def test_a_model_that_lies_in_its_own_folder_does_not_need_its_damaged_link(workspace, tiny_base):
    """As a link whose drive is away gives way to the download."""
    workspace.models_dir.mkdir(parents=True)
    (workspace.models_dir / f"{A14B}.path").write_bytes(b"\xf6")
    shutil.copytree(tiny_base.folder / "vae", workspace.models_dir / A14B / "vae")
    with pytest.raises(Problem, match=r"model_index\.json is missing"):
        find_model(A14B, workspace)


def test_what_editors_put_around_a_path_is_no_damage(tmp_path, workspace, tiny_base):
    place = tmp_path / "a folder" / "Größe"
    shutil.copytree(tiny_base.folder, place)
    link = tmp_path / "x.path"
    for text in (f"{place}", f"{place}\n", f'"{place}"\r\n', f"'{place}'\n", f"  {place}  \n\n", f"\ufeff{place}\nanother line"):
        for encoding in ("utf-8", "utf-16"):
            link.write_bytes(text.encode(encoding))
            assert read_path(link) == place
