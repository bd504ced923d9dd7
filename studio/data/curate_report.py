"""What a check of the pictures came to, and what it proposes for each."""

from dataclasses import dataclass, field
from typing import Any

from studio.data.choosing.lacks import Lack
from studio.data.people.who import Group
from studio.data.remarks import Decision, Remark, Warned
from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Proposal(Decision, Warned):
    """What is proposed for one item."""

    def to_json(self) -> dict[str, Any]:
        return {"warnings": []} | super().to_json()


@dataclass(frozen=True, kw_only=True)
class CurateReport(Facts):
    """What a check of the pictures did. The result of its job."""

    ALWAYS_WRITTEN = ("measured", "kept", "left_out", "changed", "stopped", "held_out", "groups", "person", "question", "lacks", "verdicts")
    measured: int = 0
    kept: int = 0
    left_out: int = 0
    changed: int = 0  # decisions
    stopped: bool = False  # then no decision was changed
    held_out: int = 0
    groups: tuple[Group, ...] = ()  # people in at least two photos, with examples
    person: int | None = None  # which of them is the person; None where nobody knows
    num_once: int = 0  # faces that are in one photo only
    question: Remark | None = None  # what a human must say before anybody is compared
    lacks: tuple[Lack, ...] = ()  # what the set should have and the photos can't give
    verdicts: dict[str, Proposal] = field(default_factory=dict)  # what is proposed for each item
