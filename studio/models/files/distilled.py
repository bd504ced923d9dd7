"""Whether an expert or a LoRA was distilled to draw in a few steps, by its name and its header: people take such a file for the plain model. Torch-free."""

import re
from collections.abc import Mapping

KINDS = {  # in a name: what people call it
    r"light(x2v|ning)|lightspeed": "lightx2v or Lightning",
    r"caus-?vid": "CausVid",
    r"acc-?vid": "AccVid",
    r"fusion-?x": "FusionX",
    r"fast-?(wan|video|hunyuan)": "FastWan",
    r"self-?forc": "Self Forcing",
    r"(?<![a-z])dmd": "DMD",
    r"(?<![a-z])r?cm(?![a-z])|(?<![a-z])lcm(?![a-z])": "a consistency model",
    r"distill": "distilled",
    r"rapid|turbo|(?<![a-z])hyper(?![a-z])": "a rapid merge",
    r"(?<!\d)\d{1,2}[-_ ]?steps?(?![a-z0-9])(?!_?\d)": "drawn in a few steps",
}
MOST_STEPS = 12  # in a name: more are of a training, "step3000"
TELLING = re.compile(
    r"title|name|description|tag|distill|usage|comment|base_model|merge", re.IGNORECASE
)  # keys of a header whose text describes the file


def distilled(name: str, metadata: Mapping[str, str] | None = None) -> str:
    """What makes it look distilled, "lightx2v or Lightning, by its name"; "" where nothing does."""
    if kind := _kind(name):
        return f"{kind}, by its name"
    told = next((kind for key, text in (metadata or {}).items() if TELLING.search(key) and (kind := _kind(str(text)[:2000]))), "")
    return f"{told}, by its header" if told else ""


def _kind(text: str) -> str:
    for pattern, kind in KINDS.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            number = re.match(r"\d+", match[0])
            if number is None or int(number[0]) <= MOST_STEPS:
                return kind
    return ""
