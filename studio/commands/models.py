"""models, download: the base models and captioners there are, and how one comes to this computer."""

import sys
from argparse import Namespace
from typing import Any

from studio.commands.output import Output, finish_here
from studio.errors import Problem
from studio.jobs import launcher
from studio.jobs.kinds.download import DownloadJob
from studio.jobs.state import list_jobs
from studio.machine import free_disk_gb
from studio.models.fetch import offers as sources
from studio.models.fetch.download import Needed, list_needed, no_space
from studio.models.fetch.fetchable import describe, find_fetchable
from studio.words import duration, gigabytes
from studio.workspace import Workspace


def models(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    offline = None if args.offline is None else args.offline == "on"
    sources.set_hub(workspace, mirror=args.mirror, offline=offline)
    if args.link:
        _link(args.link, workspace, out)
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


def _link(words: list[str], workspace: Workspace, out: Output) -> None:
    name, *paths = words
    if not paths:
        raise Problem(f"--link {name} needs the folder where the model lies.", fix=f"Write it behind the name: --link {name} FOLDER.")
    thing = find_fetchable(name)
    folder, *lines = thing.link(paths, workspace)
    out.print(f"{thing.about.title} is ready to use, from {folder}.")
    for line in lines:
        out.print(f"  {line}")


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
