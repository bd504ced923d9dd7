"""Builds the embedded model pack, stage by stage: `python -m studio.tiny.build [stage ...] [--work DIR] [--seed N] [--out DIR]`.

Stages: text_encoder (reads captions), base (denoiser over all noise levels), high_noise and low_noise (the experts), observer, captioner, pack, measure.
Each can be cut off at any moment and goes on where it was; the VAE and the tokenizer are made in seconds and belong to none.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from studio.config import EXPERTS
from studio.models.loading import Vae
from studio.tiny.denoiser import train_base, train_expert
from studio.tiny.eye.observer_training import build_observer
from studio.tiny.lessons import draw_groups
from studio.tiny.measures import measure_pack
from studio.tiny.pack import seal_pack, write_pack
from studio.tiny.vae import build_vae
from studio.tiny.words.captioner_training import build_captioner
from studio.tiny.words.text_training import train_text_encoder

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

TRAININGS = ("base", *EXPERTS)  # of the denoisers
STAGES = ("text_encoder", "base", "high_noise", "low_noise", "observer", "captioner", "pack", "measure")


class Builder:
    """All stages of one pack; `work` holds what they need to go on."""

    def __init__(self, work: Path, seed: int = 0, report: Callable[[str], None] = print, device: str = "cpu") -> None:
        self.work, self.seed, self.report, self.device = Path(work), seed, report, device

    def run(self, stages: Sequence[str], out: Path | None = None) -> None:
        for stage in stages:
            started = time.monotonic()
            self.report(f"{stage} ...")
            if stage in TRAININGS:
                self.train(stage)
            elif stage in ("pack", "measure"):
                getattr(self, stage)(out)
            else:
                getattr(self, stage)()
            self.report(f"{stage}: ready after {time.monotonic() - started:.0f} s")

    def vae(self) -> Vae:
        """The studio's Vae around the hand-set network."""
        return Vae(build_vae(draw_groups(self.seed))[0])

    def text_encoder(self) -> tuple[PreTrainedTokenizerFast, UMT5EncoderModel]:
        """Train the text encoder; what is finished costs nothing again. Returns it behind its tokenizer."""
        tokenizer, text_encoder, _ = train_text_encoder(self.work, seed=self.seed, report=self.report)
        return tokenizer, text_encoder

    def train(self, stage: str) -> tuple[WanTransformer3DModel, UMT5EncoderModel]:
        """Train the base, or an expert from it; what is finished costs nothing again. Returns (transformer, text encoder)."""
        vae = self.vae()
        tokenizer, text_encoder = self.text_encoder()
        model, _ = train_base(self.work, tokenizer, text_encoder, vae, seed=self.seed, report=self.report, device=self.device)
        if stage in EXPERTS:
            model, _ = train_expert(
                self.work, stage, model, tokenizer, text_encoder, vae, seed=self.seed, report=self.report, device=self.device
            )
        return model, text_encoder

    def observer(self) -> None:
        build_observer(self.work / "observer-result", self.work / "observer", self.seed, self.report)

    def captioner(self) -> None:
        build_captioner(self.work / "captioner-result", self.work / "captioner", self.seed, self.report)

    def pack(self, out: Path) -> None:
        write_pack(self, out)

    def measure(self, out: Path) -> None:
        """Measure the pack in `out`, which must be the studio's own, and seal it again with the figures in its card."""
        measure_pack(out, self.work, self.report)
        seal_pack(out)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m studio.tiny.build", description="Builds the embedded model pack; takes hours on two cores."
    )
    parser.add_argument("stages", nargs="*", choices=[*STAGES, []], help="which stages; all of them, in order, if none is named")
    parser.add_argument("--work", type=Path, default=Path("workspace/tiny-build"), help="folder of the unfinished trainings")
    parser.add_argument("--out", type=Path, default=Path("presets/tiny"), help="folder of the pack")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="threads to compute with; the same number gives the same hashes")
    parser.add_argument(
        "--device", default="cpu", help="where the denoisers learn: cpu, or cuda (minutes instead of hours, and other hashes)"
    )
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU; nothing changes on a processor

    def report(text: str) -> None:
        print(time.strftime("%H:%M:%S"), text, flush=True)

    Builder(options.work, options.seed, report, options.device).run(options.stages or STAGES, options.out)


if __name__ == "__main__":
    sys.exit(main())
