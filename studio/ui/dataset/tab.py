"""Tab 1: photos and clips in, looked at, captioned, kept or left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.config import CaptionConfig, from_dict, list_presets, load_preset
from studio.data import dataset
from studio.data.captions.rules import check_trigger
from studio.data.choosing import by_hand
from studio.data.cropping.alone import crop_alone
from studio.data.cropping.closer import crop_closer
from studio.data.cropping.turning import turn_photo
from studio.data.cutting import cut_clip
from studio.data.item_record import THEM
from studio.data.media.thumbnails import version_of
from studio.data.people.answers import say_it_is_somebody_else, say_it_is_them, take_back
from studio.data.people.who import person_face
from studio.errors import Problem
from studio.jobs.kinds.import_media import ImportJob
from studio.jobs.kinds.pieces import PiecesJob
from studio.jobs.kinds.stills import StillsJob
from studio.models.catalogue import link_model, models_to_choose
from studio.ui import actions, download_view, uploads
from studio.ui.components import component
from studio.ui.dataset import caption_desk, captioning
from studio.ui.dataset import job_results as results_view
from studio.ui.dataset import view as dataset_view
from studio.ui.dataset.clip_view import read_clip
from studio.ui.dataset.pictures.choices import is_choice
from studio.ui.dataset.pictures.closer_look import ALONE, CLOSER
from studio.ui.dataset.pictures.people_view import say_somebody_else, say_who_is_meant
from studio.ui.dataset.view import Place, look_at
from studio.ui.settings_form import check_limits, parse, place_field
from studio.workspace import Project, Workspace

if TYPE_CHECKING:
    from studio.ui.page import Page

ID, TITLE, ORDER = "dataset", "Dataset", 10


def build(page: Page) -> None:
    """What is to do and the pictures at the left; the chosen one stands large at the right, in sight however far one scrolls."""
    place = page.remember(Place())
    with gr.Row(elem_id="pictures"):
        with gr.Column(scale=3, min_width=0, elem_id="pictures-column"):
            next_step = component("next_step", elem_id="next-dataset")
            build_captioner(page)
            fold = build_import(page)
            build_results(page, place)
            coverage = build_coverage(page, place)
            caption_desk.build(page, ID)
            grid = build_grid(page, place)
        with gr.Column(scale=2, min_width=0, elem_id="viewer-column"):
            viewer = build_viewer(page, place)
            time_line = build_time_line(page)
        with gr.Row(elem_classes="folded"):
            build_caption_settings(page)
            build_person(page)
    page.acts(next_step.act, lambda project, event: actions.act(page, project, event.action))
    page.reads(lambda project: [dataset_view.next_step(project)], [next_step], tab=ID, blank=[actions.MEND_FIRST])
    page.reads(read_pictures, [fold, coverage, grid, viewer, time_line], [place], tab=ID)


def read_pictures(project: Project | None, place: Place) -> list[Any]:
    is_empty, coverage, grid, viewer = dataset_view.read_pictures(project, place)
    return [gr.update(open=is_empty), coverage, grid, viewer, read_clip(project, viewer.id if viewer else "")]


def build_captioner(page: Page) -> None:
    """The model that writes captions, while it is not on this computer and there is something to caption."""
    panel = component("download", elem_id="studio-download-captioner")
    download_view.connect(page, panel, download_view.captioner_of)
    page.reads(lambda project: [download_view.read_captioner(project)], [panel], tab=ID)


def build_import(page: Page) -> gr.Accordion:
    """The drop zone: open while there is nothing yet."""
    fold = gr.Accordion("Add photos and clips", open=False, elem_id="add-media", elem_classes="fold")
    with fold, gr.Row(equal_height=True):
        files = gr.File(label="Drop photos, clips or a zip here", file_count="multiple", elem_id="upload", height=136, scale=3)
        with gr.Column(scale=2, min_width=240):
            info = "Photos, clips and their caption files in it are copied; the folder stays as it is."
            folder = gr.Textbox(
                label="Or a folder on this computer", info=info, placeholder="/home/me/photos of anna", elem_id="import-folder"
            )
            button = gr.Button("Import the folder", elem_id="import-button")
    page.takes(files, take_uploads, lambda files: uploads.forget(page.workspace, [file.path for file in files or []]))
    page.acts(button.click, import_folder, [folder], [folder])
    page.acts(folder.submit, import_folder, [folder], [folder])
    return fold


def build_results(page: Page, place: gr.State) -> None:
    """How the last import, captioning and check ended; each stays until it is dismissed."""
    results = component("results", elem_id="last-job")
    page.acts(results.act, lambda project, event: actions.act(page, project, event.action))
    page.acts(results.dismiss, lambda project, event: results_view.dismiss(project, str(event.job)))
    page.acts(
        results.answer,
        lambda project, event: results_view.answer(project, str(event.job), str(event.name), bool(event.take), str(event.encoding)),
    )
    page.acts(results.pick, lambda project, place, event: [replace(place, item=str(event.id), show="all")], [place], [place])
    page.reads(lambda project: [results_view.read_results(project)], [results], tab=ID)


def take_uploads(project: Project, files: list[uploads.Sent]) -> None:
    taken = uploads.take(project, files or [])
    folders = (taken.folder, *uploads.left_by_a_fault(project))
    config = ImportJob(paths=tuple(map(str, folders)), delete_after=True, left_out=tuple(taken.left_out))
    try:
        actions.queue(project, config)
    except BaseException:
        uploads.give_up(taken)
        raise


def import_folder(project: Project, folder: str) -> list[str]:
    path = uploads.check_folder(folder)
    actions.queue(project, ImportJob(paths=(str(path),)))
    return [""]


def build_coverage(page: Page, place: gr.State) -> gr.HTML:
    """How ready the pictures are, who is in them, what they cover; each part leads to its pictures."""
    coverage = component("coverage")
    page.acts(coverage.show, show_only, [place], [place])
    page.acts(coverage.act, lambda project, event: actions.act(page, project, event.action))
    page.acts(coverage.choose, lambda project, event: say_who_is_meant(project, look_at(project).study, str(event.group)))
    page.acts(coverage.deny, lambda project, event: say_somebody_else(project, look_at(project).study, str(event.group)))
    return coverage


def build_grid(page: Page, place: gr.State) -> gr.HTML:
    """Small pictures of all that is there, and what is done with them together."""
    grid = component("grid")
    page.acts(grid.pick, lambda project, place, event: [replace(place, item=str(event.id))], [place], [place])
    page.acts(grid.turn, lambda project, place, event: [replace(place, page=int(event.page))], [place], [place])
    page.acts(grid.show, show_only, [place], [place])
    page.acts(grid.act, lambda project, event: actions.act(page, project, event.action))
    page.acts(grid.undo, undo, repeats=True)
    page.acts(grid.keep, keep)
    return grid


def build_viewer(page: Page, place: gr.State) -> gr.HTML:
    """The chosen picture with its caption, and what is done with it alone."""
    viewer = component("viewer")
    page.acts(viewer.save, save_caption, [place], [place])
    page.acts(viewer.keep, keep)
    page.acts(viewer.let, let_the_check_decide)
    page.acts(viewer.say, say_who)
    page.acts(viewer.swap, swap, [place], [place])
    page.acts(viewer.alter, alter)
    page.acts(viewer.remove, remove)
    return viewer


def build_time_line(page: Page) -> gr.HTML:
    """What of a clip is trained, its pieces, and the part of it that a person chooses."""
    time_line = component("timeline")
    page.acts(time_line.cut, cut)
    page.acts(time_line.find, find_pieces)
    page.acts(time_line.stills, take_stills)
    return time_line


def show_only(project: Project, place: Place, event: gr.EventData) -> list[Place]:
    if not is_choice(str(event.show)):
        raise Problem("There is no such choice of pictures; reload the page.")
    return [replace(place, page=0, show=event.show)]


def check_item(project: Project, event: gr.EventData) -> None:
    """Problem unless the picture of that id is the one that the page showed; another may have come in its place."""
    if version_of(dataset.get_item(project, event.id)) != event.version:
        raise Problem(f"{event.id} is another picture now than the one this page showed: nothing was changed.", fix="Look at it again.")


def save_caption(project: Project, place: Place, event: gr.EventData) -> list[Place]:
    """Save what was typed; with `next`, go to the item after it."""
    check_item(project, event)
    dataset.set_caption(project, event.id, str(event.text))
    if not event.next:
        return [place]
    ids = [item.id for item in dataset_view.shown_items(dataset_view.look_at(project), place)]
    if not ids:
        return [replace(place, item="", page=0)]
    after = (ids.index(event.id) + 1) % len(ids) if event.id in ids else 0
    return [replace(place, item=ids[after], page=after // dataset_view.PER_PAGE)]


def undo(project: Project) -> str:
    return dataset.undo(project) or "There is nothing to undo."


def keep(project: Project, event: gr.EventData) -> None:
    check_item(project, event)
    dataset.set_keep(project, event.id, bool(event.keep), "" if event.keep else "left out by you")


def let_the_check_decide(project: Project, event: gr.EventData) -> str:
    check_item(project, event)
    by_hand.release(project, event.id)
    return f"The next check decides about {event.id} again."


def say_who(project: Project, event: gr.EventData) -> None:
    """The person's word on who a picture shows; the same word again takes it back."""
    check_item(project, event)
    item = dataset.get_item(project, event.id)
    if item.said and item.said.who == event.who:
        take_back(project, [item.id])
    elif event.who == THEM:
        say_it_is_them(project, [item.id])
    else:
        say_it_is_somebody_else(project, [item.id])


