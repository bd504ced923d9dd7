"""A form made from a config class: one field a setting, with its label, its technical term in small, its help and its limits."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import gradio as gr
from gradio.components import Component

from studio.config import list_settings
from studio.config.sections import Setting
from studio.ui.views import View

Field = gr.Checkbox | gr.Dropdown | gr.Number | gr.Textbox
GROUPS = {
    "": "The run",
    "lora": "The LoRA",
    "timesteps": "Noise levels",
    "preservation": "Protecting other people",
    "optimizer": "Learning",
    "data": "Photos and clips",
    "memory": "Memory",
}


@dataclasses.dataclass(frozen=True)
class SearchIndex(View):
    """What the search over a form goes by: {id of a fold: what each of its fields says}. A closed fold's fields are not on the page."""

    folds: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Form:
    fields: dict[str, Field]  # by dotted name
    texts: frozenset[str] = frozenset()  # names of settings that are a text, and may be empty
    groups: dict[str, gr.Accordion] = dataclasses.field(default_factory=dict)  # section -> the fold that its fields are in

    @property
    def components(self) -> list[Field]:
        return list(self.fields.values())

    def on_edit(self, connect: Callable[[Any, str, Component], None]) -> None:
        """connect(event, name, component) for every way in which a person ends an edit; typing alone does not count.

        Only that field is to be saved: what this browser held of the others then may be older than what is on disk when the turn comes.
        """
        for name, component in self.fields.items():
            for event in (component.input,) if isinstance(component, gr.Checkbox | gr.Dropdown) else (component.submit, component.blur):
                connect(event, name, component)

    def blank(self) -> list[Any]:
        """What the fields show while nothing is known."""
        values = {gr.Checkbox: False, gr.Textbox: ""}
        return [values.get(type(component)) for component in self.components]

    def read(self, values: Iterable[Any]) -> dict[str, Any]:
        """{dotted name: value} of what the form holds; lists from comma-separated text; empty fields are left out, but for texts."""
        return self.parse(dict(zip(self.fields, values)))

    def parse(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        """The same from {dotted name: what its field shows}, for some of the fields."""
        held = {name: (value or "").strip() if name in self.texts else value for name, value in shown.items()}
        return {name: parse(value) for name, value in held.items() if name in self.texts or value not in (None, "")}

    def describe_groups(self, cls: type, edits: Mapping[str, Any]) -> list[dict[str, Any]]:
        """An update for each fold, whose title says what of it a person changed: {dotted name: value}."""

        def title(group: str) -> str:
            changed = [f"{label_of(cls, name).lower()} {as_words(value)}" for name, value in edits.items() if section_of(name) == group]
            return GROUPS[group] + (f" (changed: {', '.join(changed)})" if changed else "")

        return [gr.update(label=title(group)) for group in self.groups]


def search_index(cls: type, prefix: str) -> SearchIndex:
    folds: dict[str, list[str]] = {}
    for name, field, _ in list_settings(cls):
        texts = folds.setdefault(fold_id(prefix, section_of(name)), [])
        texts.append(f"{field.label} {describe(field)}".lower())
    return SearchIndex(folds)


def fold_id(prefix: str, section: str) -> str:
    return f"{prefix}-group-{section or 'run'}"


def build_form(cls: type, prefix: str, skip: Sequence[str] = (), placed: Mapping[str, Field] | None = None) -> Form:
    """All settings of a config class but `skip`, each section in a fold of its own where there are several.

    placed: {dotted name: component} of those that stand elsewhere on the page (see `place_field`), and belong to the form all the same.
    """
    settings = [entry for entry in list_settings(cls) if entry[0] not in skip]
    sections: dict[str, list[Any]] = {}
    for entry in settings:
        sections.setdefault(section_of(entry[0]), []).append(entry)
    fields: dict[str, Field] = {}
    folds: dict[str, gr.Accordion] = {}
    for section, members in sections.items():
        with contextlib.ExitStack() as around:
            if len(sections) > 1:
                folds[section] = around.enter_context(build_fold(section, prefix))
            around.enter_context(gr.Row(elem_classes="settings"))
            fields |= {name: (placed or {}).get(name) or make_field(name, field, kind, prefix) for name, field, kind in members}
    texts = frozenset(name for name, field, kind in settings if kind is str and not field.choices)
    return Form(fields, texts, folds)


def build_fold(section: str, prefix: str) -> gr.Accordion:
    return gr.Accordion(GROUPS[section], open=not section, elem_id=fold_id(prefix, section), elem_classes="fold settings-group")


def place_field(cls: type, name: str, prefix: str) -> Field:
    """The field of one setting, here: to be given to `build_form` as `placed`."""
    return next(make_field(known, field, kind, prefix) for known, field, kind in list_settings(cls) if known == name)


def section_of(name: str) -> str:
    return name.rpartition(".")[0]


def make_field(name: str, field: Setting, kind: type, prefix: str) -> Field:
    default = cast(Any, field.default)
    elem_id = f"{prefix}-{name.replace('.', '-').replace('_', '-')}"
    label = field.label or name
    unit = f" ({field.unit})" if field.unit else ""
    options: dict[str, Any] = dict(label=label + unit, info=describe(field), elem_id=elem_id, min_width=220)
    if kind is bool:
        return gr.Checkbox(default, **options)
    if field.choices:
        return gr.Dropdown(list(field.choices), value=default, **options)
    if kind in (int, float):
        # limits and fractions are checked when the setting is used, with a sentence; gradio would silently change what was typed
        options["step"] = 1 if kind is int else None
        return gr.Number(default, **options)
    return gr.Textbox(show(default), lines=1, **options)


def describe(field: Setting) -> str:
    """Help with the technical term before it and the limits after it."""
    low, high = field.minimum, field.maximum
    limits = f" From {number(low)} to {number(high)}." if low is not None and high is not None else ""
    term = f"{field.term}: " if field.term and field.term.casefold() != field.label.casefold() else ""
    return term + field.help + limits


def number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def show(value: Any) -> Any:
    """As a form shows it: lists as comma-separated text."""
    if not isinstance(value, (list, tuple)):
        return value
    return ", ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)


def parse(value: Any) -> Any:
    """As a config takes it: a browser knows one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_words(value: Any) -> Any:
    return ("off", "on")[value] if isinstance(value, bool) else show(value)


def check_limits(cls: type, edits: Mapping[str, Any]) -> None:
    """ValueError, in the form's own words, for the first number of {dotted name: value} that is out of its limits, or has a fraction."""
    for name, field, kind in list_settings(cls):
        value, low, high = edits.get(name), field.minimum, field.maximum
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError(f"{field.label} must be a whole number, got {value:g}")
        if isinstance(value, int | float) and low is not None and high is not None and not low <= value <= high:
            limit = f"at most {number(high)}" if value > high else f"at least {number(low)}"
            raise ValueError(f"{field.label} must be {limit}, got {number(value)}")


def label_of(cls: type, name: str) -> str:
    return next(field.label or name for known, field, _ in list_settings(cls) if known == name)
