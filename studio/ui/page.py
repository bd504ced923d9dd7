"""What every part of the window shares: the chosen project, the notice, and the two ways to the disk (one reads, one acts)."""

from __future__ import annotations

import inspect
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from studio.errors import Problem
from studio.ui import actions
from studio.ui.components import component
from studio.ui.drop import AS_PLAIN, read_sent
from studio.ui.in_turn import InTurn
from studio.ui.views import News, Notice, Shows, Troubles, View, as_json
from studio.workspace import Project, Workspace, safe_join

log = logging.getLogger(__name__)
MOST_TROUBLES = 4  # at once above the tabs; when one is mended, the next one comes
NOTHING: dict[str, Any] = {}  # what a component of ours holds while it shows nothing

Shown = View | str | float | bool | list[Any] | dict[str, Any] | None  # a value for a part of the page; a dict is an update of gradio's
Trigger = Callable[..., Any]  # an event of gradio's, such as button.click
Act = Callable[..., Any]  # a sentence, or nothing, or a list of values
TriggerMode = Literal["once", "multiple", "always_last"]  # gradio's trigger_mode


EACH: TriggerMode = (
    "multiple"  # events that come while the one before is still on its way are sent too; gradio's own way drops them without a word
)
THE_LAST: TriggerMode = "always_last"  # they are done once more, when it has come back; for what needs no more than the page as it is then


def quietly(
    event: Trigger,
    do: Callable[..., Any] | None,
    inputs: Any = None,
    outputs: Any = None,
    js: str | None = None,
    mode: TriggerMode = THE_LAST,
) -> Any:
    """On `event`, `do`: without a sign of waiting, past gradio's queue, and for nobody but this page. js: what the browser makes of the inputs."""
    return event(do, inputs, outputs, show_progress="hidden", api_visibility="private", queue=False, js=js, trigger_mode=mode)


@dataclass(frozen=True)
class Reader:
    """One part of the page: what is read for it, while which tab is shown ("" is the sidebar, always), and where it stands."""

    tab: str
    read: Callable[..., Sequence[Any]]
    inputs: tuple[Component, ...] = ()
    outputs: tuple[Block, ...] = ()
    blank: tuple[Shown, ...] = ()  # what it shows when it can't be read; else what it gives without a project
    warns: bool = False  # it gives Problems, not values


@dataclass(frozen=True)
class Remembered:
    """What a part of the page remembers of one project; to another it is nothing."""

    project: str | None
    value: Any


@dataclass(frozen=True)
class Seen:
    """What one window was sent by the looks before; the server keeps it for that window.

    project: the slug; made: when that project was made; fresh: the page was just opened; sent: by place, the JSON of what is there.
    """

    project: str | None = None
    made: float | None = None
    fresh: bool = False
    troubles: dict[int, tuple[Notice, ...]] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)

    def look(self, slug: str | None, made: float | None) -> Seen:
        """What the next look begins with: nothing of it, if the project is another one, so that no tab goes on showing the one before."""
        if self.is_switch(slug, made) or self.fresh:
            return Seen(slug, made)
        return replace(self, troubles=dict(self.troubles), sent=dict(self.sent))

    def is_switch(self, slug: str | None, made: float | None) -> bool:
        """Whether another project is chosen, or another one has taken its name."""
        return (self.project, self.made) != (slug, made) and not self.fresh

    def changed(self, place: str, value: Any) -> Any:
        """The value, or a skip if the last look sent the same there; it is noted."""
        print_ = json.dumps(value, sort_keys=True, default=str)
        is_same = self.sent.get(place) == print_
        self.sent[place] = print_
        return gr.skip() if is_same else value


