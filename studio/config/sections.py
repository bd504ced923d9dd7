"""What settings are made of: fields with limits and help, checked sections, and their way to plain dicts and back."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

_SETTING = "setting"  # the place of a Setting in its field's metadata


@dataclass(frozen=True)
class Setting:
    """What a form, a preset and `--help` need to know about a setting.

    label: plain words for the form; term: the field's technical name, shown small beside it; unit: e.g. "px"; minimum, maximum: None for no limit.
    """

    default: Any
    help: str
    label: str = ""
    term: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None


def setting(
    default: Any,
    help: str,
    *,
    label: str = "",
    term: str = "",
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field that is a Setting."""
    if isinstance(default, (list, dict, set)):
        raise TypeError("use a tuple: settings are immutable")
    about = Setting(default, help, label, term, unit, minimum, maximum, choices)
    return field(default=default, metadata={_SETTING: about})


@dataclass(frozen=True, kw_only=True)
class Section:
    """Base of all config sections: checks every field against its type, limits and choices."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for f in dataclasses.fields(self):
            value = _coerce(getattr(self, f.name), hints[f.name], f.name)
            object.__setattr__(self, f.name, value)
            if _SETTING in f.metadata:
                _check(f.name, f.metadata[_SETTING], value)


Config = TypeVar("Config", bound=Section)


def to_dict(section: Section) -> dict[str, Any]:
    """A config as plain JSON types, nested as the dataclasses are."""
    return {f.name: _to_plain(getattr(section, f.name)) for f in dataclasses.fields(section)}


def flatten(section: Section) -> dict[str, Any]:
    """{"lora.rank": 8, ...} of a config, as plain JSON types: the way to a form; `nest` is the way back."""

    def flat(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in node.items():
            yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]

    return dict(flat(to_dict(section), ""))


def _to_plain(value: Any) -> Any:
    if isinstance(value, Section):
        return to_dict(value)
    return list(value) if isinstance(value, tuple) else value


def from_dict(cls: type[Config], data: Any, where: str = "config") -> Config:
    """Build `cls` from nested dicts. ValueError for an unknown key (names the nearest), a wrong type or a value out of limits."""
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected a table of settings, got {data!r}")
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}
    values = {}
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            raise ValueError(
                f"{where}: unknown setting {key!r}"
                + (f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}")
            )
        values[key] = from_dict(hints[key], value, f"{where}.{key}") if dataclasses.is_dataclass(hints[key]) else value
    try:
        return cls(**values)
    except (TypeError, ValueError) as e:
        raise ValueError(f"{where}: {e}") from None


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts merged; later layers win. Lists are replaced whole."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            result[key] = merge(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result


def list_settings(cls: type[Section], prefix: str = "") -> Iterator[tuple[str, Setting, Any]]:
    """(dotted name, Setting, type) of every setting that is no section of others, in order: for forms and `--help`."""
    hints = typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[f.name]):
            yield from list_settings(hints[f.name], f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, f.metadata[_SETTING], hints[f.name]


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"lora.rank": 8} -> {"lora": {"rank": 8}}: the way back from a form."""
    result: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return result


def _coerce(value: Any, hint: Any, name: str) -> Any:
    """The value as one of that type; ValueError if it is of another kind."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(h for h in typing.get_args(hint) if h is not type(None))
    if typing.get_origin(hint) is tuple:
        if isinstance(value, (str, int, float)):
            raise ValueError(f"{name} must be a list, got {value!r}")
        return tuple(_coerce(v, typing.get_args(hint)[0], name) for v in value)
    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, got {value!r}")
        return value
    if hint in (int, float):
        return _as_number(value, hint, name)
    if not isinstance(value, hint):
        raise ValueError(f"{name} must be {'a text' if hint is str else hint.__name__}, got {value!r}")
    return value


def _as_number(value: Any, kind: type[int] | type[float], name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value) or (kind is int and value != int(value)):
        raise ValueError(f"{name} must be a {'whole ' if kind is int else ''}number, got {value!r}")
    return kind(value)


def _check(name: str, about: Setting, value: Any) -> None:
    """ValueError if the value, or a part of it, is none of the choices, or beyond the limits."""
    for part in value if isinstance(value, tuple) else (value,):
        if about.choices and part not in about.choices:
            near = difflib.get_close_matches(str(part), about.choices, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{name} must be one of {', '.join(about.choices)}; got {part!r}{meant}")
        if about.minimum is not None and part < about.minimum:
            raise ValueError(f"{name} must be at least {about.minimum}, got {part}")
        if about.maximum is not None and part > about.maximum:
            raise ValueError(f"{name} must be at most {about.maximum}, got {part}")
