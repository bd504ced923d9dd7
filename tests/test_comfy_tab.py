"""The Evaluate tab's part about ComfyUI: "Use it" puts the pair there, says what became of it, and takes it back out."""

import pytest
from comfy_kit import HIGH, T2V, make_project, make_whole_comfyui, pair_of
from page_kit import Window

from studio.config import SweepConfig
from studio.evaluation import sweeps
from studio.models.catalogue import link_model
from studio.project_facts import ChosenPair

PROMPTS = ("Beach | [trigger], a [class], at a beach",)


@pytest.fixture
def root(tmp_path):
    return make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))


@pytest.fixture
def compared(workspace, root):
    """(project, the name of a comparison of its pair), where the base model is linked from that ComfyUI."""
    link_model(T2V, root, workspace)
    project = make_project(workspace)
    return project, sweeps.open_sweep(project, SweepConfig(prompts=PROMPTS, strengths=(0.8,), num_inference_steps=8)).name


def told(window):
    return " ".join(remark["text"] for remark in window.value("comfyui-told")["remarks"])


def press_use(window, sweep):
    return window.press("studio-clips", "use", pair="train-001/step-003000", strength="0.8", sweep=sweep)["text"]


def test_use_it_puts_the_pair_into_the_comfyui_that_the_base_model_is_linked_from(workspace, compared, root):
    project, sweep = compared
    window = Window(workspace, project.slug)
    window.open("evaluate")
    said = press_use(window, sweep)
    assert said.startswith("Step 3,000 at 0.8 is yours now.") and f"Copied {HIGH} and " in said and "In ComfyUI press W" in said
    text = (root / "user/default/workflows/anna_run1_step3000 text to video.json").read_text(encoding="utf-8")
    assert "ohwx, a woman, at a beach" in text
    window.look()
    assert f"Copied {HIGH}" in told(window) and str(root) in told(window)
    assert "open a workflow in ComfyUI" in window.value("next-evaluate")["text"]
    said = window.press("take-back-comfyui", "click")["text"]
    assert said.startswith("Taken back out: ") and not (root / "models/loras" / HIGH).exists()
    window.look()
    assert "not in ComfyUI" in told(window)


def test_without_a_comfyui_the_choice_holds_and_the_way_is_said(workspace, compared, tmp_path):
    project, sweep = compared
    (tmp_path / "ComfyUI").rename(tmp_path / "drive unplugged")
    (tmp_path / "drive unplugged/main.py").unlink()
    window = Window(workspace, project.slug)
    window.open("evaluate")
    said = press_use(window, sweep)
    assert "is yours now" in said and "No ComfyUI was found" in said and "under ComfyUI" in said
    assert project.facts().chosen.pair == "train-001/step-003000"
    window.look()
    assert window.value("next-evaluate")["button"]["place"] == "tab:evaluate/comfyui"


def test_the_named_folder_is_used_from_then_on(workspace, root, tmp_path):
    project = make_project(workspace)
    window = Window(workspace, project.slug)
    window.open("evaluate")
    assert "Press Use it" in told(window)
    assert window.press("put-comfyui", "click")["text"] == "No pair is chosen yet."
    project.update(chosen=ChosenPair(pair=pair_of(project).id, step=3000, strength=0.7, folder=""))
    window.look()
    assert "No ComfyUI was found" in window.press("put-comfyui", "click")["text"]
    (tmp_path / "photos").mkdir()
    window.held[window.control("comfyui-folder")._id] = str(tmp_path / "photos")
    assert "is no ComfyUI" in window.press("put-comfyui", "click")["text"]
    window.held[window.control("comfyui-folder")._id] = f'"{root}"'
    assert f"Copied {HIGH}" in window.press("put-comfyui", "click")["text"]
    assert workspace.facts().comfyui == str(root)


def test_an_earlier_pair_in_comfyui_is_told_from_the_one_that_is_chosen_now(workspace, root):
    project = make_project(workspace)
    project.update(chosen=ChosenPair(pair=pair_of(project).id, step=3000, strength=0.7, folder=""))
    window = Window(workspace, project.slug)
    window.open("evaluate")
    window.held[window.control("comfyui-folder")._id] = str(root)
    window.press("put-comfyui", "click")
    project.update(chosen=ChosenPair(pair="train-002/step-001000", step=1000, strength=0.7, folder=""))
    window.look()
    assert "train-001/step-003000 is in " in told(window) and "not in ComfyUI" in told(window)
    assert "open a workflow" not in window.value("next-evaluate")["text"]


def test_a_pair_of_the_built_in_model_says_why_it_stays_here(workspace, root):
    project = make_project(workspace, "tiny")
    project.update(chosen=ChosenPair(pair=pair_of(project).id, step=3000, strength=0.7, folder=""))
    window = Window(workspace, project.slug)
    window.open("evaluate")
    window.held[window.control("comfyui-folder")._id] = str(root)
    assert "ComfyUI can't draw with" in window.press("put-comfyui", "click")["text"]
