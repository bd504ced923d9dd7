"""What every part of the window shares: the chosen project, the notice, and the two ways to the disk (one reads, one acts)."""

import inspect
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from studio.errors import Problem
from studio.ui import actions
from studio.ui.components import component
from studio.workspace import Project, safe_join

log = logging.getLogger(__name__)
POLL_SECONDS = 2.0
MOST_TROUBLES = 4  # at once above the tabs; when one is mended, the next one comes
QUIET = dict(show_progress="hidden", api_visibility="private", queue=False)


@dataclass(frozen=True)
class Reader:
    """One part of the page: what is read for it, while which tab is shown ("" is the sidebar, always), and where it stands."""

    tab: str
    read: Callable
    inputs: tuple = ()
    outputs: tuple = ()
    blank: tuple = ()  # what it shows when it can't be read; else what it gives without a project
    warns: bool = False  # it gives Problems, not values


class Page:
    """Built once. Readers registered with `reads` run at page load, every two seconds and after each action; nothing else draws state.

    A reader that fails empties its own part, and its sentence stands above the tabs; the others go on. An action carries what its page showed
    when it was pressed (`shows`, which lies in the browser): one that was meant for another project is refused.
    """

    def __init__(self, workspace):
        self.workspace = workspace
        self.readers = []
        self.notice = component("notice", render=False)
        self.tab = gr.State("")  # which one is shown, by its ID; set when the tabs are built
        self.seen = gr.State({})
        self.news = component("news", render=False)  # another number when the disk says something new
        self.trouble = component("trouble", render=False)  # what can't be read, and what can be done about it
        self.shows = component(
            "shows", render=False
        )  # {"project", "made", "unread"}: comes with what it is about, and goes with every action
        self.failures = {}  # (number of a reader, slug) -> what the log holds of it already
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
        except OSError:  # the disk does not answer: whoever reads the project is told why
            return Project(safe_join(self.workspace.projects_dir, slug))

    def reads(self, read, outputs, inputs=(), tab="", blank=()):
        """`read(project, *inputs)` gives one value for each output; what it gives for None is shown when it can't be read, or `blank`.

        Run while `tab` is shown ("" is the sidebar, always) and once when another project is chosen.
        """
        self.readers.append(Reader(tab, read, tuple(inputs), tuple(outputs), tuple(blank)))

    def warns(self, find: Callable, tab: str):
        """`find(project)` gives the Problems that are to be named above the tabs while `tab` is shown."""
        self.readers.append(Reader(tab, find, warns=True))

    def acts(self, event, act, inputs=(), outputs=(), needs_project=True):
        """On `event`: `act(project, *inputs, event=...)` does one thing, and returns values for `outputs`; then all is read again.

        A mistake of the person's becomes a notice; the log keeps what is a fault of ours. What needs a project is refused if the page that
        it was pressed on showed another one, or could not read the part it stands in.
        """
        inputs, outputs = list(inputs), list(outputs)

        def handle(event_data: gr.EventData, slug, shows, *values):
            try:
                with self.acting:
                    if needs_project:
                        self.check_shown(slug, shows, [getattr(event_data, "target", None), *inputs])
                    answer = act(self.find(slug), *values, **({"event": event_data} if wants_event(act) else {}))
            except Exception as error:
                notice = describe_error(error) | {"project": slug}
                return (*[gr.skip()] * len(outputs), notice) if outputs else notice
            if outputs:
                return (*answer, {})
            return {"text": answer, "tone": "done"} if isinstance(answer, str) else {}

        self.done.append(event(handle, [self.project, self.shows, *inputs], [*outputs, self.notice], **QUIET))

    def check_shown(self, slug: str, shows: dict, controls: list):
        """Problem unless the page showed this very project, and all that stands in these controls, when the button was pressed."""
        project = self.find(slug)
        if project is None:
            raise Problem("No project is chosen.", fix="Make one with New person, at the left.")
        self.check_meant(slug, (shows or {}).get("project"))
        project.require_ours()
        if project.facts().created != shows["made"]:
            raise Problem(f"Another project has taken the place of the {self.name_of(slug)} that this page showed: nothing was changed.")
        parts = {number for number, reader in enumerate(self.readers) for control in controls if control in reader.outputs}
        if parts & set(shows["unread"]):
            raise Problem("This part of the page could not be read: nothing was changed.", fix="What can be done stands above the tabs.")

    def check_meant(self, slug: str, meant: str | None):
        """Problem if an action was meant for another project than the chosen one."""
        if meant != slug:
            shown = f"This page showed {self.name_of(meant)}" if meant else "This page showed no project yet"
            raise Problem(f"{shown}; {self.name_of(slug)} is chosen now: nothing was changed.", fix="Look at the page, then do it again.")

    def name_of(self, slug: str) -> str:
        project = self.find(slug)
        facts = project.facts_or_none() if project else None
        return facts.name if facts else slug

    def _reading(self):
        inputs = [self.project, self.tab, self.seen, *(i for reader in self.readers for i in reader.inputs)]
        outputs = [self.seen, *(o for reader in self.readers for o in reader.outputs), self.trouble, self.shows]
        return self.read_all, inputs, outputs

    def read_all(self, slug, tab, seen, *values):
        """What changed since the last look; everything else is left as it is, above all a field that someone types in."""
        if not seen or (not slug and self.find(seen["project"])):
            # the page is being restored: this look began before it knew its project
            return [gr.skip()] * (3 + sum(len(reader.outputs) for reader in self.readers))
        project, given, answer = self.find(slug), iter(values), []
        facts = project.facts_or_none() if project else None
        made = facts.created if facts else None
        switched = (seen["project"], seen.get("made")) != (
            slug,
            made,
        ) and "fresh" not in seen  # no tab may go on showing the project before
        seen = (
            {"project": slug, "made": made, "troubles": {}} if switched or "fresh" in seen else seen | {"troubles": dict(seen["troubles"])}
        )
        if project is None and self.workspace.list_slugs():
            tab = "none"  # the sidebar is about to choose one
        for number, reader in enumerate(self.readers):
            own = [next(given) for _ in reader.inputs]
            if reader.tab not in ("", tab) and not switched:
                answer += [gr.skip()] * len(reader.outputs)
                continue
            read, seen["troubles"][number] = self.read_one(number, project, own)
            answer += [changed(seen, f"{number}.{place}", value) for place, value in enumerate(read)]
        answer.append(changed(seen, "trouble", self.tell_troubles(seen["troubles"], tab)))
        unread = [number for number, told in seen["troubles"].items() if told and not self.readers[number].warns]
        shows = {"project": slug if project else None, "made": made, "unread": unread}
        is_news = changed(seen, "shows", shows) != gr.skip() or any(value != gr.skip() for value in answer)
        # last, and with all that is sent: of two looks that overtake each other, what is on the page and whose it is come together
        return [seen, *answer, shows if is_news else gr.skip()]

    def read_one(self, number: int, project: Project | None, own: list) -> tuple[list, list]:
        """(values, notices) of a reader: where it fails, empty values and why."""
        reader, key = self.readers[number], (number, project and project.slug)
        try:
            read = reader.read(project, *own)
        except Exception as error:
            if (key[1], repr(error)) not in {(slug, words) for (_, slug), words in self.failures.copy().items()}:  # once for all its parts
                log.warning("a part of the page could not be read", exc_info=error)
            self.failures[key] = repr(error)
            return list(reader.blank or (() if reader.warns else reader.read(None, *own))), [describe_trouble(error)]
        self.failures.pop(key, None)
        return ([], [describe_trouble(problem) for problem in read]) if reader.warns else (read, [])

    def tell_troubles(self, troubles: dict, tab: str) -> dict:
        """What can't be read of the shown tab and the sidebar, each said once."""
        told = []
        for number, notices in troubles.items():
            told += [notice for notice in notices if self.readers[number].tab in ("", tab) and notice not in told]
        more = [{"text": f"And {len(told) - MOST_TROUBLES} more of that kind.", "tone": "bad"}] if len(told) > MOST_TROUBLES else []
        return {"troubles": told[:MOST_TROUBLES] + more} if told else {}

    def look_for_news(self, *values):
        """Another number if `read_all` would send anything. gradio takes its time for every output, changed or not: the poll has one."""
        return {"number": time.monotonic_ns()} if any(value != gr.skip() for value in self.read_all(*values)[1:]) else gr.skip()

    def connect(self):
        """Wire the readers and the notice's button, when every part has registered."""

        def act_on_notice(project, event):
            self.check_meant(project.slug, event.project)  # it may be about the project before
            return actions.act(self, project, event.action)

        self.acts(self.notice.act, act_on_notice)
        self.acts(self.trouble.act, lambda project, event: actions.act(self, project, event.action))
        read, inputs, outputs = self._reading()
        gr.Timer(POLL_SECONDS).tick(self.look_for_news, inputs, self.news, **QUIET)
        for event in (self.news.arrived, self.project.change, *(done.then for done in self.done)):
            event(read, inputs, outputs, **QUIET)


def changed(seen, key, value):
    """The value, or a skip if the last look sent the same; noted in `seen`."""
    print_ = json.dumps(value, sort_keys=True, default=str)
    same = seen.get(key) == print_
    seen[key] = print_
    return gr.skip() if same else value


def wants_event(act):
    return "event" in inspect.signature(act).parameters


def describe_trouble(error: Exception) -> dict:
    """A notice for what can't be read: the sentence that the commands say, and what can be done."""
    if isinstance(error, (ValueError, TimeoutError)):
        notice = describe_error(error)
        return notice | {"text": notice["text"] if notice["text"].endswith((".", "?", ":")) else f"{notice['text']}."}
    if isinstance(error, OSError):
        return {"text": f"The disk said no: {error.strerror or error}.", "tone": "bad", "fix": str(error.filename or "")}
    return {
        "text": "The studio made a mistake: a part of this page can't be shown.",
        "tone": "bad",
        "fix": "The window you started it from shows the details.",
    }


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
