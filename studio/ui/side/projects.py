"""What can be said of and done with whole projects: their names, what can only be looked at."""

from __future__ import annotations

from studio.errors import NewerFormat, Problem
from studio.workspace import Project, Workspace


def why_read_only(project: Project | None) -> list[Problem]:
    """That a newer version of the studio made the project, so that it can only be looked at."""
    facts = project.facts_or_none() if project else None
    return [NewerFormat(facts.name)] if facts and facts.is_newer else []


def project_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """(name, slug) of every project; two of the same name are told apart by their folder. A damaged one comes last: its page says what to do."""
    found = [(project.facts_or_none(), project.slug) for project in workspace.list_projects()]
    named = [(facts.name if facts else slug, slug) for facts, slug in found]
    names = [name for name, _ in named]
    damaged = [(f"{damaged.name} (damaged)", damaged.name) for damaged in workspace.damaged_projects()]
    return [(name if names.count(name) == 1 else f"{name} ({slug})", slug) for name, slug in named] + damaged
