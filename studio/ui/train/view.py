"""What the Train tab shows: the plan in words, and the newest run as JSON for its component; only reads."""

import collections
import time

from studio.config import TrainConfig
from studio.data.dataset import kept_items
from studio.jobs import launcher, state
from studio.machine import read_machine
from studio.models.preset import model_preset
from studio.training.endure.deadline import next_time
from studio.training.pairs import list_pairs, list_run_pairs
from studio.training.plan.plan_presets import hardware_preset, read_recipe
from studio.training.schedule import steps_in_turn
from studio.ui import actions, download_view
from studio.ui import formatting as f
from studio.ui.evaluate import sample_clips as train_samples
from studio.ui.settings_form import as_words, label_of
from studio.ui.train import choice as train_choice
from studio.ui.train.experts import read_lanes, read_notes

PAUSED = " when the GPU is to be used again (no waiting job begins before)"
LOG_BYTES = 6000  # a page of the log
MAX_IMPORT_ROWS = 100  # of values without a counterpart

# -- before


def next_step(project):
    if project is None:
        return {"text": "make a project with New person, at the left.", "action": "click:#new-person", "label": "New person"}
    job = actions.newest_train(project)
    if job and job.is_running:
        return {"text": "wait; you may close this window, the training goes on."}
    if job and not job.is_over:
        if launcher.is_held(project.workspace):
            return {"text": "let the queue go on; it is paused.", **actions.button("go-on-queue")}
        return {"text": "wait for the job before this one."}
    if not kept_items(project):
        what = "clips" if model_preset(project.facts().base_model).takes_first_picture else "photos"
        return {"text": f"add {what} first.", **actions.button("open-dataset")}
    if job and job.state != "done":
        return next_after_end(job)
    if actions.is_busy(project, "rehearse"):
        return {"text": "wait for the rehearsal; it takes minutes."}
    if list_pairs(project):
        return {"text": "compare the checkpoint pairs and choose the best one.", **actions.button("open-evaluate")}
    if missing := train_choice.what_is_missing(project):
        return {"text": f"go on in Dataset. {missing}", **actions.button("open-dataset")}
    if missing := download_view.read_download(project):
        return wait_for_model(missing)
    return {"text": "check the plan, then start.", **actions.button("start-training")}


def next_after_end(job):
    """The next step after a training that ended too early: the one that its error names, or that gets on."""
    action = way_on(job)
    words = {
        "resume": f"resume {job.name}{PAUSED if launcher.is_held(job.project.workspace) else ''}, or start anew below.",
        "halve-learning-rate": f"let {job.name} go on with half the learning speed, or start anew below.",
        "use-fewer-cards": f"let {job.name} go on with the graphics cards that there are, or start anew below.",
        "open-log": f"see why {job.name} ended; it can be resumed, or started anew below.",
    }
    button = (
        {"action": "click:#train-log:not([open]) > summary", "label": "Open the log"} if action == "open-log" else actions.button(action)
    )
    return {"text": words.get(action, f"see why {job.name} ended, then start anew."), **button}


def way_on(job):
    """The action that helps after a run: what its error names, else to go on where that is possible, else to begin anew."""
    if job.state == "done":
        return "open-evaluate"
    named = (job.error or {}).get("action") or ""
    if job.state == "failed" and actions.button(named):
        return named
    return "resume" if job.state in ("stopped", "crashed") or can_go_on(job) else "start-training"


def wait_for_model(missing):
    """The next step while the base model is not there."""
    if missing["state"] != "missing":
        return {"text": "wait for the base model; you may close this window, the download goes on."}
    if missing.get("label") and not missing["prevented"]:
        return {"text": "get the base model.", "action": "click:#download-model", "label": missing["label"]}
    return {"text": "get the base model; below is said what it needs.", **actions.button("link-model")}


