"""Our workflows beside ComfyUI's own for WAN: the same nodes with the same inputs, outputs and boxes, and the numbers of the comparison in them."""

import json
from dataclasses import replace

import pytest
from comfy_judge import LINKED, box_names, documented, graphs_of, seen_nodes, templates
from comfy_kit import HIGH, I2V, LOW, QUICK, T2V, make_project, make_quick_lora, make_whole_comfyui, pair_of
from comfyui_kit import write_header

from studio.config import SweepConfig
from studio.evaluation.prompts import resolve_prompts
from studio.evaluation.sweep_facts import ComparedPair, Sweep
from studio.export.comfy.installation import find_installation
from studio.export.comfy.nodes import NODES, NOTE
from studio.export.comfy.use import put_into_comfyui
from studio.models.files.layouts import wan_shapes
from studio.models.preset import model_preset
from studio.models.simple_schedule import simple_sigmas
from studio.workspace import Workspace

PROMPTS = ("Stranger | another [class] on a street", "Beach | [trigger], a [class], at a beach")


def sweep_of(model=T2V, **settings):
    config = SweepConfig(prompts=PROMPTS, **settings)
    return Sweep(
        created=0.0,
        base_model=model,
        base_key="",
        fps=16,
        settings={"prompts": list(PROMPTS)} | settings,
        prompts=resolve_prompts(config.prompts, "ohwx", "woman"),
        pairs=(ComparedPair(id="train-001/step-003000", run="train-001", step=3000, high_sha256="", low_sha256=""),),
        cells=(),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return find_installation(make_whole_comfyui(tmp_path_factory.mktemp("whole") / "ComfyUI", quick=("t2v", "i2v")))


def made_by(used, ending):
    return {
        path.name.removesuffix(ending).removeprefix("anna_run1_step3000 "): json.loads(path.read_text(encoding="utf-8"))
        for path in used.folder.iterdir()
        if path.name.endswith(ending) and (ending != ".json" or "(API)" not in path.name)
    }


def pages(used):
    return made_by(used, ".json")


def apis(used):
    return made_by(used, " (API).json")


def nodes_of(api, kind):
    return [node["inputs"] for node in api.values() if node["class_type"] == kind]


@pytest.fixture(scope="module")
def used(whole, tmp_path_factory):
    project = make_project(Workspace(tmp_path_factory.mktemp("home")))
    return put_into_comfyui(project, whole, pair_of(project), 0.8, sweep_of(flow_shift=5.0, seeds=(7,), negative_prompt="blurry"))


def test_four_workflows_are_written_where_everything_is_there(used):
    assert set(pages(used)) == {"text to video", "image to video", "text to video, 4 steps", "image to video, 4 steps"} == set(apis(used))


def test_every_node_has_the_inputs_outputs_and_boxes_that_comfyuis_own_workflows_have(used):
    known = seen_nodes()
    for workflow in pages(used).values():
        for node in workflow["nodes"]:
            seen = known[node["type"]]
            sockets = tuple((i["name"], i["type"]) for i in node["inputs"])
            assert sockets in seen.sockets, (node["type"], sockets)
            assert tuple((o["name"], o["type"]) for o in node["outputs"]) in seen.outputs or node["type"] == "SaveVideo"
            lengths = {len(values) for values in seen.values}
            assert len(node["widgets_values"]) in lengths or node["type"] == "VAEDecode"
            if node["type"] != NOTE:
                assert box_names(node["type"])[: len(node["widgets_values"])] == list(NODES[node["type"]].widgets)


def test_every_value_is_of_the_kind_that_comfyuis_own_workflows_have_there(used):
    known = seen_nodes()
    for workflow in pages(used).values():
        for node in workflow["nodes"]:
            for place, value in enumerate(node["widgets_values"]):
                kinds = {type(values[place]) for values in known[node["type"]].values if len(values) > place}
                assert type(value) in kinds or (type(value) is float and int in kinds), (node["type"], place, value)
    choices = {(node, place) for node, place in (("CLIPLoader", 1), ("KSamplerAdvanced", 5), ("KSamplerAdvanced", 6), ("SaveVideo", 1))}
    for node, place in choices:
        used_there = {values[place] for values in known[node].values if len(values) > place}
        assert {n["widgets_values"][place] for w in pages(used).values() for n in w["nodes"] if n["type"] == node} <= used_there


def test_only_nodes_of_comfyuis_own_wan_workflows_are_used(used):
    of_wan = {node["type"] for name, w in templates().items() if "wan" in name.lower() for graph in graphs_of(w) for node in graph["nodes"]}
    ours = {node["type"] for workflow in pages(used).values() for node in workflow["nodes"]}
    assert ours <= of_wan


def test_every_link_begins_and_ends_at_slots_of_its_type(used):
    for workflow in pages(used).values():
        nodes = {node["id"]: node for node in workflow["nodes"]}
        for number, start, out, end, into, kind in workflow["links"]:
            source, target = nodes[start]["outputs"][out], nodes[end]["inputs"][into]
            assert source["type"] == target["type"] == kind
            assert number in source["links"] and target["link"] == number
        named = [i["link"] for node in workflow["nodes"] for i in node["inputs"] if i["link"] is not None]
        assert sorted(named) == sorted(link[0] for link in workflow["links"])
        assert workflow["last_node_id"] == max(nodes) and workflow["last_link_id"] == len(workflow["links"])


def test_no_node_lies_on_another(used):
    for workflow in pages(used).values():
        boxes = [(*node["pos"], *node["size"]) for node in workflow["nodes"]]
        for number, (x, y, width, height) in enumerate(boxes):
            for a, b, w, h in boxes[number + 1 :]:
                assert x + width <= a or a + w <= x or y + height <= b or b + h <= y


def test_the_api_form_gives_every_input_that_the_nodes_pages_ask_for_and_no_other(used):
    optional = {"audio", "bit_depth", "color_space", "clip_vision_output", "start_image", "ref_pad_image"}
    for api in apis(used).values():
        for node in api.values():
            known = documented(node["class_type"])
            assert node["inputs"].keys() <= known.keys()
            left_out = known.keys() - node["inputs"].keys() - optional
            assert not left_out or (node["class_type"], left_out) == ("CreateVideo", {"codec"})
            for name, value in node["inputs"].items():
                assert isinstance(value, list) == (known[name] in LINKED), (node["class_type"], name)


def test_the_numbers_of_the_comparison_the_pair_and_its_prompt_are_in_it(used):
    api = apis(used)["text to video"]
    assert [n["unet_name"] for n in nodes_of(api, "UNETLoader")] == [
        f"wan2.2_t2v_{noise}_noise_14B_fp8_scaled.safetensors" for noise in ("high", "low")
    ]
    assert [(n["lora_name"], n["strength_model"]) for n in nodes_of(api, "LoraLoaderModelOnly")] == [(HIGH, 0.8), (LOW, 0.8)]
    assert [n["text"] for n in nodes_of(api, "CLIPTextEncode")] == ["ohwx, a woman, at a beach", "blurry"]
    assert [n["shift"] for n in nodes_of(api, "ModelSamplingSD3")] == [5.0, 5.0]
    high, low = nodes_of(api, "KSamplerAdvanced")
    assert (high["noise_seed"], high["steps"], high["cfg"], high["sampler_name"], high["scheduler"]) == (7, 20, 3.5, "euler", "simple")
    assert (high["add_noise"], high["return_with_leftover_noise"]) == ("enable", "enable")
    assert (low["add_noise"], low["return_with_leftover_noise"]) == ("disable", "disable")
    assert (high["start_at_step"], high["end_at_step"], low["start_at_step"]) == (0, 9, 9)
    assert nodes_of(api, "EmptyHunyuanLatentVideo") == [{"width": 480, "height": 832, "length": 33, "batch_size": 1}]
    assert nodes_of(api, "CreateVideo")[0]["fps"] == 16


def test_each_lora_is_behind_its_own_expert_and_each_expert_at_its_own_sampler(used):
    """Swapped, the person does not appear."""
    for api in apis(used).values():
        chains = []
        for sampler in (node for node in api.values() if node["class_type"] == "KSamplerAdvanced"):
            names, node = [], sampler
            while "model" in node["inputs"]:
                node = api[node["inputs"]["model"][0]]
                names += [node["inputs"][name] for name in ("lora_name", "unet_name") if name in node["inputs"]]
            chains.append(" ".join(names).lower())
        assert len(chains) == 2 and "low" not in chains[0] and "high" not in chains[1]
        first, second = [number for number, node in api.items() if node["class_type"] == "KSamplerAdvanced"]
        assert api[second]["inputs"]["latent_image"] == [first, 0]


def test_the_picture_goes_into_the_image_to_video_workflow_and_its_own_boundary_holds(used):
    api = apis(used)["image to video"]
    assert nodes_of(api, "UNETLoader")[0]["unet_name"] == "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors"
    [node] = nodes_of(api, "WanImageToVideo")
    assert api[node["start_image"][0]]["inputs"] == {"image": "example.png"}
    assert nodes_of(api, "KSamplerAdvanced")[0]["end_at_step"] == sum(sigma >= 0.9 for sigma in simple_sigmas(20, 5.0)[:-1]) == 8


def test_in_four_steps_there_is_no_guidance_and_the_experts_change_after_two(used):
    for kind in ("t2v", "i2v"):
        api = apis(used)["text to video, 4 steps" if kind == "t2v" else "image to video, 4 steps"]
        high, low = nodes_of(api, "KSamplerAdvanced")
        assert (high["steps"], high["cfg"], high["end_at_step"], low["start_at_step"], low["cfg"]) == (4, 1.0, 2, 2, 1.0)
        loras = [(n["lora_name"], n["strength_model"]) for n in nodes_of(api, "LoraLoaderModelOnly")]
        quick = [QUICK.format(kind=kind, version="v1", noise=noise) for noise in ("high", "low")]
        assert loras == [(quick[0], 1.0), (HIGH, 0.8), (quick[1], 1.0), (LOW, 0.8)]


@pytest.mark.parametrize("kinds", [("t2v",), ("i2v",), ()])
def test_what_this_comfyui_lacks_is_said_and_the_rest_is_written(workspace, tmp_path, kinds):
    comfyui = find_installation(make_whole_comfyui(tmp_path / "ComfyUI", kinds))
    project = make_project(workspace)
    done = put_into_comfyui(project, comfyui, pair_of(project), 0.7)
    words = {"t2v": "text-to-video", "i2v": "image-to-video"}
    for kind, word in words.items():
        missing = [sentence for sentence in done.said if sentence.startswith(f"There is no {word} workflow: The ")]
        assert bool(missing) == (kind not in kinds)
        assert not any("is an expert of" in sentence for sentence in missing)  # of the other kind, and no news
        no_quick = [sentence for sentence in done.said if f"wan2.2_{kind}_lightx2v_4steps_lora" in sentence]
        assert bool(no_quick) == (kind in kinds)
    names = {"t2v": "text to video", "i2v": "image to video"}
    assert (set(pages(done)) if done.folder else set()) == {names[kind] for kind in kinds}
    assert ("No workflow could be written." in done.said) == (not kinds)


def test_a_pair_of_the_image_to_video_model_comes_first_there_and_keeps_its_boundary(workspace, whole):
    project = make_project(workspace, I2V)
    done = put_into_comfyui(project, whole, pair_of(project), 0.7)
    assert nodes_of(apis(done)["image to video"], "KSamplerAdvanced")[0]["end_at_step"] == 8
    assert nodes_of(apis(done)["text to video"], "KSamplerAdvanced")[0]["end_at_step"] == 9


def test_an_expert_that_was_not_trained_has_no_lora(workspace, whole):
    project = make_project(workspace, trained=("low_noise",))
    api = apis(put_into_comfyui(project, whole, pair_of(project), 0.7))["text to video"]
    assert [n["lora_name"] for n in nodes_of(api, "LoraLoaderModelOnly")] == [LOW]


@pytest.mark.parametrize("model", ["wan21-t2v-1.3b", "wan22-ti2v-5b"])
def test_a_model_of_one_expert_has_one_sampler_from_first_to_last(workspace, tmp_path, model):
    preset, root = model_preset(model), make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))
    entries = {name: ("F16", shape, b"") for name, shape in wan_shapes(preset.expect).items()}
    write_header(root / "models/diffusion_models/wan one.safetensors", entries)
    channels = preset.configs["vae"]["z_dim"]
    write_header(
        root / "models/vae/own.safetensors",
        {"encoder.conv1.weight": ("BF16", (96, 3, 3, 3, 3), b""), "conv2.weight": ("BF16", (channels, channels, 1, 1, 1), b"")},
    )
    project = make_project(workspace, model)
    done = put_into_comfyui(project, find_installation(root), pair_of(project), 0.7)
    assert set(pages(done)) == {"text to video"}
    [sampler] = nodes_of(apis(done)["text to video"], "KSamplerAdvanced")
    assert (sampler["add_noise"], sampler["start_at_step"], sampler["end_at_step"]) == ("enable", 0, 10000)
    assert sampler["return_with_leftover_noise"] == "disable"
    latents = "Wan22ImageToVideoLatent" if channels > 16 else "EmptyHunyuanLatentVideo"
    assert len(nodes_of(apis(done)["text to video"], latents)) == 1


