"""Which program serves at an address, which models it has, and which of them can look at pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from studio.doors import members
from studio.errors import Problem
from studio.models.captioners.server import programs
from studio.models.captioners.server.server_client import ServerClient

GIVES = ("ORDER", "recognise")
Get = Callable[..., dict[str, Any]]  # get(path, body=None): the JSON object there, {} where there is none


@dataclass(frozen=True)
class ServedModel:
    """sees_pictures: None where the program does not tell. runs_at: another computer that the program hands the pictures on to, or ""."""

    id: str
    sees_pictures: bool | None = None
    runs_at: str = ""


@dataclass(frozen=True)
class Served:
    """program: as it is called, with its version where it tells."""

    program: str
    models: tuple[ServedModel, ...]


class Program(Protocol):
    """What a file in `programs` gives. ORDER: lower ones are asked first."""

    ORDER: int

    def recognise(self, get: Get) -> Served | None:
        """What is served, if it is this program that answers."""
        ...


def look_at(client: ServerClient) -> Served:
    """Problem if no server answers, or none that has models."""
    for program in sorted(cast(tuple[Program, ...], members(programs.__name__, GIVES)), key=lambda program: program.ORDER):
        if served := program.recognise(client.get):
            return served
    raise Problem(
        f"What answers at {client.address.where} is no server of the kind that writes captions: it lists no models.",
        cost="Nothing was sent.",
        fix="Check the address and its port.",
        action="caption-settings",
    )


def choose_model(served: Served, wanted: str, may_leave: bool, where: str) -> ServedModel:
    """The model that is asked: the one that is named, else the first that can look at pictures. Problem if there is none, or it is elsewhere."""
    named = next((model for model in served.models if model.id == wanted), None) if wanted else None
    if wanted and named is None:
        known = ", ".join(model.id for model in served.models[:6]) or "none"
        raise Problem(f"The server at {where} has no model named {wanted!r}.", fix=f"It has {known}.", action="caption-settings")
    stays = [model for model in served.models if may_leave or not model.runs_at]
    found = named or next(
        (model for model in sorted(stays, key=lambda model: not model.sees_pictures) if model.sees_pictures is not False), None
    )
    if found is None:
        raise Problem(
            f"The server at {where} ({served.program}) has no model that can look at pictures.",
            fix="Load one there, for example Qwen3-VL; llama.cpp also needs its file for pictures (--mmproj).",
            action="caption-settings",
        )
    if found.sees_pictures is False:
        raise Problem(f"The model {found.id} can't look at pictures.", fix="Choose another one.", action="caption-settings")
    if found.runs_at and not may_leave:
        raise Problem(
            f"The model {found.id} does not run on this computer: {served.program} hands the pictures on to {found.runs_at}.",
            cost="Nothing was sent.",
            fix="Choose one that runs here, or say that the pictures may leave this computer.",
            action="caption-settings",
        )
    return found


def listed_models(found: Mapping[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    """The entries of a list of models that have a name."""
    rows = found.get(key)
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get(name), str)] if isinstance(rows, list) else []
