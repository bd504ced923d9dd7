"""Find pieces: clips and films are looked through for what is worth training, cut into it, and every second of them is accounted for."""

from dataclasses import dataclass

from studio.data.pieces.piece_report import PiecesReport, in_short
from studio.jobs.kind import PROCESSOR, JobConfig, Work
from studio.words import sentence

TITLE = "Find pieces of clips"
QUEUE = PROCESSOR


@dataclass(frozen=True, kw_only=True)
class PiecesJob(JobConfig):
    """items: the clips that are looked through, by id; films: files of originals/. Neither: all that are longer than a piece."""

    KIND = "pieces"
    items: tuple[str, ...] = ()
    films: tuple[str, ...] = ()


Config = PiecesJob
Result = PiecesReport


def run(config: PiecesJob, work: Work) -> PiecesReport:
    from studio.data.pieces.piece_finder import find_pieces  # OpenCV: start-up time, and the window never loads it

    return find_pieces(work.project, config.items, work.recorder.report, work.recorder.should_stop, films=config.films)


def describe_end(result: PiecesReport) -> str:
    if not result.videos:
        return "There is no clip that is longer than a piece."
    return sentence(in_short(result.videos))
