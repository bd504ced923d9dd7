"""models, download: the base models and captioners there are, and how one comes to this computer."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.commands.output import Output, finish_here
from studio.data.buckets import choose_bucket
from studio.data.media.photos import load_photo
from studio.errors import Problem
from studio.jobs import launcher
from studio.jobs.kinds.download import DownloadJob
from studio.jobs.state import list_jobs
from studio.machine import free_disk_gb
from studio.models.catalogue import BaseModel, link_model, pick_experts
from studio.models.fetch import offers as sources
from studio.models.fetch.downloading import Needed, list_needed, no_space
from studio.models.fetch.fetchable import describe, find_fetchable
from studio.words import duration, gigabytes
from studio.workspace import Workspace

if TYPE_CHECKING:
    import torch


def models(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    offline = None if args.offline is None else args.offline == "on"
    sources.set_hub(workspace, mirror=args.mirror, offline=offline)
    if args.tell_apart:
        return _tell_apart(args, workspace, out)
    if args.link:
        _link(args.link, args.high_noise, workspace, out)
    rows = sources.list_all(workspace)
    columns = ["name", "title", "here", "size", "folder"]
    out.table([[r.presence.name, r.presence.title, _where(r), _size(r), r.folder] for r in rows], columns)
    for row in rows:
        if not row.presence.available:
            out.print(f"{row.presence.name}: {row.presence.reason}")
    hub = {"hub": sources.endpoint(workspace), "offline": sources.is_offline(workspace)}
    if hub["hub"] != sources.HUB:
        out.print(f"Downloads come from {hub['hub']}.")
    if hub["offline"]:
        out.print("The offline mode is on: nothing is downloaded.")
    return {"models": [row.to_json() for row in rows]} | hub


def _link(words: list[str], high_noise: str, workspace: Workspace, out: Output) -> None:
    name, *paths = words
    if not paths:
        raise Problem(f"--link {name} needs the folder where the model lies.", fix=f"Write it behind the name: --link {name} FOLDER.")
    thing = find_fetchable(name)
    if high_noise:
        base = link_model(name, paths, workspace, high_noise)
        folder, *lines = str(base.folder), *base.source.describe()
    else:
        folder, *lines = thing.link(paths, workspace)
    out.print(f"{thing.about.title} is ready to use, from {folder}.")
    for line in lines:
        out.print(f"  {line}")


def _tell_apart(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    from studio.evaluation.telling import tell_experts  # it loads torch
    from studio.models.loading import pick_device  # it loads torch

    name, *paths = args.tell_apart
    if args.picture is None:
        raise Problem(
            "To tell the experts apart takes a picture.", fix="Add --picture FILE: a photo, or a drawing as the model knows them."
        )
    base = pick_experts(name, paths, workspace)
    out.note(f"Each expert of {base.title} is loaded once and answers a few times; with 14 billion parameters that takes minutes.")
    found = tell_experts(base, _read_picture(args.picture, base), args.caption, pick_device())
    out.print(found.why)
    out.print(f"To use them: models --link {name} {' '.join(map(str, paths))} --high-noise {found.high_noise}")
    return {"model": name} | found.to_json()


def _read_picture(path: Path, base: BaseModel) -> "torch.Tensor":
    """(1, 3, 1, H, W) in [-1, 1], about as large as photos are trained at."""
    from studio.data.cache import fit_picture, to_model_range  # it loads torch

    with load_photo(path) as image:
        size = choose_bucket(image.width, image.height, base.preset.train_config.data.photo_size, base.size_multiple)
        return to_model_range(fit_picture(image, size))


def _where(row: sources.Listed) -> str:
    if row.about.is_built_in:
        return "built in"
    return "yes" if row.presence.available else "no"


def _size(row: sources.Listed) -> str:
    if row.presence.available:
        return gigabytes(row.size_gb)
    return f"{row.size_gb:g} GB to download" if row.size_gb else ""


def download(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    title = find_fetchable(args.name).about.title
    sources.require_source(args.name, workspace)
    if describe(args.name, workspace).available:
        out.print(f"{title} is here already; nothing was fetched.")
        return {"model": args.name, "state": "there"}
    _require_none_running(args.name, title, workspace)
    facts = _say_needed(args.name, list_needed(args.name, workspace), workspace, out)
    if not args.yes and not _agrees(out):
        out.print("Nothing was fetched. To begin without being asked, add --yes.")
        return facts | {"state": "declined"}
    make = launcher.enqueue if args.background else launcher.prepare
    run_dir = make(workspace.download_jobs(args.name), DownloadJob(model=args.name), f"Download {title}")
    if args.background:
        launcher.ensure_worker(workspace.downloads)
        out.print("The download is in the queue; see `python -m studio jobs`.")
        return facts | {"state": "queued", "run": run_dir.name}
    job = finish_here(run_dir, out)
    if job.state == "done":
        out.print(f"{title} is ready, after {duration(job.seconds)}.")
    else:
        out.print(f"Stopped; what was fetched is kept. Go on with: python -m studio download {args.name}")
    return facts | {"state": job.state, "run": job.name, "seconds": job.seconds, "result": job.result}


def _require_none_running(name: str, title: str, workspace: Workspace) -> None:
    running = next((job for job in list_jobs(workspace.downloads, workspace.download_jobs(name)) if not job.is_over), None)
    if running:
        raise Problem(f"{title} is being downloaded already ({running.name})", fix="See `python -m studio jobs`, or the window.")


def _say_needed(name: str, needed: Needed, workspace: Workspace, out: Output) -> dict[str, Any]:
    """What it takes, in words and as JSON. Problem if the disk has no room for it."""
    offer, free = sources.describe_download(name, workspace), free_disk_gb(sources.model_folder(name, workspace))
    about = offer.about
    total, missing = needed.total_bytes / 1e9, needed.missing_bytes / 1e9
    here = f", of which {gigabytes(total - missing)} are here" if needed.here_bytes else ""
    out.print(f"{about.title}: {len(needed.files)} files, {gigabytes(total)}{here}")
    out.print(f"  from     {offer.host}, {about.repository}")
    out.print(f"  licence  {about.licence or 'see its page'}")
    out.print(f"  into     {offer.folder}, {gigabytes(free)} free; {sources.RESERVE_GB:g} GB stay free")
    if free < missing + sources.RESERVE_GB:
        raise no_space(missing, free, offer.folder)
    facts = {"model": name, "repository": about.repository, "licence": about.licence, "folder": str(offer.folder)}
    return facts | {"files": len(needed.files), "bytes": needed.total_bytes, "missing_bytes": needed.missing_bytes, "free_gb": free}


def _agrees(out: Output) -> bool:
    """y or yes, typed in the terminal. Asked on stderr, so that --json keeps stdout for its object."""
    out.note("Download it? [y/N]")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
