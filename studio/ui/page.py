"""What every part of the window shares: the chosen project, the notice, and the two ways to the disk (one reads, one acts)."""

import inspect
import json
import logging
import threading
import time

import gradio as gr

from studio.errors import Problem
from studio.ui import actions
from studio.ui.components import component

log = logging.getLogger(__name__)
POLL_SECONDS = 2.0
QUIET = dict(show_progress="hidden", api_visibility="private", queue=False)


class Page:
    """Built once. Readers registered with `reads` run at page load, every two seconds and after each action; nothing else draws state."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.readers = []  # (tab id or "", read function, inputs, outputs)
        self.notice = component("notice", render=False)
        self.tab = gr.State("dataset")
        self.seen = gr.State({})
        self.news = component("news", render=False)  # another number when the disk says something new
        self.project = None  # the chooser, made by the sidebar
        self.tab_items = []
        self.done = []  # events after which everything is read again
        self.acting = threading.Lock()  # one action after the other, in the order of the clicks: a slow save can't undo the one after it

    def find(self, slug):
        """The chosen project, or None when there is none (yet, or any more)."""
        try:
            return self.workspace.project(slug) if slug else None
        except ValueError:
            return None

    def reads(self, read, outputs, inputs=(), tab=""):
        """`read(project, *inputs)` gives one value for each output.

        Run while `tab` is shown ("" is the sidebar, always) and once when another project is chosen.
        """
        self.readers.append((tab, read, list(inputs), list(outputs)))

    def acts(self, event, act, inputs=(), outputs=(), needs_project=True):
        """On `event`: `act(project, *inputs, event=...)` does one thing, and returns values for `outputs`; then all is read again.

        A mistake of the person's becomes a notice; the log keeps what is a fault of ours.
        """
        outputs = list(outputs)

        def handle(event_data: gr.EventData, slug, *values):
            project = self.find(slug)
            try:
                if needs_project and project is None:
                    raise Problem("No project is chosen.", fix="Make one with New person, at the left.")
                with self.acting:
                    answer = act(project, *values, **({"event": event_data} if wants_event(act) else {}))
            except Exception as error:
                return (*[gr.skip()] * len(outputs), describe_error(error)) if outputs else describe_error(error)
            if outputs:
                return (*answer, {})
            return {"text": answer, "tone": "done"} if isinstance(answer, str) else {}

        self.done.append(event(handle, [self.project, *inputs], [*outputs, self.notice], **QUIET))

    def _reading(self):
        inputs = [self.project, self.tab, self.seen, *(i for _, _, ins, _ in self.readers for i in ins)]
        outputs = [self.seen, *(o for *_, outs in self.readers for o in outs)]
        return self.read_all, inputs, outputs

    def read_all(self, slug, tab, seen, *values):
        """What changed since the last look; everything else is left as it is, above all a field that someone types in."""
        if not seen or (not slug and self.find(seen["project"])):
            # the page is being restored: this look began before it knew its project
            return [gr.skip()] * (1 + sum(len(outputs) for *_, outputs in self.readers))
        project, given, answer, seen = self.find(slug), iter(values), [], dict(seen)
        switched = seen["project"] != slug and "fresh" not in seen  # no tab may go on showing the project before
        if switched or "fresh" in seen:
            seen = {"project": slug}
        if project is None and self.workspace.list_projects():
            tab = "none"  # the sidebar is about to choose one
        for number, (only_on, read, inputs, outputs) in enumerate(self.readers):
            own = [next(given) for _ in inputs]
            if only_on not in ("", tab) and not switched:
                answer += [gr.skip()] * len(outputs)
                continue
            for place, value in enumerate(read(project, *own)):
                key, print_ = f"{number}.{place}", json.dumps(value, sort_keys=True, default=str)
                answer.append(gr.skip() if seen.get(key) == print_ else value)
                seen[key] = print_
        return [seen, *answer]

    def look_for_news(self, *values):
        """Another number if `read_all` would send anything. gradio takes its time for every output, changed or not: the poll has one."""
        return {"number": time.monotonic_ns()} if any(value != gr.skip() for value in self.read_all(*values)[1:]) else gr.skip()

    def connect(self):
        """Wire the readers and the notice's button, when every part has registered."""
        self.acts(self.notice.act, lambda project, event: actions.act(self, project, event.action))
        read, inputs, outputs = self._reading()
        gr.Timer(POLL_SECONDS).tick(self.look_for_news, inputs, self.news, **QUIET)
        for event in (self.news.arrived, self.project.change, *(done.then for done in self.done)):
            event(read, inputs, outputs, **QUIET)


def wants_event(act):
    return "event" in inspect.signature(act).parameters


def describe_error(error):
    """A notice for any error: the person's own in its words; ours in one sentence, with the traceback in the log."""
    if isinstance(error, Problem):
        return {"text": error.message, "tone": "bad", "cost": error.cost, "fix": error.fix} | actions.button(error.action)
    if isinstance(error, (ValueError, TimeoutError)):
        return {"text": str(error), "tone": "bad"}
    log.error("a handler failed", exc_info=error)
    if isinstance(error, OSError):
        return {
            "text": f"The disk said no: {error.strerror or error}.",
            "tone": "bad",
            "fix": "Check free space and permissions, then try again.",
        }
    return {
        "text": "The studio made a mistake; nothing was changed.",
        "tone": "bad",
        "fix": "The window you started it from shows the details.",
    }
