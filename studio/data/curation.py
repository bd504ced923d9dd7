"""Look at every item of a project and propose the best varied set: measured once, stored as one step that can be undone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from studio.config import NUM_KEPT, DataConfig
from studio.data import dataset, persons, quality
from studio.data.curate_report import CurateReport, Proposal
from studio.data.item_record import Item, Measurements, Sighting
from studio.data.remarks import SEVERAL_PEOPLE
from studio.errors import Problem
from studio.models import eyes
from studio.models.catalogue import BaseModel, describe_model, find_model
from studio.models.preset import ModelPreset, list_models, model_preset
from studio.workspace import Project

Report = Callable[..., None]


def curate(
    project: Project,
    keep: int = NUM_KEPT,
    report: Report = lambda event, **fields: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CurateReport:
    """Measure what is not measured yet and keep at most `keep` photos and `keep` clips; decisions made by hand stay."""
    if keep < 1:
        raise ValueError(f"keep must be at least 1, got {keep}; 10 to 30 pictures make a good dataset")
    measured, stopped = _measure_all(project, report, should_stop)
    items = dataset.list_items(project)
    proposals = {} if stopped else quality.propose(items, keep, *_wanted_sizes(project))
    changed = _take_over(project, items, proposals, report) if proposals else 0
    kept = [item.keep for item in dataset.list_items(project)]
    return CurateReport(
        measured=measured, kept=kept.count(True), left_out=kept.count(False), changed=changed, stopped=stopped, verdicts=proposals
    )


def _take_over(project: Project, items: list[Item], proposals: Mapping[str, Proposal], report: Report) -> int:
    """Store what is proposed as one step of undo; how many decisions changed."""
    warned = {i.id: (i.sha256, replace(i.measurements, warnings=proposals[i.id].warnings)) for i in items if i.measurements.are_there}
    dataset.store_measurements(project, warned)
    decisions = {item_id: proposal.decision() for item_id, proposal in proposals.items()}
    changed = dataset.set_decisions(project, decisions, "Proposed choice of pictures")
    if any(warning.code == SEVERAL_PEOPLE for proposal in proposals.values() for warning in proposal.warnings):
        report("note", message=str(persons.SEVERAL))
    return changed


def is_settled(project: Project, keep: int = NUM_KEPT) -> bool:
    """Whether `curate` would find nothing to measure and no decision to change."""
    items = dataset.list_items(project)
    if _waiting(items, _find_look(project).key):
        return False
    proposals = quality.propose(items, keep, *_wanted_sizes(project))
    decided = [item for item in items if not item.problem and item.decided_by != "hand"]
    return all(item.same_as(proposals[item.id]) for item in decided)


# -- measuring


def _measure_all(project: Project, report: Report, should_stop: Callable[[], bool]) -> tuple[int, bool]:
    """(number of items measured now, whether it was stopped). Each result is stored at once, so that nothing is measured twice."""
    look = _find_look(project, report)
    waiting = _waiting(dataset.list_items(project), look.key)
    sight = look.open(report) if waiting else None
    waiting = waiting if sight else _waiting(waiting, "")
    for number, item in enumerate(waiting):
        if should_stop():
            return number, True
        report("progress", stage="curate", done=number, total=len(waiting), unit="items", message=item.id)
        try:
            values = _measure(item, sight, look.key)
        except (OSError, ValueError) as e:
            report("note", message=f"{item.id} could not be measured: {e}")
            continue
        dataset.store_measurements(project, {item.id: (item.sha256, values)})
    report("progress", stage="curate", done=len(waiting), total=len(waiting), unit="items", message=f"{len(waiting)} measured")
    return len(waiting), False


def _waiting(items: list[Item], key: str) -> list[Item]:
    """The items that are not measured yet, or whose person the eye of that key has not seen; "" is no eye."""

    def is_known(item: Item) -> bool:
        person = item.measurements.person
        return item.measurements.version == quality.VERSION and (not key or (person is not None and person.observer == key))

    return [item for item in items if not item.problem and not is_known(item)]


def _measure(item: Item, sight: eyes.Sight | None, key: str) -> Measurements:
    """The measurements of an item, and who it shows where there is an eye."""
    images = quality.pictures(item)
    values = quality.measure(item, images)
    if sight is None:
        return values
    frames = np.stack([np.asarray(image) for image in images])
    known = frames[sight.knows(frames)]
    return replace(values, person=Sighting(observer=key, embedding=persons.pack(sight.embed(known)) if len(known) else ""))


# -- who looks


@dataclass(frozen=True)
class _Look:
    """The eye for a project's pictures, with the base model that it belongs to. key: "" where nobody can look."""

    eye: eyes.Eye | None = None
    base: BaseModel | None = None
    key: str = ""

    def open(self, report: Report) -> eyes.Sight | None:
        return _or_note(report, self.eye.open, self.base) if self.eye else None


def _find_look(project: Project, report: Report = lambda event, **fields: None) -> _Look:
    preset = _preset(project)
    eye = eyes.find_eye(preset) if preset else None
    if eye is None:
        return _Look()
    base = _find_base(project, report) if eye.needs_base else None
    if eye.needs_base and base is None:
        return _Look()
    return _Look(eye, base, eyes.key_of(eye, base))


def _find_base(project: Project, report: Report) -> BaseModel | None:
    """The project's base model if it is on this computer, else None."""
    name, workspace = project.facts().base_model, project.workspace
    return _or_note(report, find_model, name, workspace) if describe_model(name, workspace).available else None


def _or_note(report: Report, function: Callable[..., Any], *args: Any) -> Any:
    """The function's result; None, and a note about it, where it meets a problem: everything else about a picture can still be judged."""
    try:
        return function(*args)
    except Problem as e:
        report("note", message=f"who the pictures show was not compared: {e} {e.fix}".strip())
        return None


def _wanted_sizes(project: Project) -> tuple[int, int]:
    """The sides of photos and clips that the project's base model is trained at, in px."""
    preset = _preset(project)
    data = preset.train_config.data if preset else DataConfig()
    return data.photo_size, data.clip_size


def _preset(project: Project) -> ModelPreset | None:
    """Of the project's base model; None where this studio does not know it."""
    name = project.facts().base_model
    return model_preset(name) if name in list_models() else None
