"""Asks a captioner about one item until its answer makes a caption, or says why none can be made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.captions import rules
from studio.data.captions.forbidden import mentions
from studio.data.captions.traits import ChosenTraits
from studio.data.captions.writing.answer import Answer, read_answer
from studio.data.captions.writing.instructions import bounds, instruction

if TYPE_CHECKING:
    from studio.data.captions.writing.shown_pictures import ShownPictures
    from studio.models.captioners.family import Captioner

TRIES = 2  # the second time with a reminder, or with more room where the first answer was cut off
MOST_TOKENS = 1024
SHOWN_CHARACTERS = 240  # of an answer that is no use, for the person to see why


@dataclass(frozen=True)
class Described:
    """caption: "" where no answer made one, and then `problem` says why and `answer` what was said."""

    caption: str
    problem: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Asker:
    """What does not change from item to item. noun: the class noun; attempt: how often a person had this asked anew before."""

    trigger: str
    noun: str
    style: Mapping[str, Any]  # a preset of captions
    traits: ChosenTraits
    max_new_tokens: int
    attempt: int = 0

    def describe(self, captioner: Captioner, kind: str, shown: ShownPictures) -> Described:
        found = Described("", "nothing was asked")
        room, is_reminded = self.max_new_tokens, self.attempt > 0
        for number in range(TRIES):
            question = instruction(self.style, kind, self.traits, is_reminded)
            said = captioner.answer(shown.pictures, shown.fps, question, room, self.attempt * TRIES + number)
            answer = self._read(said.text, question, said.is_complete, kind == "clip")
            found = self._compose(answer, said.text)
            if found.caption:
                return found
            if answer.is_cut_off:
                room = min(MOST_TOKENS, room * 2)
            else:
                is_reminded = True
        return found

    def _read(self, text: str, question: str, is_complete: bool, is_clip: bool) -> Answer:
        return read_answer(
            text,
            trigger=self.trigger,
            instruction=question,
            complete=is_complete,
            class_noun=self.noun,
            is_clip=is_clip,
            **bounds(self.style, self.traits),
        )

    def _compose(self, answer: Answer, text: str) -> Described:
        shown = " ".join(text.split())[:SHOWN_CHARACTERS]
        if answer.problem:
            return Described("", answer.problem, shown)
        caption = rules.compose_caption(self.trigger, f"{with_article(self.noun)}, {answer.person}", answer.scene)
        faults = rules.check_caption(caption, self.trigger, self.noun)
        if faults:
            return Described("", f"the captioner's answer made no legal caption ({faults[0].words})", shown)
        if mentions(caption.removeprefix(self.trigger), self.traits.forbidden_words):
            return Described("", "the captioner's answer names what is to be learned as the person", shown)
        return Described(caption)


def with_article(noun: str) -> str:
    if noun.casefold().startswith(("a ", "an ", "the ")):
        return noun
    article = "an" if noun[0].casefold() in "aeiou" else "a"
    return f"{article} {noun}"
