"""Numbers, sizes and times as a person reads them: one way for the window, the commands and what the jobs say."""

import time


def count(number: int, noun: str, plural: str = "") -> str:
    """1 photo, 3 photos."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def amount(number: int | float) -> str:
    """3,320 or 1.5"""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def gigabytes(value: float | None) -> str:
    """12.3 GB; below 0.1 GB in MB; "not known yet" for None."""
    if value is None:
        return "not known yet"
    if value < 0.1:
        return f"{value * 1000:.0f} MB"
    return f"{value:.1f} GB" if value < 100 else f"{value:.0f} GB"


def file_size(num_bytes: int) -> str:
    return gigabytes(num_bytes / 1e9)


def duration(seconds: float | None, *, exact: bool = False) -> str:
    """3 h 12 min, 4 min, 20 s; "not known yet" for None. exact: 2.4 s instead of 2 s."""
    if seconds is None:
        return "not known yet"
    if exact and 0 <= seconds < 10:
        return f"{seconds:.1f} s"
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


def sentence(text: object) -> str:
    """The text with a capital letter and a full stop."""
    words = str(text).strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".?:" else ".")
