"""How captions are written: by which captioner, what of the person they name, and one word for one thing in all of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.config import CaptionConfig, from_dict
from studio.data import dataset
from studio.data.captions.forbidden import mentions, take_out
from studio.data.captions.traits import LEARN, NAME, check_choice, choice_of, list_traits
from studio.data.captions.writing.vocabulary import Proposal, propose, replacements, unify
from studio.errors import Problem
from studio.jobs import state
from studio.jobs.kind import read_config
from studio.jobs.kinds import try_server
from studio.jobs.kinds.try_server import ServerTrial, TryServerJob
from studio.machine import Machine, read_machine
from studio.models.captioners.choosing import captioners_in_order, find_four_bit, place, weights_of
from studio.models.captioners.family import FOUR_BIT
from studio.models.captioners.opening import find_wanted, why_not_ready
from studio.models.captioners.places import why_not_here
from studio.models.captioners.server.server_address import EXAMPLE, is_address, read_address
from studio.models.preset import CaptionerPreset, captioner_preset, list_captioners
from studio.ui import actions, views
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.views import View
from studio.workspace import Project

if TYPE_CHECKING:
    from studio.ui.page import Page

AUTOMATIC = "automatic"  # in the list of captioners: the one that suits this computer
UNIFIED = "terms unified"


@dataclass(frozen=True)
class WordRow(View):
    """Words for one thing. says: how many automatic captions would change."""

    key: str
    chosen: str
    says: str
    terms: tuple[WordTerm, ...]


@dataclass(frozen=True)
class WordTerm(View):
    word: str
    count: int
    automatic: int


@dataclass(frozen=True)
class WordList(View):
    text: str
    rows: tuple[WordRow, ...]


def build(page: Page, tab: str) -> None:
    """The captioner, the traits and the words, in the fold that is open around it."""
    build_captioner_choice(page, tab)
    build_traits(page, tab)
    build_vocabulary(page, tab)


# -- the captioner


def build_captioner_choice(page: Page, tab: str) -> None:
    info = "Its size, how it runs here, its licence. Or type owner/name of the hub, or a folder on this computer."
    captioner = gr.Dropdown(
        list_choices(None), value=AUTOMATIC, label="Captioner", info=info, allow_custom_value=True, elem_id="caption-captioner"
    )
    with gr.Row(equal_height=True):
        info = "llama.cpp, Ollama or LM Studio; empty: the captioner above"
        address = gr.Textbox(label="Or the address of a server", info=info, placeholder=EXAMPLE, elem_id="caption-server")
        info = "empty: the first that looks at pictures"
        model = gr.Textbox(label="Its model", info=info, elem_id="caption-server-model")
        may_leave = gr.Checkbox(False, label="The pictures may leave this computer", elem_id="caption-may-leave")
        button = gr.Button("Test it", elem_id="try-server")
    says = component("remarks", elem_id="captioner-says")
    page.acts(captioner.input, choose_captioner, [captioner])
    for event in (address.submit, address.blur):
        page.acts(event, choose_server, [address])
    for event in (model.submit, model.blur):
        page.acts(event, lambda project, value: choose(project, "server_model", str(value or "").strip()), [model])
    page.acts(may_leave.input, lambda project, value: choose(project, "may_leave", bool(value)), [may_leave])
    page.acts(button.click, test_server, [address, model, may_leave])
    page.reads(read_captioner_choice, [captioner, address, model, may_leave, says], tab=tab)


def choose(project: Project, name: str, value: Any) -> None:
    """Remember a setting of captions; one that is empty is as usual again."""
    others = {known: chosen for known, chosen in project.facts().caption_choice.items() if known != name}
    choice = others | ({name: value} if value else {})
    from_dict(CaptionConfig, choice, "captions")
    if choice != project.facts().caption_choice:
        project.update(caption_choice=choice)


def choose_captioner(project: Project, value: Any) -> None:
    text = str(value or "").strip()
    choose(project, "captioner", "" if text == AUTOMATIC else text)


def choose_server(project: Project, value: Any) -> None:
    """An address takes the place of the captioner; taken out, the usual one is back. One without http:// gets it."""
    text = str(value or "").strip()
    if text and not is_address(text):
        text = f"http://{text}"
    if text:
        read_address(text, may_leave=True)  # Problem if it is none
    elif not is_address(actions.caption_settings(project).captioner):
        return
    choose(project, "captioner", text)


