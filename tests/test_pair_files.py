"""What is said of pairs by their files alone, before anything is drawn."""

import math

import pytest
import torch
from diagnosis_kit import EXPERTS, KINDS, learned, lora_shapes, plant, save_pair, save_run, weaken
from test_sweep import CONFIG

from studio.config import SweepConfig, to_dict
from studio.disk import read_json, write_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.checking import look_at
from studio.evaluation.drawing import run_sweep
from studio.models.files.lora_files import save_lora_file
from studio.models.loras.lora_measures import layer_norms, sketch, total_norm
from studio.models.loras.reading import read_lora
from studio.training.pairs import list_pairs


@pytest.fixture(scope="session")
def shapes(tiny_base):
    return lora_shapes(tiny_base)


def look(project, pairs=None):
    return look_at(project, pairs or list_pairs(project), "tiny", lambda path: None)


def codes(found):
    return [(finding.code, finding.pair[-3:], finding.expert) for finding in found]


def say_nothing(event, **fields):
    pass


def test_the_strength_of_a_layer_is_that_of_the_product_that_is_never_formed(tmp_path, shapes):
    state = learned(shapes, "Anna", "high_noise", 100)
    save_lora_file(tmp_path / "a.safetensors", state, {})
    norms = layer_norms(read_lora(tmp_path / "a.safetensors").only())
    for key, a in state.items():
        if "lora_A" in key:
            b, name = state[key.replace("lora_A", "lora_B")], key.removeprefix("diffusion_model.").removesuffix(".lora_A.weight")
            assert math.isclose(norms[name], float((b @ a).norm()), rel_tol=1e-4)
    assert math.isclose(total_norm(norms), math.sqrt(sum(n**2 for n in norms.values())))


def test_a_sketch_tells_a_file_at_a_fifth_of_its_strength_and_files_that_have_nothing_in_common(tmp_path, shapes):
    states = {"a": learned(shapes, "Anna", "high_noise", 100), "b": learned(shapes, "Berta", "low_noise", 100, seed=3)}
    states["c"] = weaken(states["a"], 0.2)
    rows = {}
    for name, state in states.items():
        save_lora_file(tmp_path / f"{name}.safetensors", state, {})
        rows[name] = torch.tensor(sketch(read_lora(tmp_path / f"{name}.safetensors").only()))
    assert torch.allclose(rows["c"], rows["a"] * 0.2, rtol=1e-4)
    assert abs(torch.cosine_similarity(rows["a"], rows["b"], dim=0)) < 0.15


def test_the_pairs_of_a_healthy_run_are_said_nothing_of(project, shapes):
    save_run(project, shapes, (100, 200, 300, 400))
    assert look(project) == []


def test_a_file_is_read_once_for_its_content(project, shapes):
    save_run(project, shapes, (100, 200))
    look(project)
    kept = sorted((project.cache_dir / "loras").iterdir())
    assert len(kept) == 4
    stamps = [path.stat().st_mtime_ns for path in kept]
    look(project)
    assert [path.stat().st_mtime_ns for path in sorted((project.cache_dir / "loras").iterdir())] == stamps


EXPECTED = {
    "scaled": [("scaled", "200", "")],
    "high emptied": [("empty", "200", "high_noise")],
    "low emptied": [("empty", "200", "low_noise")],
    "swapped": [("swapped", "200", "")],
    "another person's": [("stands-apart", "200", "")],
    "equal files": [("equal-experts", "200", "")],
}


def test_of_two_pairs_without_headers_in_opposite_order_either_may_be_the_swapped_one(project, shapes):
    states = save_run(project, shapes, (100,), headers=False)
    save_pair(project, 200, *states[100][::-1], headers=False)
    found = look(project)
    assert codes(found) == [("swapped", "100", ""), ("swapped", "200", "")]
    assert "or those of step 100 of train-001" in found[1].words


@pytest.mark.parametrize("has_headers", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_fault_gets_its_own_name_and_no_other(project, shapes, kind, has_headers):
    states = save_run(project, shapes, (100, 300, 400, 500))
    source = (learned(shapes, "Anna", e, 200) for e in EXPERTS) if kind not in ("scaled", "swapped") else states[100]
    strange = tuple(learned(shapes, "Berta", e, 200) for e in EXPERTS)
    (high, low), said = plant(kind, tuple(source), strange)
    save_pair(project, 200, high, low, headers=said if has_headers else False)
    found = codes(look(project))
    assert found == EXPECTED[kind]


def test_the_weaker_of_two_equal_files_is_named_whichever_was_saved_first(project, shapes):
    states = save_run(project, shapes, (300,))
    save_pair(project, 100, *(weaken(state, 0.2) for state in states[300]))
    (found,) = look(project)
    assert (found.code, found.pair, found.other) == ("scaled", "train-001/step-000100", "train-001/step-000300")
    assert "at 0.2 of its strength" in found.words and "lower strength" in found.fix


def test_of_several_strengths_of_one_update_the_usual_one_is_the_original(project, shapes):
    states = save_run(project, shapes, (100,))
    for number, factor in ((2, 0.2), (3, 4.0)):
        save_pair(project, 100, *(weaken(state, factor) for state in states[100]), run=f"train-{number:03d}")
    found = look(project)
    assert [(finding.code, finding.pair[:9], finding.other[:9]) for finding in found] == [
        ("scaled", "train-002", "train-001"),
        ("strong-file", "train-003", "train-001"),
    ]
    assert "at 4 times its strength" in found[1].words


def test_another_person_s_pair_of_the_same_workspace_is_named_by_that_project(project, workspace, shapes):
    other = workspace.create_project("Berta", trigger="brta", class_noun="person", base_model="tiny")
    strange = save_run(other, shapes, (200,), person="Berta")[200]
    save_run(project, shapes, (100, 300))
    save_pair(project, 200, *strange)
    found = look(project)
    assert ("other-project", "200", "") in codes(found)
    assert any("project Berta" in finding.sentence for finding in found)


def test_a_pair_saved_twice_is_the_same_file_and_said_of_the_later_one(project, shapes):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, *states[100])
    assert codes(look(project)) == [("same-pair", "200", "")]