def test_of_two_forms_the_small_one_is_taken_unless_the_studio_is_linked_to_the_other(workspace, tmp_path):
    root = make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))
    preset = model_preset(T2V)
    for noise in ("high", "low"):
        entries = {name: ("F16", shape, noise.encode()) for name, shape in wan_shapes(preset.expect).items()}
        write_header(root / f"models/diffusion_models/wan2.2_t2v_{noise}_noise_14B_fp16.safetensors", entries)
    project = make_project(workspace)
    done = put_into_comfyui(project, find_installation(root), pair_of(project), 0.7)
    assert "fp8_scaled" in nodes_of(apis(done)["text to video"], "UNETLoader")[0]["unet_name"]


@pytest.mark.parametrize("name", ["wan2.2_t2v_high_noise_lightx2v_4steps", "t2v_lightx2v_4steps"])
def test_a_four_step_lora_of_another_model_or_without_its_partner_is_not_taken(workspace, tmp_path, name):
    root = make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))
    make_quick_lora(root / "models/loras" / f"{name}.safetensors")
    for noise in ("high", "low"):
        make_quick_lora(root / "models/loras" / f"wan_5b_t2v_{noise}_lightx2v_4steps.safetensors", 3072, 30)
    project = make_project(workspace)
    assert set(pages(put_into_comfyui(project, find_installation(root), pair_of(project), 0.7))) == {"text to video"}


