"""A window without a browser: what it holds, what it is sent, and what is pressed in it, through the page that the studio really builds."""

import gradio as gr

from studio.ui.app import build
from studio.ui.page import Page, Seen


class Event:
    """What a component's script sent, as gr.EventData gives it."""

    def __init__(self, **data):
        self.__dict__.update(data)


def page_of(workspace):
    """The page of a built window."""
    return build_page(workspace)[0]


def build_page(workspace):
    """(page, demo) of a built window."""
    made = []
    original = Page.__init__
    try:
        Page.__init__ = lambda self, where: (original(self, where), made.append(self))[0]
        demo = build(workspace)
    finally:
        Page.__init__ = original
    return made[0], demo


def reader_values(page):
    """What the readers' own inputs hold in a window that was just opened."""
    return [component.value for reader in page.readers for component in reader.inputs]


def fire(demo, elem_id, event, **shown):
    """What the server does when that control says so, with the other controls as that browser showed them then."""
    [control] = [block for block in demo.blocks.values() if getattr(block, "elem_id", "") == elem_id]
    [function] = [fn for fn in demo.fns.values() if (control._id, event) in fn.targets]
    values = [shown.get((block.elem_id or "").replace("-", "_"), block.value) for block in function.inputs]
    return function.fn(gr.EventData(control, {}), *values)


class Window:
    """One browser window. It is sent what `look` reads, and what is pressed sends what it holds."""

    def __init__(self, workspace, slug):
        self.page, self.demo = build_page(workspace)
        self.reader = next(fn for fn in self.demo.fns.values() if fn.fn == self.page.read_all)
        self.held = {block._id: block.value for block in self.demo.blocks.values() if hasattr(block, "value")}
        self.held[self.page.seen._id] = Seen()
        self.choose(slug)
        self.look()

    def choose(self, slug):
        """Another project is chosen; the page does not show it before the next look."""
        self.held[self.page.project._id] = slug

    def open(self, tab):
        self.held[self.page.tab._id] = tab
        self.look()

    def look(self):
        self.receive(self.read())

    def read(self):
        """What the server answers to a look, not arrived yet."""
        return self.reader.fn(*[self.held[block._id] for block in self.reader.inputs])

    def receive(self, answer):
        self._take(self.reader.outputs, answer)

    def press(self, elem_id, event, **data):
        """The notice that answers it."""
        control = self.control(elem_id)
        [function] = [fn for fn in self.demo.fns.values() if (control._id, event) in fn.targets]
        answer = function.fn(gr.EventData(control, data), *[self.held[block._id] for block in function.inputs])
        self._take(function.outputs, answer if len(function.outputs) > 1 else [answer])
        return self.value(self.page.notice.elem_id)

    def hold(self, elem_id, value):
        """A person gives a field another value; nothing is sent yet."""
        self.held[self.control(elem_id)._id] = value

    def control(self, elem_id):
        [control] = [block for block in self.demo.blocks.values() if getattr(block, "elem_id", "") == elem_id]
        return control

    def value(self, elem_id):
        return self.held[self.control(elem_id)._id]

    def _take(self, outputs, answer):
        for block, value in zip(outputs, answer, strict=True):
            is_update = isinstance(value, dict) and value.get("__type__") == "update"
            if not is_update:
                self.held[block._id] = value
            elif "value" in value:
                self.held[block._id] = value["value"]

    @property
    def troubles(self):
        """The sentences above the tabs."""
        return [
            " ".join(t[part] for part in ("text", "cost", "fix") if t.get(part)) for t in self.value("studio-trouble").get("troubles", [])
        ]

    def shown(self):
        """All that stands on the page, in any tab, as text; what the server alone remembers, and the chooser, left out."""
        hidden = {self.page.project._id, self.page.seen._id}
        return str([value for block, value in self.held.items() if block not in hidden])
