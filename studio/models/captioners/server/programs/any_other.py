"""Any other server of that interface (vLLM, SGLang, llamafile, KoboldCpp): it lists its models, and not what they can look at."""

from studio.models.captioners.server.served import Get, Served, ServedModel, listed_models

ORDER = 90


def recognise(get: Get) -> Served | None:
    models = tuple(ServedModel(row["id"]) for row in listed_models(get("/v1/models"), "data", "id"))
    return Served("a server", models) if models else None
