"""people, choose: who is in the photos, and what a human decides about them. What is judged was measured by `curate`; nothing is looked at here."""

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from studio.commands.output import Output, find_project
from studio.data import curation, dataset
from studio.data.choosing import by_hand
from studio.data.choosing.proposed_set import Choice
from studio.data.cropping.alone import crop_alone
from studio.data.judging.judge import figure_of_who, find_faults, how_many
from studio.data.judging.thresholds import BY_NAME, checked_limits
from studio.data.people import answers
from studio.data.people.who import Group
from studio.errors import Problem
from studio.project_facts import PhotoChoice
from studio.words import count as number
from studio.workspace import Project, Workspace


def people(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    _require_measured(project)
    changed = answers.say_it_is_them(project, args.this_is) if args.this_is else 0
    changed += answers.say_it_is_somebody_else(project, args.somebody_else) if args.somebody_else else 0
    changed += answers.take_back(project, args.forget) if args.forget else 0
    if args.group is not None:
        changed += _choose_group(project, args.group)
    cropped = [_crop(project, item_id) for item_id in args.crop]
    found = curation.choose(project, args.keep).people
    for number_, group in enumerate(found.groups, 1):
        whose = "the person" if found.person == number_ - 1 else "somebody else"
        out.print(f"  {number_}  {number(group.photos, 'photo')}, {'who?' if found.person is None else whose}: {_examples(group)}")
    if found.num_once:
        out.print(f"  {number(found.num_once, 'face')} in one photo only")
    if found.question:
        out.print(f"{found.question.words[0].upper()}{found.question.words[1:]}.")
    if changed or cropped:
        out.print(f"Next: python -m studio curate {project.slug}")
    groups = [group.to_json() for group in found.groups]
    seen = {item: seen.to_json() for item, seen in found.seen.items()}
    return {"project": project.slug, "changed": changed, "cropped": cropped, "person": found.person, "groups": groups, "seen": seen}


def _examples(group: Group) -> str:
    return ", ".join(ref.item for ref in group.examples)


def _choose_group(project: Project, wanted: int) -> int:
    found = curation.choose(project).people
    if not 1 <= wanted <= len(found.groups):
        raise Problem(f"there is no group {wanted}", fix=f"Choose one of 1 to {len(found.groups)}, as `people {project.slug}` counts them.")
    return answers.choose_group(project, found.groups[wanted - 1], curation.looks_by_item(project))


def _crop(project: Project, item_id: str) -> str:
    """Add the part of a photo that shows the person alone; the new id."""
    known, seen = curation.looks_by_item(project), curation.choose(project).people.seen.get(item_id)
    if item_id not in known or seen is None or seen.face is None:
        raise Problem(f"no face is known in {item_id}", fix="Check the photos first, or choose a photo in which a face was found.")
    return crop_alone(project, item_id, known[item_id], known[item_id].faces[seen.face])


def choose(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    _require_measured(project)
    _set_judging(project, args.limit, args.compare_people)
    for item_id in args.pin:
        dataset.set_keep(project, item_id, True)
    for item_id in args.ban:
        dataset.set_keep(project, item_id, False, "left out by you")
    for item_id in args.release:
        by_hand.release(project, item_id)
    for item_id in args.hold_out:
        by_hand.hold_out(project, item_id)
    if args.swap:
        by_hand.swap(project, *args.swap)
    choice = curation.choose(project, args.keep)
    told: dict[str, Any] = {"project": project.slug, "chosen": choice.chosen, "held_out": choice.held_out}
    if args.like:
        told["like"] = choice.like(args.like)
        out.print(f"Like {args.like}: {', '.join(told['like']) or 'none that is good and not chosen'}")
    if args.how_many:
        told["how_many"] = _count(project, choice, args.how_many)
        out.print(f"{number(told['how_many'], 'photo')} would be beyond {args.how_many}.")
    told["figures"] = {item_id: _figures(project, choice, item_id) for item_id in args.figures}
    for item_id, figures in told["figures"].items():
        out.print(f"  {item_id}  {'; '.join(figures)}")
    for lack in choice.lacks:
        out.print(f"  lacking: {lack.words} ({lack.have} of {lack.wanted})")
    out.print(
        f"{number(len(choice.chosen), 'photo')} would be chosen, {len(choice.held_out)} held out. Next: python -m studio curate {project.slug}"
    )
    return told | {"lacks": [lack.to_json() for lack in choice.lacks]}


def _set_judging(project: Project, limits: Sequence[str], compare_people: str | None) -> None:
    """Move limits, and switch the comparing of people on or off; stored with the project."""
    before = project.facts().photo_choice
    moved = checked_limits({**before.limits, **dict(_limit(text) for text in limits)})
    compares = before.compares_people if compare_people is None else compare_people == "yes"
    after = PhotoChoice(limits=moved, compares_people=compares)
    if after != before:
        project.update(photo_choice=after)


def _limit(text: str) -> tuple[str, float]:
    """NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise Problem(f"{text!r} is no limit", fix=f"Write for example blur=0.7; the names are {', '.join(BY_NAME)}.") from None


def _count(project: Project, choice: Choice, text: str) -> int:
    name, value = _limit(text)
    checked_limits({name: value})
    return how_many(name, value, curation.looks_by_item(project), choice.people.seen)


def _figures(project: Project, choice: Choice, item_id: str) -> list[str]:
    """The numbers behind what is said of an item."""
    known, seen = curation.looks_by_item(project), choice.people.seen.get(item_id)
    dataset.get_item(project, item_id)  # ValueError if there is none
    if item_id not in known:
        return ["not measured"]
    faults = find_faults(known[item_id], seen, project.facts().photo_choice.limits)
    return [f"{fault.remark.words}: {fault.figure}" for fault in faults] + ([figure_of_who(seen)] if seen else [])


def _require_measured(project: Project) -> None:
    if not curation.looks_by_item(project):
        raise Problem("no photo was measured yet", fix=f"First: python -m studio curate {project.slug}")