def start_button(project, plan):
    """(label, why not in HTML, whether it can be pressed)."""
    reason, action = train_choice.what_prevents(project, plan)
    if reason:
        where = {"open-dataset": "See the Dataset tab.", "download-model": "The button for it is above."}.get(action, "")
        return "Start training", f'<p class="remark">{f.escape(reason)} {where}</p>', False
    current = state.current_job(project.workspace)
    if current:
        return "Add to the queue", f'<p class="muted">Now: {f.escape(current.title)}. One job runs at a time.</p>', True
    if not plan.fits:
        return "Start anyway", f'<p class="remark">{f.escape(plan.reasons[-1])}</p>', True
    return "Start training", "", True


def describe_choice(project, plan):
    """What the recipe is for, and what differs from it."""
    _, overrides = train_choice.read_choice(project)
    about = read_recipe(plan.recipe).description
    changed = ", ".join(f"{label_of(TrainConfig, name).lower()} {as_words(value)}" for name, value in overrides.items())
    remark = (
        f"Changed by you: {changed}."
        if changed
        else "The base model and this computer may ask for other numbers; the plan shows what will run."
    )
    return f'<p>{f.escape(about)}</p><p class="muted">{f.escape(remark)}</p>'


def describe_import(project):
    """What was taken from another trainer's config, and each value that has no counterpart, as a panel that can be opened."""
    note = project.facts().train_import if project else None
    if note is None:
        return ""
    without = note.without
    rows = "".join(f"<tr>{''.join(f'<td>{f.escape(text)}</td>' for text in entry)}</tr>" for entry in without[:MAX_IMPORT_ROWS])
    more = f'<p class="muted">And {len(without) - MAX_IMPORT_ROWS:,} more.</p>' if len(without) > MAX_IMPORT_ROWS else ""
    title = f"{f.count(len(note.settings), 'setting')} from {', '.join(note.files or [note.program])}"
    left = f"{len(without):,} without a counterpart" if without else "nothing left out"
    heads = '<tr><th scope="col">There</th><th scope="col">Value</th><th scope="col">Why it is not taken over</th></tr>'
    table = f'<div class="scroller"><table><thead>{heads}</thead><tbody>{rows}</tbody></table></div>{more}' if without else ""
    return f'<details class="panel taken"><summary>{f.escape(title)} <small>{f.escape(note.program)}, {left}</small></summary>{table}</details>'


def describe_plan(plan):
    """The plan as a panel: what it takes of what there is, and why."""
    p = plan.predicted
    rows = [
        row("This computer", "", describe_machine(plan)),
        meter("GPU memory", "VRAM", p.vram_gb, p.vram_free_gb)
        if plan.device == "cuda"
        else row("GPU memory", "VRAM", "none: the processor does it"),
        meter("Memory", "RAM", p.ram_gb, p.ram_free_gb),
        meter("Disk", "", p.disk_gb, p.disk_free_gb),
        row("Time", "", time_text(p, plan.config.steps)),
        *([row("Finish by", "", finish_text(plan))] if plan.config.finish_by else []),
        row("Steps", "", f"{plan.config.steps:,}, a checkpoint pair every {plan.config.save_every:,}"),
    ]
    verdict = "" if plan.fits else '<p class="remark">It does not fit as it is; the last reason says what helps.</p>'
    reasons = "".join(f"<li>{f.escape(reason)}</li>" for reason in plan.reasons)
    opened = "" if plan.fits else " open"
    return (
        f'<section class="panel plan" aria-label="Plan"><h3>Plan</h3><dl>{"".join(rows)}</dl>{verdict}'
        f"<details{opened}><summary>Why</summary><ul>{reasons}</ul></details></section>"
    )


def describe_machine(plan):
    """The GPU and the preset chosen for it, or the processor."""
    machine = read_machine()
    if plan.device == "cpu":
        return f"{machine.cpu_name}, {f.count(machine.cpu_cores, 'core')}"
    gpu = machine.gpus[0]
    return f"{gpu.name}, {gpu.vram_total_gb:.0f} GB; preset {hardware_preset(plan.hardware).title}"