def swap(project: Project, place: Place, event: gr.EventData) -> list[Place]:
    """Another picture takes the place of this one, in one step of undo, and is the chosen one."""
    check_item(project, event)
    if version_of(dataset.get_item(project, event.other)) != event.other_version:
        raise Problem(f"{event.other} is another picture now: nothing was changed.", fix="Look at it again.")
    by_hand.swap(project, event.id, event.other)
    return [replace(place, item=event.other)]


def alter(project: Project, event: gr.EventData) -> str:
    """Turn or mirror a photo, or add a part of it as a photo of its own."""
    check_item(project, event)
    how, _, framing = str(event.how).partition(":")
    study = look_at(project).study
    look, seen = study.looks.get(event.id), study.people.seen.get(event.id)
    face = person_face(look, seen) if look else None
    if how in (ALONE, CLOSER) and (look is None or face is None):
        raise Problem(f"No face is known in {event.id}: nothing was changed.", fix="Let Check photos measure it first.")
    if how == ALONE and look and face:
        return f"The part with the person alone is {crop_alone(project, event.id, look, face)}; Undo takes it back."
    if how == CLOSER and look and face:
        return f"The closer part is {crop_closer(project, event.id, look, face, framing)}; Undo takes it back."
    turn_photo(project, event.id, how)
    return f"{event.id} is changed; Undo brings it back. It is measured anew by the next check."


