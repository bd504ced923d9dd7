"""The votes on a comparison: a file of lines beside it that only grows, so that they survive whatever happens to the rest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.disk import append_jsonl, read_jsonl
from studio.evaluation.sweep_facts import Cell

FILE = "votes.jsonl"
LEFT, RIGHT, EQUAL = "left", "right", "equal"
ANSWERS = (LEFT, RIGHT, EQUAL)

Stood = tuple[str, float]  # a pair and a strength


@dataclass(frozen=True)
class Vote:
    """left, right: which pair at which strength stood where; prompt: its words, so that a comparison that is planned anew finds it again."""

    prompt: str
    seed: int
    left: Stood
    right: Stood
    answer: str
    id: str = ""  # of the question: two presses on one are one vote

    @property
    def is_mixed(self) -> bool:
        return self.left != self.right


def add_vote(folder: Path, prompt: str, left: Cell, right: Cell, answer: str, question: str = "") -> None:
    """Write down what was answered. ValueError for an answer that there is none of."""
    if answer not in ANSWERS:
        raise ValueError(f"an answer is one of {', '.join(ANSWERS)}, not {answer!r}")
    places = {"left": [left.pair, left.strength], "right": [right.pair, right.strength]}
    append_jsonl(folder / FILE, {"prompt": prompt, "seed": left.seed, **places, "answer": answer, "id": question}, sync=True)


def take_back(folder: Path) -> None:
    """The last vote that still counts does not count any more."""
    append_jsonl(folder / FILE, {"taken_back": True}, sync=True)


def read_votes(folder: Path) -> list[Vote]:
    """Those that count, in the order they were given. A line that can't be read is none."""
    votes: list[Vote] = []
    for record in read_jsonl(folder / FILE)[0]:
        if record.get("taken_back"):
            votes = votes[:-1]
        elif vote := _read(record):
            votes.append(vote)
    return votes


def _read(record: dict[str, Any]) -> Vote | None:
    try:
        left, right = ((str(pair), float(strength)) for pair, strength in (record["left"], record["right"]))
        vote = Vote(str(record["prompt"]), int(record["seed"]), left, right, str(record["answer"]), str(record.get("id", "")))
    except (KeyError, TypeError, ValueError):
        return None
    return vote if vote.answer in ANSWERS else None
