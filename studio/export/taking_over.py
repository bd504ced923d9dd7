"""Settings from the configs of other trainers, and what of them has no counterpart here. Each target says what it reads. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from studio.config import TrainConfig, from_dict, nest
from studio.errors import Problem
from studio.export.foreign_values import Found, Setting, load_file, one_line
from studio.export.target import Config, Target
from studio.export.targets import all_targets
from studio.project_facts import TakenOver
from studio.workspace import Project


def readable_targets() -> tuple[Target, ...]:
    """The trainers whose configs can be read."""
    return tuple(target for target in all_targets() if target.reader)


def how_to_choose() -> str:
    """Which files can be read, as an advice."""
    return f"Choose {', or '.join(target.reader.files for target in all_targets() if target.reader)}."


def read_configs(paths: Sequence[Path | str], num_items: int = 0) -> Found:
    """The Found of one config, or of the several files that make up one. num_items: photos and clips kept; some trainers count epochs.

    Problem in words if a file is none of these, too large or damaged. A single value that can't be used is left out and named.
    """
    try:
        found = _read(paths, num_items)
    except Problem as e:
        raise e if e.fix else Problem(e.message, cost=e.cost, fix=how_to_choose()) from None
    _name_prodigys_speed(found.settings)
    _drop_what_is_illegal(found)
    return found


def take_over(project: Project, paths: Sequence[Path | str], num_items: int) -> Found:
    """Read configs into what the Train form of a project shows next, and note what they were; the Found."""
    found = read_configs(paths, num_items)
    choice = project.facts().train_choice
    files = tuple(Path(path).name for path in paths)
    note = TakenOver(program=found.program, settings=found.settings, without=tuple(found.without), files=files)
    project.update(train_choice=replace(choice, overrides=choice.overrides | found.settings), train_import=note)
    return found


def _read(paths: Sequence[Path | str], num_items: int) -> Found:
    files = [(Path(path).name, load_file(Path(path))) for path in paths]
    programs = {_program(name, data).name for name, data in files}
    if len(programs) != 1:
        raise Problem("These files are of different programs." if files else "No file was chosen.")
    program = next(target for target in readable_targets() if target.name in programs)
    found = Found(program.title)
    assert program.reader
    program.reader.read(files, found, num_items)
    return found


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
            found.leave(name, value, one_line(error))
