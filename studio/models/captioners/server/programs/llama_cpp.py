"""llama.cpp's llama-server: one model, and whether it was given the file with which that looks at pictures (--mmproj)."""

from studio.models.captioners.server.served import Get, Served, ServedModel, listed_models

ORDER = 10


def recognise(get: Get) -> Served | None:
    """/props tells its build and what its model can look at; /v1/models the name."""
    props = get("/props")
    if "build_info" not in props and "default_generation_settings" not in props:
        return None
    modalities = props.get("modalities")
    sees = bool(modalities.get("vision")) if isinstance(modalities, dict) else None
    models = tuple(ServedModel(row["id"], sees) for row in listed_models(get("/v1/models"), "data", "id"))
    return Served(f"llama.cpp {props.get('build_info', '')}".strip(), models)
