"""What a check of the pictures came to, and what it proposes for each."""

from dataclasses import dataclass, field
from typing import Any

from studio.data.remarks import Decision, Warned
from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Proposal(Decision, Warned):
    """What is proposed for one item."""

    def to_json(self) -> dict[str, Any]:
        return {"warnings": []} | super().to_json()


@dataclass(frozen=True, kw_only=True)
class CurateReport(Facts):
    """What a check of the pictures did. The result of its job."""

    ALWAYS_WRITTEN = ("measured", "kept", "left_out", "changed", "stopped", "verdicts")
    measured: int = 0
    kept: int = 0
    left_out: int = 0
    changed: int = 0  # decisions
    stopped: bool = False  # then no decision was changed
    verdicts: dict[str, Proposal] = field(default_factory=dict)  # what is proposed for each item
