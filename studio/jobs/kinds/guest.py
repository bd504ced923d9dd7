"""Guest: LoRA files that were made elsewhere become a guest, which comparisons can draw beside the person's own pairs."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from studio.facts import Facts
from studio.jobs.kind import PROCESSOR, JobConfig, Work

TITLE = "Take in a guest"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class GuestJob(JobConfig):
    """files: of a guest, one or two; trigger: the word that calls its person, None where its header is to say it.

    of, pair: instead of files, another project's slug and the id of its pair; delete_after: a folder that a browser's files lie in.
    """

    KIND = "guest"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "files")
    files: tuple[str, ...] = ()
    trigger: str | None = None
    of: str = ""
    pair: str = ""
    delete_after: str = ""


@dataclass(frozen=True, kw_only=True)
class GuestReport(Facts):
    """guest: its id; words: how it stands here, in a sentence."""

    ALWAYS_WRITTEN = ("guest",)
    guest: str = ""
    words: str = ""
    stopped: bool = False


Config = GuestJob
Result = GuestReport


def run(config: GuestJob, work: Work) -> GuestReport:
    from studio.evaluation.guests.guest_intake import add_guest, add_pair_of  # loads torch
    from studio.evaluation.sweep_plan import select_pairs

    project = work.project
    if config.of:
        other = project.workspace.project(config.of)
        guest = add_pair_of(project, other, select_pairs(other, [config.pair] if config.pair else None)[-1])
    else:
        guest = add_guest(project, [Path(file) for file in config.files], trigger=config.trigger)
    if config.delete_after and Path(config.delete_after).is_relative_to(
        project.root
    ):  # else they stay until the person has said what is asked
        shutil.rmtree(config.delete_after, ignore_errors=True)
    called = f'It is called by "{guest.facts.trigger}".' if guest.facts.trigger else "It has no trigger: prompts ask for the class alone."
    return GuestReport(guest=guest.id, words=" ".join([f"{guest.facts.title} can be compared now.", called, *guest.facts.notes]))


def describe_end(result: GuestReport) -> str:
    return result.words
