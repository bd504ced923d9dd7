"""A hardware preset is one file: the plan finds it in the folder."""

import json
import shutil

from studio import config
from studio.cli import main


def test_a_size_of_card_is_added_as_one_file(project, tmp_path, monkeypatch, capsys):
    presets = tmp_path / "presets"
    shutil.copytree(config.PRESETS_DIR, presets, ignore=shutil.ignore_patterns("*.safetensors"))
    own = (
        (presets / "hardware" / "24gb.toml")
        .read_text(encoding="utf-8")
        .replace('"24 GB"', '"26 GB"')
        .replace("vram_gb = 24", "vram_gb = 26")
    )
    (presets / "hardware" / "26gb.toml").write_text(own.replace("min_free_gb = 19.0", "min_free_gb = 23.0"), encoding="utf-8")
    assert main(["plan", project.slug, "--vram", "26", "--ram", "64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hardware"] == "24gb"
    monkeypatch.setattr(config, "PRESETS_DIR", presets)
    assert main(["plan", project.slug, "--vram", "26", "--ram", "64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hardware"] == "26gb"
