"""What earlier runs and rehearsals of the same work measured on this computer. Torch-free: plans read it."""

from dataclasses import dataclass, replace
from pathlib import Path

from studio.config import MemoryConfig, TrainConfig, from_dict
from studio.facts import read_facts
from studio.training.history import read_history
from studio.training.plan.prediction import Pace
from studio.training.plan.run_facts import RunFacts, read_run_facts
from studio.training.plan.run_reports import Measured
from studio.workspace import Project

REHEARSAL_FILE = "rehearsal.json"


@dataclass(frozen=True)
class Rehearsal:
    """A rehearsal that came to its end. name: of its run."""

    name: str
    memory: MemoryConfig
    measured: Measured


def find_rehearsal(project: Project, config: TrainConfig, device: str, dataset_key: str) -> Rehearsal | None:
    """The newest Rehearsal of these settings on this data, or None."""
    for run_dir in reversed(project.list_runs("rehearse")):
        asked = _facts_of(run_dir, device)
        if asked is None or asked.dataset_key != dataset_key or not _is_same_work(asked, config):
            continue
        try:
            measured = read_facts(Measured, run_dir / REHEARSAL_FILE)
            return Rehearsal(run_dir.name, from_dict(MemoryConfig, measured.memory), measured)
        except (OSError, ValueError):
            continue  # stopped, failed, or of another version of the studio
    return None


def find_pace(project: Project, config: TrainConfig, device: str) -> Pace | None:
    """The Pace of the newest training of the same work, or None."""
    for run_dir in reversed(project.list_runs("train")):
        earlier = _facts_of(run_dir, device)
        if earlier and _is_same_work(earlier, config) and (seconds := read_history(run_dir).seconds_per_step()):
            return Pace(seconds, f"measured in {run_dir.name}")
    return None


def same_work(one: TrainConfig, other: TrainConfig) -> bool:
    """Whether a step of two TrainConfigs is the same work, however many of them there are, and when they are to end."""

    def work(config: TrainConfig) -> TrainConfig:
        return replace(config, steps=100_000, save_every=100_000, resume_every=1, held_out_every=1, finish_by="")

    return work(one) == work(other)


def _is_same_work(facts: RunFacts, config: TrainConfig) -> bool:
    """False for a run of another version of the studio, whose settings this one does not know."""
    try:
        return same_work(facts.train_config(), config)
    except ValueError:
        return False


def _facts_of(run_dir: Path, device: str) -> RunFacts | None:
    """What a run was asked for, if it was on that device; None for one that can't be read."""
    try:
        facts = read_run_facts(run_dir)
    except (OSError, ValueError):
        return None
    return facts if facts.device in ("", device) else None  # runs of early versions do not tell their device
