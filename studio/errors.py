"""Mistakes that a person can mend: what happened, what it cost, and the one action that fixes it."""

import errno

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # none left, none allowed, none for a file of that size
DISK_FULL_WINDOWS = 112  # ERROR_DISK_FULL


class Problem(ValueError):
    """A sentence for the person, never a traceback.

    cost: what was lost ("Nothing was lost; the pair of step 200 is kept."); fix: what to do, in words;
    action: name of the button that does it ("resume", "halve-learning-rate", "open-dataset", ...), or "".
    """

    def __init__(self, message: str, *, cost: str = "", fix: str = "", action: str = ""):
        super().__init__(message)
        self.message, self.cost, self.fix, self.action = message, cost, fix, action

    def in_words(self) -> str:
        """All of it on one line."""
        return " ".join(part for part in (self.message, self.cost, self.fix) if part)

    def to_dict(self) -> dict[str, str]:
        return {"message": self.message, "cost": self.cost, "fix": self.fix, "action": self.action}


class Damaged(Problem):
    """A file of the person's work can't be used. name: what it belongs to, a pair's id or a folder's name."""

    def __init__(self, name: str, message: str, *, cost: str, fix: str):
        super().__init__(message, cost=cost, fix=fix)
        self.name = name


class NewerFormat(Problem):
    """A newer version of the studio wrote a file: it can be looked at, and nothing of it may be changed."""

    def __init__(self, name: str):
        super().__init__(
            f"{name} was made by a newer version of the studio, so it can only be looked at here.",
            cost="Nothing in it was changed.",
            fix="Update the studio to go on with it.",
        )


class DiskFull(Problem):
    """No space is left for what had to be saved. Whoever can wait may try again."""


class ProcessLost(Problem):
    """Another process of this training does not answer. Where that one said why it ended, its own words count."""

    def __init__(self):
        super().__init__(
            "Another process of this training does not answer any more.",
            cost="Everything up to the last safety copy is kept.",
            fix="Resume to go on from there; the log may say more.",
            action="resume",
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception means that no space is left, or none is allowed; safetensors reports it as an error of its own."""
    if isinstance(error, OSError):
        return error.errno in NO_SPACE or getattr(error, "winerror", None) == DISK_FULL_WINDOWS
    text = str(error)
    return "No space left on device" in text or any(f"(os error {n})" in text for n in (*NO_SPACE, DISK_FULL_WINDOWS))