def time_text(predicted, steps):
    if predicted.hours is None:
        return f"not known yet: {predicted.pace.advice or predicted.pace.source}"
    speed = f.seconds_per_step(predicted.seconds_per_step)
    return f"about {f.duration(predicted.hours * 3600)}, {speed} ({predicted.pace.source})"


def finish_text(plan, now=None):
    """How far a training that starts now gets before its "finish by"."""
    config, predicted = plan.config, plan.predicted
    if predicted.hours is None:
        return f"{config.finish_by}, with a saved pair"
    now = time.time() if now is None else now
    seconds = next_time(config.finish_by, now) - now
    if seconds >= predicted.hours * 3600:
        return f"{config.finish_by}; there is time for all of it"
    learning = predicted.seconds_per_step * steps_in_turn(config)
    beside_steps = predicted.hours * 3600 - learning
    steps = max(0.0, (seconds - beside_steps) / learning * config.steps)
    coarse = int(float(f"{steps:.1e}"))  # two digits: it must not change with every look
    return f"{config.finish_by}; from now until then there is time for about {coarse:,} of {config.steps:,} steps"


def row(label, term, text):
    small = f" <small>{term}</small>" if term else ""
    return f"<dt>{label}{small}</dt><dd>{f.escape(text)}</dd>"


def meter(label, term, need, free):
    """Need against what is free, in steps coarse enough not to change with every look."""
    if need is None:
        return row(label, term, "not known yet")
    if not free:
        return row(label, term, f"about {f.gigabytes(need)}")
    free = round(free) if free >= 4 else round(free, 1)
    share = min(1.0, need / free)
    tone = "over" if need > free else ""
    bar = f'<span class="bar {tone}" aria-hidden="true"><span style="width:{share * 100:.0f}%"></span></span>'
    small = f" <small>{term}</small>" if term else ""
    return f"<dt>{label}{small}</dt><dd>{f.gigabytes(need)} of {free:g} GB free{bar}</dd>"


# -- running and after


def read_run(project, chosen=None, log=None):
    """The newest training of the project, or the one chosen while that was the newest, with the list of all; {} if there is none.

    chosen: {"run", "newest"}: a training that was started since comes to the front by itself. log: {"run", "end"}: the page of the log
    before that byte; without one, or of another run, the last page.
    """
    jobs, chosen = list_trainings(project) if project else [], chosen or {}
    if not jobs:
        return {}
    job = next((job for job in jobs if job.name == chosen.get("run") and jobs[0].name == chosen.get("newest")), jobs[0])
    view = describe_run(project, job, (log or {}).get("end") if (log or {}).get("run") == job.name else None) | {
        "is_newest": job == jobs[0],
        "runs": describe_trainings(project, jobs),
    }
    if view["is_newest"] and is_same(view, next_step(project)):
        del view["action"], view["label"]  # one button is enough, and it stands in "Next"
    return view


def is_same(*buttons):
    """Whether two views offer the same button."""
    first, second = (button.get("action", "").removesuffix(":" + button.get("run", "")) for button in buttons)
    return bool(first) and first == second


def list_trainings(project):
    return [job for job in state.list_jobs(project.workspace, project) if job.kind == "train"]


def describe_trainings(project, jobs):
    """The list of runs, the newest first: name, when, state, steps, pairs, and whether each can go on."""
    if len(jobs) < 2 and not can_go_on(jobs[0]):
        return []  # the one there is stands above already
    pairs = collections.Counter(pair.run for pair in list_pairs(project))
    return [describe_training(job, pairs[job.name]) for job in jobs]


def describe_training(job, num_pairs):
    done, total = job.result.get("step") or job.progress.get("done") or 0, job.progress.get("total")
    step = state.last_safe_step(job.run_dir) if can_go_on(job) else 0
    return {
        "name": job.name,
        "when": when(job.started_at or job.queued_at),
        "state": f.STATES[job.state],
        "steps": f"{done:,} of {total:,} steps" if total else "no steps yet",
        "pairs": f.count(num_pairs, "pair") if num_pairs else "no pairs",
        "resume": f"from step {step:,}" if step else "",
    }


