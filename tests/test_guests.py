"""Pairs that were made elsewhere stand beside the project's own: every spelling that can be read, one file or two, with the trigger that they need."""

import json
import shutil
from dataclasses import replace

import pytest
from diagnosis_kit import EXPERTS, learned, lora_shapes, save_pair, save_run, weaken
from lora_kit import dotted, header, joined, spell, write
from test_lora_spellings import SPELLINGS
from test_pair_files import codes, draw, look
from verdict_kit import make_seen_sweep, name, rescored

from studio import cli
from studio.disk import read_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.guests.guest_intake import add_guest, add_pair_of
from studio.evaluation.guests.guest_list import find_guest, list_guests, remove_guest
from studio.evaluation.judge.verdict import verdict
from studio.evaluation.sweep_plan import select_pairs
from studio.models.loras.names import LAYERS
from studio.models.loras.reading import read_lora_file


def matrices(state):
    """{(block, layer): (A, B)} of a state in our keys."""
    found = {}
    for key in (key for key in state if "lora_A" in key):
        _, _, block, layer = key.removesuffix(".lora_A.weight").split(".", 3)
        found[int(block), layer] = state[key], state[key.replace("lora_A", "lora_B")]
    assert {layer for _, layer in found} <= set(LAYERS)
    return found


@pytest.fixture(scope="session")
def shapes(tiny_base):
    return lora_shapes(tiny_base)


@pytest.fixture
def states(shapes):
    return {expert: learned(shapes, "Anna", expert, 100) for expert in EXPERTS}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_two_files_of_any_spelling_told_by_their_names_become_a_guest_with_the_same_numbers(project, tmp_path, states, spelling):
    files = [
        write(tmp_path / f"maria_{expert}.safetensors", spell(matrices(states[expert]), SPELLINGS[spelling]), {"trigger_word": "m4ria"})
        for expert in EXPERTS
    ]
    guest = add_guest(project, files)
    assert (guest.id, guest.facts.title, guest.facts.trigger, guest.facts.trigger_from) == ("guests/guest-001", "maria", "m4ria", "header")
    for expert in EXPERTS:
        state, metadata = read_lora_file(guest.pair.files[expert])
        assert metadata["expert"] == expert
        assert all((state[key] - tensor).abs().max() < 1e-6 for key, tensor in states[expert].items())


def test_a_pair_in_one_file_becomes_two_and_its_strength_by_header_counts(project, tmp_path, states):
    tensors = spell(matrices(states["high_noise"]), dotted("transformer.", theirs=True))
    tensors |= spell(matrices(states["low_noise"]), dotted("transformer_2.", theirs=True))
    config = {"r": 2, "lora_alpha": 4}
    guest = add_guest(
        project, [write(tmp_path / "both.safetensors", tensors, header(transformer=config, transformer_2=config))], trigger="m4ria"
    )
    assert set(guest.pair.files) == set(EXPERTS)
    for expert, path in guest.pair.files.items():
        state, twice = read_lora_file(path)[0], weaken(states[expert], 2)
        assert all((state[key] - tensor).abs().max() < 1e-5 for key, tensor in twice.items())


def test_one_file_that_names_no_expert_serves_both_and_is_no_finding(project, tmp_path, states):
    guest = add_guest(
        project, [write(tmp_path / "old.safetensors", spell(matrices(states["high_noise"]), joined("lora_unet_")))], trigger="x1"
    )
    assert guest.facts.for_both and set(guest.pair.files) == set(EXPERTS)
    assert look(project, [guest.pair]) == []


def test_one_file_of_one_expert_leaves_the_other_to_the_base(project, tmp_path, states):
    guest = add_guest(project, [write(tmp_path / "x_low_noise.safetensors", states["low_noise"])], trigger="x1")
    assert set(guest.pair.files) == {"low_noise"} and not guest.facts.for_both


