"""What tests read of a run's folder."""

from pathlib import Path
from typing import Any

from studio.disk import read_jsonl


def read_events(run_dir: Path | str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """(events, next offset) from events.jsonl, from a byte offset on; an event being written is left for the next time.

    Each is {"event": type, "time": seconds since 1970, ...fields}.
    """
    return read_jsonl(Path(run_dir) / "events.jsonl", offset)
