"""Which files of a repository on the hub a model needs: weights as safetensors only, and none of them twice. Torch-free."""

from studio.errors import Problem
from studio.models import captioners
from studio.models.files import folders

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


def needed_names(names, read_json_file, num_experts=2):
    """The files that `folders.check_folder` wants, the weights last.

    `read_json_file(name)` gives the content of an index of shards. Problem naming the first file that the repository lacks.
    """
    found = ["model_index.json", *(f"{sub}/{folders.CONFIGS[sub]}" for sub in folders.parts_of(folders.CONFIGS, num_experts))]
    vocabulary = next((n for n in ("tokenizer/tokenizer.json", "tokenizer/spiece.model") if n in names), "tokenizer/tokenizer.json")
    found += [vocabulary, *(name for extra in TOKENIZER_EXTRAS if (name := f"tokenizer/{extra}") in names)]
    weights = []
    for sub in folders.parts_of(folders.WEIGHTS, num_experts):
        small, large = _weights(f"{sub}/{folders.WEIGHTS[sub]}", names, read_json_file)
        found, weights = found + small, weights + large
    return _complete(found + weights, names, "It must be in diffusers form, with safetensors; check the mirror.")


def needed_of_captioner(names, read_json_file):
    """The same for a captioner, in transformers form: what `captioners.check_captioner` wants, and what its processor reads besides."""
    processor = next((n for n in ("processor_config.json", "preprocessor_config.json") if n in names), "preprocessor_config.json")
    vocabulary = next((n for n in ("tokenizer.json", "vocab.json") if n in names), "tokenizer.json")
    extras = [name for name in CAPTIONER_EXTRAS if name in names and name not in (processor, vocabulary)]
    small, weights = _weights(captioners.INDEX.partition(".")[0], names, read_json_file)
    found = ["config.json", processor, vocabulary, *extras, *small, *weights]
    return _complete(found, names, "It must be in transformers form, with safetensors; check the mirror.")


def _weights(stem, names, read_json_file):
    """(index of the shards, weight files) of a component whose files begin with `stem`."""
    single, folder = f"{stem}.safetensors", stem.rpartition("/")[0]
    index = f"{single}.index.json"
    if index not in names:
        return [], [single]
    return [index], [f"{folder}/{shard}" if folder else shard for shard in _shards(index, read_json_file)]


def _shards(index, read_json_file):
    try:
        shards = sorted({str(name) for name in read_json_file(index)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError):
        shards = []
    if not shards or any("/" in name or not name.endswith(".safetensors") for name in shards):
        raise Problem(f"{index} on the hub is damaged.", fix="Try again later, or use another mirror.")
    return shards


def _complete(found, names, fix):
    missing = next((name for name in found if name not in names), None)
    if missing:
        raise Problem(f"The repository does not hold {missing}.", fix=fix)
    return found
