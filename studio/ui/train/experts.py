"""The numbers and the two lanes of a run, one an expert, as JSON for the component; only reads."""

import time

from studio.config import EXPERTS
from studio.machine import read_machine
from studio.models.preset import Expert, experts_of
from studio.training.curves import read_curves
from studio.training.events import Note
from studio.training.history import read_history
from studio.ui import formatting as f
from studio.workspace import read_json

NOTES_SHOWN = 6
MAX_POINTS = 300  # of a curve: a lane is some 500 px wide


def read_lanes(job, config):
    """(lanes, numbers of the moment) of a run; config: its config.json. No numbers when it is over, no lanes before it begins."""
    if job.state == "queued":
        return [], []
    history, series = read_history(job.run_dir), read_curves(job.run_dir, MAX_POINTS)
    settings, nothing_set_aside, experts = config["config"], not has_held_out(job.run_dir), experts_in(config)
    cards = settings.get("processes", 1) / len(experts)  # for each expert
    lanes = [
        lane(expert, series[expert.name], settings)
        | {"turn": turn(expert.name, job, history.phase, settings, cards), "unchecked": nothing_set_aside}
        for expert in experts
    ]
    pace = history.seconds_per_step()
    return lanes, [] if job.is_over else numbers(series, settings, config.get("device", ""), pace, len(experts) if cards >= 1 else 1)


def read_notes(job):
    """What the run told in words, the newest first: what it could not do as set, what it did about a trouble, how long the computer slept."""
    if job.state == "queued":
        return []
    notes = reversed(read_history(job.run_dir).notes[-NOTES_SHOWN:])
    return [{"when": time.strftime("%a %H:%M", time.localtime(note.time)), "text": note_text(note)} for note in notes]


def note_text(note):
    return note.message if isinstance(note, Note) else f"The computer slept for {f.duration(note.seconds)}; the training went on."


def experts_in(config) -> tuple[Expert, ...]:
    """The experts of a run's base model; both, if that is not known any more."""
    return experts_of(config.get("base_model", ""))


def has_held_out(run_dir):
    """Whether the run has pictures set aside, as far as that is known."""
    try:
        return bool(read_json(run_dir / "dataset.json").get("held_out"))
    except (OSError, ValueError):
        return True  # not chosen yet


def lane(expert: Expert, series, settings):
    """One expert's curves."""
    return {
        "id": expert.name,
        "name": f.sentence(expert.words).rstrip("."),
        "term": expert.name.replace("_", " "),
        "step": series.step,
        "loss": rounded(series.loss),
        "rate": rounded(series.learning_rate),
        "seconds": rounded(series.seconds),
        "memory": rounded(series.memory_gb),
        "held_out_step": series.held_out_step,
        "held_out": rounded(series.held_out),
        "bands": describe_bands(series.bands),
        "last_step": settings["steps"],
    }


def describe_bands(bands):
    """The strongest noise first: a picture is drawn from there."""
    digits = 1 if any(band.high - band.low < 0.03 for band in bands) else 0
    return [describe_band(band, digits) for band in reversed(bands)]


def describe_band(band, digits):
    """The held-out loss of a band of noise levels, and how far it has come since the first check."""
    known = [loss for loss in band.loss if loss is not None]
    change = round((known[-1] / known[0] - 1) * 100, 1) if len(known) > 1 and known[0] else 0.0
    words = f"{abs(change):g} % {'lower' if change < 0 else 'higher'}" if change else "as at first" if len(known) > 1 else ""
    limits = f"{band.low * 100:.{digits}f} to {band.high * 100:.{digits}f} %"
    return {"limits": limits, "loss": rounded(band.loss), "change": words, "better": change < 0}


def turn(expert, job, phase, settings, cards):
    """Whose turn it is, in words; the experts take turns, and one at a time is in memory, unless each has a graphics card, or several."""
    share = settings["high_noise_share"] if expert == EXPERTS[0] else 1 - settings["high_noise_share"]
    if not share:
        return {"text": "gets no steps in this run", "now": False}
    if not job.is_running or not phase:
        return {"text": "", "now": False}
    if cards >= 1 and settings.get("processes", 1) > 1:
        return {"text": "learns on a graphics card of its own" if cards == 1 else f"learns on {cards:.0f} graphics cards", "now": True}
    if phase.expert == expert:
        return {"text": f"learns now, to step {phase.last_step:,}", "now": True}
    waits = phase.last_step < settings["steps"]
    return {"text": f"its turn comes after step {phase.last_step:,}" if waits else "has learned all its steps", "now": False}


def numbers(series, settings, device, seconds_per_step, num_at_once):
    """[(what, how much)] of the moment. num_at_once: experts that learn at the same time."""
    last = [(curves.step[-1], curves) for curves in series.values() if curves.step]
    if not last:
        return []
    step, newest = max(last, key=lambda pair: pair[0])
    found = [("Speed", f.seconds_per_step(seconds_per_step)), ("Next pair", next_pair(step, settings, seconds_per_step, num_at_once))]
    peak, ram = newest.memory_gb[-1], newest.ram_gb[-1]
    if device == "cuda" and peak:
        gpus = read_machine().gpus
        found.append(("GPU memory at its peak", f.gigabytes(peak) + (f" of {gpus[0].vram_total_gb:.0f}" if gpus else "")))
    if ram or peak:
        found.append(("RAM", f.gigabytes(ram or (None if device == "cuda" else peak))))
    if newest.learning_rate[-1] is not None:
        found.append(("Learning speed", f"{newest.learning_rate[-1]:.2g}"))
    return [{"what": what, "much": much} for what, much in found if much]


def next_pair(step, settings, seconds_per_step, num_at_once):
    """step 1,000 in about 12 min"""
    due = min(settings["steps"], (step // settings["save_every"] + 1) * settings["save_every"])
    if due <= step:
        return ""
    return f"step {due:,}" + (f" in about {f.duration((due - step) * seconds_per_step / num_at_once)}" if seconds_per_step else "")


def rounded(values):
    return [None if value is None else float(f"{value:.4g}") for value in values]
