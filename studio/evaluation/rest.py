"""What is left to do of a comparison: who finishes it and who says that it is finished ask the same."""

from dataclasses import dataclass
from pathlib import Path

from studio.evaluation.report import has_current_report
from studio.evaluation.sweep_facts import WAITING
from studio.evaluation.sweeps import count_unmeasured, missing_comparisons, read_sweep
from studio.workspace import Project


@dataclass(frozen=True)
class Rest:
    """clips: to draw; unmeasured: drawn, but not measured as they would be now; videos: side-by-side ones to make; report: whether to write it."""

    clips: int
    unmeasured: int
    videos: int
    report: bool

    @property
    def is_nothing(self) -> bool:
        return not (self.clips or self.unmeasured or self.videos or self.report)


def what_is_left(project: Project, sweep_dir: Path) -> Rest:
    sweep = read_sweep(sweep_dir)
    waiting = sweep.count_states()[WAITING]
    videos = len(missing_comparisons(sweep_dir, sweep))
    return Rest(waiting, count_unmeasured(project, sweep), videos, not has_current_report(sweep_dir))
