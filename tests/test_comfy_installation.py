"""A person's ComfyUI is found from any place in it, in the layouts that its makers and others give it; its names for files are ComfyUI's."""

from pathlib import Path

import pytest
from comfy_kit import HIGH, make_empty_comfyui, make_project, make_quick_lora, make_whole_comfyui, pair_of
from comfyui_kit import write_header

from studio.errors import Problem
from studio.export.comfy.installation import EXPERTS, LORAS, TEXT_ENCODERS, find_installation
from studio.export.comfy.use import choose_installation, put_into_comfyui
from studio.models.catalogue import link_model
from studio.models.files.extra_model_paths import read_extra_folders


def a_file(path: Path, shape=(1,)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_header(path, {"x": ("F16", shape, b"")})
    return path


PORTABLE = "ComfyUI_windows_portable/ComfyUI"


@pytest.mark.parametrize("place", ["..", "", "models", "models/loras", "models/loras/people", "models/diffusion_models", "main.py"])
def test_it_is_found_wherever_in_it_a_person_points(tmp_path, place):
    root = make_empty_comfyui(tmp_path / PORTABLE)
    (root / "models/loras/people").mkdir()
    found = find_installation((root / place).resolve())
    assert (found.root, found.loras_folder) == (root, root / "models/loras")
    assert found.workflows_folder == root / "user/default/workflows"


def test_what_is_no_comfyui_is_said_and_a_folder_for_loras_alone_will_do(tmp_path):
    with pytest.raises(Problem, match="There is no folder"):
        find_installation(tmp_path / "gone")
    (tmp_path / "photos").mkdir()
    with pytest.raises(Problem, match="is no ComfyUI"):
        find_installation(tmp_path / "photos")
    loras = tmp_path / "My LoRAs"
    loras.mkdir()
    found = find_installation(loras)
    assert (found.root, found.loras_folder, found.workflows_folder) == (None, loras, None)


def test_further_folders_are_read_as_comfyui_reads_them(tmp_path):
    root, disk = make_empty_comfyui(tmp_path / "ComfyUI"), tmp_path / "other disk"
    (root / "extra_model_paths.yaml").write_text(
        f"""
a111:
    base_path: {disk}
    loras: |
         models/Lora
         models/LyCORIS
    unet: models/unet
    checkpoints: models/Stable-diffusion
beside:
    base_path: ../shared
    clip: encoders/
no_base:
    loras: {disk}/loose
    custom_nodes: nodes
numbers: {{loras: 5}}
empty:
""",
        encoding="utf-8",
    )
    found = find_installation(root)
    own = root / "models"
    assert found.folders_of(LORAS) == (own / "loras", disk / "models/Lora", disk / "models/LyCORIS", disk / "loose")
    assert found.folders_of(EXPERTS) == (own / "unet", own / "diffusion_models", disk / "models/unet")
    assert found.folders_of(TEXT_ENCODERS) == (own / "text_encoders", own / "clip", tmp_path / "shared/encoders")
    assert found.loras_folder == own / "loras"


def test_the_default_among_further_folders_goes_before_its_own(tmp_path):
    root, disk = make_empty_comfyui(tmp_path / "ComfyUI"), tmp_path / "disk"
    (disk / "loras").mkdir(parents=True)
    text = f"main:\n  base_path: {disk}\n  is_default: true\n  loras: loras/\n"
    (root / "extra_model_paths.yaml").write_text(text, encoding="utf-8")
    assert find_installation(root).loras_folder == disk / "loras"
    (disk / "loras").rmdir()  # its drive is not connected
    assert find_installation(root).loras_folder == root / "models/loras"


def test_a_damaged_list_is_named(tmp_path):
    root = make_empty_comfyui(tmp_path / "ComfyUI")
    for text, words in (
        ("b:\n a: [", "line 2 is not"),
        ("a: 5", "the section 'a'"),
        ("a: {base_path: 5}", "its base_path"),
        ("- a", "no sections"),
    ):
        (root / "extra_model_paths.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(Problem, match=r"extra_model_paths\.yaml can't be read") as refused:
            find_installation(root)
        assert words in refused.value.message


def test_variables_and_the_home_folder_in_a_list_are_filled_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    monkeypatch.setenv("DISK", str(tmp_path / "big"))
    file = tmp_path / "extra_model_paths.yaml"
    file.write_text("a:\n  base_path: ~/ai\n  vae: v\nb:\n  base_path: $DISK/x\n  vae: v\n", encoding="utf-8")
    assert [folder.path for folder in read_extra_folders(file)] == [tmp_path / "me/ai/v", tmp_path / "big/x/v"]


@pytest.mark.parametrize("place", ["", "Data", "Data/Models", "Data/Models/Lora", "Data/Packages/ComfyUI"])
def test_stability_matrix_shares_its_models_with_the_comfyui_that_is_told_of_them(tmp_path, place):
    data = tmp_path / "StabilityMatrix/Data"
    shared = data / "Models"
    for name in ("Lora", "LyCORIS", "DiffusionModels", "TextEncoders", "VAE"):
        (shared / name).mkdir(parents=True)
    make_empty_comfyui(data / "Packages/AnotherUI")
    root = make_empty_comfyui(data / "Packages/ComfyUI")
    (root / "extra_model_paths.yaml").write_text(
        f"stability_matrix:\n  base_path: {shared}\n  loras: |-\n    Lora\n    LyCORIS\n  diffusion_models: DiffusionModels\n"
        "  clip: TextEncoders\n  vae: VAE\n",
        encoding="utf-8",
    )
    a_file(shared / "DiffusionModels/wan/high.safetensors")
    found = find_installation(tmp_path / "StabilityMatrix" / place)
    if place in ("Data/Models/Lora", "Data/Packages/ComfyUI"):
        assert found.root == root
    if found.root == root:
        assert list(found.list_names(EXPERTS)) == ["wan/high.safetensors"]


def test_the_desktop_app_is_found_by_its_own_list(tmp_path, monkeypatch, workspace):
    base, settings = make_empty_comfyui(tmp_path / "Documents/ComfyUI"), tmp_path / "settings"
    (base / "main.py").unlink()  # the program itself lies elsewhere
    monkeypatch.setenv("APPDATA", str(settings))
    (settings / "ComfyUI").mkdir(parents=True)
    (settings / "ComfyUI/extra_models_config.yaml").write_text(
        f"comfyui_desktop:\n  is_default: 'true'\n  custom_nodes: custom_nodes/\n  download_model_base: models\n  base_path: {base}\n"
        f"  loras: models/loras/\n  vae: |\n    models/vae/\n    {tmp_path}/more vae\n",
        encoding="utf-8",
    )
    found = choose_installation(workspace)
    assert (found.root, found.loras_folder) == (base, base / "models/loras")
    assert find_installation(base / "models").folders == found.folders
    assert tmp_path / "more vae" in found.folders_of("vae")


def test_names_are_comfyuis_with_the_separator_of_its_system(tmp_path):
    root = make_empty_comfyui(tmp_path / PORTABLE)
    a_file(root / "models/loras/people/anna.safetensors")
    a_file(root / "models/loras/.git/no.safetensors")
    (root / "models/loras/notes.txt").touch()
    assert list(find_installation(root).list_names(LORAS)) == [str(Path("people/anna.safetensors"))]
    (root.parent / "python_embeded").mkdir()  # runs under Windows, also where the studio runs beside it under Linux
    assert list(find_installation(root).list_names(LORAS)) == ["people\\anna.safetensors"]


def test_of_two_files_of_one_name_comfyui_finds_the_first(tmp_path):
    root = make_empty_comfyui(tmp_path / "ComfyUI")
    first = a_file(root / "models/unet/high.safetensors")
    a_file(root / "models/diffusion_models/high.safetensors")
    assert find_installation(root).list_names(EXPERTS) == {"high.safetensors": first}


def test_a_loop_of_links_ends(tmp_path):
    root = make_empty_comfyui(tmp_path / "ComfyUI")
    try:
        (root / "models/loras/again").symlink_to(root / "models/loras", target_is_directory=True)
    except OSError:
        pytest.skip("this account may not make links")
    a_file(root / "models/loras/a.safetensors")
    assert "a.safetensors" in find_installation(root).list_names(LORAS)


def test_the_named_one_is_remembered_and_else_it_is_where_the_linked_models_are(tmp_path, workspace):
    with pytest.raises(Problem, match="No ComfyUI was found"):
        choose_installation(workspace)
    linked = make_whole_comfyui(tmp_path / "linked/ComfyUI", ("t2v",))
    link_model("wan22-t2v-a14b", linked / "models", workspace)
    assert choose_installation(workspace).root == linked
    other = make_empty_comfyui(tmp_path / "other/ComfyUI")
    assert choose_installation(workspace, str(other / "models/loras")).root == other
    assert choose_installation(workspace).root == other
    with pytest.raises(Problem, match="There is no folder"):
        choose_installation(workspace, str(tmp_path / "gone"))
    assert choose_installation(workspace).root == other


def test_the_files_that_the_studio_is_linked_to_are_the_ones_in_the_workflow(tmp_path, workspace):
    root = make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))
    mine = root / "models/diffusion_models/mine"
    mine.mkdir()
    for noise in ("high", "low"):
        name = f"wan2.2_t2v_{noise}_noise_14B_fp8_scaled.safetensors"
        (root / "models/diffusion_models" / name).rename(mine / f"my own {noise}.safetensors")
    link_model("wan22-t2v-a14b", root, workspace)
    make_whole_comfyui(root, ("t2v",))
    project = make_project(workspace)
    done = put_into_comfyui(project, choose_installation(workspace), pair_of(project), 0.7)
    text = (done.folder / "anna_run1_step3000 text to video (API).json").read_text(encoding="utf-8")
    assert '"mine/my own high.safetensors"' in text and '"mine/my own low.safetensors"' in text


def test_a_shared_folder_with_thousands_of_loras_is_looked_through(tmp_path, workspace):
    root = make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",), quick=("t2v",))
    for number in range(2100):
        (root / f"models/loras/{number:04d}.safetensors").touch()
    project = make_project(workspace)
    done = put_into_comfyui(project, find_installation(root), pair_of(project), 0.7)
    assert done.loras["high_noise"].path.name == HIGH
    assert len(done.listed) == 2


def test_a_damaged_four_step_lora_is_passed_over(tmp_path, workspace):
    root = make_whole_comfyui(tmp_path / "ComfyUI", ("t2v",))
    for noise in ("high", "low"):
        file = root / f"models/loras/t2v_{noise}_noise_lightx2v_4steps.safetensors"
        make_quick_lora(file)
        file.write_bytes(file.read_bytes()[:1000])
    project = make_project(workspace)
    assert len(put_into_comfyui(project, find_installation(root), pair_of(project), 0.7).listed) == 1
