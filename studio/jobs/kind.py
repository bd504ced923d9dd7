"""What a kind of job is, and where the kinds are found: each is one file in studio/jobs/kinds."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

from studio.doors import members
from studio.facts import Facts, read_facts
from studio.jobs import kinds
from studio.workspace import Project, Workspace, project_of

GIVES = ("TITLE", "QUEUE", "Config", "Result", "run", "describe_end")
# Queues: one job at a time in each, and none waits for another queue's.
GPU, PROCESSOR, DOWNLOADS = "gpu", "processor", "downloads"  # what needs the graphics card; what does not; what waits for the network


@dataclass(frozen=True, kw_only=True)
class JobConfig(Facts):
    """config.json of a run folder: what was asked for, so that the job needs nothing else. A kind of job adds its own fields."""

    KIND: ClassVar[str] = ""
    ALWAYS_WRITTEN = ("kind", "created", "title")
    kind: str = ""
    created: float = 0.0  # seconds since 1970
    title: str = ""

    def complete(self, project: Project) -> Self:
        """With what the job needs to know of its project, so that a later edit of the project does not change the run."""
        return self


@dataclass(frozen=True, kw_only=True)
class SettingsJob(JobConfig):
    """A job with a section of settings. config: as in studio.config, plain values."""

    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "config")
    config: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainingJob(SettingsJob):
    """What a training and its rehearsal are given. recipe, hardware: presets; device: "cuda", "cpu" or "" for whatever is there."""

    ALWAYS_WRITTEN = (*SettingsJob.ALWAYS_WRITTEN, "trigger", "class_noun", "base_model", "recipe", "hardware", "device")
    trigger: str = ""
    class_noun: str = ""
    base_model: str = ""
    recipe: str = ""
    hardware: str = ""
    device: str = ""
    dataset_key: str = ""  # of the pictures that the plan was made for

    def complete(self, project: Project) -> Self:
        facts = project.facts()
        return replace(
            self,
            trigger=self.trigger or facts.trigger,
            class_noun=self.class_noun or facts.class_noun,
            base_model=self.base_model or facts.base_model,
        )


class Reports(Protocol):
    """Whom a job talks to while it runs."""

    def report(self, event: str, **fields: Any) -> None: ...

    def should_stop(self) -> bool: ...

    def should_save(self) -> bool: ...


@dataclass(frozen=True)
class Work:
    """A job that runs now. process_group(world_size): who reports for so many processes, the others started."""

    run_dir: Path
    recorder: Reports
    process_group: Callable[[int], AbstractContextManager[Reports]]

    @property
    def project(self) -> Project:
        return project_of(self.run_dir)


class JobKind(Protocol):
    """What the file of a kind gives. It is read by the window too, so that what loads torch is imported in `run`, which only the worker calls.

    TITLE: what a person reads; QUEUE: GPU, PROCESSOR or DOWNLOADS; Config: a JobConfig whose KIND is the kind's name.
    Result: what `run` returns and status.json keeps, read with `JobStatus.read_result`; its `stopped`, if it has one, says whether it broke off.
    """

    TITLE: str
    QUEUE: str
    Config: type[JobConfig]
    Result: type[Facts]

    def run(self, config: Any, work: Work) -> Facts:
        """Do the job to its end, or until it saw a request to stop; a Result."""
        ...

    def describe_end(self, result: Any) -> str:
        """How it ended when it is done, in a sentence, from its Result; "" where the page shows what it made."""
        ...


def find_kinds() -> dict[str, JobKind]:
    """Every kind there is, by its name. ValueError names a file that does not give what a kind gives."""
    found = cast(tuple[JobKind, ...], members(kinds.__name__, GIVES))
    return {kind.Config.KIND: kind for kind in found}


def queues_of(workspace: Workspace) -> tuple[str, ...]:
    """The queues of a workspace; the folder of downloads is a workspace with one of its own."""
    return (DOWNLOADS,) if workspace.is_downloads else (GPU, PROCESSOR)


def queue_of(kind: str) -> str:
    """The queue in which jobs of a kind wait; a kind that this version does not know waits where most do."""
    found = find_kinds()
    return found[kind].QUEUE if kind in found else GPU


def find_kind(name: str) -> JobKind:
    found = find_kinds()
    if name not in found:
        raise ValueError(f"there is no job kind {name!r}; there are {', '.join(found)}")
    return found[name]


Config = TypeVar("Config", bound=JobConfig)


def read_config(config_type: type[Config], run_dir: Path | str) -> Config:
    """config.json of a run folder, as far as that type of config tells of it."""
    return read_facts(config_type, Path(run_dir) / "config.json")