class Page:
    """Built once. Readers registered with `reads` run at page load, when a file has changed and after each action; nothing else draws state.

    A reader that fails empties its own part, and its sentence stands above the tabs; the others go on. An action carries what its page showed
    when it was pressed (`shows`, which lies in the browser): one that was meant for another project is refused.
    """

    project: gr.Dropdown  # the chooser, made by the sidebar

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.readers: list[Reader] = []
        self.notice = component("notice", render=False)
        self.tab = gr.State("")  # which one is shown, by its ID; set when the tabs are built
        self.seen = gr.State(None)
        self.news = component("news", render=False)  # another number when the disk says something new
        self.trouble = component("trouble", render=False)  # what can't be read, and what can be done about it
        self.shows = component("shows", render=False)  # Shows: comes with what it is about, and goes with every action
        self.sent_from = component("sent_from", render=False)  # {elem_id: whose page it was when files were sent there}
        self.controls: list[str] = []  # elem_ids of what takes files
        self.memories: dict[int, gr.State] = {}
        self.failures: dict[tuple[int, str | None], str] = {}  # (number of a reader, slug) -> what the log holds of it already
        self.tab_items: list[gr.Tab] = []
        self.done: list[Any] = []  # events after which everything is read again
        self.numbers = itertools.count(1)  # of messages
        self.acting = InTurn()  # one action after the other, in the order of the clicks: a slow save can't undo the one after it
        self.waiting: dict[int, tuple[object, ...]] = {}  # by the number of an action: its last press, while that is not done

    def find(self, slug: str | None) -> Project | None:
        """The chosen project, or None when there is none (yet, or any more)."""
        try:
            return self.workspace.project(slug) if slug else None
        except ValueError:
            return None
        except OSError:  # the disk does not answer: whoever reads the project is told why
            return Project(safe_join(self.workspace.projects_dir, str(slug)))

    def reads(
        self,
        read: Callable[..., Sequence[Shown]],
        outputs: Iterable[Block],
        inputs: Iterable[Component] = (),
        tab: str = "",
        blank: Iterable[Shown] = (),
    ) -> None:
        """`read(project, *inputs)` gives one value for each output; what it gives for None is shown when it can't be read, or `blank`.

        Run while `tab` is shown ("" is the sidebar, always) and once when another project is chosen.
        """
        self.readers.append(Reader(tab, read, tuple(inputs), tuple(outputs), tuple(blank)))

    def remember(self, start: Any) -> gr.State:
        """A state of the page for `reads` and `acts` that holds `start` again as soon as another project is shown."""
        state = gr.State(Remembered(None, start))
        self.memories[state._id] = state
        return state

    def recall(self, controls: Sequence[Component], values: Sequence[Any], slug: str | None) -> list[Any]:
        """The values of controls, where a memory of another project holds what it began with."""
        known = []
        for control, value in zip(controls, values, strict=True):
            if control._id in self.memories:
                value = value.value if value.project == slug else control.value.value
            known.append(value)
        return known

    def keep(self, changes: Sequence[Block], values: Sequence[Any], slug: str | None) -> list[Any]:
        """The values as they are sent: a memory with whose it is."""
        return [Remembered(slug, value) if change._id in self.memories else value for change, value in zip(changes, values, strict=True)]

    def takes(self, control: gr.File | gr.UploadButton, act: Act, forget: Callable[[Any], None]) -> None:
        """When files that were dropped on `control`, or chosen there, have arrived: `act(project, files)` for the project whose page it was
        then, whichever is shown by now; its sentence. Where that one is gone, or `act` can't take them, `forget(files)` deletes them.

        A zone for many files gives them as Sent, any other as gradio does."""
        elem_id, is_for_many = str(control.elem_id), isinstance(control, gr.File) and control.file_count == "multiple"
        self.controls.append(elem_id)

        def handle(slug: str | None, sent_from: dict[str, Any], files: Any) -> tuple[None, Any]:
            try:
                files = read_sent(self.workspace, sent_from.get("files")) if is_for_many else files
                with self.acting:
                    project = self.sender(sent_from.get(elem_id))
                    project.require_ours()
                    said = act(project, files) or ""
            except Exception as error:
                forget(files)
                return None, self.say(replace(describe_error(error), project=slug or ""))
            if project.slug != slug:
                said = f"Taken for {self.name_of(project.slug)}, where they were dropped. {said}".strip()
            return None, self.say(Notice(said, "done")) if said else NOTHING

        js = AS_PLAIN if is_for_many else None
        self.done.append(quietly(control.upload, handle, [self.project, self.sent_from, control], [control, self.notice], js, EACH))

    def say(self, notice: Notice) -> dict[str, Any]:
        """A message as the page gets it, told from the one before even where the words are the same."""
        return replace(notice, number=next(self.numbers)).to_json()

    def sender(self, shown: dict[str, Any] | None) -> Project:
        """The project that a page showed when files were sent from it. Problem if it is gone, or another one is in its place."""
        project = self.find(shown["project"]) if shown else None
        if project is None or shown is None or self.made(project) != shown["made"]:
            gone = "The project that the files were dropped on is gone: they were deleted again."
            raise Problem(gone, fix="Choose a project, then drop them there.")
        return project

    def warns(self, find: Callable[[Project | None], Sequence[Problem]], tab: str) -> None:
        """`find(project)` gives the Problems that are to be named above the tabs while `tab` is shown."""
        self.readers.append(Reader(tab, find, warns=True))

    def acts(
        self,
        event: Trigger,
        act: Act,
        inputs: Iterable[Component] = (),
        outputs: Iterable[Block] = (),
        needs_project: bool = True,
        repeats: bool = False,
    ) -> None:
        """On `event`: `act(project, *inputs, event=...)` does one thing, and returns values for `outputs`; then all is read again.

        A mistake of the person's becomes a notice; the log keeps what is a fault of ours. What needs a project is refused if the page that
        it was pressed on showed another one, or could not read the part it stands in. Actions are done one after the other; the same press
        again before it is done (a double click) counts once, unless it `repeats`.
        """
        controls, changes, number = list(inputs), list(outputs), len(self.done)

        def handle(event_data: gr.EventData, slug: str | None, shows: dict[str, Any] | None, *values: Any) -> Any:
            press = (slug, repr(event_data._data), repr(values))
            if press == self.waiting.get(number) and not repeats:
                return [gr.skip()] * (len(changes) + 1) if changes else gr.skip()
            self.waiting[number] = press
            try:
                return do(event_data, slug, shows, *values)
            finally:
                if self.waiting.get(number) is press:
                    del self.waiting[number]

        def do(event_data: gr.EventData, slug: str | None, shows: dict[str, Any] | None, *values: Any) -> Any:
            try:
                with self.acting:
                    if needs_project:
                        self.check_shown(slug, Shows.from_json(shows), [getattr(event_data, "target", None), *controls])
                    known = self.recall(controls, values, slug)
                    answer = act(self.find(slug), *known, **({"event": event_data} if wants_event(act) else {}))
            except Exception as error:
                notice = self.say(replace(describe_error(error), project=slug or ""))
                return (*[gr.skip()] * len(changes), notice) if changes else notice
            if changes:
                return (*self.keep(changes, answer, slug), NOTHING)
            return self.say(Notice(answer, "done")) if isinstance(answer, str) else NOTHING

        self.done.append(quietly(event, handle, [self.project, self.shows, *controls], [*changes, self.notice], mode=EACH))

    def check_shown(self, slug: str | None, shows: Shows, controls: Sequence[object]) -> None:
        """Problem unless the page showed this very project, and all that stands in these controls, when the button was pressed."""
        project = self.find(slug)
        if project is None:
            raise Problem("No project is chosen.", fix="Make one with New person, at the left.")
        self.check_meant(project.slug, shows.project)
        project.require_ours()
        if project.facts().created != shows.made:
            raise Problem(
                f"Another project has taken the place of the {self.name_of(project.slug)} that this page showed: nothing was changed."
            )
        parts = {number for number, reader in enumerate(self.readers) for control in controls if control in reader.outputs}
        if parts & set(shows.unread):
            raise Problem("This part of the page could not be read: nothing was changed.", fix="What can be done stands above the tabs.")

    def check_meant(self, slug: str, meant: str | None) -> None:
        """Problem if an action was meant for another project than the chosen one."""
        if meant != slug:
            shown = f"This page showed {self.name_of(meant)}" if meant else "This page showed no project yet"
            raise Problem(f"{shown}; {self.name_of(slug)} is chosen now: nothing was changed.", fix="Look at the page, then do it again.")

    def name_of(self, slug: str) -> str:
        project = self.find(slug)
        facts = project.facts_or_none() if project else None
        return facts.name if facts else slug

    def made(self, project: Project | None) -> float | None:
        """When a project was made; None where there is none, or it can't be read."""
        facts = project.facts_or_none() if project else None
        return facts.created if facts else None

    def read_all(self, slug: str | None, tab: str, seen: Seen | None, *values: Any) -> list[Any]:
        """What changed since the last look; everything else is left as it is, above all a field that someone types in."""
        if seen is None or (not slug and self.find(seen.project)):
            # the page is being restored: this look began before it knew its project
            return [gr.skip()] * (3 + len(self.memories) + sum(len(reader.outputs) for reader in self.readers))
        project, given, answer = self.find(slug), iter(values), []
        made = self.made(project)
        is_switch, seen = seen.is_switch(slug, made), seen.look(slug, made)
        if project is None and self.workspace.list_slugs():
            tab = "none"  # the sidebar is about to choose one
        for number, reader in enumerate(self.readers):
            own = self.recall(reader.inputs, [next(given) for _ in reader.inputs], slug)
            if reader.tab not in ("", tab) and not is_switch:
                answer += [gr.skip()] * len(reader.outputs)
                continue
            read, seen.troubles[number] = self.read_one(number, project, own)
            answer += [seen.changed(f"{number}.{place}", value) for place, value in enumerate(read)]
        answer += [memory.value if is_switch else gr.skip() for memory in self.memories.values()]
        answer.append(seen.changed("trouble", to_component(self.tell_troubles(seen.troubles, tab))))
        unread = tuple(number for number, told in seen.troubles.items() if told and not self.readers[number].warns)
        shows = Shows(slug if project else None, made, unread).to_json()
        is_news = seen.changed("shows", shows) != gr.skip() or any(value != gr.skip() for value in answer)
        # last, and with all that is sent: of two looks that overtake each other, what is on the page and whose it is come together
        return [seen, *answer, shows if is_news else gr.skip()]

    def read_one(self, number: int, project: Project | None, own: list[Any]) -> tuple[list[Any], tuple[Notice, ...]]:
        """(values, notices) of a reader: where it fails, empty values and why."""
        reader, key = self.readers[number], (number, project.slug if project else None)
        try:
            read = reader.read(project, *own)
        except Exception as error:
            if (key[1], repr(error)) not in {(slug, words) for (_, slug), words in self.failures.copy().items()}:  # once for all its parts
                log.warning("a part of the page could not be read", exc_info=error)
            self.failures[key] = repr(error)
            return self.read_blank(reader, own), (describe_trouble(error),)
        self.failures.pop(key, None)
        if reader.warns:
            return [], tuple(describe_trouble(problem) for problem in read)
        return [to_output(output, value) for output, value in zip(reader.outputs, read, strict=True)], ()

    def read_blank(self, reader: Reader, own: list[Any]) -> list[Any]:
        """What a reader's part shows while it can't be read."""
        if reader.warns:
            return []
        blank = reader.blank or reader.read(None, *own)
        return [to_output(output, value) for output, value in zip(reader.outputs, blank, strict=True)]

    def tell_troubles(self, troubles: dict[int, tuple[Notice, ...]], tab: str) -> Troubles | None:
        """What can't be read of the shown tab and the sidebar, each said once."""
        told: list[Notice] = []
        for number, notices in troubles.items():
            told += [notice for notice in notices if self.readers[number].tab in ("", tab) and notice not in told]
        more = [Notice(f"And {len(told) - MOST_TROUBLES} more of that kind.", "bad")] if len(told) > MOST_TROUBLES else []
        return Troubles((*told[:MOST_TROUBLES], *more)) if told else None

    def look_for_news(self, *values: Any) -> Any:
        """Another number if `read_all` would send anything. gradio takes its time for every output, changed or not: this has one. A page asks
        when a file has changed (studio.ui.serving.fingerprint), and now and then for what lies in no file."""
        is_news = any(value != gr.skip() for value in self.read_all(*values)[1:])
        return News(time.monotonic_ns()).to_json() if is_news else gr.skip()

    def connect(self) -> None:
        """Wire the readers and the notice's button, when every part has registered."""

        def act_on_notice(project: Project, event: gr.EventData) -> str:
            self.check_meant(project.slug, event.project)  # it may be about the project before
            return actions.act(self, project, event.action)

        self.acts(self.notice.act, act_on_notice)
        self.acts_by_name(self.trouble)
        inputs = [self.project, self.tab, self.seen, *(i for reader in self.readers for i in reader.inputs)]
        shown = [output for reader in self.readers for output in reader.outputs]
        outputs = [self.seen, *shown, *self.memories.values(), self.trouble, self.shows]
        self.sent_from.value = {"controls": self.controls}
        quietly(self.news.look, self.look_for_news, inputs, self.news)
        for event in (self.news.arrived, self.project.change, *(done.then for done in self.done)):
            quietly(event, self.read_all, inputs, outputs)

    def acts_by_name(self, part: gr.HTML) -> None:
        """The buttons of a component that do an action by its name."""
        self.acts(part.act, lambda project, event: actions.act(self, project, event.action))


