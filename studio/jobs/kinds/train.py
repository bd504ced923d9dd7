"""Train: both experts learn a person, until all steps are done or a stop is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.config import TrainConfig, from_dict
from studio.jobs.kind import GPU, TrainingJob, Work, read_config
from studio.jobs.torch_setup import require_device, set_up_torch
from studio.training.plan.run_reports import TrainReport
from studio.workspace import project_of

TITLE = "Train"
QUEUE = GPU


@dataclass(frozen=True, kw_only=True)
class TrainJob(TrainingJob):
    KIND = "train"


Config = TrainJob
Result = TrainReport


def run(config: TrainJob, work: Work) -> TrainReport:
    from studio.training.loop import train  # loads torch

    set_up_torch(work.project)
    settings = from_dict(TrainConfig, config.config)
    require_device(config.device)
    with work.process_group(settings.processes) as group:
        return train(settings, work.run_dir, report=group.report, should_stop=group.should_stop, should_save=group.should_save)


def train_beside(run_dir: Path, report: Callable[..., None], should_stop: Callable[[], bool]) -> None:
    """What a process of another rank does: the same training, of which it takes its own part."""
    from studio.training.loop import train  # loads torch

    set_up_torch(project_of(run_dir))
    train(from_dict(TrainConfig, read_config(TrainJob, run_dir).config), run_dir, report=report, should_stop=should_stop)


def describe_end(result: TrainReport) -> str:
    return ""
