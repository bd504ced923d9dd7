"""The pack on disk: a diffusers folder with the observer, the captioner, a model card, and the hash of every file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from studio.config import EXPERTS
from studio.disk import FORMAT, file_sha256, write_atomic, write_json
from studio.models.files.folders import PACK_FILE
from studio.models.loading import Vae
from studio.tiny.denoiser import BOUNDARY, PLANS
from studio.tiny.words.text import build_tokenizer
from studio.tiny.words.text_training import PLAN as TEXT_PLAN

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    from transformers import UMT5EncoderModel

MEASURES_FILE = "measures.json"
CARD = Path(__file__).parent / "model_card.md"
PRECISION = torch.bfloat16  # of the experts' matrices: half the size, and what the real experts come in


class Trained(Protocol):
    """What the stages made: the builder."""

    seed: int
    work: Path

    def vae(self) -> Vae: ...

    def train(self, stage: str) -> tuple[WanTransformer3DModel, UMT5EncoderModel]: ...


def write_pack(builder: Trained, out: Path) -> None:
    """Put the results of all finished stages into the folder `out`, in place of what is there. Files of the measures stay."""
    from diffusers.pipelines.wan.pipeline_wan import WanPipeline
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    out = Path(out)
    (high, text_encoder), (low, _) = (builder.train(expert) for expert in EXPERTS)  # first: a stage that fails costs nothing that is there
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0)
    pipeline = WanPipeline(
        tokenizer=build_tokenizer(builder.seed),  # pyright: ignore[reportArgumentType]: diffusers names the factory of tokenizers
        text_encoder=text_encoder.eval(),
        vae=builder.vae().model,
        transformer=_rounded(high),
        transformer_2=_rounded(low),
        scheduler=scheduler,  # pyright: ignore[reportArgumentType]: Wan's own pipelines come with this one, and diffusers names another
        boundary_ratio=BOUNDARY,
    )
    for sub in ("transformer", "transformer_2", "vae", "text_encoder", "tokenizer", "scheduler", "observer", "captioner"):
        shutil.rmtree(out / sub, ignore_errors=True)
    pipeline.save_pretrained(out, safe_serialization=True)
    for part in ("observer", "captioner"):
        shutil.copytree(builder.work / f"{part}-result", out / part)
    seal_pack(out, {"seed": builder.seed, "plans": {"text_encoder": TEXT_PLAN} | PLANS})


def _rounded(model: WanTransformer3DModel) -> WanTransformer3DModel:
    """The expert with its matrices in bf16; what diffusers keeps in fp32 stays so."""
    for name, p in model.named_parameters():
        if not any(kept in name for kept in model._keep_in_fp32_modules):
            p.data = p.data.to(PRECISION)
    return model


def seal_pack(out: Path, facts: dict[str, Any] | None = None) -> None:
    """Write the model card from the measures, and the hash of every file that is read as part of the model into pack.json; pages may change."""
    out = Path(out)
    known = json.loads((out / PACK_FILE).read_text(encoding="utf-8")) if (out / PACK_FILE).is_file() else {}
    write_atomic(out / "README.md", _model_card(out).encode())
    for path in out.rglob("*.json"):  # the same bytes whatever system wrote them
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    files = sorted(p for p in out.rglob("*") if p.is_file() and p.name != PACK_FILE and p.suffix != ".md")
    entries = {p.relative_to(out).as_posix(): {"bytes": p.stat().st_size, "sha256": file_sha256(p)} for p in files}
    write_json(
        out / PACK_FILE, {"format": FORMAT} | (facts or {k: known[k] for k in known if k not in ("format", "files")}) | {"files": entries}
    )


def _model_card(out: Path) -> str:
    measures = out / MEASURES_FILE
    numbers = json.loads(measures.read_text(encoding="utf-8")) if measures.is_file() else {}
    rows = "\n".join(f"| {row['what']} | {row['bar']} | {row['value']} |" for row in numbers.get("rows", []))
    return CARD.read_text(encoding="utf-8").replace("{{rows}}", rows or "| not measured yet | | |")
