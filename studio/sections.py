"""What settings are made of: fields with limits and help, checked sections, and their way to plain dicts and back."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import field
from typing import Any


def setting(default, help, *, label="", term="", unit="", minimum=None, maximum=None, choices=None):
    """A dataclass field with what a form, a preset and `--help` need to know about it.

    label: plain words for the form; term: the field's technical name, shown small beside it; unit: e.g. "px".
    """
    metadata = dict(help=help, label=label, term=term, unit=unit, minimum=minimum, maximum=maximum, choices=choices)
    if isinstance(default, (list, dict, set)):
        raise TypeError("use a tuple: settings are immutable")
    return field(default=default, metadata=metadata)


class Section:
    """Base of all config sections: checks every field against its type, limits and choices."""

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for f in dataclasses.fields(self):
            value = _coerce(getattr(self, f.name), hints[f.name], f.name)
            object.__setattr__(self, f.name, value)
            if f.metadata:
                _check(f, value)


def to_dict(section):
    """A config as plain JSON types, nested as the dataclasses are."""
    return {
        f.name: to_dict(v) if dataclasses.is_dataclass(v := getattr(section, f.name)) else list(v) if isinstance(v, tuple) else v
        for f in dataclasses.fields(section)
    }


def flatten(section: Section) -> dict[str, Any]:
    """{"lora.rank": 8, ...} of a config, as plain JSON types: the way to a form; `nest` is the way back."""

    def walk(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in node.items():
            yield from walk(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]

    return dict(walk(to_dict(section), ""))


def from_dict(cls, data, where="config"):
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


def merge(*layers):
    """Nested dicts merged; later layers win. Lists are replaced whole."""
    result = {}
    for layer in layers:
        for key, value in layer.items():
            result[key] = merge(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result


def list_settings(cls, prefix=""):
    """Yield (dotted name, field, type) for every leaf setting, in order: for forms and `--help`."""
    hints = typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[f.name]):
            yield from list_settings(hints[f.name], f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, f, hints[f.name]


def nest(flat):
    """{"lora.rank": 8} -> {"lora": {"rank": 8}}: the way back from a form."""
    result = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return result


def _coerce(value, hint, name):
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(h for h in typing.get_args(hint) if h is not type(None))
        origin = typing.get_origin(hint)
    if origin is tuple:
        if isinstance(value, (str, int, float)):
            raise ValueError(f"{name} must be a list, got {value!r}")
        return tuple(_coerce(v, typing.get_args(hint)[0], name) for v in value)
    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, got {value!r}")
        return value
    if hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name} must be a number, got {value!r}")
        if not math.isfinite(value) or (hint is int and value != int(value)):
            raise ValueError(f"{name} must be a {'whole ' if hint is int else ''}number, got {value!r}")
        return hint(value)
    if not isinstance(value, hint):
        raise ValueError(f"{name} must be {'a text' if hint is str else hint.__name__}, got {value!r}")
    return value


def _check(f, value):
    m = f.metadata
    for v in value if isinstance(value, tuple) else (value,):
        if m["choices"] and v not in m["choices"]:
            near = difflib.get_close_matches(str(v), m["choices"], 1)
            raise ValueError(
                f"{f.name} must be one of {', '.join(m['choices'])}; got {v!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if m["minimum"] is not None and v < m["minimum"]:
            raise ValueError(f"{f.name} must be at least {m['minimum']}, got {v}")
        if m["maximum"] is not None and v > m["maximum"]:
            raise ValueError(f"{f.name} must be at most {m['maximum']}, got {v}")
