"""Download: a base model or a captioner comes onto this computer."""

from dataclasses import dataclass

from studio.jobs.kind import DOWNLOADS, JobConfig, Work
from studio.models.fetch.downloading import DownloadReport, download_model, look_up
from studio.workspace import Workspace

TITLE = "Download"
QUEUE = DOWNLOADS


@dataclass(frozen=True, kw_only=True)
class DownloadJob(JobConfig):
    """model: the base model or captioner, as the catalogue names it. look_only: how large it is and its licence are asked, nothing is fetched."""

    KIND = "download"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "model")
    model: str
    look_only: bool = False


Config = DownloadJob
Result = DownloadReport


def run(config: DownloadJob, work: Work) -> DownloadReport:
    workspace = Workspace(work.project.workspace.home.parents[1])  # its jobs lie in <home>/models/.downloads
    if config.look_only:
        return look_up(config.model, workspace)
    return download_model(config.model, workspace, report=work.recorder.report, should_stop=work.recorder.should_stop)


def describe_end(result: DownloadReport) -> str:
    return ""
