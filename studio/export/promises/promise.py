"""A promise: how many items another trainer sees of an export, how many frames at which speed, and how many steps it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.facts import Facts
from studio.words import count

TRUE_SPEED = (0.97, 1.03)


@dataclass(frozen=True)
class Taken:
    """What a trainer takes of one file: so many frames, from the first to the last of them so many seconds as filmed."""

    name: str
    frames: int
    seconds: float  # between the first and the last frame
    fps: float  # at which the model plays them

    @property
    def speed(self) -> float:
        """1 is as filmed; above, the motion is learned too quick."""
        return self.seconds / ((self.frames - 1) / self.fps) if self.frames > 1 else 1.0


@dataclass(frozen=True, kw_only=True)
class Promise(Facts):
    """What a trainer will make of an exported folder.

    items: pictures and clips that lie there; lost: files that it never trains on; frames, seconds: of the clips that it sees, as filmed;
    slowest, fastest: speeds of motion; steps: by expert; rounds: how often each item is seen in all.
    """

    ALWAYS_WRITTEN = ("program", "items", "lost", "photos", "clips", "frames", "seconds", "slowest", "fastest", "steps", "rounds")
    program: str
    items: int = 0
    lost: tuple[str, ...] = ()
    photos: int = 0
    clips: int = 0
    frames: int = 0
    seconds: float = 0.0
    slowest: float = 1.0
    fastest: float = 1.0
    steps: dict[str, int] = field(default_factory=dict)
    rounds: float = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether nothing is lost and every clip moves as filmed."""
        return not self.lost and TRUE_SPEED[0] <= self.slowest and self.fastest <= TRUE_SPEED[1]

    def to_answer(self) -> dict[str, Any]:
        """As commands answer."""
        facts = self.to_json()
        return facts | {"speed": [facts.pop("slowest"), facts.pop("fastest")], "words": list(self.in_words())}

    def in_words(self) -> tuple[str, ...]:
        """Sentences: what it sees, how clips move, how many steps."""
        seen = f"{self.items - len(self.lost)} of {count(self.items, 'item')}"
        lost = f" It never sees {self._name_lost()}." if self.lost else ""
        steps = " and ".join(f"{count(steps, 'step')} of the {expert.replace('_', ' ')} expert" for expert, steps in self.steps.items())
        lines = [f"{self.program} trains on {seen}: {count(self.photos, 'picture')} and {count(self.clips, 'clip')}.{lost}"]
        if self.clips:
            lines.append(f"Of the clips it takes {self.frames:,} frames, {self.seconds:.1f} seconds of motion, {self._speed()}.")
        return (
            *lines,
            f"It takes {steps}; each item is seen about {self.rounds:,.0f} times." if self.steps else "It takes no steps.",
        )

    def _name_lost(self) -> str:
        return ", ".join(self.lost[:5]) + (" and others" if len(self.lost) > 5 else "")

    def _speed(self) -> str:
        low, high = f"{self.slowest:.2f}", f"{self.fastest:.2f}"
        if low == high == "1.00":
            return "as fast as they were filmed"
        return f"at {low} times their speed" if low == high else f"at {low} to {high} times their speed"


def make_promise(program: str, taken: Iterable[Taken], lost: Iterable[str], steps: Mapping[str, int], pictures_a_step: int) -> Promise:
    """The Promise of what is taken of each file. pictures_a_step: how many rows an optimizer step averages."""
    seen, missed = list(taken), tuple(sorted(lost))
    clips = [one for one in seen if one.frames > 1]
    speeds = [one.speed for one in clips] or [1.0]
    return Promise(
        program=program,
        items=len(seen) + len(missed),
        lost=missed,
        photos=len(seen) - len(clips),
        clips=len(clips),
        frames=sum(one.frames for one in clips),
        seconds=round(sum(one.seconds + 1 / one.fps for one in clips), 3),
        slowest=round(min(speeds), 4),
        fastest=round(max(speeds), 4),
        steps={expert: number for expert, number in steps.items() if number},
        rounds=round(sum(steps.values()) * pictures_a_step / len(seen), 2) if seen else 0.0,
    )
