"""Look at every item of a project and propose the best varied set: measured once, stored as one step that can be undone."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from studio.config import NUM_KEPT, DataConfig
from studio.data import dataset, persons, quality
from studio.data.curate_report import CurateReport, Proposal
from studio.data.item_record import Item
from studio.data.looking.lookers import look_at_all
from studio.data.looking.looks import looks_of, preset_of
from studio.data.remarks import SEVERAL_PEOPLE
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
    if _waiting(project, items):
        return False
    proposals = quality.propose(items, keep, *_wanted_sizes(project))
    decided = [item for item in items if not item.problem and item.decided_by != "hand"]
    return all(item.same_as(proposals[item.id]) for item in decided)


# -- measuring


def _measure_all(project: Project, report: Report, should_stop: Callable[[], bool]) -> tuple[int, bool]:
    """(number of items measured now, whether it was stopped). Each look is stored at once, so that nothing is measured twice; what follows
    from looks goes into curation.json in one writing, whatever the number of items."""
    items = dataset.list_items(project)
    waiting = _waiting(project, items)
    num_looked, stopped = look_at_all(project, items, report, should_stop)
    known = looks_of(project)
    fresh = {item.id: (item.sha256, quality.of_looks(item, known[item.sha256])) for item in waiting if item.sha256 in known}
    if fresh:
        dataset.store_measurements(project, fresh)
    if not stopped:
        report("progress", stage="curate", done=len(waiting), total=len(waiting), unit="items", message=f"{num_looked} measured")
    return len(fresh), stopped


def _waiting(project: Project, items: list[Item]) -> list[Item]:
    """The items that are not measured yet, or were by other eyes."""
    known = looks_of(project)

    def is_known(item: Item) -> bool:
        return item.sha256 in known and item.measurements.version == quality.VERSION and item.measurements.eye == known[item.sha256][0].eye

    return [item for item in items if not item.problem and not is_known(item)]


def _wanted_sizes(project: Project) -> tuple[int, int]:
    """The sides of photos and clips that the project's base model is trained at, in px."""
    preset = preset_of(project.facts().base_model)
    data = preset.train_config.data if preset else DataConfig()
    return data.photo_size, data.clip_size
