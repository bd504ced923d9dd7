"""Graphics cards by name: those that people have or rent give hours, and none passes for another."""

import pytest

from studio.config import list_presets, load_preset
from studio.errors import Problem
from studio.machine import Gpu
from studio.training.plan.cards import find_card, named_card, nearest_names

# as `nvidia-smi -L` and torch.cuda.get_device_name() print them -> the line of the table, and the size in its name
NAMES = {
    "NVIDIA GeForce RTX 2060": "RTX 2060",
    "NVIDIA GeForce RTX 2060 SUPER": "RTX 2060 SUPER",
    "NVIDIA GeForce RTX 2070 SUPER": "RTX 2070 SUPER",
    "NVIDIA GeForce RTX 2080 Ti": "RTX 2080 Ti",
    "NVIDIA TITAN RTX": "TITAN RTX",
    "TITAN RTX": "TITAN RTX",
    "Quadro RTX 6000": "Quadro RTX 6000",
    "Quadro RTX 8000": "Quadro RTX 8000",
    "Tesla T4": "T4",
    "Tesla V100-SXM2-32GB": "V100",
    "Tesla V100-SXM3-32GB": "V100",
    "Tesla V100-PCIE-16GB": "V100 PCIe",
    "Tesla V100S-PCIE-32GB": "V100S PCIe",
    "NVIDIA GeForce RTX 3050": "RTX 3050",
    "NVIDIA GeForce RTX 3050 6GB Laptop GPU": "RTX 3050 6GB Laptop",
    "NVIDIA GeForce RTX 3060": "RTX 3060",
    "NVIDIA GeForce RTX 3060 Ti": "RTX 3060 Ti",
    "NVIDIA GeForce RTX 3060 Laptop GPU": "RTX 3060 Laptop",
    "NVIDIA GeForce RTX 3070 Ti Laptop GPU": "RTX 3070 Ti Laptop",
    "NVIDIA GeForce RTX 3080": "RTX 3080",
    "NVIDIA GeForce RTX 3080 Ti": "RTX 3080 Ti",
    "NVIDIA GeForce RTX 3090": "RTX 3090",
    "NVIDIA GeForce RTX 3090 Ti": "RTX 3090 Ti",
    "NVIDIA GeForce RTX 4060": "RTX 4060",
    "NVIDIA GeForce RTX 4060 Ti": "RTX 4060 Ti",
    "NVIDIA GeForce RTX 4070 Laptop GPU": "RTX 4070 Laptop",
    "NVIDIA GeForce RTX 4070 SUPER": "RTX 4070 SUPER",
    "NVIDIA GeForce RTX 4070 Ti SUPER": "RTX 4070 Ti SUPER",
    "NVIDIA GeForce RTX 4080 SUPER": "RTX 4080 SUPER",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA GeForce RTX 4090 D": "RTX 4090 D",
    "NVIDIA GeForce RTX 4090 Laptop GPU": "RTX 4090 Laptop",
    "NVIDIA GeForce RTX 5050": "RTX 5050",
    "NVIDIA GeForce RTX 5060": "RTX 5060",
    "NVIDIA GeForce RTX 5060 Ti": "RTX 5060 Ti",
    "NVIDIA GeForce RTX 5070 Ti": "RTX 5070 Ti",
    "NVIDIA GeForce RTX 5070 Ti Laptop GPU": "RTX 5070 Ti Laptop",
    "NVIDIA GeForce RTX 5080": "RTX 5080",
    "NVIDIA GeForce RTX 5090": "RTX 5090",
    "NVIDIA GeForce RTX 5090 Laptop GPU": "RTX 5090 Laptop",
    "NVIDIA RTX A2000 12GB": "RTX A2000",
    "NVIDIA RTX A4000": "RTX A4000",
    "NVIDIA RTX A4500": "RTX A4500",
    "NVIDIA RTX A5000": "RTX A5000",
    "NVIDIA RTX A6000": "RTX A6000",
    "NVIDIA RTX 2000 Ada Generation": "RTX 2000 Ada",
    "NVIDIA RTX 4000 SFF Ada Generation": "RTX 4000 SFF Ada",
    "NVIDIA RTX 4000 Ada Generation": "RTX 4000 Ada",
    "NVIDIA RTX 5000 Ada Generation": "RTX 5000 Ada",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000 Ada",
    "NVIDIA RTX PRO 4000 Blackwell": "RTX PRO 4000 Blackwell",
    "NVIDIA RTX PRO 4500 Blackwell": "RTX PRO 4500 Blackwell",
    "NVIDIA RTX PRO 5000 Blackwell": "RTX PRO 5000 Blackwell",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "RTX PRO 6000 Blackwell",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "RTX PRO 6000 Blackwell Max-Q",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX PRO 6000 Blackwell Server",
    "NVIDIA A10": "A10",
    "NVIDIA A10G": "A10G",
    "NVIDIA A16": "A16",
    "NVIDIA A30": "A30",
    "NVIDIA A40": "A40",
    "NVIDIA L4": "L4",
    "NVIDIA L40": "L40",
    "NVIDIA L40S": "L40S",
    "NVIDIA A100-SXM4-40GB": "A100",
    "NVIDIA A100-SXM4-80GB": "A100 80GB",
    "NVIDIA A100-PCIE-40GB": "A100",
    "NVIDIA A100 80GB PCIe": "A100 80GB",
    "NVIDIA A800-SXM4-80GB": "A800",
    "NVIDIA H20": "H20",
    "NVIDIA H20-3e": "H20 3e",
    "NVIDIA H100 80GB HBM3": "H100",
    "NVIDIA H100 PCIe": "H100 PCIe",
    "NVIDIA H100 NVL": "H100 NVL",
    "NVIDIA H800": "H800",
    "NVIDIA H200": "H200",
    "NVIDIA H200 NVL": "H200 NVL",
    "NVIDIA GH200 480GB": "GH200",
    "NVIDIA B200": "B200",
    "NVIDIA GB200": "GB200",
    "NVIDIA B300 SXM6 AC": "B300",
    "NVIDIA GB10": "GB10",
    "AMD Radeon RX 7900 XTX": "RX 7900 XTX",
    "AMD Instinct MI300X": "MI300X",
}
STRANGERS = (
    "NVIDIA A1000 Laptop GPU",
    "NVIDIA RTX A1000 Laptop GPU",
    "NVIDIA RTX A5000 Laptop GPU",
    "NVIDIA RTX 4000",
    "RTX 6000",
    "NVIDIA RTX 5000 Ada Generation Laptop GPU",
    "NVIDIA RTX PRO 5000 Blackwell Generation Laptop GPU",
    "NVIDIA T400",
    "NVIDIA T400 4GB",
    "NVIDIA T1000 8GB",
    "NVIDIA GeForce RTX 2080 with Max-Q Design",
    "NVIDIA GeForce GTX 1080 Ti",
    "NVIDIA GeForce RTX 4090 Ti",
    "NVIDIA GeForce RTX 5070 SUPER",
    "NVIDIA A100-SXM4-80GB MIG 3g.40gb",
    "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
    "GRID T4-16Q",
    "NVIDIA A40-48Q",
    "NVIDIA A10M",
    "NVIDIA H200X",
    "Unheard Of",
    "NVIDIA Graphics Device",
    "RTX",
    "24GB",
    "",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_found_by_the_name_that_its_driver_gives_it(name):
    card = find_card(name)
    assert card.name == NAMES[name] and card.tflops > 5 and card.vram_gb >= 4
    short = name.removeprefix("NVIDIA ").removeprefix("GeForce ")  # as studio.machine keeps it
    assert find_card(short) == find_card(name.upper()) == card
    assert Gpu(0, short, 24, 22, "", pcie=card.pcie).link_gb_per_second > 5


@pytest.mark.parametrize("name", STRANGERS)
def test_a_card_that_is_not_in_the_table_passes_for_no_other(name):
    assert find_card(name) is None


def test_every_line_of_the_table_is_found_by_its_own_name_alone():
    for name, line in load_preset("speeds", "gpus")["cards"].items():
        card = find_card(name)
        assert card.name == name and card.vram_gb == line["vram_gb"][0], name
        assert line["tflops"] > 0 and line["gb_per_second"] > 100 and len(line["pcie"]) == 2


def test_a_size_in_the_name_is_the_cards_memory():
    sizes = {name: find_card(name).vram_gb for name in ("A100", "A100-SXM4-40GB", "RTX 4060 Ti", "RTX 4060 Ti 16GB", "GH200 480GB")}
    assert list(sizes.values()) == [80, 40, 8, 16, 96]  # 480 GB are the processor's


def test_what_a_person_writes_is_understood_or_answered_with_the_nearest():
    assert find_card("rtx4090").name == find_card("RTX-4090").name == "RTX 4090"
    with pytest.raises(Problem) as problem:
        named_card("4080")
    assert "RTX 4080," in problem.value.fix and "RTX 4080 SUPER" in problem.value.fix
    assert "RTX 4090" in nearest_names("RTX 4090 Ti") and "Quadro RTX 6000" in nearest_names("RTX 6000")
    assert nearest_names("Titan RX")[0].startswith("TITAN")
    with pytest.raises(Problem, match="'abacus'") as problem:
        named_card("abacus")
    assert "as the maker does" in problem.value.fix


def test_consumer_cards_accumulate_in_fp32_at_half_speed_and_chips_without_bf16_units_say_so():
    assert find_card("RTX 4090").tflops == pytest.approx(165, abs=1)  # its data sheet: 330 with fp16 accumulation
    assert find_card("RTX 6000 Ada").tflops > 2 * find_card("RTX 4090").tflops
    assert not find_card("Tesla T4").has_bf16_units and find_card("RTX 3060").has_bf16_units


def test_every_hardware_preset_names_the_usual_card_of_its_size():
    for name in list_presets("hardware"):
        preset = load_preset("hardware", name)
        card = find_card(preset["usual_card"])
        assert card.vram_gb == preset["vram_gb"] and card.has_bf16_units
