"""What the Train tab says of rehearsals, beside the button that starts one; only reads."""

from __future__ import annotations

from dataclasses import dataclass

from studio.jobs import state
from studio.training.events import REHEARSAL
from studio.ui import formatting as f
from studio.ui.views import Remark
from studio.workspace import Project

WHAT_FOR = (
    "A rehearsal takes ten real steps, most on your largest photo or clip: then the plan shows measured memory and time. It takes minutes."
)


@dataclass(frozen=True)
class RehearsalNote:
    remark: Remark
    is_busy: bool = False


def read_rehearsal(project: Project) -> RehearsalNote:
    """The newest rehearsal of a project, running or failed, as a sentence; one that went well is told by the plan itself."""
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "rehearse"]
    job = jobs[0] if jobs else None
    if job is None:
        return RehearsalNote(Remark(WHAT_FOR))
    if not job.is_over:
        return RehearsalNote(Remark(_progress(job)), is_busy=True)
    if job.state in ("failed", "crashed"):
        words = f.in_sentences(job.error, with_cost=False)
        return RehearsalNote(Remark(f"The rehearsal ended early. {words}", "remark"))
    return RehearsalNote(Remark(f"Last rehearsed in {job.name}." if job.state == "done" else WHAT_FOR))


def _progress(job: state.JobStatus) -> str:
    if job.state == "queued":
        return "The rehearsal waits in the queue."
    done, total, message = job.progress.done, job.progress.total, job.progress.message
    is_counted = job.progress.code == REHEARSAL and total and done is not None and done < total
    counted = f", step {done + 1} of {total}" if is_counted and done is not None else ""
    return f"Rehearsing{counted}. {message or ''}".strip()
