"""pieces: long clips and films, cut into what is worth training."""

from argparse import Namespace
from typing import Any

from studio.commands.output import Output, find_project, run_here
from studio.data.pieces.piece_report import PiecesReport
from studio.jobs.kinds.pieces import PiecesJob
from studio.workspace import Workspace


def pieces(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    job = run_here(project, PiecesJob(items=tuple(args.items)), out)
    found = job.read_result(PiecesReport)
    for video in found.videos if found else ():
        out.print(f"  {video.name}: {' '.join(video.sentences())}")
    if found and not found.videos:
        out.print("There is no clip that is longer than a piece. Name one to have it looked through.")
    return {"project": project.slug, "state": job.state, **job.result}
