"""By whom and how a caption was written: it lies beside the caption in curation.json, and is shown in small beside it."""

from dataclasses import dataclass

from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Authorship(Facts):
    """Of a caption that a captioner wrote.

    captioner: its name; version: what tells this one from another of that name; style: of presets/captions; time: seconds since 1970.
    changes: what the studio changed in it afterwards, in words: terms that were unified, a trait that was taken out.
    """

    captioner: str
    version: str = ""
    style: str = ""
    time: float = 0.0
    changes: tuple[str, ...] = ()

    def words(self) -> str:
        """ "Qwen3-VL-8B-Instruct (4-bit), style standard; terms unified"."""
        version = f" ({self.version})" if self.version else ""
        style = f", style {self.style}" if self.style else ""
        return "; ".join([f"{self.captioner}{version}{style}", *self.changes])
