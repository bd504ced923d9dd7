"""Which of the things that an observer can see are named in a prompt. Free of torch."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.models.observer import ObserverConfig

Named = dict[str, Any]  # {attribute: name}; of one that is there or not: True or False

PHRASES = {  # attribute -> how prompts say one of its names, where they do not simply say the name
    "hair": ("{} hair", "{} bun"),
    "style": ("{} hair",),
    "skin": ("{} skin",),
    "shirt": ("{} shirt",),
    "place": ("{} background",),
}
FIXED = {"no hair": {"style": "bald"}, "bun": {"style": "bun"}}  # said in words of their own
YES_NO = "{}", "no {}"  # an attribute that is there or not: "a beard", "no beard"


def named_in(text: str, config: "ObserverConfig") -> Named:
    """{attribute: name, ..., "motion": name} of what the text says, for an observer's config (`person`, `scene`, `motion`).

    The longest phrase is taken first and its words are used up, so that in "a red shirt" nobody's hair is called red.
    """
    rest, named = f" {text.casefold()} ", {}
    for phrase, meaning in sorted(_phrases(config).items(), key=lambda item: -len(item[0])):
        rest, count = re.subn(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", "|", rest)
        if count:
            named = meaning | named  # what a longer phrase said stays
    return named


def _phrases(config: "ObserverConfig") -> dict[str, Named]:
    """{phrase: {attribute: name}} of all that can be said."""
    attributes = config.person | config.scene
    phrases: dict[str, Named] = {name: {"motion": name} for name in config.motion}
    phrases |= {phrase: meaning for phrase, meaning in FIXED.items() if meaning["style"] in attributes.get("style", ())}
    for attribute, names in attributes.items():
        if set(names) == {False, True}:
            phrases |= {form.format(attribute): {attribute: there} for form, there in zip(YES_NO, (True, False), strict=True)}
        else:
            forms = PHRASES.get(attribute, ("{}",))
            phrases |= {form.format(name): {attribute: name} for name in names for form in forms}
    styles, colours = attributes.get("style", ()), attributes.get("hair", ())
    phrases |= {f"{style} {hair} hair": {"style": style, "hair": hair} for style in styles for hair in colours}
    phrases |= {f"{hair} bun": {"style": "bun", "hair": hair} for hair in colours if "bun" in styles}
    return phrases
