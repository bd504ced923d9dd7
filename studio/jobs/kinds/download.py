"""Download: a base model or a captioner comes onto this computer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.jobs.kind import DOWNLOADS, JobConfig, Work
from studio.workspace import Workspace

TITLE = "Download"
QUEUE = DOWNLOADS


@dataclass(frozen=True, kw_only=True)
class DownloadJob(JobConfig):
    """model: the base model or captioner, as the catalogue names it."""

    KIND = "download"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "model")
    model: str


Config = DownloadJob


def run(config: DownloadJob, work: Work) -> Mapping[str, Any]:
    from studio.models.fetch.download import download_model  # start-up time

    workspace = Workspace(work.project.workspace.home.parents[1])  # its jobs lie in <home>/models/.downloads
    return download_model(config.model, workspace, report=work.recorder.report, should_stop=work.recorder.should_stop)


def describe_end(result: Mapping[str, Any]) -> str:
    return ""