def test_of_two_versions_of_the_four_step_loras_the_newer_is_taken(workspace, tmp_path):
    root = make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",), quick=("t2v",))
    for noise in ("high", "low"):
        make_quick_lora(root / "models/loras/fast" / QUICK.format(kind="t2v", version="v1.1", noise=noise))
    project = make_project(workspace)
    api = apis(put_into_comfyui(project, find_installation(root), pair_of(project), 0.7))["text to video, 4 steps"]
    assert nodes_of(api, "LoraLoaderModelOnly")[0]["lora_name"] == "fast/" + QUICK.format(kind="t2v", version="v1.1", noise="high")


def test_without_a_prompt_that_asks_for_the_person_the_usual_one_is_drawn(workspace, whole):
    project = make_project(workspace)
    sweep = replace(sweep_of(), prompts=sweep_of().prompts[:1])
    api = apis(put_into_comfyui(project, whole, pair_of(project), 0.7, sweep))["text to video"]
    assert "ohwx" in nodes_of(api, "CLIPTextEncode")[0]["text"]


def test_a_second_pair_of_other_steps_has_other_workflows(workspace, whole):
    project = make_project(workspace)
    first = put_into_comfyui(project, whole, pair_of(project), 0.7)
    again = put_into_comfyui(project, whole, pair_of(project), 0.7)
    other = put_into_comfyui(project, whole, pair_of(project), 0.9)
    assert first.folder == again.folder != other.folder
