"""Write captions: a captioner says what each photo and clip shows."""

from dataclasses import dataclass

from studio.config import CaptionConfig, from_dict
from studio.data.captions.caption_report import CaptionReport
from studio.data.dataset import kept_items, list_items
from studio.jobs import state
from studio.jobs.kind import GPU, SettingsJob, Work, read_config
from studio.jobs.torch_setup import set_up_torch
from studio.machine import read_machine
from studio.models.captioners.family import Captioner
from studio.models.captioners.opening import open_captioner
from studio.models.catalogue import describe_model, find_model
from studio.words import count
from studio.workspace import Project

TITLE = "Write captions"
QUEUE = GPU
JOURNAL = "captions.jsonl"  # in the run folder: what became of each item, so that the job goes on where it was


@dataclass(frozen=True, kw_only=True)
class CaptionJob(SettingsJob):
    """only: ids of items, None for all without a caption; overwrite_auto: also what a captioner wrote before; attempt: how often the person
    had these asked anew."""

    KIND = "caption"
    ALWAYS_WRITTEN = (*SettingsJob.ALWAYS_WRITTEN, "only", "overwrite_auto")
    only: tuple[str, ...] | None = None
    overwrite_auto: bool = False
    attempt: int = 0


Config = CaptionJob
Result = CaptionReport


def run(config: CaptionJob, work: Work) -> CaptionReport:
    from studio.data.captions.writing.writer import Wish, write_captions  # loads torch

    project, settings = work.project, from_dict(CaptionConfig, config.config)

    def opened() -> Captioner:  # captions can be written before the base model is there
        set_up_torch(project)
        name = project.facts().base_model
        base = find_model(name, project.workspace) if describe_model(name, project.workspace).available else None
        recorder = work.recorder
        return open_captioner(settings, base, name, project.workspace, read_machine(), recorder.should_stop, recorder.report)

    return write_captions(
        project,
        open_captioner=opened,
        config=settings,
        wish=Wish(None if config.only is None else list(config.only), config.overwrite_auto, config.attempt),
        journal=work.run_dir / JOURNAL,
        report=work.recorder.report,
        should_stop=work.recorder.should_stop,
    )


def expect_seconds(project: Project, config: CaptionJob) -> float | None:
    """How long it will take, by what a caption of the same captioner took here the last time; None where none was written yet."""
    for job in state.list_jobs(project.workspace):
        if job.kind != CaptionJob.KIND or job.state != "done" or not job.seconds:
            continue
        report, before = job.read_result(CaptionReport), read_config(CaptionJob, job.run_dir)
        if report and report.written and _captioner_of(before) == _captioner_of(config):
            return job.seconds / report.written * _num_to_write(project, config)
    return None


def _captioner_of(config: CaptionJob) -> str:
    return from_dict(CaptionConfig, config.config).captioner


def _num_to_write(project: Project, config: CaptionJob) -> int:
    items = kept_items(project) if config.only is None else [item for item in list_items(project) if item.id in config.only]
    return sum(not item.caption or (config.overwrite_auto and item.caption_source == "auto") for item in items)


def describe_end(result: CaptionReport) -> str:
    written, kept, refused = result.written, result.kept, result.refused
    rest = f" {count(refused, 'answer')} of the captioner {_was(refused)} no use; what stood there stays." if refused else ""
    unchanged = "it was" if kept == 1 else "they were"
    rest += f" {count(kept, 'caption')} stayed as {unchanged}." if kept else ""
    if not written:
        return f"No caption was written.{rest}"
    return f"{count(written, 'caption')} {_was(written)} written. Read them: what a caption says stays changeable.{rest}"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
