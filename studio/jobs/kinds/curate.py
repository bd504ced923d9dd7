"""Choose the best photos: measure, flag, and propose the most varied set."""

from dataclasses import dataclass

from studio.config import NUM_KEPT
from studio.data.curate_report import CurateReport
from studio.jobs.kind import PROCESSOR, JobConfig, Work

TITLE = "Choose the best photos"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class CurateJob(JobConfig):
    """keep: how many to keep at most."""

    KIND = "curate"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "keep")
    keep: int = NUM_KEPT


Config = CurateJob
Result = CurateReport


def run(config: CurateJob, work: Work) -> CurateReport:
    from studio.data.curation import curate  # looks at pictures: start-up time

    return curate(work.project, keep=config.keep, report=work.recorder.report, should_stop=work.recorder.should_stop)


def describe_end(result: CurateReport) -> str:
    return "The photos are checked. Those left out say why; Undo takes it back."
