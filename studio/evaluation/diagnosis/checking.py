"""Looks at the files of a comparison's pairs before it is drawn, notes what is wrong with them in its sweep.json, and refuses what changes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.file_facts import FileFinding
from studio.evaluation.diagnosis.pair_findings import find_all
from studio.evaluation.diagnosis.reading_pairs import read_pairs
from studio.evaluation.sweep_facts import DONE
from studio.evaluation.sweep_plan import select_pairs
from studio.training.pairs import Pair, list_pairs
from studio.workspace import Project

Report = Callable[..., None]  # (event, **its fields)


def check_files(project: Project, folder: Path, report: Report) -> None:
    """Read the pairs of a comparison that has clips to draw, and note the findings in it. Problem for what nothing can be learned from by drawing it."""
    sweep = sweeps.read_sweep(folder)
    waiting = {cell.pair for cell in sweep.cells if not cell.is_done and cell.pair}
    if not waiting:
        return
    pairs, done = select_pairs(project, [pair.id for pair in sweep.pairs]), sweep.count_states()[DONE]

    def on_file(path: Path) -> None:
        report("progress", stage="Reading the pairs", done=done, total=len(sweep.cells), unit="clips", message=path.name)

    found = tuple(look_at(project, pairs, sweep.base_model, on_file))
    if found != sweep.findings:
        sweeps.write_sweep(folder, replace(sweep, findings=found))
    refuse([finding for finding in found if finding.pair in waiting])


def look_at(project: Project, pairs: Sequence[Pair], base: str, on_file: Callable[[Path], None]) -> list[FileFinding]:
    """What is wrong with these pairs by their files, the pairs held against each other and against other projects'. on_file: is told of each before
    it is read."""
    return find_all(read_pairs(project, pairs, base, on_file), files_elsewhere(project))


def files_elsewhere(project: Project) -> dict[str, str]:
    """{sha256: name of the project} of the files of the workspace's other projects."""
    others = [other for other in project.workspace.list_projects() if other.slug != project.slug]
    return {
        saved.sha256: other.facts().name
        for other in others
        if other.facts_or_none()
        for pair in list_pairs(other)
        for saved in pair.manifest.experts.values()
    }


def refuse(found: Sequence[FileFinding]) -> None:
    """Problem for what nothing can be learned from by drawing it, all of it in one."""
    errors = [finding for finding in found if finding.is_error]
    if errors:
        words = " ".join(dict.fromkeys(finding.words for finding in errors))
        raise Problem(words, cost="Nothing was drawn.", fix=errors[0].fix)
