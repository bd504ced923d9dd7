"""Which files of a repository on the hub a model needs: weights as safetensors only, and none of them twice. Torch-free."""

from collections.abc import Callable, Collection
from typing import Any

from studio.errors import Problem
from studio.models.files import folders

ReadJson = Callable[[str], Any]  # the content of a JSON file of the repository, by its name
TOKENIZER_EXTRAS = ("special_tokens_map.json", "added_tokens.json")
CAPTIONER_EXTRAS = (
    "generation_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    *TOKENIZER_EXTRAS,
)


def names_of_diffusers_folder(names: Collection[str], read_json: ReadJson, num_experts: int = 2) -> list[str]:
    """The files that `folders.check_folder` wants, the weights last.

    `read_json(name)` gives the content of an index of shards. Problem naming the first file that the repository lacks.
    """
    found = ["model_index.json", *(f"{sub}/{folders.CONFIGS[sub]}" for sub in folders.parts_of(folders.CONFIGS, num_experts))]
    vocabulary = next((n for n in ("tokenizer/tokenizer.json", "tokenizer/spiece.model") if n in names), "tokenizer/tokenizer.json")
    found += [vocabulary, *(name for extra in TOKENIZER_EXTRAS if (name := f"tokenizer/{extra}") in names)]
    weights: list[str] = []
    for sub in folders.parts_of(folders.WEIGHTS, num_experts):
        small, large = _weights(f"{sub}/{folders.WEIGHTS[sub]}", names, read_json)
        found, weights = found + small, weights + large
    return _complete(found + weights, names, "It must be in diffusers form, with safetensors; check the mirror.")


def names_of_transformers_folder(names: Collection[str], read_json: ReadJson) -> list[str]:
    """The same for a model in transformers form: its config, weights, and all that a processor of texts and pictures reads."""
    processor = next((n for n in ("processor_config.json", "preprocessor_config.json") if n in names), "preprocessor_config.json")
    vocabulary = next((n for n in ("tokenizer.json", "vocab.json") if n in names), "tokenizer.json")
    extras = [name for name in CAPTIONER_EXTRAS if name in names and name not in (processor, vocabulary)]
    small, weights = _weights("model", names, read_json)
    found = ["config.json", processor, vocabulary, *extras, *small, *weights]
    return _complete(found, names, "It must be in transformers form, with safetensors; check the mirror.")


def _weights(stem: str, names: Collection[str], read_json: ReadJson) -> tuple[list[str], list[str]]:
    """(index of the shards, weight files) of a component whose files begin with `stem`."""
    single, folder = f"{stem}.safetensors", stem.rpartition("/")[0]
    index = f"{single}.index.json"
    if index not in names:
        return [], [single]
    return [index], [f"{folder}/{shard}" if folder else shard for shard in _shards(index, read_json)]


def _shards(index: str, read_json: ReadJson) -> list[str]:
    try:
        shards = sorted({str(name) for name in read_json(index)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError):
        shards = []
    if not shards or any("/" in name or not name.endswith(".safetensors") for name in shards):
        raise Problem(f"{index} on the hub is damaged.", fix="Try again later, or use another mirror.")
    return shards


def _complete(found: list[str], names: Collection[str], fix: str) -> list[str]:
    missing = next((name for name in found if name not in names), None)
    if missing:
        raise Problem(f"The repository does not hold {missing}.", fix=fix)
    return found
