"""Rehearse: ten real steps that measure memory and time, and correct the plan."""

from dataclasses import dataclass

from studio.config import TrainConfig, from_dict
from studio.jobs.kind import GPU, TrainingJob, Work
from studio.jobs.torch_setup import require_device, set_up_torch
from studio.training.plan.run_reports import RehearsalReport

TITLE = "Rehearse"
QUEUE = GPU


@dataclass(frozen=True, kw_only=True)
class RehearseJob(TrainingJob):
    KIND = "rehearse"


Config = RehearseJob
Result = RehearsalReport


def run(config: RehearseJob, work: Work) -> RehearsalReport:
    from studio.training.rehearsal import rehearse  # loads torch

    set_up_torch(work.project)
    require_device(config.device)
    settings = from_dict(TrainConfig, config.config)
    return rehearse(settings, work.run_dir, report=work.recorder.report, should_stop=work.recorder.should_stop)


def describe_end(result: RehearsalReport) -> str:
    return ""
