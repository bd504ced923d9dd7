"""Looks at the files of a comparison's pairs before it is drawn, notes what is wrong with them in its sweep.json, and refuses what changes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.file_facts import EMPTY, FileFinding
from studio.evaluation.diagnosis.pair_findings import find_all
from studio.evaluation.diagnosis.reading_pairs import read_pairs
from studio.evaluation.sweep_facts import DONE, FAILED, Cell
from studio.evaluation.sweep_plan import select_pairs
from studio.training.pairs import Pair, list_pairs
from studio.workspace import Project

Report = Callable[..., None]  # (event, **its fields)


def check_files(project: Project, folder: Path, report: Report) -> None:
    """Read the pairs of a comparison that has clips to draw, and note the findings in it. Pairs that can't be used fail at once, and alone.

    Problem for a file that changes nothing: to draw it takes hours, and looks like a result.
    """
    sweep = sweeps.read_sweep(folder)
    waiting = {cell.pair for cell in sweep.cells if not cell.is_done and cell.pair}
    if not waiting or sweep.probe:  # its files were read for the comparison before
        return
    pairs, done = select_pairs(project, [pair.id for pair in sweep.pairs]), sweep.count_states()[DONE]

    def on_file(path: Path) -> None:
        report("progress", stage="Reading the pairs", done=done, total=len(sweep.cells), unit="clips", message=path.name)

    found = tuple(look_at(project, pairs, sweep.base_model, on_file))
    unusable = {finding.pair: finding for finding in reversed(found) if finding.is_error and finding.code != EMPTY}

    def fail(cell: Cell) -> Cell:
        if cell.is_done or cell.pair not in unusable:
            return cell
        return replace(cell, state=FAILED, error=f"{unusable[cell.pair].words.rstrip('.')}; use another pair")

    now = replace(sweep, findings=found).with_cells(fail)
    if now != sweep:
        sweeps.write_sweep(folder, now)
    for finding in unusable.values():
        report("note", message=finding.sentence)
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
    """Problem for files that change nothing, all of them in one."""
    errors = [finding for finding in found if finding.code == EMPTY]
    if errors:
        words = " ".join(dict.fromkeys(finding.words for finding in errors))
        raise Problem(words, cost="Nothing was drawn.", fix=errors[0].fix)
