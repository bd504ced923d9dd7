"""Scores of a clip that need an eye: likeness, copies and obedience, from the base model's observer and the person's own pictures."""

from functools import cached_property

from studio.evaluation.judge.likeness import Copies, Likeness
from studio.evaluation.judge.obedience import prompt_accuracy
from studio.evaluation.judge.references import read_references, scores_key
from studio.models.eyes import NAMES, Eye, Sight, find_eye


class Watcher:
    """Looks at clips for one project. A base model without an observer measures nothing here; nothing is loaded before it is needed.

    key: what it measures with. trouble: why likeness can't be measured although there is an observer, or "".
    """

    def __init__(self, project, base):
        self.project, self.base = project, base
        self.key = scores_key(project, base)
        self._eye: Eye | None = find_eye(base.preset)
        self.trouble = ""

    def look(self, frames, prompt):
        """Scores of frames (F, H, W, 3) uint8 drawn for a prompt of sweep.json.

        Person prompts: identity, identity_fall, memorised; class prompts: resemblance; both: follows. What can't be measured is left out.
        """
        if self._sight is None:
            return {}
        can_name = self._eye is not None and NAMES in self._eye.gives
        scores = {"follows": prompt_accuracy(self._sight, prompt["text"], frames) if can_name else None}
        likeness, copies = self._person
        if likeness:
            share, fall = likeness.identity(self._sight.embed(frames))
            scores |= {"identity": share, "identity_fall": fall} if prompt["kind"] == "person" else {"resemblance": share}
        if copies and prompt["kind"] == "person":
            scores["memorised"] = copies.nearness(frames)
        return {name: round(value, 4) for name, value in scores.items() if value is not None}

    @cached_property
    def _sight(self) -> Sight | None:
        return self._eye.open(self.base) if self._eye else None

    @cached_property
    def _person(self):
        """(Likeness, Copies); None where there are too few pictures."""
        pictures, groups = read_references(self.project)
        copies = Copies(pictures, groups) if len(pictures) > 1 else None
        try:
            rows = [self._sight.embed(picture[None])[0] for picture in pictures]
            return Likeness(rows, groups), copies
        except ValueError as e:
            self.trouble = str(e)
            return None, copies
