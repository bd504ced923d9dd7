"""What earlier runs and rehearsals of the same work measured on this computer. Torch-free: plans read it."""

from dataclasses import dataclass, replace

from studio.config import MemoryConfig, from_dict
from studio.training.history import read_history
from studio.workspace import read_json

REHEARSAL_FILE = "rehearsal.json"


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal measured. memory: the settings that sufficed, the planned ones or less; vram_gb: None on a CPU."""

    name: str
    memory: MemoryConfig
    vram_gb: float | None
    ram_gb: float
    seconds_per_step: float


def find_rehearsal(project, config, device, dataset_key):
    """The newest Rehearsal of these settings on this data, or None."""
    for run_dir in reversed(project.list_runs("rehearse")):
        asked = _config_of(run_dir, config, device, dataset_key)
        try:
            found = read_json(run_dir / REHEARSAL_FILE)
            rehearsal = Rehearsal(
                run_dir.name,
                from_dict(MemoryConfig, found["memory"]),
                found["vram_gb"],
                float(found["ram_gb"]),
                float(found["seconds_per_step"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue  # stopped, failed, or of another version of the studio
        if asked is not None and same_work(asked, config):
            return rehearsal
    return None


def find_seconds(project, config, device):
    """(seconds a step, name of the run) of the newest training of the same work, or None."""
    for run_dir in reversed(project.list_runs("train")):
        earlier = _config_of(run_dir, config, device)
        if earlier is not None and same_work(earlier, config) and (seconds := read_history(run_dir).seconds_per_step()):
            return seconds, run_dir.name
    return None


def same_work(one, other):
    """Whether a step of two TrainConfigs is the same work, however many of them there are, and when they are to end."""

    def work(config):
        return replace(config, steps=100_000, save_every=100_000, resume_every=1, held_out_every=1, finish_by="")

    return work(one) == work(other)


def _config_of(run_dir, config, device, dataset_key=None):
    """The TrainConfig of a run on that device, and on that data if told; None for one of another version of the studio."""
    try:
        facts = read_json(run_dir / "config.json")
        if facts.get("device", device) != device or (dataset_key and facts.get("dataset_key") != dataset_key):
            return None
        return from_dict(type(config), facts["config"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
