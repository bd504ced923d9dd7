"""Export: a checkpoint pair, with what belongs to it, becomes a folder for another program."""

from dataclasses import dataclass

from studio.facts import Facts
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


@dataclass(frozen=True, kw_only=True)
class ExportReport(Facts):
    """folder: the name of what was made, "" where it was stopped."""

    ALWAYS_WRITTEN = ("folder",)
    folder: str
    stopped: bool = False


Config = ExportJob
Result = ExportReport


def run(config: ExportJob, work: Work) -> ExportReport:
    from studio.export.exporting import export_pair  # reads pictures and reports: start-up time

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
        return ExportReport(folder="", stopped=True)
    return ExportReport(folder=folder.name)


def describe_end(result: ExportReport) -> str:
    return "" if result.folder else "The export was stopped; nothing is left of it."