def test_two_files_of_which_nothing_tells_are_asked_about_and_a_person_may_say_it(project, tmp_path, states):
    one, two = (write(tmp_path / f"{letter}.safetensors", states[expert]) for letter, expert in zip("ab", EXPERTS, strict=True))
    with pytest.raises(Problem) as e:
        add_guest(project, [one, two], trigger="x1")
    assert "Nothing tells which expert a.safetensors and b.safetensors are for" in e.value.message and "--high" in e.value.fix
    guest = add_guest(project, [], trigger="x1", named={"high_noise": one, "low_noise": two})
    assert (read_lora_file(guest.pair.files["low_noise"])[0].keys()) == states["low_noise"].keys()
    told = write(tmp_path / "c_high_noise.safetensors", states["high_noise"])
    assert set(add_guest(project, [told, two], trigger="x1").pair.files) == set(EXPERTS)
    with pytest.raises(Problem, match="Two of the files are for the high-noise expert"):
        add_guest(project, [told, write(tmp_path / "d_high_noise.safetensors", states["high_noise"])], trigger="x1")


def test_without_a_trigger_in_its_header_it_is_asked_for_with_a_guess(project, tmp_path, states):
    tags = '{"5_photos": {"m4ria": 20, "smiling": 3}}'
    file = write(tmp_path / "x_high_noise.safetensors", states["high_noise"], {"ss_tag_frequency": tags})
    with pytest.raises(Problem) as e:
        add_guest(project, [file])
    assert 'Most captions of its training said "m4ria"' in e.value.message and "--trigger" in e.value.fix
    assert list_guests(project) == []
    assert add_guest(project, [file], trigger="").facts.trigger == ""


@pytest.mark.parametrize(("change", "words"), [
    (lambda state: weaken(state, 0), "changes nothing"),
    (lambda state: {key: tensor[:, :1] if "lora_A" in key else tensor for key, tensor in state.items()}, "does not fit"),
    (lambda state: state | {"diffusion_model.blocks.0.self_attn.q.dora_scale": next(iter(state.values()))[:, :1]}, "does not apply"),
    (lambda state: {"some.weight": next(iter(state.values()))}, "not a LoRA"),
])  # fmt: skip
def test_what_can_t_be_drawn_or_changes_nothing_is_refused_and_nothing_is_kept(project, tmp_path, states, change, words):
    file = write(tmp_path / "x_high_noise.safetensors", change(states["high_noise"]))
    with pytest.raises(Problem, match=words):
        add_guest(project, [file], trigger="x1")
    assert list_guests(project) == []


def test_a_guest_is_drawn_at_the_same_prompts_and_seeds_with_its_own_trigger(project, tmp_path, shapes, states):
    save_run(project, shapes, (200,))
    guest = add_guest(project, [write(tmp_path / "x_high_noise.safetensors", states["high_noise"])], trigger="m4ria", title="Maria")
    assert [pair.id for pair in select_pairs(project)] == ["train-001/step-000200"]  # all pairs are all of one's own
    result = draw(project, ["train-001/step-000200", guest.id])
    sweep = sweeps.read_sweep(project.sweep_dir(result.sweep))
    cells = {cell.pair: cell for cell in sweep.cells}
    assert (result.rendered, result.failed) == (3, 0)
    assert sweep.text_of(cells[guest.id]) == sweep.text_of(cells[None]).replace("ohwx", "m4ria") != sweep.text_of(cells[None])
    assert cells[guest.id].row == cells[None].row and cells[guest.id].scores["applied"]
    other = add_guest(project, [tmp_path / "x_high_noise.safetensors"], trigger="", title="Nobody")
    draw(project, ["train-001/step-000200", guest.id, other.id])
    sweep = sweeps.read_sweep(sweeps.list_sweeps(project)[-1])
    assert sweep.text_of(next(cell for cell in sweep.cells if cell.pair == other.id)).startswith("person, a person")
    assert [pair.label for pair in sweep.pairs] == ["Step 200", "Maria", "Nobody"]


def test_a_pair_of_another_person_comes_with_that_person_s_trigger(project, workspace, shapes):
    other = workspace.create_project("Berta", trigger="brta", class_noun="woman", base_model="tiny")
    save_run(other, shapes, (300,), person="Berta")
    guest = add_pair_of(project, other, select_pairs(other)[0])
    assert (guest.facts.title, guest.facts.trigger, guest.facts.trigger_from) == ("Berta, step 300", "brta", "project")
    save_run(project, shapes, (100, 200))
    assert look(project, [*select_pairs(project), guest.pair]) == []
    strange = workspace.create_project("Clara", trigger="clra", class_noun="woman", base_model="wan22-t2v-a14b")
    with pytest.raises(Problem, match="is trained for"):
        add_pair_of(strange, other, select_pairs(other)[0])