def remove(project: Project, event: gr.EventData) -> str:
    check_item(project, event)
    dataset.remove_item(project, event.id)
    return "Removed; Undo brings it back. The file you imported stays in the originals folder."


def cut(project: Project, event: gr.EventData) -> str:
    """Shorten a clip to a part of it, or keep the part as a clip of its own."""
    check_item(project, event)
    try:
        start, end = float(event.start), float(event.end)
    except (TypeError, ValueError):
        raise Problem("Start and end must be numbers of seconds.", fix="For example 1.5 and 6.") from None
    made = cut_clip(project, event.id, start, end, as_new=bool(event.as_new))
    if event.as_new:
        return f"{end - start:.1f} s of it are {made} now; Undo takes that back."
    return f"Cut to {end - start:.1f} s; Undo brings the whole clip back."


def find_pieces(project: Project, event: gr.EventData) -> str:
    check_item(project, event)
    check_idle(project, PiecesJob.KIND)
    actions.queue(project, PiecesJob(items=(event.id,)))
    return f"{event.id} is being looked through for pieces of 4 to 8 s."


def take_stills(project: Project, event: gr.EventData) -> str:
    check_item(project, event)
    check_idle(project, StillsJob.KIND)
    actions.queue(project, StillsJob(item=event.id))
    return f"Photos are being taken out of {event.id}."


def check_idle(project: Project, kind: str) -> None:
    if actions.is_busy(project, kind):
        raise Problem("That is being done already.", fix="Wait until it is over.")


def build_caption_settings(page: Page) -> None:
    """How much a caption says, and where the captioner is cut off; remembered in the project."""
    with gr.Accordion("How captions are written", open=False, elem_id="caption-settings", elem_classes="fold"):
        style, longest = build_length()
        captioning.build(page, ID)
    page.acts(style.input, lambda project, value: choose_captions(project, "style", value), [style])
    for event in (longest.submit, longest.blur):
        page.acts(event, lambda project, value: choose_captions(project, "max_new_tokens", value), [longest])
    page.reads(read_caption_choice, [style, longest], tab=ID)


