"""Numbers, durations and states in words: everything that a person reads and that is not a picture."""

import html
import time
from collections.abc import Mapping, Sequence
from typing import Any

STATES = {
    "queued": "waiting in the queue",
    "running": "running",
    "stopping": "saving and stopping",
    "done": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "crashed": "interrupted",
}


def escape(text: object) -> str:
    return html.escape(str(text), quote=True)


def count(number: int, noun: str, plural: str = "") -> str:
    """1 photo, 3 photos."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def amount(number: float) -> str:
    """3,320 or 1.5"""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def gigabytes(value: float | None) -> str:
    """12.3 GB; below 0.1 GB in MB; "not known yet" for None."""
    if value is None:
        return "not known yet"
    if value < 0.1:
        return f"{value * 1000:.0f} MB"
    return f"{value:.1f} GB" if value < 100 else f"{value:.0f} GB"


def duration(seconds: float | None) -> str:
    """3 h 12 min, 4 min, 20 s; "not known yet" for None."""
    if seconds is None:
        return "not known yet"
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"


def until(seconds_left: float, now: float | None = None) -> str:
    """When something that takes so long is ready: 07:40, or Tue 07:40 after midnight."""
    now = time.time() if now is None else now
    end, today = time.localtime(now + seconds_left), time.localtime(now)
    same_day = end[:3] == today[:3]
    return time.strftime("%H:%M" if same_day else "%a %H:%M", end)


def time_left(seconds_left: float | None) -> str:
    """about 3 h 12 min left (until 07:40), or "" when unknown."""
    if seconds_left is None:
        return ""
    when = f" (until {until(seconds_left)})" if seconds_left >= 60 else ""
    return f"about {duration(seconds_left)} left{when}"


def seconds_per_step(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s a step" if seconds >= 1 else f"{seconds:.2f} s a step"


def sentence(text: object) -> str:
    """The text with a capital letter and a full stop."""
    text = str(text).strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?:" else ".")


def in_sentences(error: Mapping[str, Any] | None, parts: Sequence[str] = ("message", "cost", "fix")) -> str:
    """What a job's error says: what happened, what it cost, what to do; "" without one."""
    return " ".join(sentence(error[part]) for part in parts if error.get(part)) if error else ""


def file_size(num_bytes: int) -> str:
    return gigabytes(num_bytes / 1e9)
