"""What the Train tab says of rehearsals, beside the button that starts one; only reads."""

from dataclasses import dataclass

from studio.jobs import state
from studio.ui import formatting as f

WHAT_FOR = (
    "A rehearsal takes ten real steps, most on your largest photo or clip: then the plan shows measured memory and time. It takes minutes."
)


@dataclass(frozen=True)
class RehearsalNote:
    html: str
    is_busy: bool


def read_rehearsal(project):
    """The newest rehearsal of a project, running or failed, as a sentence; one that went well is told by the plan itself."""
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "rehearse"]
    job = jobs[0] if jobs else None
    if job is None:
        return RehearsalNote(_remark(WHAT_FOR), False)
    if not job.is_over:
        return RehearsalNote(_remark(_progress(job)), True)
    if job.state in ("failed", "crashed"):
        parts = (job.error.message, job.error.fix) if job.error else ()
        words = " ".join(f.sentence(part) for part in parts if part)
        return RehearsalNote(f'<p class="remark">{f.escape(f"The rehearsal ended early. {words}")}</p>', False)
    return RehearsalNote(_remark(f"Last rehearsed in {job.name}." if job.state == "done" else WHAT_FOR), False)


def _progress(job):
    if job.state == "queued":
        return "The rehearsal waits in the queue."
    done, total, message = job.progress.done, job.progress.total, job.progress.message
    counted = f", step {done + 1} of {total}" if job.progress.stage == "Rehearsal" and total and done < total else ""
    return f"Rehearsing{counted}. {message or ''}".strip()


def _remark(text):
    return f'<p class="muted">{f.escape(text)}</p>'
