"""Settings from the configs of other trainers, AI Toolkit's YAML and diffusion-pipe's TOML, and what of them has no counterpart here. Torch-free."""

from dataclasses import replace
from pathlib import Path

from studio.config import TrainConfig, from_dict, nest
from studio.errors import Problem
from studio.export.foreign_ai_toolkit import read_ai_toolkit
from studio.export.foreign_diffusion_pipe import read_diffusion_pipe
from studio.export.foreign_values import FIX, Found, load_file, one_line
from studio.project_facts import TakenOver

AI_TOOLKIT, DIFFUSION_PIPE = "AI Toolkit", "diffusion-pipe"


def read_configs(paths, num_items=0):
    """The Found of one config, or of the several files that make up one. num_items: photos and clips kept; diffusion-pipe counts epochs.

    Problem in words if a file is none of these, too large or damaged. A single value that can't be used is left out and named.
    """
    files = [(Path(path).name, load_file(Path(path))) for path in paths]
    programs = {_program(name, data) for name, data in files}
    if len(programs) != 1:
        raise Problem("These files are of different programs." if files else "No file was chosen.", fix=FIX)
    found = Found(programs.pop())
    if found.program == AI_TOOLKIT:
        if len(files) > 1:
            raise Problem("These are several configs of AI Toolkit.", fix="Choose one of them.")
        read_ai_toolkit(files[0][1], found)
    else:
        read_diffusion_pipe(files, found, num_items)
    _name_prodigys_speed(found.settings)
    _drop_what_is_illegal(found)
    return found


def take_over(project, paths, num_items):
    """Read configs into what the Train form of a project shows next, and note what they were; the Found."""
    found = read_configs(paths, num_items)
    choice = project.facts().train_choice
    without = tuple(tuple(entry) for entry in found.without)
    note = TakenOver(program=found.program, settings=found.settings, without=without, files=tuple(Path(path).name for path in paths))
    project.update(train_choice=replace(choice, overrides=choice.overrides | found.settings), train_import=note)
    return found


def _program(name, data):
    process = data.get("config", {}).get("process") if isinstance(data.get("config"), dict) else None
    if process is not None:
        if not (isinstance(process, list) and process and isinstance(process[0], dict)):
            raise Problem(f"{name} is damaged: config.process must be a list of jobs.", fix=FIX)
        return AI_TOOLKIT
    if isinstance(data.get("directory"), list) or (isinstance(data.get("model"), dict) and isinstance(data.get("optimizer"), dict)):
        return DIFFUSION_PIPE
    what = (
        "a config of musubi-tuner, which can't be read here"
        if "network_module" in data or "datasets" in data
        else "no config that is known here"
    )
    raise Problem(f"{name} is {what}.", fix=FIX)


def _name_prodigys_speed(settings):
    """Where Prodigy finds the learning rate, theirs is a factor on it."""
    if settings.get("optimizer.name") == "prodigy" and "optimizer.learning_rate" in settings:
        settings["optimizer.prodigy_factor"] = settings.pop("optimizer.learning_rate")


def _drop_what_is_illegal(found):
    """A value beyond its limits is named with them, and the rest is taken."""
    for name, value in list(found.settings.items()):
        try:
            from_dict(TrainConfig, nest({name: value}), "settings")
        except ValueError as error:
            del found.settings[name]
            found.leave(name, value, one_line(error))