def build_length() -> tuple[gr.Dropdown, gr.Number]:
    """How much a caption says."""
    with gr.Row():
        styles = [(str(load_preset("captions", name)["title"]), name) for name in list_presets("captions")]
        style = gr.Dropdown(styles, label="How much a caption says", info="style: a file in presets/captions each", elem_id="caption-style")
        longest = place_field(CaptionConfig, "max_new_tokens", "caption")
    assert isinstance(longest, gr.Number)
    return style, longest


def choose_captions(project: Project, name: str, value: Any) -> None:
    """Remember a setting of captions; empty: as usual. ValueError if it can't be used."""
    value = parse(value)
    check_limits(CaptionConfig, {name: value})
    others = {known: chosen for known, chosen in project.facts().caption_choice.items() if known != name}
    choice = others if value in (None, "") else others | {name: value}
    load_preset("captions", from_dict(CaptionConfig, choice, "captions").style)
    project.update(caption_choice=choice)


def read_caption_choice(project: Project | None) -> list[Any]:
    if project is None:
        return [None, None]
    settings = actions.caption_settings(project)
    return [settings.style, settings.max_new_tokens]


def build_person(page: Page) -> None:
    """Trigger, class noun and base model: set when the project was made, changed here."""
    with gr.Accordion("About this person", open=False, elem_id="about-person", elem_classes="fold"):
        with gr.Row():
            trigger = gr.Textbox(label="Trigger word", info="trigger: every caption begins with it", elem_id="trigger")
            noun = gr.Textbox(label="What the person is", info="class: what the model knows them as", elem_id="class-noun")
        base = gr.Dropdown(model_choices(page.workspace), label="Base model", elem_id="base-model")
        permission = component("remarks", elem_id="permission")
        button = gr.Button("Save", elem_id="save-person")
        info = "If you have it already: ComfyUI's folder, or the one with the model's model_index.json (a diffusers folder)."
        folder = gr.Textbox(label="Folder of the base model", info=info, elem_id="model-folder")
        info = "Only where the files' names don't say which expert is which: the file of the high-noise one."
        high_noise = gr.Textbox(label="High-noise expert", info=info, elem_id="model-high-noise")
        link = gr.Button("Use this folder", elem_id="link-model")
    page.acts(link.click, link_folder, [base, folder, high_noise])
    page.acts(button.click, lambda project, *values: save_person(page, project, *values), [trigger, noun, base])
    page.reads(lambda project: read_person(page.workspace, project), [trigger, noun, base, permission], tab=ID)


def link_folder(project: Project, base: str, folder: str, high_noise: str = "") -> str:
    """Use a base model that is on this computer already, where it is; high_noise: the person's word on which expert is which, or empty."""
    chosen = uploads.check_folder(high_noise) if (high_noise or "").strip() else None
    found = link_model(base, uploads.check_folder(folder), project.workspace, chosen)
    files = "; ".join(found.source.describe())
    return f"{found.title} is ready to use. {files[:1].upper()}{files[1:]}".strip()


def model_choices(workspace: Workspace, chosen: str = "") -> list[tuple[str, str]]:
    """(title, name) of every base model, and of the chosen one where it is not known here."""
    models = models_to_choose(workspace)
    choices = [(m.title if m.available else f"{m.title} (not on this computer yet)", m.name) for m in models]
    return choices if not chosen or chosen in [name for _, name in choices] else [*choices, (f"{chosen} (not known here)", chosen)]


def read_person(workspace: Workspace, project: Project | None) -> list[Any]:
    if project is None:
        return ["", "", None, None]
    data = project.facts()
    choices = model_choices(workspace, data.base_model)
    return [data.trigger, data.class_noun, gr.update(choices=choices, value=data.base_model), dataset_view.permission_line(data)]


def save_person(page: Page, project: Project, trigger: str, noun: str, base: str) -> str:
    """Change the trigger everywhere it stands in captions, too, so that no caption is left with the old one."""
    trigger, noun, old = trigger.strip(), noun.strip() or "person", project.facts().trigger
    if remarks := check_trigger(trigger):
        raise Problem(remarks[0].words, fix="Choose another trigger word.")
    project.update(trigger=trigger, class_noun=noun, base_model=base)
    count = dataset.replace_in_captions(project, old, trigger, whole_words=True) if old and old != trigger else 0
    return f"Saved; the new trigger stands in {count} captions now." if count else "Saved."
