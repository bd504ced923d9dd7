"""ComfyUI's own parts as a judge of our workflows: its WAN workflows, the pages that explain its nodes, and what both say of a node."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

WHERE = "it is in tests/requirements-alone.txt"
LINKED = ("MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "VIDEO", "AUDIO", "CLIP_VISION_OUTPUT")
ONLY_ON_THE_PAGE = {"KSamplerAdvanced": {2: "control_after_generate"}, "LoadImage": {1: "upload"}}  # values that no list of inputs names


def part(name: str) -> Path:
    """The folder of a package of ComfyUI's; the test is skipped where it is not installed."""
    module = pytest.importorskip(name, reason=f"{name} is not installed; {WHERE}")
    return Path(module.__file__).parent


@cache
def templates() -> dict[str, dict[str, Any]]:
    """{name: workflow} of ComfyUI's own workflows."""
    folder = part("comfyui_workflow_templates_json") / "templates"
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return {name: data for name, data in found.items() if isinstance(data, dict) and "nodes" in data}


def graphs_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """The workflow and the graphs inside its nodes."""
    return [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]


@dataclass
class Seen:
    """What ComfyUI's workflows show of one type of node."""

    sockets: Counter = field(default_factory=Counter)  # ((name, type), ...)
    outputs: Counter = field(default_factory=Counter)
    values: list[list[Any]] = field(default_factory=list)  # what was in its boxes
    widgets: dict[str, str] = field(default_factory=dict)  # {box: type}, as far as a workflow names them


@cache
def seen_nodes() -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for workflow in templates().values():
        for node in (node for graph in graphs_of(workflow) for node in graph["nodes"]):
            seen = found.setdefault(node["type"], Seen())
            inputs = [(i["name"], str(i["type"])) for i in node.get("inputs", []) if not i.get("widget")]
            seen.sockets[tuple(inputs)] += 1
            seen.outputs[tuple((o["name"], str(o["type"])) for o in node.get("outputs", []))] += 1
            seen.widgets |= {i["name"]: str(i["type"]) for i in node.get("inputs", []) if i.get("widget")}
            if isinstance(node.get("widgets_values"), list):
                seen.values.append(node["widgets_values"])
    return found


@cache
def documented(node: str) -> dict[str, str]:
    """{input: type} in the order of the page that explains a node."""
    page = part("comfyui_embedded_docs") / "docs" / node / "en.md"
    text = page.read_text(encoding="utf-8").split("## Inputs", 1)[1]
    rows = []
    for line in text.lstrip().splitlines():
        if not line.strip().startswith("|"):
            if rows:
                break
            continue
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    kind = next(number for number, head in enumerate(rows[0]) if "type" in head.lower() or "dtype" in head.lower())
    return {row[0].strip("`"): row[kind].strip("`") for row in rows[2:]}


def box_names(node: str) -> list[str]:
    """The names of a node's boxes in their order: as its page has its inputs, with those that only ComfyUI's page knows."""
    kinds = documented(node)
    names = [name for name, kind in kinds.items() if re.split(r"\W", kind)[0] not in LINKED]
    for place, name in sorted(ONLY_ON_THE_PAGE.get(node, {}).items()):
        names.insert(place, name)
    return names


def object_info(node: str, choices: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    """What ComfyUI's server says of a node, made of what its pages and workflows say. choices: {(node, input): what can be chosen}."""
    kinds, seen = documented(node), seen_nodes()[node]
    sockets = dict(max(seen.sockets, key=len))
    names = box_names(node)
    required: dict[str, Any] = {}
    for name, kind in kinds.items():
        if name in sockets or re.split(r"\W", kind)[0] in LINKED:
            required[name] = [sockets.get(name, kind)]
        else:
            required[name] = _box(node, name, seen, names, choices)
    outputs = [kind for _, kind in max(seen.outputs, key=len)]
    optional = {name: required.pop(name) for name in list(required) if name in OPTIONAL.get(node, ())}
    order = {"required": list(required), "optional": list(optional)}
    about = {
        "name": node,
        "display_name": node,
        "description": "",
        "category": "test",
        "python_module": "nodes",
        "output_node": not outputs,
    }
    return {
        "input": {"required": required, "optional": optional},
        "input_order": order,
        "output": outputs,
        "output_name": [name for name, _ in max(seen.outputs, key=len)],
        "output_is_list": [False] * len(outputs),
    } | about


OPTIONAL = {
    "CreateVideo": ("audio", "bit_depth", "color_space", "codec"),
    "WanImageToVideo": ("clip_vision_output", "start_image", "ref_pad_image"),
    "Wan22ImageToVideoLatent": ("start_image",),
}


def _box(node: str, name: str, seen: Seen, names: list[str], choices: dict[tuple[str, str], list[str]]) -> list[Any]:
    kind = seen.widgets.get(name) or re.split(r"\W", documented(node)[name])[0]
    place = names.index(name)
    used = [values[place] for values in seen.values if len(values) > place]
    if (node, name) in choices:
        return [choices[node, name]]
    if kind in ("INT", "FLOAT"):
        seeded = {"control_after_generate": True} if names[place + 1 : place + 2] == ["control_after_generate"] else {}
        return [kind, {"default": 0, "min": -1e18, "max": 1e18} | seeded]
    if kind == "STRING":
        return ["STRING", {"multiline": name == "text"}]
    return [sorted({value for value in used if isinstance(value, str)} or {"default", "auto", "none"})]
