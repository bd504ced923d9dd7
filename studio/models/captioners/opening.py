"""From what a person chose to a captioner that answers: a model on this computer, by its name or folder, or a server by its address. Torch-free."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.config import CaptionConfig
from studio.errors import Problem
from studio.machine import Machine
from studio.models.captioners.choosing import find_four_bit, place, suggest, weights_in
from studio.models.captioners.family import AS_STORED, Captioner
from studio.models.captioners.places import captioner_folder, check_captioner, load_captioner, why_not_here
from studio.models.captioners.server.server_address import is_address, read_address
from studio.models.captioners.server.server_captioner import open_server
from studio.models.catalogue import BaseModel
from studio.models.preset import list_captioners, list_models, model_preset
from studio.workspace import Workspace


@dataclass(frozen=True)
class Wanted:
    """The captioner that is used. name: a preset's, a folder's or a server's address; "" for the one that the base model brings; why: this one."""

    name: str
    why: str


def find_wanted(chosen: str, base_model: str, machine: Machine) -> Wanted:
    """What is used where a person chose that; "" leaves it to the base model, or else to the graphics card."""
    if chosen.strip():
        return Wanted(chosen.strip(), "You chose it.")
    own = model_preset(base_model).captioner if base_model in list_models() else ""
    if own and own not in list_captioners():
        return Wanted("", "It comes with the base model.")
    suggested = suggest(machine, find_four_bit(machine))
    return Wanted(suggested.name, suggested.placing.why)


def why_not_ready(config: CaptionConfig, base_model: str, workspace: Workspace, machine: Machine) -> str:
    """A sentence where the captioner that the settings ask for can't be used; "" where it can, as far as can be told without asking anybody."""
    wanted = find_wanted(config.captioner, base_model, machine)
    if not wanted.name:
        return ""
    if not is_address(wanted.name):
        return why_not_here(wanted.name, workspace)
    try:
        read_address(wanted.name, config.may_leave)
    except Problem as e:
        return f"{e.message} {e.fix}"
    return ""


def find_captioner(name: str, base: BaseModel | None, workspace: Workspace) -> Path:
    """The folder of a captioner: the one named (a folder of the models folder, or a path), else the one in the base model's own folder.

    models/<name>.path, one line of text, may say where the folder really is. Problem in words if it is not there or not whole.
    """
    folder = captioner_folder(name or str(base.captioner if base else ""), workspace)
    check_captioner(folder)
    return folder


def open_captioner(
    config: CaptionConfig,
    base: BaseModel | None,
    base_model: str,
    workspace: Workspace,
    machine: Machine,
    should_stop: Callable[[], bool],
    report: Callable[..., None],
) -> Captioner:
    """The captioner that the settings ask for, ready to answer; says which one it is, and why it is kept so."""
    wanted = find_wanted(config.captioner, base_model, machine)
    if is_address(wanted.name):
        server = open_server(wanted.name, config.server_model, config.may_leave, should_stop)
        report("note", message=f"Captions by {server.name}, {server.version}. {server.client.address.what_leaves()}")
        return server
    has_own = base is not None and base.captioner.is_dir() and base.captioner.parent != workspace.models_dir
    name = "" if has_own and not config.captioner.strip() else wanted.name
    folder = find_captioner(name, base, workspace)
    placing = place(weights_in(folder), machine, folder.name, find_four_bit(machine)) if machine.gpus else None
    if placing is not None:
        report("note", message=placing.why)
    return load_captioner(folder, placing.precision if placing else AS_STORED)