def to_output(output: Block, value: Shown) -> Any:
    """What a part of the page is sent for what its reader gave."""
    return to_component(value) if isinstance(output, gr.HTML) else value


def to_component(value: Any) -> Any:
    """A View as the JSON that its component draws; None shows nothing."""
    return NOTHING if value is None else as_json(value)


def wants_event(act: Act) -> bool:
    return "event" in inspect.signature(act).parameters


OURS = "The window you started it from shows the details."


def describe_trouble(error: Exception) -> Notice:
    """A notice for what can't be read: the sentence that the commands say, and what can be done."""
    if isinstance(error, (ValueError, TimeoutError)):
        notice = describe_error(error)
        return replace(notice, text=notice.text if notice.text.endswith((".", "?", ":")) else f"{notice.text}.")
    if isinstance(error, OSError):
        return Notice(f"The disk said no: {error.strerror or error}.", "bad", fix=str(error.filename or ""))
    return Notice("The studio made a mistake: a part of this page can't be shown.", "bad", fix=OURS)


def describe_error(error: Exception) -> Notice:
    """A notice for any error: the person's own in its words; ours in one sentence, with the traceback in the log."""
    if isinstance(error, Problem):
        return Notice(error.message, "bad", error.cost, error.fix, actions.find_button(error.action))
    if isinstance(error, (ValueError, TimeoutError)):
        return Notice(str(error), "bad")
    log.error("a handler failed", exc_info=error)
    if isinstance(error, OSError):
        fix = "Check free space and permissions, then try again."
        return Notice(f"The disk said no: {error.strerror or error}.", "bad", fix=fix)
    return Notice("The studio made a mistake; nothing was changed.", "bad", fix=OURS)