def test_a_guest_that_is_one_of_the_project_s_own_pairs_is_said_so(project, shapes):
    save_run(project, shapes, (100, 200))
    own = select_pairs(project)[0]
    guest = add_guest(project, [], trigger="ohwx", title="A copy", named=dict(own.files))
    assert codes(look(project, [own, guest.pair])) == [("same-pair", "001", "")]


def test_a_guest_can_be_taken_away_and_a_damaged_one_is_left_out(project, tmp_path, states):
    file = write(tmp_path / "x_high_noise.safetensors", states["high_noise"])
    first, second = (add_guest(project, [file], trigger="x1") for _ in range(2))
    assert second.id == "guests/guest-002"
    next(second.pair.folder.glob("*.safetensors")).unlink()
    assert [guest.id for guest in list_guests(project)] == [first.id]
    remove_guest(project, first.id)
    assert list_guests(project) == []
    with pytest.raises(ValueError, match="there is no guest"):
        find_guest(project, first.id)
    shutil.rmtree(second.pair.folder)
    assert add_guest(project, [file], trigger="x1").id == "guests/guest-001"
    assert read_json(first.pair.folder / "guest.json")["format"]


def test_the_verdict_names_one_s_own_pair_and_says_how_the_guest_stands_to_it(project):
    sweep = make_seen_sweep({(100, 0.7): {}, (200, 0.7): {}}, prompts=6, strengths=(0.7,))

    def as_guest(pair):
        return replace(pair, run="guests", step=0, title="Maria") if pair.id == name(200) else pair

    def see(cell):
        return {**cell.scores, "identity": 0.97} if cell.pair == name(200) and "identity" in cell.scores else cell.scores

    better = replace(rescored(sweep, see), pairs=tuple(as_guest(pair) for pair in sweep.pairs))
    found = verdict(project, better)
    assert (found.pair, found.sure) == (name(100), "clear")
    assert any(
        s.startswith('The guest "Maria" reaches 97 % at 0.7: more like the person than the best of yours (+7 points') for s in found.why
    )
    alone = replace(better, pairs=better.pairs[1:], cells=tuple(c for c in better.cells if c.pair != name(100)))
    assert verdict(project, alone).pair == name(200)


# -- commands


def command(capsys, *args):
    """(exit code, its JSON)."""
    code = cli.main([*map(str, args), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_guest_from_the_terminal(project, workspace, tmp_path, shapes, states, capsys):
    file = write(tmp_path / "maria_high_noise.safetensors", states["high_noise"])
    code, said = command(capsys, "guest", "Anna", file)
    assert code == 2 and "which word calls its person" in said["error"]["message"]
    code, said = command(capsys, "guest", "Anna", file, "--trigger", "m4ria")
    assert (code, said["guest"]["id"], said["guest"]["experts"]) == (0, "guests/guest-001", ["high_noise"])
    other = workspace.create_project("Berta", trigger="brta", class_noun="woman", base_model="tiny")
    save_run(other, shapes, (300,), person="Berta")
    code, said = command(capsys, "guest", "Anna", "--of", "Berta")
    assert (code, said["guest"]["trigger"]) == (0, "brta")
    code, said = command(capsys, "guest", "Anna")
    assert [entry["title"] for entry in said["guests"]] == ["maria", "Berta, step 300"]
    assert command(capsys, "guest", "Anna", "--remove", "guest-001")[0] == 0
    save_run(project, shapes, (100,))
    code, said = command(capsys, "diagnose", "Anna", "--guests", "all")
    assert (code, said["pairs"], said["findings"]) == (0, ["train-001/step-000100", "guests/guest-002"], [])


def test_what_is_wrong_with_files_is_said_in_the_terminal(project, shapes, capsys):
    states = save_run(project, shapes, (100,))
    save_pair(project, 200, *states[100][::-1], headers=dict(zip(EXPERTS, EXPERTS[::-1])))
    code, said = command(capsys, "diagnose", "Anna")
    assert (code, [finding["code"] for finding in said["findings"]]) == (0, ["swapped"])
    assert cli.main(["diagnose", "Anna"]) == 0
    assert "The high-noise and low-noise files of step 200 of train-001 are swapped" in capsys.readouterr().out
