"""Mistakes that a person can mend: what happened, what it cost, and the one action that fixes it."""


class Problem(ValueError):
    """A sentence for the person, never a traceback.

    cost: what was lost ("Nothing was lost; the pair of step 200 is kept."); fix: what to do, in words;
    action: name of the button that does it ("resume", "halve-learning-rate", "open-dataset", ...), or "".
    """

    def __init__(self, message, *, cost="", fix="", action=""):
        super().__init__(message)
        self.message, self.cost, self.fix, self.action = message, cost, fix, action

    def to_dict(self):
        return {"message": self.message, "cost": self.cost, "fix": self.fix, "action": self.action}
