"""Write captions: a captioner says what each photo and clip shows."""

from dataclasses import dataclass
from pathlib import Path

from studio.config import CaptionConfig, from_dict
from studio.data.captions.caption_report import CaptionReport
from studio.jobs.kind import GPU, SettingsJob, Work
from studio.jobs.torch_setup import set_up_torch
from studio.models.catalogue import describe_model, find_model
from studio.words import count

TITLE = "Write captions"
QUEUE = GPU


@dataclass(frozen=True, kw_only=True)
class CaptionJob(SettingsJob):
    """only: ids of items, None for all without a caption; overwrite_auto: also what a captioner wrote before."""

    KIND = "caption"
    ALWAYS_WRITTEN = (*SettingsJob.ALWAYS_WRITTEN, "only", "overwrite_auto")
    only: tuple[str, ...] | None = None
    overwrite_auto: bool = False


Config = CaptionJob
Result = CaptionReport


def run(config: CaptionJob, work: Work) -> CaptionReport:
    from studio.data.captions.writer import find_captioner, write_captions  # loads torch

    project, settings = work.project, from_dict(CaptionConfig, config.config)

    def find_path() -> Path:  # captions can be written before the base model is there
        set_up_torch(project)
        name = project.facts().base_model
        base = find_model(name, project.workspace) if describe_model(name, project.workspace).available else None
        return find_captioner(settings.captioner, base, project.workspace)

    return write_captions(
        project,
        captioner_path=find_path,
        config=settings,
        only=None if config.only is None else list(config.only),
        overwrite_auto=config.overwrite_auto,
        report=work.recorder.report,
        should_stop=work.recorder.should_stop,
    )


def describe_end(result: CaptionReport) -> str:
    written, kept = result.written, result.kept
    unchanged = "it was" if kept == 1 else "they were"
    stay = f" {count(kept, 'caption')} stayed as {unchanged}." if kept else ""
    if not written:
        return f"No caption was written.{stay}"
    return (
        f"{count(written, 'caption')} {'was' if written == 1 else 'were'} written. Read them: what a caption says stays changeable.{stay}"
    )
