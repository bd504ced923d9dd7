"""Ollama: many models, some of which run on its maker's computers although the server is on this one."""

from typing import Any

from studio.models.captioners.server.served import Get, Served, ServedModel, listed_models

ORDER = 20
MOST_ASKED = 40  # models, each with a question of its own
CLOUD = "ollama.com"


def recognise(get: Get) -> Served | None:
    """/api/version is its own; /api/show says what a model can do, and where it runs."""
    version = get("/api/version").get("version")
    if not isinstance(version, str):
        return None
    rows = listed_models(get("/api/tags"), "models", "name")
    models = [_model(row, get("/api/show", {"model": row["name"]})) for row in rows[:MOST_ASKED]]
    return Served(f"Ollama {version}", tuple(models))


def _model(row: dict[str, Any], shown: dict[str, Any]) -> ServedModel:
    can = shown.get("capabilities")
    sees = "vision" in can if isinstance(can, list) else None
    host = shown.get("remote_host") or row.get("remote_host") or ""
    name = row["name"]
    is_cloud = bool(host) or name.endswith(("-cloud", ":cloud"))
    return ServedModel(name, sees, str(host or CLOUD) if is_cloud else "")
