"""What a target of exports gives: what it writes, reads back and leaves out, and for which base models. Each is a file of studio/export/targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.config import TrainConfig
from studio.export.lora_format import LoraFormat
from studio.export.promises.promise import Promise
from studio.export.reading.values import Counts, Found
from studio.export.source import Source
from studio.models.preset import ModelPreset

Plain = str | int | float | bool | tuple[Any, ...]
Config = dict[str, Any]  # a config file of another program, as read


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a trainer calls our choices of one setting. A choice that is missing is set to `nearest` there, and said."""

    called: Mapping[str, str]
    nearest: str
    why: Mapping[str, str] = field(default_factory=dict)  # {a choice that is missing: the reason, where there is more to say than that}

    def word(self, choice: str) -> str:
        if choice in self.called:
            return self.called[choice]
        return self.nearest

    def why_not(self, choice: str) -> str:
        """Why a choice is not what is set there, or "" if it is."""
        if choice in self.called:
            return ""
        if choice in self.why:
            return self.why[choice]
        return f"this export sets {self.nearest} instead"


@dataclass(frozen=True)
class Absent:
    """Why a trainer's config does not hold a setting; there: the value that holds there anyhow, which is then not lost."""

    why: str
    there: Plain | None = None


def no_conditions(train: TrainConfig) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the settings of a training fare in a trainer's config: in its own words, as they are, or not at all."""

    distribution: str  # the word for noise levels that have no name there
    words: Mapping[str, Words]  # {setting: what its choices are called}
    written: frozenset[str]  # the settings whose value is written
    absent: Mapping[str, Absent]  # of others, why not; a setting that is missing here too is left out all the same
    most: Mapping[str, int] = field(default_factory=dict)  # {a setting that is written: the most that is allowed there}
    besides: Callable[[TrainConfig], Mapping[str, str]] = no_conditions  # {a setting: why it isn't there}, where that depends on others


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How settings are read back from configs of a trainer."""

    files: str  # which files to choose, in words
    read: Callable[[Sequence[tuple[str, Config]], Found, Counts], None]  # ([(file name, data)], what is found, photos and clips kept here)


@dataclass(frozen=True, kw_only=True)
class Target:
    name: str  # as `--to` takes it: the file's name with - for _
    title: str
    writes: str  # what is in the folder, in words
    version: int  # raise it when the same source gives other files: exports made before are then no longer the same
    write: Callable[[Source, Path], None]  # into an empty folder
    serves: Callable[[ModelPreset], bool]  # whether a LoRA of this base model's preset can be used there
    dataset: Literal["always", "asked", "never"] = "never"
    lora_format: LoraFormat = "fp32"  # of the pair's files where the person asks for none: fp32 where training goes on from them
    with_report: bool = False  # whether a comparison that holds the pair goes along
    settings: Settings | None = None  # None: the pair alone is handed over, or all settings are
    recognises: Callable[[str, Config], bool] | None = None  # (file name, data): whether a file is a config of this program
    reader: Reader | None = None
    private: str = ""  # what in the folder tells of the person, in words
    promise: Callable[[Path], Promise] | None = None  # what that program will make of a folder, by its own rules


def any_model(preset: ModelPreset) -> bool:
    return True


def pairs_of_experts(preset: ModelPreset) -> bool:
    """WAN 2.2 A14B, text to video and image to video: what the trainers' configs are written for."""
    return len(preset.experts) > 1
