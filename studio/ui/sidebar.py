"""The left side: which person, a new person, and what the computer is doing."""

import time

import gradio as gr

from studio.data.captions.rules import check_trigger, suggest_trigger
from studio.errors import NewerFormat, Problem
from studio.jobs import launcher, state
from studio.machine import free_disk_gb, read_machine
from studio.models.catalogue import models_to_choose
from studio.models.presence import Presence
from studio.models.preset import list_models, model_preset
from studio.project_facts import Permission
from studio.ui import actions, download_view, uploads
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.page import QUIET
from studio.workspace import Project

PERMISSION = "I am this person, or they agreed that I train a model of them and make pictures with it."
CLASSES = ("person", "woman", "man", "girl", "boy")
CLIPS_ALONE = "It carries first pictures on, and learns from clips alone."
DOWNLOADS = "downloads:"  # before the id of a job that belongs to no project
REMEMBERED = dict(storage_key="likeness-studio", secret="likeness-studio")  # which project was open; nothing private


def build(page):
    gr.HTML('<h1 class="brand">Likeness Studio</h1>', apply_default_css=False)
    page.project = gr.Dropdown([], label="Project", elem_id="project", container=True, filterable=False)

    def list_models_live(_):
        """The base models as they are now: one may have come since the page was made."""
        return new_person_options(page.workspace)["models"]

    live = [check_trigger_live, suggest_trigger_live, list_models_live]
    dialog = component("new_person", new_person_options(page.workspace), server_functions=live)
    status = component("status")
    page.acts(dialog.create, lambda project, event: open_new(page.workspace, event), [], [page.project], needs_project=False)
    page.acts(dialog.download, lambda project, event: start_download(page.workspace, event), needs_project=False)
    page.acts(status.go_on, lambda project: actions.go_on_with_queue(page, project), needs_project=False)
    page.acts(status.stop, lambda project, event: stop_job(page.workspace, event), needs_project=False)
    page.warns(why_read_only, tab="")
    page.reads(lambda project: [read_chooser(page.workspace, project)], [page.project], blank=[gr.skip()])
    page.reads(lambda project: [read_status_line(page.workspace)], [status], blank=[{}])
    return page


def restore(page, demo, tabs):
    """At page load: the project and the tab that this browser showed last, if they still exist."""
    remembered = gr.BrowserState({"project": "", "tab": page.tab_items[0].id}, **REMEMBERED)

    def open_page(last):
        choices = project_choices(page.workspace)
        slugs = [slug for _, slug in choices]
        slug = last.get("project") if last.get("project") in slugs else (slugs or [None])[0]
        tab = next((tab.id for tab in page.tab_items if tab.id == last.get("tab")), page.tab_items[0].id)
        return gr.update(choices=choices, value=slug), tab, gr.update(selected=tab), {"project": slug, "fresh": True}

    loaded = demo.load(open_page, remembered, [page.project, page.tab, tabs, page.seen], **QUIET)
    page.done.append(loaded)

    def note(slug, tab, seen):
        return {"project": slug, "tab": tab} if slug and seen else gr.skip()

    remember = dict(fn=note, inputs=[page.project, page.tab, page.seen], outputs=remembered)
    page.project.change(**remember, **QUIET)
    for tab in page.tab_items:
        shown = tab.select(lambda name=tab.id: name, None, page.tab, **QUIET)
        shown.then(**remember, **QUIET)
        page.done.append(shown)


def why_read_only(project: Project | None) -> list[Problem]:
    """That a newer version of the studio made the project, so that it can only be looked at."""
    facts = project.facts_or_none() if project else None
    return [NewerFormat(facts.name)] if facts and facts.is_newer else []


def read_chooser(workspace, project):
    """The projects there are now; the first one is chosen where none is (any more)."""
    choices = project_choices(workspace)
    return gr.update(choices=choices, value=choices[0][1]) if project is None and choices else gr.update(choices=choices)


def project_choices(workspace):
    """(name, slug) of every project; two of the same name are told apart by their folder. A damaged one comes last: its page says what to do."""
    found = [(project.facts_or_none(), project.slug) for project in workspace.list_projects()]
    named = [(facts.name if facts else slug, slug) for facts, slug in found]
    names = [name for name, _ in named]
    damaged = [(f"{damaged.name} (damaged)", damaged.name) for damaged in workspace.damaged_projects()]
    return [(name if names.count(name) == 1 else f"{name} ({slug})", slug) for name, slug in named] + damaged


# -- a new person


def new_person_options(workspace):
    models = sorted(models_to_choose(workspace), key=rank_of_option)
    return {"models": [model_option(model, workspace) for model in models], "classes": CLASSES, "permission": PERMISSION}


def rank_of_option(model: Presence) -> tuple[bool, bool, bool]:
    """What is ready comes first, then what knows real people, then what learns from photos too."""
    preset = model_preset(model.name)
    return not model.available, preset.is_built_in, preset.takes_first_picture


