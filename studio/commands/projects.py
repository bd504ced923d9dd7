"""new, list, import, curate, caption: from nothing to a captioned dataset. What reads clips is imported where it is used: it doubles the time
that `list` takes to start.
"""

import shlex
import time
from argparse import Namespace
from typing import Any

from studio import config as settings
from studio.commands.output import Output, find_project, run_here
from studio.commands.results import list_damaged
from studio.commands.whole_projects import tell_equal_names
from studio.data.auditing.project_audit import audit_project
from studio.data.captions.rules import check_trigger
from studio.data.curate_report import CurateReport
from studio.data.dataset import kept_items, list_items
from studio.data.incoming.import_report import LeftOut, Question, describe_group
from studio.data.incoming.sorting import Answers
from studio.errors import NewerFormat, Problem
from studio.jobs.kinds.caption import CaptionJob
from studio.jobs.kinds.curate import CurateJob
from studio.models.catalogue import describe_model
from studio.models.preset import model_preset
from studio.project_facts import Permission
from studio.training.pairs import list_pairs
from studio.words import count as number
from studio.workspace import Workspace

MOST_NAMES = 20  # of files, printed in one line; --json names all
STATEMENT = "I am this person, or they agreed that I train a model of them and make pictures with it."


def new(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    model_preset(args.model)  # ValueError names the models there are
    if not args.i_have_permission:
        raise Problem("a model of a person needs that person's permission", fix=f"Add --i-have-permission if this is true: {STATEMENT}")
    if remarks := check_trigger(args.trigger, args.class_noun):
        raise Problem(remarks[0].words)
    permission = Permission(granted=True, statement=STATEMENT, time=time.time())
    project = workspace.create_project(
        args.name, trigger=args.trigger, class_noun=args.class_noun, base_model=args.model, permission=permission
    )
    model = describe_model(args.model, workspace)
    out.print(f"Made the project {project.facts().name} in {project.root}.")
    tell_equal_names(workspace, project.facts().name, out)
    if not model.available:
        out.print(f"{model.title}: {model.reason}")
    out.print(f"Next: python -m studio import {project.slug} PHOTOS")
    return {"project": project.slug, "folder": project.root, "model_available": model.available}


def list_projects(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    rows, damaged = [], [(found.name, found.in_words()) for found in workspace.damaged_projects()]
    for project in workspace.list_projects():
        try:
            data, items = project.facts(), list_items(project)
        except Problem as e:  # one damaged project does not hide the others
            damaged.append((project.slug, e.in_words()))
            continue
        row = {"slug": project.slug, "name": data.name, "base_model": data.base_model, "trigger": data.trigger}
        rows.append(row | {"items": len(items), "kept": sum(item.keep for item in items), "pairs": len(list_pairs(project))})
        damaged += [(project.slug, NewerFormat(data.name).in_words())] if data.is_newer else []
        damaged += [(project.slug, f"{data.name}: {problem.in_words()}") for problem in list_damaged(project)]
    if rows:
        out.table([[r[k] for k in rows[0]] for r in rows], ["project", "name", "model", "trigger", "pictures", "kept", "pairs"])
    elif not damaged:
        out.print("There are no projects yet. Make one with: python -m studio new NAME --trigger WORD")
    for _, sentence in damaged:
        out.print(sentence)
    return {"home": workspace.home, "projects": rows, "damaged": [{"project": slug, "message": words} for slug, words in damaged]}


def import_media(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    from studio.data.importer import import_media as run

    project = find_project(workspace, args.project, out)
    answers = Answers(take=frozenset(args.take), leave=frozenset(args.leave), encoding=args.encoding)
    found = run(project, args.paths, answers=answers, report=out.report)
    num_texts = f"; captions came from {number(len(found.texts), 'file')}" if found.texts else ""
    added = "1 picture or clip" if len(found.added) == 1 else f"{len(found.added)} pictures and clips"
    out.print(f"Added {added} to {project.facts().name}{num_texts}.")
    for same in found.duplicates:
        out.print(f"  {same.name} is the same as {same.item_id}; not added again.")
    for left_out in found.rejected:
        out.print(f"  {left_out.name} was left out: {left_out.words}")
    for group in found.left_out:
        out.print(f"  {describe_group(group)} was left out: {group.words}{_names(group)}")
        if group.can_come:
            out.print(f"    To take it in, import again with: --take {shlex.quote(group.name)}")
    for question in found.asked:
        out.print(f"  {describe_group(question)} was not imported: {question.words}{_names(question)}.")
        for way in question.readings:
            out.print(f"    To read it as {way.encoding} ({way.sample!r}), import again with: --encoding {shlex.quote(way.encoding)}")
        if question.readings:
            continue
        name = shlex.quote(question.name)
        out.print(f"    Import again and say which: --take {name} or --leave {name}")
    for note in found.notes:
        out.print(f"  {note.name}: {note.words}.")
    for video in found.videos:
        out.print(f"  {video.name}: {' '.join(video.sentences())}")
    if not (found.added or found.duplicates or found.films) and found.rejected:
        raise Problem(
            f"nothing could be imported: {found.rejected[0].name}: {found.rejected[0].words}", fix="Give photos or clips of the person."
        )
    return {"project": project.slug} | found.to_json()


def _names(group: LeftOut | Question) -> str:
    """The files of a group, where its name does not name them."""
    if group.files == (group.name,):
        return ""
    more = f" and {len(group.files) - MOST_NAMES} more" if len(group.files) > MOST_NAMES else ""
    return f": {', '.join(group.files[:MOST_NAMES])}{more}"


def curate(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    if args.keep < 1:
        raise Problem(f"--keep must be at least 1, got {args.keep}")
    job = run_here(project, CurateJob(keep=args.keep), out)
    items = list_items(project)
    for item in items:
        out.print(f"  {item.id}  {'kept' if item.keep else 'left out'}  {item.reason}")
    out.print(f"{sum(item.keep for item in items)} of {len(items)} are kept.")
    report = CurateReport.from_json(job.result, "the result")
    if report.groups:
        others = ", ".join(str(group.photos) for n, group in enumerate(report.groups) if n != report.person)
        person = "nobody knows who is meant" if report.person is None else number(report.groups[report.person].photos, "photo")
        out.print(f"The person: {person}" + (f"; others: {others}" if others else "") + f". See: python -m studio people {project.slug}")
    for lack in report.lacks:
        out.print(f"Lacking: {lack.words} ({lack.have} of {lack.wanted}).")
    verdicts = {item.id: {"keep": item.keep, "reason": item.reason} for item in items}
    return {"project": project.slug, "state": job.state, "items": verdicts, **job.result}


def caption(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    chosen = {"captioner": args.captioner, "server_model": args.server_model, "may_leave": args.may_leave, "style": args.style}
    chosen |= {"max_new_tokens": args.longest}
    config = settings.from_dict(settings.CaptionConfig, {name: value for name, value in chosen.items() if value}, "caption")
    settings.load_preset("captions", config.style)  # ValueError names the styles there are
    job = run_here(
        project, CaptionJob(config=settings.to_dict(config), only=tuple(args.only) or None, overwrite_auto=args.overwrite_auto), out
    )
    items = kept_items(project)
    findings = audit_project(project)
    out.print(f"{sum(bool(item.caption.strip()) for item in items)} of {len(items)} kept pictures and clips have a caption.")
    for finding in findings:
        out.print(f"  {finding}")
    return {"project": project.slug, "state": job.state, "counts": job.result, "findings": [finding.to_json() for finding in findings]}
