"""Duplicate: a person's photos, clips and captions become a second project, without what was trained of them."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from studio.disk import finished_dir
from studio.facts import Facts, write_facts
from studio.jobs.kind import PROCESSOR, JobConfig, Work
from studio.project_facts import ProjectFacts
from studio.workspace import Project, free_slug

TITLE = "Duplicate"
QUEUE = PROCESSOR
FOLDERS = ("originals", "dataset", "trash")  # what belongs to the person; runs, clips and exports belong to what was done
OF_RUNS = dict(chosen=None, dismissed=(), demo_version=None)  # facts that are about them


@dataclass(frozen=True, kw_only=True)
class DuplicateJob(JobConfig):
    """name: of the new project."""

    KIND = "duplicate"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "name")
    name: str


@dataclass(frozen=True, kw_only=True)
class DuplicateReport(Facts):
    """slug: of the new project, "" where it was stopped."""

    ALWAYS_WRITTEN = ("slug",)
    slug: str = ""
    stopped: bool = False


Config = DuplicateJob
Result = DuplicateReport


def run(config: DuplicateJob, work: Work) -> DuplicateReport:
    project = work.project
    clear_leftovers(project.workspace.projects_dir)
    target = free_slug(project.workspace.projects_dir, config.name)
    try:
        with finished_dir(target) as folder:
            for number, (source, place, total) in enumerate(files_of(project), 1):
                if work.recorder.should_stop():
                    raise InterruptedError
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / place)
                work.recorder.report("progress", stage="duplicate", done=number, total=total, unit="files", message=source.name)
            write_facts(folder / "project.json", facts_of(project, config.name, config.created))
    except InterruptedError:
        return DuplicateReport(stopped=True)
    return DuplicateReport(slug=target.name)


def clear_leftovers(folder: Path) -> None:
    """Delete what a duplication left that was killed; this queue runs one job at a time, so nobody works on it."""
    for leftover in folder.glob(".*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)


def files_of(project: Project) -> list[tuple[Path, Path, int]]:
    """(file, its place in the project, how many there are) of all that goes along."""
    found = [path for name in FOLDERS for path in sorted((project.root / name).rglob("*")) if path.is_file()]
    found += sorted(path for path in project.root.glob("curation*") if path.is_file() and not path.name.endswith(".lock"))
    return [(path, Path(os.path.relpath(path, project.root)), len(found)) for path in found]


def facts_of(project: Project, name: str, created: float) -> ProjectFacts:
    """The person's facts and choices under another name, without what is about runs."""
    return replace(project.facts(), name=name, created=created, **OF_RUNS)


def describe_end(result: DuplicateReport) -> str:
    return "The second project is in the list of persons." if result.slug else "It was stopped; nothing is left of the second project."