def test_an_expert_that_waited_for_its_turn_is_no_finding(project, shapes):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, learned(shapes, "Anna", "high_noise", 200), states[100][1])
    assert codes(look(project)) == [("same-file", "200", "low_noise")]
    for step in (100, 200):
        file = project.runs_dir / f"train-001/checkpoints/step-{step:06d}/manifest.json"
        manifest = read_json(file)
        manifest["experts"]["low_noise"]["steps"] = 50
        write_json(file, manifest)
    assert look(project) == []


def test_a_file_that_is_far_weaker_than_an_earlier_step_is_found_without_its_original(project, shapes):
    save_run(project, shapes, (100, 200, 400))
    high, low = (learned(shapes, "Anna", e, 300) for e in EXPERTS)
    save_pair(project, 300, weaken(high, 0.2), low)
    assert codes(look(project)) == [("weak-file", "300", "high_noise")]


def test_a_file_that_is_far_stronger_than_all_others_is_found(project, shapes):
    save_run(project, shapes, (100, 200, 400))
    high, low = (learned(shapes, "Anna", e, 300) for e in EXPERTS)
    save_pair(project, 300, high, weaken(low, 20))
    assert codes(look(project)) == [("strong-file", "300", "low_noise"), ("weak-file", "400", "low_noise")]


def test_what_can_t_be_used_is_an_error_each_with_its_own_sentence(project, shapes):
    high, low = (learned(shapes, "Anna", e, 100) for e in EXPERTS)
    endless = {key: tensor.clone() for key, tensor in high.items()}
    next(iter(endless.values()))[0, 0] = float("nan")
    other_model = {key: torch.zeros((2, 5120) if "lora_A" in key else (5120, 2)) + 0.01 for key in high}
    for step, states in ((100, (endless, low)), (200, (other_model, low)), (300, (high, low))):
        save_pair(project, step, *states)
    path = next((project.runs_dir / "train-001/checkpoints/step-000300").glob("*low_noise*"))
    path.write_bytes(path.read_bytes()[:-100])
    found = look(project)
    assert codes(found) == [("unreadable", "100", "high_noise"), ("other-model", "200", "high_noise"), ("changed", "300", "low_noise")]
    assert all(finding.is_error and finding.fix for finding in found)
    assert "not finite" in found[0].words and "the model's has" in found[1].words


def test_an_expert_without_a_step_is_the_base_s_and_no_fault_unless_it_is_both(project, shapes):
    high, low = (learned(shapes, "Anna", e, 100) for e in EXPERTS)
    save_pair(project, 100, high, weaken(low, 0), untrained=("low_noise",))
    save_pair(project, 200, weaken(high, 0), weaken(low, 0), untrained=EXPERTS)
    assert codes(look(project)) == [("empty", "200", "")]


# -- before drawing


def draw(project, pairs=None):
    config = SweepConfig(**to_dict(CONFIG) | {"num_inference_steps": 2, "prompts": CONFIG.prompts[:1]})
    run_dir = project.new_run_dir("sweep")
    write_json(run_dir / "config.json", {"kind": "sweep", "config": to_dict(config), "pairs": pairs})
    return run_sweep(config, run_dir, report=say_nothing)


def test_a_file_that_changes_nothing_is_refused_before_drawing_and_without_it_all_goes_on(project, shapes):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, states[100][0], weaken(states[100][1], 0))
    with pytest.raises(Problem) as e:
        draw(project)
    assert (
        "step 200 of train-001 changes nothing" in e.value.message and "Leave" not in e.value.cost and "leave the pair out" in e.value.fix
    )
    (folder,) = sweeps.list_sweeps(project)
    assert not list(folder.glob("cells/*")) and sweeps.read_sweep(folder).findings
    assert draw(project, ["train-001/step-000100"]).rendered == 2


def test_what_only_may_be_wrong_is_drawn_and_noted_in_the_comparison(project, shapes):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, *states[100][::-1], headers=dict(zip(EXPERTS, EXPERTS[::-1])))
    draw(project)
    (folder,) = sweeps.list_sweeps(project)
    assert [finding.code for finding in sweeps.read_sweep(folder).findings] == ["swapped"]