def model_option(model: Presence, workspace) -> dict:
    """A base model in the list, as JSON for the component."""
    option = model.to_json() | ({} if model.available else offer_download(model.name, workspace))
    if model_preset(model.name).takes_first_picture:
        option["reason"] = f"{option['reason'] or 'Ready to use.'} {CLIPS_ALONE}"
    return option


def offer_download(name, workspace):
    """{"reason", "download"}: as the Train tab offers it; one that runs already has a sentence and no button."""
    job = download_view.newest_job(name, workspace)
    if job and not job.is_over:
        running = download_view.describe_running(job)
        return {"reason": f"It is being downloaded: {running['counted']}. {running['left']}".strip(), "download": {}}
    offered = download_view.offer(name, workspace)
    return {"download": offered} | ({"reason": "Not on this computer yet."} if offered and not offered["here"] else {})


def start_download(workspace, event):
    if event.model not in list_models():
        raise Problem("There is no such base model.")
    return download_view.start(event.model, workspace)


def check_trigger_live(trigger):
    """What is wrong with a trigger, while it is typed; [] when it is good."""
    return check_trigger(str(trigger or "").strip()) if str(trigger or "").strip() else []


def suggest_trigger_live(name):
    """A made-up word for that name."""
    return suggest_trigger(str(name or ""))


def open_new(workspace, event):
    """Make the project and show it."""
    slug = create(workspace, event)
    return [gr.update(choices=project_choices(workspace), value=slug)]


def create(workspace, event):
    """A project from the dialog's answers; its slug."""
    answers = {name: str(getattr(event, name)).strip() for name in ("name", "trigger", "class_noun", "base_model")}
    problems = check_trigger(answers["trigger"])
    if problems:
        raise Problem(f"{problems[0]}", fix="Choose another trigger word.")
    if event.permission is not True:
        raise Problem("A model of a person needs that person's permission.", fix="Tick the box if you have it.")
    if answers["base_model"] not in list_models():
        raise Problem(f"There is no base model {answers['base_model']!r}.")
    permission = Permission(granted=True, statement=PERMISSION, time=time.time())
    name = answers.pop("name")
    answers["class_noun"] = answers["class_noun"] or "person"
    return workspace.create_project(name, permission=permission, **answers).slug


# -- the status line


def read_status_line(workspace):
    """What the status line shows, with numbers rounded so that it changes only when a person would see it."""
    machine = read_machine()
    meters = [meter for gpu in machine.gpus for meter in gpu_meters(gpu)] or [
        {"label": "GPU", "text": "none found; the processor is used", "share": None}
    ]
    used = machine.ram_total_gb - machine.ram_free_gb
    meters.append({"label": "RAM", "text": f"{used:.1f} of {machine.ram_total_gb:.0f} GB", "share": round(used / machine.ram_total_gb, 2)})
    meters.append({"label": "Disk", "text": f"{free_disk_gb(workspace.home):.0f} GB free", "share": None})
    waiting = len(state.queued_jobs(workspace))
    job = state.current_job(workspace)
    download = state.current_job(workspace.downloads)  # it runs beside the others
    return {
        "meters": meters,
        "job": job_line(job) if job else None,
        "waiting": waiting - bool(job and job.state == "queued"),
        "held": bool(waiting) and launcher.is_held(workspace),
        "download": job_line(download) | {"id": f"{DOWNLOADS}{download.project.slug}/{download.name}"} if download else None,
    }


def gpu_meters(gpu):
    """Its name and its memory; which programs hold it is told when the mouse rests there."""
    used, name = gpu.vram_total_gb - gpu.vram_free_gb, gpu.name.removeprefix("NVIDIA ").removeprefix("GeForce ")
    memory = {"text": f"{used:.1f} of {gpu.vram_total_gb:.0f} GB", "share": round(used / gpu.vram_total_gb, 2)}
    return [{"label": "GPU", "text": name, "share": None, "title": gpu.describe()}, {"label": "VRAM", "title": gpu.describe(), **memory}]


def job_line(job):
    project = job.project.facts_or_none()
    share = None if job.fraction is None else round(job.fraction, 3)
    progress = job.progress
    counted = (
        f"{f.amount(progress.get('done', 0))} of {f.amount(progress['total'])} {progress.get('unit', '')}" if progress.get("total") else ""
    )
    return {
        "id": f"{job.project.slug}/{job.name}",
        "title": job.title,
        "project": project.name if project else "",
        "state": f.STATES[job.state],
        "share": share,
        "counted": counted.strip(),
        "message": progress.get("message", "") or "",
        "left": f.time_left(job.seconds_left) if job.state == "running" else "",
        "can_stop": job.state in ("queued", "running"),
        "verb": "Take out of the queue" if job.state == "queued" else "Stop and save" if job.kind == "train" else "Stop",
    }


def stop_job(workspace, event):
    slug, _, run = str(event.id).removeprefix(DOWNLOADS).partition("/")
    if str(event.id).startswith(DOWNLOADS):
        launcher.cancel(workspace.download_jobs(slug).run_dir(run))
    else:
        project = workspace.project(slug)
        launcher.cancel(project.run_dir(run))
        uploads.clear(project)