def test_server(project: Project, address: str, model: str, may_leave: bool) -> str:
    """Ask the server in a job: it may take a minute, and the page does not wait."""
    choose_server(project, address)
    settings = actions.caption_settings(project)
    if not is_address(settings.captioner):
        raise Problem("There is no address of a server yet.", fix=f"Give one, for example {EXAMPLE}.")
    found = read_address(settings.captioner, bool(may_leave))
    if actions.is_busy(project, TryServerJob.KIND):
        raise Problem("The server is being tested already.")
    actions.queue(project, TryServerJob(address=settings.captioner, model=str(model or "").strip(), may_leave=bool(may_leave)))
    return f"{found.where} is asked about a drawn picture; what it says stands here in a moment."


def read_captioner_choice(project: Project | None) -> list[Any]:
    if project is None:
        return [AUTOMATIC, "", "", False, None]
    settings = actions.caption_settings(project)
    address = settings.captioner if is_address(settings.captioner) else ""
    shown = gr.update(choices=list_choices(project), value=settings.captioner or AUTOMATIC)
    return [shown, address, settings.server_model, settings.may_leave, describe_captioner(project, settings)]


def list_choices(project: Project | None) -> list[tuple[str, str]]:
    """(what is said of it, name) of each captioner that can be chosen."""
    machine = read_machine()
    choices = [(say_automatic(project, machine), AUTOMATIC)]
    choices += [(say_captioner(preset, project, machine), preset.name) for preset in captioners_in_order()]
    chosen = actions.caption_settings(project).captioner if project else ""
    return choices if not chosen or chosen in [name for _, name in choices] else [*choices, (chosen, chosen)]


def say_automatic(project: Project | None, machine: Machine) -> str:
    if project is None:
        return "What suits this computer"
    name = find_wanted("", project.facts().base_model, machine).name
    return f"What suits this computer: {captioner_preset(name).short}" if name else "The one that comes with the base model"


def say_captioner(preset: CaptionerPreset, project: Project | None, machine: Machine) -> str:
    """ "Qwen3-VL 4B, 8.9 GB, fits in 4 bits, Apache-2.0, on this computer"."""
    placing = place(weights_of(preset), machine, preset.title, find_four_bit(machine))
    how = "in part in RAM, slow" if machine.gpus else "on the processor, slow"
    if placing.fits:
        how = "fits in 4 bits" if placing.precision == FOUR_BIT else "fits the card"
    here = "" if project is None or why_not_here(preset.name, project.workspace) else ", on this computer"
    return f"{preset.short}, {preset.download_gb:g} GB, {how}, {preset.licence}{here}"


def describe_captioner(project: Project, settings: CaptionConfig) -> views.Remarks:
    """What is used, why, and whether it is ready."""
    base_model, machine = project.facts().base_model, read_machine()
    wanted = find_wanted(settings.captioner, base_model, machine)
    missing = why_not_ready(settings, base_model, project.workspace, machine)
    lines = [views.Remark(f"{f.sentence(missing)}", "remark")] if missing else []
    if is_address(wanted.name):
        return views.Remarks((*lines, *describe_server(project, settings, bool(missing))))
    if wanted.name in list_captioners():
        preset = captioner_preset(wanted.name)
        placing = place(weights_of(preset), machine, preset.title, find_four_bit(machine))
        lines += [views.Remark(placing.why), views.Remark(f"{preset.description} Licence: {preset.licence}.")]
    elif not wanted.name:
        lines.append(views.Remark(wanted.why))
    return views.Remarks(tuple(lines))


