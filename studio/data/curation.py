"""Look at every item of a project and propose the best varied set: measured once, stored as one step that can be undone."""

from studio.config import DataConfig, list_presets, load_preset
from studio.data import dataset, quality


def curate(project, keep=24, report=lambda event, **fields: None, should_stop=lambda: False):
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
    items = dataset.list_items(project)
    return {
        "measured": measured, "kept": sum(i.keep for i in items), "left_out": sum(not i.keep for i in items), "changed": changed,
        "stopped": stopped, "verdicts": {i: {"keep": v.keep, "reason": v.reason, "warnings": list(v.warnings)} for i, v in verdicts.items()},
    }  # fmt: skip


def _measure_all(project, report, should_stop):
    """(number of items measured now, whether it was stopped). Each result is stored at once, so that nothing is measured twice."""
    waiting = [i for i in dataset.list_items(project) if not i.problem and i.measurements.get("version") != quality.VERSION]
    for number, item in enumerate(waiting):
        if should_stop():
            return number, True
        report("progress", stage="curate", done=number, total=len(waiting), unit="items", message=item.id)
        try:
            values = quality.measure(item)
        except (OSError, ValueError) as e:
            report("note", message=f"{item.id} could not be measured: {e}")
            continue
        dataset.store_measurements(project, {item.id: (item.sha256, values)})
    report("progress", stage="curate", done=len(waiting), total=len(waiting), unit="items", message=f"{len(waiting)} measured")
    return len(waiting), False


def _wanted_sizes(project):
    """The sides of photos and clips that the project's base model is trained at, in px."""
    name = project.read().get("base_model", "")
    preset = load_preset("models", name) if name in list_presets("models") else {}
    sizes = preset.get("train", {}).get("data", {})
    return sizes.get("photo_size", DataConfig().photo_size), sizes.get("clip_size", DataConfig().clip_size)
