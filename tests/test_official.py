"""WAN's own modules, as its makers publish them, against ours on the same small random weights, read through our loader from files in their form."""

import importlib
import importlib.util
import json
import sys
import types

import pytest
import torch
from safetensors.torch import save_file

from studio.models.catalogue import BaseModel
from studio.models.forward import begin, finish
from studio.models.loading import load_expert, load_vae
from studio.models.preset import model_preset

WIDTH, HEADS, LAYERS, TEXT, TOKENS = 96, 2, 3, 40, 8
SHAPES = {"T2V-A14B": (16, 16), "I2V-A14B": (36, 16), "TI2V-5B": (48, 48)}  # channels in, out


@pytest.fixture(scope="module")
def official():
    """A function that imports one of `wan.modules` alone: the package would import what only a GPU has."""
    spec = importlib.util.find_spec("wan")
    if spec is None:
        pytest.skip("wan22 is not installed; it is in tests/requirements-alone.txt")
    package = types.ModuleType("official_wan")
    package.__path__ = [f"{spec.submodule_search_locations[0]}/modules"]
    sys.modules["official_wan"] = package
    return lambda name: importlib.import_module(f"official_wan.{name}")


def attention(q, k, v, k_lens=None, **options):
    """What flash attention computes, for one sample without padding; q, k, v: (1, L, heads, D)."""
    assert k_lens is None or k_lens.tolist() == [k.shape[1]]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def make_official(official, kind):
    """A small WanModel, every weight of it random."""
    sizes = {"in_dim": SHAPES[kind][0], "out_dim": SHAPES[kind][1], "dim": WIDTH, "num_heads": HEADS, "num_layers": LAYERS, "ffn_dim": 160}
    kinds = {"T2V-A14B": "t2v", "I2V-A14B": "i2v", "TI2V-5B": "ti2v"}
    module = official("model")
    module.flash_attention = attention
    model = module.WanModel(kinds[kind], text_len=TOKENS, text_dim=TEXT, freq_dim=64, **sizes)
    return randomise(model)


def randomise(model):
    generator = torch.Generator().manual_seed(1)
    for p in model.parameters():
        scale = p.shape[1:].numel() ** -0.5 if p.ndim > 1 else 0.2
        p.data = torch.randn(p.shape, generator=generator) * scale
    return model.eval()


def as_base(folder, kind, weights):
    """A base model of these shapes whose expert lies in one file with the makers' names."""
    config = {
        "attention_head_dim": WIDTH // HEADS,
        "num_attention_heads": HEADS,
        "num_layers": LAYERS,
        "ffn_dim": 160,
        "freq_dim": 64,
        "text_dim": TEXT,
        "in_channels": SHAPES[kind][0],
        "out_channels": SHAPES[kind][1],
    }
    (folder / "transformer").mkdir(parents=True)
    save_file(weights, folder / "transformer/diffusion_pytorch_model.safetensors")
    base = BaseModel("small", "Small", folder, preset=model_preset("wan22-t2v-a14b"))
    base.__dict__["configs"] = {"transformer": json.loads(json.dumps(config))}
    return base


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("kind", SHAPES)
def test_the_makers_own_module_and_ours_draw_the_same(official, tmp_path, kind, prefix):
    theirs = make_official(official, kind)
    base = as_base(tmp_path / "a base", kind, {prefix + key: p.contiguous() for key, p in theirs.state_dict().items()})
    ours = load_expert(base, "high_noise", dtype=torch.float32, device="cpu")

    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(SHAPES[kind][1], 3, 8, 6, generator=generator), torch.randn(20, 3, 8, 6, generator=generator)
    prompt = torch.randn(TOKENS - 3, TEXT, generator=generator)
    tokens = 3 * 4 * 3
    t = torch.tensor([871.0])
    if kind == "TI2V-5B":  # each token has its own noise level: those of a given first frame have none
        t = torch.cat([torch.zeros(12), torch.full((tokens - 12,), 871.0)])[None]
    with torch.no_grad():
        expected = theirs([x], t, [prompt], tokens, y=[y] if kind == "I2V-A14B" else None)[0]
        x_t = torch.cat([x, y])[None] if kind == "I2V-A14B" else x[None]
        hidden, context = begin(ours, x_t, t, torch.cat([prompt, torch.zeros(3, TEXT)])[None])
        for block in ours.blocks:
            hidden = block(hidden, *context.block_inputs)
        drawn = finish(ours, hidden, context)[0]
    difference = ((drawn - expected).abs().max() / expected.abs().max()).item()
    print(f"{kind}: largest difference {difference:.1e} of the largest value")
    assert expected.std() > 0.1 and difference < 1e-5


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_the_makers_own_vae_and_ours_make_the_same_latents_and_pictures(official, tmp_path, version):
    pytest.importorskip("einops", reason="einops is not installed; it is in tests/requirements.txt")
    sizes = {"z_dim": 16, "num_res_blocks": 2, "dim_mult": [1, 2, 4, 4], "temperal_downsample": [False, True, True]}
    if version == "2.2":  # of TI2V 5B
        theirs = randomise(official("vae2_2").WanVAE_(dim=8, dec_dim=16, **(sizes := sizes | {"z_dim": 48})))
        sizes |= model_preset("wan22-ti2v-5b").configs["vae"] | {"decoder_base_dim": 16}
    else:
        theirs = randomise(official("vae2_1").WanVAE_(dim=8, **sizes))
    (tmp_path / "vae").mkdir()
    save_file({key: p.contiguous() for key, p in theirs.state_dict().items()}, tmp_path / "vae/diffusion_pytorch_model.safetensors")
    base = BaseModel("small", "Small", tmp_path, preset=model_preset("wan22-t2v-a14b"))
    base.__dict__["configs"] = {"vae": sizes | {"base_dim": 8}}
    ours = load_vae(base, device="cpu")
    scale = [ours.mean.flatten(), ours.inverse_std.flatten()]
    pixels = torch.rand(1, 3, 5, 32, 48, generator=torch.Generator().manual_seed(3)) * 2 - 1
    with torch.no_grad():
        latents = theirs.encode(pixels, scale)
        pictures = theirs.decode(latents, scale)
    for found, expected in ((ours.encode(pixels), latents), (ours.decode(latents), pictures.clamp(-1, 1))):
        assert found.shape == expected.shape
        difference = ((found - expected).abs().max() / expected.abs().max()).item()
        print(f"VAE: largest difference {difference:.1e} of the largest value")
        assert expected.std() > 0.01 and difference < 1e-5
