"""What an eye is needed for: the one for the base model, and the person's own pictures as it sees them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.likeness import Copies, Likeness
from studio.evaluation.judge.measuring import score_keys
from studio.evaluation.judge.references import read_held_out, read_references
from studio.evaluation.sweep_facts import Prompt
from studio.models.catalogue import BaseModel
from studio.models.eyes import FACES, NAMES, Eye, FaceSight, NamingSight, Sight, find_eye
from studio.workspace import Project


class Watcher:
    """Looks at clips for one project. Nothing is loaded before it is needed.

    keys: what each score is measured with. trouble: why likeness can't be measured although there is an eye, or "".
    """

    def __init__(self, project: Project, base: BaseModel) -> None:
        self.project, self.base = project, base
        self.keys = score_keys(project, base)
        self.eye: Eye | None = find_eye(base.preset)
        self.trouble = ""

    def look(self, frames: np.ndarray, prompt: Prompt, base: Look | None = None) -> Look:
        """A clip, beside the base's of the same prompt and seed."""
        return Look(frames, prompt, self, base)

    @property
    def sight(self) -> Sight | None:
        """The opened eye; None where there is none for the base model."""
        return self._opened

    @property
    def namer(self) -> NamingSight | None:
        """The opened eye, if it says what a picture shows."""
        if self.eye is None or NAMES not in self.eye.gives:
            return None
        assert isinstance(self.sight, NamingSight), f"the eye {self.eye.name!r} says that it gives names, and has no method for it"
        return self.sight

    @property
    def finder(self) -> FaceSight | None:
        """The opened eye, if it finds faces."""
        if self.eye is None or FACES not in self.eye.gives:
            return None
        assert isinstance(self.sight, FaceSight), f"the eye {self.eye.name!r} says that it gives faces, and has no method for it"
        return self.sight

    @property
    def likeness(self) -> Likeness | None:
        """To the person; None where there are too few pictures."""
        return self._person[0]

    @property
    def copies(self) -> Copies | None:
        """Finds copies of the person's pictures; None where there are too few."""
        return self._person[1]

    @cached_property
    def _opened(self) -> Sight | None:
        return self.eye.open(self.base) if self.eye else None

    @cached_property
    def _person(self) -> tuple[Likeness | None, Copies | None]:
        if self.sight is None:
            return None, None
        pictures, groups = read_references(self.project)
        copies = Copies(pictures, groups) if len(pictures) > 1 else None
        try:
            held_out = read_held_out(self.project)
            groups = np.concatenate([groups, groups.max(initial=-1) + 1 + np.arange(len(held_out))]).astype(int)
            rows, groups = self._embed_known(self.sight, [*pictures, *held_out], groups)
            assert self.eye is not None
            return Likeness(rows, groups, self.eye.scale), copies
        except ValueError as e:
            self.trouble = str(e)
            return None, copies

    def _embed_known(self, sight: Sight, pictures: Sequence[np.ndarray], groups: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """(rows, groups) of the pictures that the eye knows the kind of. ValueError if it knows too few of those that are there."""
        known = [number for number, picture in enumerate(pictures) if sight.knows(picture[None])[0]]
        assert self.eye is not None
        if len(known) < self.eye.scale.least <= len(pictures):
            raise ValueError(self.eye.unseen)
        return [sight.embed(pictures[number][None])[0] for number in known], groups[known]
