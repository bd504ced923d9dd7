"""Export: a checkpoint pair, with what belongs to it, becomes a folder for another program."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.jobs.kind import PROCESSOR, JobConfig, Work

TITLE = "Export"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class ExportJob(JobConfig):
    """to: the target's name; pair: its id; strength: of a guide, None for the usual one; include_photos: for a bundle."""

    KIND = "export"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "to", "pair", "strength", "include_photos")
    to: str
    pair: str
    strength: float | None = None
    include_photos: bool = False
    lora_format: str = ""  # "fp16", "bf16", "fp32"; "" for what suits the target


Config = ExportJob


def run(config: ExportJob, work: Work) -> Mapping[str, Any]:
    from studio.export.pairs import export_pair  # reads pictures and reports: start-up time

    def tell(done: int, total: int, name: str) -> None:
        if work.recorder.should_stop():
            raise InterruptedError
        work.recorder.report("progress", stage="export", done=done, total=total, unit="files", message=name)

    try:
        folder = export_pair(
            work.project,
            config.pair,
            config.to,
            config.strength,
            include_photos=config.include_photos,
            lora_format=config.lora_format,
            tell=tell,
        )
    except InterruptedError:
        return {"folder": "", "stopped": True}
    return {"folder": folder.name}


def describe_end(result: Mapping[str, Any]) -> str:
    return "" if result["folder"] else "The export was stopped; nothing is left of it."
