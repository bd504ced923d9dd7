"""What the writing of captions came to."""

from dataclasses import dataclass

from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class CaptionNote(Facts):
    """What a person should look at. id: of the item; file: its name."""

    id: str
    file: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CaptionReport(Facts):
    """How many captions were written, stayed as they were, or could not be written. The result of a caption job.

    plain: of the written, those where the captioner's answer was no use and only `trigger, a class noun` stands.
    """

    ALWAYS_WRITTEN = ("written", "plain", "kept", "failed", "stopped", "notes")
    written: int = 0
    plain: int = 0
    kept: int = 0
    failed: int = 0
    stopped: bool = False
    notes: tuple[CaptionNote, ...] = ()
