"""Bundle: one zip with the pair and all that belongs to it, for keeping or for another computer."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from studio.config import to_dict
from studio.disk import write_json
from studio.export.dataset_copy import copy_groups
from studio.export.readme import fill_in
from studio.export.source import Source
from studio.export.target import Target, any_model
from studio.export.targets import comfyui
from studio.export.writing import save_text

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same content gives the same file
STORED = (".safetensors", ".mp4", ".jpg", ".png", ".webp")  # they do not shrink

README = """One LoRA pair for WAN 2.2 with everything that belongs to it
============================================================

lora/          the pair; README-ComfyUI.txt says where it goes
manifest.json  what the files are: step, settings, checksums
settings.json  the settings of the training run
verdict.json   which pair was judged best, and why (if it was compared)
report.html    the comparison; open it in a browser (if there is one)
dataset/       the pictures and captions (only if you asked for them)

Pair: {pair}. Start at strength {strength:g}. Trigger: {trigger}
"""


def write(source: Source, folder: Path) -> None:
    parts = folder / "parts"
    (parts / "lora").mkdir(parents=True)
    comfyui.write(source, parts / "lora")
    (parts / "lora" / "README.txt").rename(parts / "lora" / "README-ComfyUI.txt")
    write_json(parts / "manifest.json", source.pair.manifest.to_json())
    write_json(parts / "settings.json", source.person.to_json() | {"train": to_dict(source.train)})
    if source.report:
        for path in source.report.files:
            shutil.copyfile(path, parts / path.name)
    copy_groups(source.groups, parts, source.tell)
    save_text(parts / "README.txt", fill_in(README, source))
    with zipfile.ZipFile(folder / f"{source.name}.zip", "w") as archive:
        for path in sorted(p for p in parts.rglob("*") if p.is_file()):
            _add_to_zip(archive, path, path.relative_to(parts).as_posix())
    shutil.rmtree(parts)


def _add_to_zip(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    info = zipfile.ZipInfo(name, ZIP_DATE)
    info.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
    with open(path, "rb") as file, archive.open(info, "w", force_zip64=True) as target:
        shutil.copyfileobj(file, target)


TARGET = Target(
    name="bundle",
    title="a bundle",
    writes="one zip of the LoRA files, the settings, the report of the comparison, and the photos if they are asked for",
    version=1,
    write=write,
    serves=any_model,
    dataset="asked",
    with_report=True,
    private="the LoRA files, which can draw the person, the report with clips of them, your trigger word; and your photos, clips and captions if they are in it.",
)
