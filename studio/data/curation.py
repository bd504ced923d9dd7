"""Look at every item of a project and propose the best varied set: measured once, stored as one step that can be undone."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace

from studio.config import NUM_KEPT, DataConfig
from studio.data import dataset
from studio.data.choosing.proposed_set import Choice, Wishes, propose
from studio.data.cropping.training_copy import copy_kept
from studio.data.curate_report import CurateReport, Proposal
from studio.data.looking import looks
from studio.data.looking.look import Look
from studio.data.looking.lookers import look_at_all
from studio.data.records import stamp
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
    measured, stopped = look_at_all(project, dataset.list_items(project), report, should_stop)
    if stopped:
        return _describe(project, CurateReport(measured=measured, stopped=True))
    choice = choose(project, keep)
    changed = _take_over(project, choice.proposals)
    copy_kept(project, report)
    if choice.people.question:
        report("note", message=choice.people.question.words)
    found = CurateReport(
        measured=measured, changed=changed, verdicts=choice.proposals, groups=tuple(replace(group, faces=()) for group in choice.people.groups),
        person=choice.people.person, num_once=choice.people.num_once, question=choice.people.question, lacks=choice.lacks,
    )  # fmt: skip
    return _describe(project, found)


def _describe(project: Project, found: CurateReport) -> CurateReport:
    """The report, with how many items stand how."""
    items = dataset.list_items(project)
    kept, held_out = sum(item.keep for item in items), sum(item.held_out for item in items)
    return replace(found, kept=kept, held_out=held_out, left_out=len(items) - kept - held_out)


def choose(project: Project, keep: int = NUM_KEPT) -> Choice:
    """What would be proposed now, from what was measured. Nothing is looked at and nothing changed; the same facts cost nothing twice."""
    return _choose(dataset.version(project), looks.version(project), keep, stamp(project.file))


@functools.lru_cache(maxsize=4)
def _choose(version: dataset.Version, seen: tuple[int, ...], keep: int, facts: tuple[int, ...]) -> Choice:
    project = version[0]
    chosen, data = project.facts().photo_choice, usual_data_config(project)
    wishes = Wishes(
        keep=keep, photo_size=data.photo_size, clip_size=data.clip_size, limits=dict(chosen.limits), compares_people=chosen.compares_people
    )
    return propose(dataset.list_items(project), looks_by_item(project), wishes)


def looks_by_item(project: Project) -> dict[str, Look]:
    """{id: the look that it is judged by} of every item that was measured."""
    return looks.seen_in(project, dataset.list_items(project))


def _take_over(project: Project, proposals: Mapping[str, Proposal]) -> int:
    """Store what is proposed as one step of undo; how many decisions changed."""
    items = {item.id: item for item in dataset.list_items(project)}
    dataset.store_warnings(project, {i: (items[i].sha256, proposal.warnings) for i, proposal in proposals.items() if i in items})
    decisions = {item_id: proposal.decision() for item_id, proposal in proposals.items()}
    return dataset.set_decisions(project, decisions, "Proposed choice of pictures")


def is_settled(project: Project, keep: int = NUM_KEPT) -> bool:
    """Whether `curate` would find nothing to measure and no decision to change."""
    items, known = dataset.list_items(project), looks.looks_of(project)
    if any(item.sha256 not in known for item in items if not item.problem):
        return False
    proposals = choose(project, keep).proposals
    return all(item.same_as(proposals[item.id]) for item in items if not item.problem and not item.is_by_hand)


def usual_data_config(project: Project) -> DataConfig:
    """The sides that the project's base model is trained at, in px."""
    preset = looks.preset_of(project.facts().base_model)
    return preset.train_config.data if preset else DataConfig()
