"""Look at every item of a project and propose the best varied set: measured once, stored as one step that can be undone."""

import hashlib

from studio.config import NUM_KEPT, DataConfig
from studio.data import dataset, persons, quality
from studio.disk import file_sha256
from studio.errors import Problem
from studio.models.catalogue import describe_model, find_model
from studio.models.preset import list_models, model_preset


def curate(project, keep=NUM_KEPT, report=lambda event, **fields: None, should_stop=lambda: False):
    """Measure what is not measured yet and keep at most `keep` photos and `keep` clips; decisions made by hand stay.

    Returns {"measured", "kept", "left_out", "changed", "stopped", "verdicts": {id: {keep, reason, warnings}}}. A stop changes no verdict.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1, got {keep}; 10 to 30 pictures make a good dataset")
    measured, stopped = _measure_all(project, report, should_stop)
    items = dataset.list_items(project)
    verdicts = {} if stopped else quality.propose(items, keep, *_wanted_sizes(project))
    changed = 0
    if verdicts:
        dataset.store_measurements(
            project, {i.id: (i.sha256, i.measurements | {"warnings": list(verdicts[i.id].warnings)}) for i in items if i.measurements}
        )
        step = {item_id: (verdict.keep, verdict.reason) for item_id, verdict in verdicts.items()}
        changed = dataset.set_verdicts(project, step, "curate", "Proposed choice of pictures")
        if any(persons.SEVERAL in verdict.warnings for verdict in verdicts.values()):
            report("note", message=persons.SEVERAL)
    items = dataset.list_items(project)
    return {
        "measured": measured, "kept": sum(i.keep for i in items), "left_out": sum(not i.keep for i in items), "changed": changed,
        "stopped": stopped, "verdicts": {i: {"keep": v.keep, "reason": v.reason, "warnings": list(v.warnings)} for i, v in verdicts.items()},
    }  # fmt: skip


def is_settled(project, keep=NUM_KEPT):
    """Whether `curate` would find nothing to measure and no verdict to change."""
    items = dataset.list_items(project)
    if _waiting(items, _observer_key(_find_base(project))):
        return False
    verdicts = quality.propose(items, keep, *_wanted_sizes(project))
    decided = [item for item in items if not item.problem and item.decided_by != "hand"]
    return all((item.keep, item.reason) == (verdicts[item.id].keep, verdicts[item.id].reason) for item in decided)


# -- measuring


def _measure_all(project, report, should_stop):
    """(number of items measured now, whether it was stopped). Each result is stored at once, so that nothing is measured twice."""
    base = _find_base(project, report)
    key = _observer_key(base)
    waiting = _waiting(dataset.list_items(project), key)
    observer = _find_observer(base, report) if key and waiting else None
    waiting = waiting if observer else _waiting(waiting, "")
    for number, item in enumerate(waiting):
        if should_stop():
            return number, True
        report("progress", stage="curate", done=number, total=len(waiting), unit="items", message=item.id)
        try:
            values = _measure(item, observer, key)
        except (OSError, ValueError) as e:
            report("note", message=f"{item.id} could not be measured: {e}")
            continue
        dataset.store_measurements(project, {item.id: (item.sha256, values)})
    report("progress", stage="curate", done=len(waiting), total=len(waiting), unit="items", message=f"{len(waiting)} measured")
    return len(waiting), False


def _waiting(items, observer_key):
    """The items that are not measured yet, or whose person this observer has not seen."""

    def is_known(item):
        person = item.measurements.get("person", {})
        return item.measurements.get("version") == quality.VERSION and (not observer_key or person.get("observer") == observer_key)

    return [item for item in items if not item.problem and not is_known(item)]


def _measure(item, observer, observer_key):
    """The measurements of an item, and who it shows where there is an observer: {"person": {"observer", "embedding"}}."""
    import numpy as np

    images = quality.pictures(item)
    values = quality.measure(item, images)
    if observer:
        rows = observer.embed(np.stack([np.asarray(image) for image in images]))
        values["person"] = {"observer": observer_key, "embedding": persons.pack(rows)}
    return values


# -- what the project's base model knows


def _find_base(project, report=lambda event, **fields: None):
    """The project's base model if it has an observer and is on this computer, else None."""
    name, workspace = project.facts().base_model, project.workspace
    if name not in list_models() or not model_preset(name).observer or not describe_model(name, workspace).available:
        return None
    return _or_note(report, find_model, name, workspace)


def _find_observer(base, report):
    from studio.models.observer import find_observer

    return _or_note(report, find_observer, base)


def _or_note(report, function, *args):
    """The function's result; None, and a note about it, where it meets a problem: everything else about a picture can still be judged."""
    try:
        return function(*args)
    except Problem as e:
        report("note", message=f"who the pictures show was not compared: {e} {e.fix}".strip())
        return None


def _observer_key(base):
    """Changes with the base model's observer, so that embeddings of another one are made anew; "" where there is none. Loads no torch."""
    files = sorted((base.folder / base.preset.observer).glob("*")) if base else []
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()[:16] if files else ""


def _wanted_sizes(project):
    """The sides of photos and clips that the project's base model is trained at, in px."""
    name = project.facts().base_model
    data = model_preset(name).train_config.data if name in list_models() else DataConfig()
    return data.photo_size, data.clip_size
