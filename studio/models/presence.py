"""Whether something that the studio needs is on this computer. Torch-free."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Presence:
    """Of a base model, or whatever can be fetched. reason: why it is not ready, as a sentence; "" if it is."""

    name: str
    title: str
    reason: str = ""

    @property
    def available(self) -> bool:
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "title": self.title, "available": self.available, "reason": self.reason}
