"""Rehearse: ten real steps that measure memory and time, and correct the plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.config import TrainConfig, from_dict
from studio.jobs.kind import GPU, TrainingJob, Work
from studio.jobs.torch_setup import require_device, set_up_torch

TITLE = "Rehearse"
QUEUE = GPU


@dataclass(frozen=True, kw_only=True)
class RehearseJob(TrainingJob):
    KIND = "rehearse"


Config = RehearseJob


def run(config: RehearseJob, work: Work) -> Mapping[str, Any]:
    from studio.training.rehearsal import rehearse  # loads torch

    set_up_torch(work.project)
    require_device(config.device)
    settings = from_dict(TrainConfig, config.config)
    return rehearse(settings, work.run_dir, report=work.recorder.report, should_stop=work.recorder.should_stop)


def describe_end(result: Mapping[str, Any]) -> str:
    return ""
