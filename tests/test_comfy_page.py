"""Each of our workflows opens in ComfyUI's own page without a missing node or link, and is the drawing there that our API form is."""

import json

import pytest
from comfy_judge import OPTIONAL
from comfy_kit import make_project, make_whole_comfyui, pair_of
from comfy_page_kit import OPEN, OPEN_API, comfyui_page

from studio.export.comfy.installation import EXPERTS, LORAS, TEXT_ENCODERS, VAES, find_installation
from studio.export.comfy.nodes import NODES, NOTE
from studio.export.comfy.use import put_into_comfyui
from studio.workspace import Workspace

LISTS = {
    ("UNETLoader", "unet_name"): EXPERTS,
    ("LoraLoaderModelOnly", "lora_name"): LORAS,
    ("CLIPLoader", "clip_name"): TEXT_ENCODERS,
    ("VAELoader", "vae_name"): VAES,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(ComfyUI, the folder of workflows for a pair in it)."""
    home = tmp_path_factory.mktemp("home of the page")
    comfyui = find_installation(make_whole_comfyui(home / "ComfyUI", quick=("t2v", "i2v")))
    project = make_project(Workspace(home / "workspace"))
    return comfyui, put_into_comfyui(project, comfyui, pair_of(project), 0.8).folder


@pytest.fixture(scope="module")
def page(made):
    choices = {place: sorted(made[0].list_names(kind)) for place, kind in LISTS.items()} | {("LoadImage", "image"): ["example.png"]}
    with comfyui_page([name for name in NODES if name != NOTE], choices) as shown:
        yield shown


KINDS = ["text to video", "text to video, 4 steps", "image to video", "image to video, 4 steps"]


def read(folder, kind):
    """(for the page, for the API)"""
    names = (f"anna_run1_step3000 {kind}{ending}" for ending in (".json", " (API).json"))
    return [json.loads((folder / name).read_text(encoding="utf-8")) for name in names]


def stated(prompt, api):
    """{number: (type, inputs)} of a drawing, without the optional inputs that its page fills in where a workflow says nothing of them."""
    found = {}
    for number, node in prompt.items():
        left_to_the_page = set(OPTIONAL.get(node["class_type"], ())) - api[number]["inputs"].keys()
        found[number] = node["class_type"], {name: value for name, value in node["inputs"].items() if name not in left_to_the_page}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_workflow_opens_in_comfyuis_own_page_and_draws_what_its_api_form_draws(made, page, kind):
    ui, api = read(made[1], kind)
    opened = page.evaluate(OPEN, ui)
    assert [node["type"] for node in opened["nodes"]] == [node["type"] for node in ui["nodes"]]
    assert not [node["type"] for node in opened["nodes"] if node["errors"] or not node["known"]]
    assert sorted(opened["links"]) == sorted(ui["links"])
    assert stated(opened["prompt"], api) == {number: (node["class_type"], node["inputs"]) for number, node in api.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_form_opens_in_the_page_too(made, page, kind):
    _, api = read(made[1], kind)
    opened = page.evaluate(OPEN_API, api)
    assert sorted(opened["types"]) == sorted(node["class_type"] for node in api.values())
    assert stated(opened["prompt"], api) == {number: (node["class_type"], node["inputs"]) for number, node in api.items()}


def test_the_page_tells_a_node_that_is_missing_and_a_link_that_does_not_fit(made, page):
    """What the tests above look for is seen where it is."""
    ui, _ = read(made[1], KINDS[0])
    ui["nodes"][0]["type"] = "NodeOfNobody"
    assert [node["type"] for node in page.evaluate(OPEN, ui)["nodes"] if not node["known"]] == ["NodeOfNobody"]
    ui, _ = read(made[1], KINDS[0])
    dropped = ui["links"].pop()
    assert dropped not in page.evaluate(OPEN, ui)["links"]