def describe_server(project: Project, settings: CaptionConfig, is_refused: bool) -> list[views.Remark]:
    """What leaves the computer, and how the last test of this address ended."""
    lines = [] if is_refused else [views.Remark(read_address(settings.captioner, settings.may_leave).what_leaves())]
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == TryServerJob.KIND]
    newest = jobs[0] if jobs else None
    if newest is None or read_config(TryServerJob, newest.run_dir).address != settings.captioner:
        return lines
    if not newest.is_over:
        return [*lines, views.Remark("The server is being tested.")]
    result = newest.read_result(ServerTrial)
    if newest.error:
        return [*lines, views.Remark(f.in_sentences(newest.error), "remark")]
    return [*lines, views.Remark(try_server.describe_end(result))] if result else lines


# -- traits


def build_traits(page: Page, tab: str) -> None:
    traits = list_traits()
    choices = [("Learn it as the person", LEARN), ("Name it in captions", NAME)]
    with gr.Row():
        fields = [gr.Radio(choices, value=t.default, label=t.title, info=t.help, elem_id=f"trait-{t.name}", min_width=220) for t in traits]
    for trait, field in zip(traits, fields, strict=True):
        page.acts(field.input, functools.partial(choose_trait, name=trait.name), [field])
    page.reads(read_traits, fields, tab=tab)


def choose_trait(project: Project, value: str, name: str) -> str:
    """Remember it. What is learned as the person goes out of automatic captions; what is named is in those that are written from now on."""
    trait = check_choice(name, str(value))
    project.update(traits=project.facts().traits | {name: value})
    if value == NAME:
        return f"{trait.title} will be named in captions that are written from now on."
    step = f"{trait.title} out of automatic captions"
    changed = dataset.rewrite_automatic(project, lambda text: take_out(text, trait.words), f"{trait.noun} taken out", step)
    own = [item.id for item in dataset.list_items(project) if item.caption_source != "auto" and mentions(item.caption, trait.words)]
    said = [f"{trait.title} will be in no automatic caption."]
    said += [f"It was taken out of {f.count(len(changed), 'caption')}; Undo takes that back."] if changed else []
    name = "names" if len(own) == 1 else "name"
    said += [f"{f.count(len(own), 'caption')} of your own still {name} it: {', '.join(own[:6])}."] if own else []
    return " ".join(said)


def read_traits(project: Project | None) -> list[Any]:
    chosen = project.facts().traits if project else {}
    return [choice_of(trait, chosen) for trait in list_traits()]


# -- one word for one thing


def build_vocabulary(page: Page, tab: str) -> None:
    is_shown = page.remember(False)
    button = gr.Button("Look for words that mean the same", elem_id="find-words")
    words = component("vocabulary", elem_id="vocabulary")
    page.acts(button.click, lambda project: [True], [], [is_shown])
    page.acts(words.use, use_words)
    page.reads(read_words, [words], [is_shown], tab=tab)


def read_words(project: Project | None, is_shown: bool) -> list[Any]:
    return [describe_words(project) if project and is_shown else None]


def describe_words(project: Project) -> WordList:
    proposals = find_words(dataset.version(project))
    if not proposals:
        return WordList("No two words for one thing were found in the captions that would change an automatic one.", ())
    text = (
        "Words that mean the same, and in how many captions each is. Captions that you wrote stay as they are; Undo takes all of it back."
    )
    return WordList(text, tuple(describe_row(proposal) for proposal in proposals))


@functools.lru_cache(maxsize=4)
def find_words(version: dataset.Version) -> tuple[Proposal, ...]:
    return tuple(propose(dataset.list_items(version[0])))


def describe_row(proposal: Proposal) -> WordRow:
    terms = tuple(WordTerm(term.word, term.count, term.automatic) for term in proposal.terms)
    says = f"{proposal.chosen} instead of {', '.join(proposal.others)}: {f.count(proposal.num_changed, 'caption')} would change"
    return WordRow(proposal.key, proposal.chosen, says, terms)


def use_words(project: Project, event: gr.EventData) -> str:
    accepted = {str(key): str(word) for key, word in dict(event.accepted).items()}
    instead = replacements(find_words(dataset.version(project)), accepted)
    if not instead:
        raise Problem("No word was chosen.", fix="Choose one for a thing, then press the button again.")
    changed = dataset.rewrite_automatic(project, lambda text: unify(text, instead), UNIFIED, "Words unified in automatic captions")
    return f"{f.count(len(changed), 'automatic caption')} changed; Undo takes it back."