def can_go_on(job):
    """Whether a training ended too early and has a safety copy to go on from."""
    return job.can_resume and state.last_safe_step(job.run_dir) > 0


def when(seconds):
    return time.strftime("%d %b %H:%M", time.localtime(seconds)).lstrip("0")


def describe_run(project, job, log_end=None):
    """One run, as JSON for its component; log_end: where the page of the log ends that is looked at."""
    lanes, numbers = read_lanes(job, state.read_config(job.run_dir))
    title, sentence, tone, button = describe_end(project, job)
    return {
        "run": job.name,
        "state": f.STATES[job.state],
        "is_running": job.state == "running",
        "is_waiting": job.state == "queued",
        "title": title,
        "sentence": sentence,
        "tone": tone,
        **button,
        "progress": job_progress(job),
        "numbers": numbers,
        "lanes": lanes,
        "notes": read_notes(job),
        "pairs": train_samples.describe_pairs(project, list_run_pairs(job.run_dir), describe_pair),
        "log": describe_log(job, log_end),
    }


def describe_log(job, end):
    """A page of the log; {} while there is none. begin: where the page before it ends, 0 for the first; end: None for the last."""
    end = end if isinstance(end, int) and end > 0 else None
    text, begin = state.read_log_page(job.run_dir, end, LOG_BYTES)
    return {"text": text, "begin": begin, "end": end} if text or end else {}


def job_progress(job):
    progress = job.progress
    done, total = progress.get("done"), progress.get("total")
    words = [progress.get("stage") or "", progress.get("message") or ""]
    counted = f"{progress.get('unit') or 'step'} {f.amount(done)} of {f.amount(total)}" if total and done is not None else ""
    return {
        "share": None if job.fraction is None else round(job.fraction, 3),
        "counted": (counted[:1].upper() + counted[1:]).replace("Steps ", "Step "),
        "stage": " · ".join(word for word in words if word),
        "left": f.time_left(job.seconds_left) if job.is_running else "",
    }


def describe_pair(pair):
    """A saved pair in the list."""
    folder = pair.folder
    made = time.strftime("%a %H:%M", time.localtime(folder.stat().st_mtime)) if folder.exists() else ""
    size = sum(path.stat().st_size for path in pair.files.values() if path.exists())
    return {"id": pair.id, "label": f"Step {pair.step:,}", "run": pair.run, "made": made, "size": f.file_size(size)}


def describe_end(project, job):
    """(title, sentence, tone, button) of a run: what ended it, what that cost, and the one thing to do."""
    name = job.title
    if job.state == "queued":
        held = launcher.is_held(project.workspace)
        return name, "Waits: the queue is paused." if held else "Waits in the queue.", "", actions.button("go-on-queue") if held else {}
    if job.is_running:
        return name, "Saves a safety copy and stops." if job.state == "stopping" else job.notice, "", {}
    if job.state == "done":
        took = f" in {f.duration(job.seconds)}" if job.seconds else ""
        return f"{name}: finished{took}", "Now compare the pairs.", "good", actions.button(way_on(job))
    if job.state == "stopped" and job.result.get("stopped_by") == "finish-by":
        return (
            f"{name}: ended in time",
            "It was to be finished by now; a pair is saved, and it can go on.",
            "good",
            actions.button("resume", job.name),
        )
    if job.state == "stopped":
        return f"{name}: stopped", "It was stopped and saved; nothing is lost.", "", actions.button(way_on(job), job.name)
    error = job.error or {}
    sentence = " ".join(f.sentence(error.get(part, "")) for part in ("message", "cost", "fix") if error.get(part))
    return f"{name}: {f.STATES[job.state]}", sentence, "bad", actions.button(way_on(job), job.name)
