"""lora: what a LoRA file of any trainer holds, and the same as files of our own."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from studio.commands.output import Output
from studio.errors import Problem
from studio.models.loras.contents import ExpertLora, LoraFile
from studio.workspace import Workspace


def lora(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    found, refused = [], []
    for path in args.files:
        try:
            found.append(_look(path, out))
        except Problem as e:
            out.print(f"{path.name}\n  {e.in_words()}")
            refused.append(e)
    if refused:
        raise Problem(f"{len(refused)} of {len(args.files)} files can't be used: {refused[0].message}", fix=refused[0].fix)
    return {"files": [file.to_json() for file in found], "written": _write(found, args.write, out) if args.write else []}


def _look(path: Path, out: Output) -> LoraFile:
    from studio.models.loras.reading import read_lora  # it loads torch

    file = read_lora(path)
    out.print(path.name)
    for line in file.describe():
        out.print(f"  {line}")
    return file


def _write(files: list[LoraFile], folder: Path, out: Output) -> list[str]:
    """One file for each expert, in our names, with its strength in its numbers. Problem if one is there, or something would be lost."""
    from studio.models.files.lora_files import save_lora_file  # it loads torch

    planned: dict[Path, ExpertLora] = {}
    for file in files:
        file.require_whole()
        for lora in file.loras:
            path = folder / f"{file.path.stem}{f'_{lora.expert}' if len(file.loras) > 1 else ''}.safetensors"
            if path.exists() or path in planned:
                raise Problem(f"{path} is there already.", cost="Nothing was written.", fix="Choose another folder.")
            planned[path] = lora
    for path, lora in planned.items():
        save_lora_file(path, lora.state, {"expert": lora.expert} if lora.expert else {})
        out.print(f"Wrote {path}")
    return [str(path) for path in planned]
