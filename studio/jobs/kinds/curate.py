"""Choose the best photos: measure, flag, and propose the most varied set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.config import NUM_KEPT
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


def run(config: CurateJob, work: Work) -> Mapping[str, Any]:
    from studio.data.curation import curate  # looks at pictures: start-up time

    return curate(work.project, keep=config.keep, report=work.recorder.report, should_stop=work.recorder.should_stop).to_json()


def describe_end(result: Mapping[str, Any]) -> str:
    return "The photos are checked. Those left out say why; Undo takes it back."
