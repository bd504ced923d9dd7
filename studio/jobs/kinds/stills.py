"""Stills: the sharpest frames of a clip with the person's face become photos of their own."""

from dataclasses import dataclass

from studio.data.pieces.piece_report import StillsReport
from studio.jobs.kind import PROCESSOR, JobConfig, Work
from studio.words import count

TITLE = "Take photos out of a clip"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class StillsJob(JobConfig):
    """item: the clip's id."""

    KIND = "stills"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "item")
    item: str


Config = StillsJob
Result = StillsReport


def run(config: StillsJob, work: Work) -> StillsReport:
    from studio.data.pieces.piece_finder import find_stills  # OpenCV: start-up time, and the window never loads it

    return find_stills(work.project, config.item, work.recorder.report, work.recorder.should_stop)


def describe_end(result: StillsReport) -> str:
    if not result.added:
        return f"No frame of {result.clip} is sharp enough, large enough and unlike the photos that were taken out of it."
    return f"{count(len(result.added), 'photo')} came out of {result.clip}: {', '.join(result.added)}. Undo takes them back."
