"""A form made from a config class: one field a setting, with its label, its technical term in small, its help and its limits."""

from dataclasses import dataclass

import gradio as gr

from studio.config import list_settings, to_dict

GROUPS = {
    "": "The run",
    "lora": "The LoRA",
    "timesteps": "Noise levels",
    "preservation": "Protecting other people",
    "optimizer": "Learning",
    "data": "Photos and clips",
    "memory": "Memory",
}


@dataclass(frozen=True)
class Form:
    fields: dict  # dotted name -> component
    texts: frozenset = frozenset()  # names of settings that are a text, and may be empty

    @property
    def components(self):
        return list(self.fields.values())

    def on_edit(self, connect):
        """connect(event, name, component) for every way in which a person ends an edit; typing alone does not count.

        Only that field is to be saved: what this browser held of the others then may be older than what is on disk when the turn comes.
        """
        for name, component in self.fields.items():
            for event in (component.input,) if isinstance(component, gr.Checkbox | gr.Dropdown) else (component.submit, component.blur):
                connect(event, name, component)

    def read(self, values):
        """{dotted name: value} of what the form holds; lists from comma-separated text; empty fields are left out, but for texts."""
        return self.parse(dict(zip(self.fields, values)))

    def parse(self, shown):
        """The same from {dotted name: what its field shows}, for some of the fields."""
        held = {name: (value or "").strip() if name in self.texts else value for name, value in shown.items()}
        return {name: parse(self.fields[name], value) for name, value in held.items() if name in self.texts or value not in (None, "")}


def build_form(cls, prefix, skip=()):
    """All settings of a config class but `skip`, grouped by section."""
    fields, groups, texts = {}, {}, set()
    for name, field, kind in list_settings(cls):
        if name not in skip:
            texts |= {name} if kind is str and not field.metadata["choices"] else set()
            groups.setdefault(name.rpartition(".")[0], []).append((name, field, kind))
    for group, members in groups.items():
        if len(groups) > 1:
            gr.HTML(f"<h3>{GROUPS.get(group, group)}</h3>", apply_default_css=False, elem_classes="form-heading")
        with gr.Row(elem_classes="settings"):
            for name, field, kind in members:
                fields[name] = make_field(name, field, kind, f"{prefix}-{name.replace('.', '-').replace('_', '-')}")
    return Form(fields, frozenset(texts))


def make_field(name, field, kind, elem_id):
    meta = field.metadata
    label = meta["label"] or name
    unit = f" ({meta['unit']})" if meta["unit"] else ""
    options = dict(label=label + unit, info=describe(meta), elem_id=elem_id, min_width=220)
    if kind is bool:
        return gr.Checkbox(field.default, **options)
    if meta["choices"]:
        return gr.Dropdown(list(meta["choices"]), value=field.default, **options)
    if kind in (int, float):
        # the limits are checked when the setting is used, with a sentence; the browser would silently change what was typed
        return gr.Number(field.default, precision=0 if kind is int else None, step=1 if kind is int else None, **options)
    return gr.Textbox(show(field.default), lines=1, **options)


def describe(meta):
    """Help with the technical term before it and the limits after it."""
    low, high = meta["minimum"], meta["maximum"]
    limits = f" From {number(low)} to {number(high)}." if low is not None and high is not None else ""
    term = f"{meta['term']}: " if meta["term"] and meta["term"].casefold() != meta["label"].casefold() else ""
    return term + meta["help"] + limits


def number(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def flatten(config):
    """{"lora.rank": 8, ...} of a config, as plain values."""

    def walk(node, prefix):
        for key, value in node.items():
            yield from walk(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]

    return dict(walk(to_dict(config), ""))


def show(value):
    """As a form shows it: lists as comma-separated text."""
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value) if isinstance(value, (list, tuple)) else value


def parse(component, value):
    """As a config takes it."""
    return int(value) if isinstance(component, gr.Number) and component.precision == 0 and float(value).is_integer() else value


def check_limits(cls, edits):
    """ValueError, in the form's own words, for the first number of {dotted name: value} that is out of its limits."""
    for name, field, _ in list_settings(cls):
        value, low, high = edits.get(name), field.metadata["minimum"], field.metadata["maximum"]
        if isinstance(value, int | float) and None not in (low, high) and not low <= value <= high:
            limit = f"at most {number(high)}" if value > high else f"at least {number(low)}"
            raise ValueError(f"{field.metadata['label']} must be {limit}, got {number(value)}")


def label_of(cls, name):
    return next(field.metadata["label"] or name for known, field, _ in list_settings(cls) if known == name)
