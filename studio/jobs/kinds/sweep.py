"""Draw and compare: the same test clips with every checkpoint pair, scored."""

from dataclasses import dataclass

from studio.config import SweepConfig, from_dict
from studio.evaluation.sweep_facts import SweepReport
from studio.jobs.kind import GPU, SettingsJob, Work
from studio.jobs.torch_setup import set_up_torch

TITLE = "Draw and compare"
QUEUE = GPU


@dataclass(frozen=True, kw_only=True)
class SweepJob(SettingsJob):
    """pairs: their ids, None for all; sweep: the folder that it draws into, None until that is known; probe: whether that is a drawing of a pair's
    files alone."""

    KIND = "sweep"
    ALWAYS_WRITTEN = (*SettingsJob.ALWAYS_WRITTEN, "pairs", "sweep")
    pairs: tuple[str, ...] | None = None
    sweep: str | None = None
    probe: bool = False
    sample: bool = False  # a look at how a training goes, and no comparison


Config = SweepJob
Result = SweepReport


def run(config: SweepJob, work: Work) -> SweepReport:
    from studio.evaluation.drawing import run_sweep  # loads torch

    set_up_torch(work.project)
    settings = from_dict(SweepConfig, config.config)
    return run_sweep(settings, work.run_dir, report=work.recorder.report, should_stop=work.recorder.should_stop)


def describe_end(result: SweepReport) -> str:
    return ""
