"""The captioners that can be downloaded, and whether one that lies in a folder is whole. They are in transformers form. Torch-free."""

from pathlib import Path

from studio.errors import Problem
from studio.models.files.weight_files import read_header
from studio.models.preset import captioner_preset, list_captioners
from studio.workspace import read_json, read_path, write_atomic

INDEX = "model.safetensors.index.json"  # which file holds which weights, where there is more than one
AGAIN = "download the model's folder again, every file of it; only safetensors weights are read"


def captioner_folder(name, workspace):
    """Where a captioner lies, or would: models/<name>, else where the one line of text in models/<name>.path says. An absolute name is its own place."""
    folder = workspace.models_dir / name
    link = _link_file(folder.name, workspace)
    return read_path(link) if not folder.is_dir() and link.is_file() else folder


def describe_captioner(name, workspace):
    """{"name", "title", "available", "reason"}; the reason is a sentence, "" if available."""
    reason = ""
    try:
        check_captioner(captioner_folder(name, workspace))
    except (Problem, ValueError) as e:
        reason = f"{e}"
    return {"name": name, "title": captioner_preset(name).title, "available": not reason, "reason": reason}


def link_captioner(name, folder, workspace):
    """Use a captioner that is on this computer already, where it is. Problem if it is not whole; an earlier link stays then."""
    folder = Path(folder).expanduser().resolve()
    check_captioner(folder)
    write_atomic(_link_file(name, workspace), f"{folder}\n".encode())
    return folder


def _link_file(name, workspace):
    return workspace.models_dir / f"{name}.path"


def check_captioner(folder):
    """Problem if the folder, or a file in it that a captioner needs, is not there, or its weights are not whole."""
    if not folder.is_dir():
        raise _not_here(folder)
    needed = {
        "config.json": ["config.json"],
        "weights as *.safetensors": ["*.safetensors"],
        "a processor (processor_config.json or preprocessor_config.json)": ["processor_config.json", "preprocessor_config.json"],
        "a tokenizer (tokenizer.json or vocab.json)": ["tokenizer.json", "vocab.json"],
    }
    missing = [what for what, patterns in needed.items() if not any(any(folder.glob(p)) for p in patterns)]
    missing += [name for name in _list_shards(folder) if not (folder / name).is_file()]
    if missing:
        message = f"the captioner in {folder.name!r} is not whole: {', '.join(missing)} missing"
        raise Problem(
            message, cost="Nothing was changed.", fix=AGAIN, action="download-captioner" if folder.name in list_captioners() else ""
        )
    for path in sorted(folder.glob("*.safetensors")):
        read_header(path, folder)  # a copy that broke off, before somebody waits for captions


def _list_shards(folder):
    """The weight files that the index names; none without an index."""
    if not (folder / INDEX).is_file():
        return []
    try:
        return sorted({str(name) for name in read_json(folder / INDEX)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem(f"{INDEX} of the captioner in {folder.name!r} is damaged", cost="Nothing was changed.", fix=AGAIN) from None


def _not_here(folder):
    by_hand = "or write the captions by hand in the Dataset tab"
    if folder.name in list_captioners():
        return Problem(
            f"the captioner {folder.name!r} is not on this computer",
            cost="Nothing was changed.",
            fix=f"download it in the Dataset tab or with `python -m studio download {folder.name}`, put its folder at {folder} if you have it, {by_hand}",
            action="download-captioner",
        )
    return Problem(
        f"the captioner {folder.name!r} is not on this computer",
        cost="Nothing was changed.",
        fix=f"put the model's folder at {folder}, or its place as one line of text into {folder.name}.path beside it, {by_hand}",
        action="open-dataset",
    )
