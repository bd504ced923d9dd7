"""Settings from the configs of other trainers, and what of them has no counterpart here. Each target says what it reads. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from studio.config import TrainConfig, from_dict, nest
from studio.data.dataset import kept_items
from studio.errors import Problem
from studio.export.reading.config_files import SUFFIXES, ConfigFile, load_file
from studio.export.reading.values import Counts, Found, Setting
from studio.export.target import Config, Target
from studio.export.targets import all_targets
from studio.project_facts import TakenOver, clean_line
from studio.workspace import Project

FILE_TYPES = SUFFIXES


NOTHING_KEPT = Counts()


def readable_targets() -> tuple[Target, ...]:
    """The trainers whose configs can be read."""
    return tuple(target for target in all_targets() if target.reader)


def how_to_choose() -> str:
    """Which files can be read, as an advice."""
    return f"Choose {', or '.join(target.reader.files for target in all_targets() if target.reader)}."


def read_configs(paths: Sequence[Path | str], counts: Counts = NOTHING_KEPT) -> Found:
    """The Found of one config, or of the several files that make up one. counts: photos and clips kept; some trainers count epochs.

    Problem in words if a file is none of these, for another base model, too large or damaged. A single value that can't be used is left out
    and named.
    """
    try:
        found = _read(paths, counts)
    except Problem as e:
        raise e if e.fix else Problem(e.message, cost=e.cost, fix=how_to_choose()) from None
    _name_prodigys_speed(found.settings)
    _drop_what_is_illegal(found)
    return found


def take_over(project: Project, paths: Sequence[Path | str]) -> Found:
    """Read configs into what the Train form of a project shows next, and note what they were; the Found.

    The settings are the recipe's and the configs' then: nothing of what was taken over or changed before stays, and what goes is named.
    """
    kept = kept_items(project)
    clips = sum(item.kind == "clip" for item in kept)
    found = read_configs(paths, Counts(len(kept) - clips, clips))
    choice = project.facts().train_choice
    for name, value in choice.overrides.items():
        if name not in found.settings:
            found.leave(name, value, "it was set here before; a config begins from the recipe")
    files = tuple(Path(path).name for path in paths)
    note = TakenOver(program=found.program, settings=found.settings, without=tuple(found.without), files=files)
    project.update(train_choice=replace(choice, overrides=dict(found.settings)), train_import=note)
    return found


def _read(paths: Sequence[Path | str], counts: Counts) -> Found:
    files = [file for path in paths for file in load_file(Path(path))]
    programs = {_program(file.name, file.data).name for file in files}
    if len(programs) != 1:
        raise Problem("These files are of different programs." if files else "No file was chosen.")
    program = next(target for target in readable_targets() if target.name in programs)
    found = Found(program.title)
    assert program.reader
    program.reader.read([(file.name, file.data) for file in files], found, counts)
    _tell_encodings(files, found)
    return found


def _tell_encodings(files: Sequence[ConfigFile], found: Found) -> None:
    for file in files:
        if file.read_as:
            found.leave(
                f"{file.name}: encoding", file.read_as, f"it is not UTF-8 and was read as {file.read_as}; look whether the values are right"
            )


def _program(name: str, data: Config) -> Target:
    """The program whose config a file is. Problem if it is none that can be read."""
    known = [target for target in all_targets() if target.recognises and target.recognises(name, data)]
    for target in known:
        if target.reader:
            return target
    what = f"a config of {known[0].title}, which can't be read here" if known else "no config that is known here"
    raise Problem(f"{name} is {what}.")


def _name_prodigys_speed(settings: dict[str, Setting]) -> None:
    """Where Prodigy finds the learning rate, theirs is a factor on it."""
    if settings.get("optimizer.name") == "prodigy" and "optimizer.learning_rate" in settings:
        settings["optimizer.prodigy_factor"] = settings.pop("optimizer.learning_rate")


def _drop_what_is_illegal(found: Found) -> None:
    """A value beyond its limits is named with them, and the rest is taken."""
    for name, value in list(found.settings.items()):
        try:
            from_dict(TrainConfig, nest({name: value}), "settings")
        except ValueError as error:
            del found.settings[name]
            found.became = [entry for entry in found.became if entry[2] != name]
            found.leave(name, value, clean_line(str(error))[:200].rstrip("."))
