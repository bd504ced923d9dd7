"""LM Studio: what it has downloaded, and what of that looks at pictures."""

from studio.models.captioners.server.served import Get, Served, ServedModel, listed_models

ORDER = 30


def recognise(get: Get) -> Served | None:
    """/api/v0/models tells the type of each: vlm looks at pictures, llm does not; those that are loaded come first."""
    rows = listed_models(get("/api/v0/models"), "data", "id")
    if not rows:
        return None
    rows = sorted((row for row in rows if row.get("type") != "embeddings"), key=lambda row: row.get("state") != "loaded")
    return Served("LM Studio", tuple(ServedModel(row["id"], row["type"] == "vlm" if "type" in row else None) for row in rows))
