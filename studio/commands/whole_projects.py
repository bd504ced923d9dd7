"""rename, duplicate, delete, restore: what is done with a project as a whole."""

from argparse import Namespace
from typing import Any

from studio.commands.output import Output, find_project, run_here
from studio.errors import Problem
from studio.jobs.kinds.duplicate import DuplicateJob, DuplicateReport
from studio.jobs.state import list_jobs
from studio.project_facts import checked
from studio.workspace import Project, Workspace


def rename(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    before, facts = project.facts().name, project.update(name=args.name)
    out.print(f"{before} is called {facts.name} now; the folder {project.slug} keeps its name.")
    tell_equal_names(workspace, facts.name, out)
    return {"project": project.slug, "name": facts.name}


def duplicate(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    name = checked({"name": args.name or f"{project.facts().name} (copy)"})["name"]
    job = run_here(project, DuplicateJob(name=name), out)
    found = job.read_result(DuplicateReport)
    slug = found.slug if found else ""
    out.print(f"Made {name} in {workspace.projects_dir / slug}." if slug else "Stopped; nothing is left of the second project.")
    if slug:
        tell_equal_names(workspace, name, out)
    return {"project": slug, "name": name, "state": job.state}


def delete(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    require_idle(project)
    name, gone = project.facts().name, workspace.delete_project(project)
    out.print(f"Deleted {name}. To bring it back: python -m studio restore {gone.slug}")
    return {"deleted": gone.slug, "folder": gone.root}


def restore(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    """Bring a deleted project back; without a name, what can be brought back."""
    if not args.project:
        found = workspace.deleted_projects()
        out.table([[p.slug, facts.name if (facts := p.facts_or_none()) else ""] for p in found], ["deleted", "name"])
        if not found:
            out.print("No project was deleted.")
        return {"deleted": [project.slug for project in found]}
    deleted = workspace.find_deleted(args.project)
    if args.for_good:
        workspace.forget_deleted(deleted)
        out.print(f"{args.project} is deleted for good.")
        return {"forgotten": args.project}
    project = workspace.restore_project(deleted)
    out.print(f"{project.facts().name} is back, in {project.root}.")
    return {"project": project.slug, "folder": project.root}


def require_idle(project: Project) -> None:
    """Problem if a job of the project runs or waits: it would go on without its folder."""
    busy = next((job for job in list_jobs(project.workspace, project) if not job.is_over), None)
    if busy:
        fix = "Stop it, or wait until it is over."
        raise Problem(f"{busy.title} is not over: {project.facts().name} can't be deleted now.", cost="Nothing was changed.", fix=fix)


def tell_equal_names(workspace: Workspace, name: str, out: Output) -> None:
    """That several projects have one name, and how they are told apart."""
    equal = workspace.projects_called(name)
    if len(equal) > 1:
        out.print(f"{len(equal)} projects are called {name}; their folders tell them apart: {', '.join(p.slug for p in equal)}.")
