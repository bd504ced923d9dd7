"""The pixel world: who lives in it, what can be seen there, and the captions that say so. Drawing is in `drawing.py`.

A person (Identity) is apart from what a picture shows of them (Scene). Captions name a scene whole, and of a person only hair, skin and beard:
eyes, the face's width, birthmarks and streaks in the hair have no words, so they can only be learned from pictures.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

HAIR = {
    "black": (25, 20, 20),
    "brown": (105, 62, 30),
    "blond": (228, 192, 92),
    "red": (192, 62, 30),
    "grey": (150, 150, 155),
    "blue": (50, 80, 210),
    "green": (40, 160, 70),
    "pink": (232, 110, 170),
}
STYLE = ("short", "long", "bald", "bun", "curly")
SKIN = {"pale": (250, 220, 195), "tan": (225, 172, 125), "brown": (165, 110, 75), "dark": (95, 60, 45)}
SHIRT = {
    "red": (200, 40, 40),
    "blue": (40, 70, 190),
    "green": (40, 140, 60),
    "yellow": (230, 205, 50),
    "white": (240, 240, 240),
    "black": (30, 30, 35),
    "purple": (130, 50, 160),
    "orange": (235, 130, 40),
}
PLACE = {
    "sky": (150, 200, 240),
    "grass": (110, 180, 90),
    "sand": (225, 205, 150),
    "night": (25, 30, 60),
    "brick": (160, 85, 65),
    "grey": (170, 170, 170),
    "rose": (235, 190, 200),
    "teal": (40, 140, 140),
}
VIEW = {"facing left": -0.9, "facing slightly left": -0.45, "facing forward": 0.0, "facing slightly right": 0.45, "facing right": 0.9}
FRAMING = {"close-up": 1.3, "upper body": 1.0, "waist up": 0.76}  # how large the figure is
LIGHT = {"daylight": (1.0, 1.0, 1.0), "evening light": (1.0, 0.82, 0.6), "dim light": (0.55, 0.55, 0.62)}  # what the light does to a colour
MOTION = (
    "standing still",
    "walking left",
    "walking right",
    "nodding",
    "waving",
    "turning left",
    "turning right",
    "zooming in",
    "zooming out",
)
EYES = ((70, 40, 20), (40, 110, 230), (30, 150, 70), (200, 130, 20))
MARK = ((120, 20, 140), (150, 20, 20), (20, 60, 160), (60, 30, 15))
STREAK = ((240, 240, 240), (250, 60, 60), (60, 220, 240), (250, 220, 40), (170, 60, 220))


@dataclass(frozen=True)
class Identity:
    """What stays the same in every picture of a person. Only hair, style, skin and beard have words.

    mark: (x, y, colour) of a birthmark in head radii; streak: the colour of a streak in the hair; both may be None.
    """

    hair: str
    style: str
    skin: str
    beard: bool = False
    eyes: tuple[int, int, int] = EYES[0]
    width: float = 1.0
    size: float = 1.0
    mark: tuple[float, float, tuple[int, int, int]] | None = None
    streak: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Scene:
    """What changes from picture to picture, and is named by its caption. `motion` is "" for a photo."""

    shirt: str
    place: str
    view: str = "facing forward"
    framing: str = "upper body"
    light: str = "daylight"
    glasses: bool = False
    motion: str = ""


# -- drawing lots


def draw_identity(rng: random.Random, held_out: bool = False) -> Identity:
    """A random person from a `random.Random`: of those that training sees, or of those that it never sees."""
    while True:
        identity = Identity(
            hair=rng.choice(list(HAIR)),
            style=rng.choice(STYLE),
            skin=rng.choice(list(SKIN)),
            beard=rng.random() < 0.3,
            eyes=rng.choice(EYES),
            width=round(rng.uniform(0.82, 1.15), 3),
            size=round(rng.uniform(0.93, 1.07), 3),
            mark=(*_mark_place(rng), rng.choice(MARK)) if rng.random() < 0.6 else None,
            streak=rng.choice(STREAK) if rng.random() < 0.5 else None,
        )
        if is_held_out_identity(identity) == held_out:
            return identity


def _mark_place(rng: random.Random) -> tuple[float, float]:
    """On a cheek, the forehead or the chin."""
    side = rng.choice((-1, 1))
    return rng.choice(((side * 0.55, 0.38), (side * 0.4, -0.32), (side * 0.3, 0.78)))


def draw_scene(rng: random.Random, motion: str | None = "", held_out: bool = False) -> Scene:
    """A random scene; motion: "" for a photo, None for any motion. Held out are some shirts in some places."""
    while True:
        scene = Scene(
            shirt=rng.choice(list(SHIRT)),
            place=rng.choice(list(PLACE)),
            view=rng.choice(list(VIEW)),
            framing=rng.choice(list(FRAMING)),
            light=rng.choice(list(LIGHT)),
            glasses=rng.random() < 0.3,
            motion=rng.choice(MOTION) if motion is None else motion,
        )
        if is_held_out_scene(scene) == held_out:
            return scene


def is_held_out_identity(identity: Identity) -> bool:
    """Every eighth combination of hair, style and skin: no stage of the builder sees such a person."""
    places = list(HAIR).index(identity.hair), STYLE.index(identity.style), list(SKIN).index(identity.skin)
    return (places[0] + 3 * places[1] + 5 * places[2]) % 8 == 0


def is_held_out_scene(scene: Scene) -> bool:
    """Every eighth combination of shirt and place: no stage of the builder sees it."""
    return (list(SHIRT).index(scene.shirt) + 3 * list(PLACE).index(scene.place)) % 8 == 0


# -- captions


def describe(identity: Identity, parts: Collection[str] = ("hair", "skin", "beard")) -> str:
    """The words for somebody without a name: "a person with short red hair, tan skin and a beard". `parts`: what is told."""
    said = [_hair_words(identity)] if "hair" in parts else []
    said += [f"{identity.skin} skin"] if "skin" in parts else []
    said += ["a beard"] if "beard" in parts and identity.beard else []
    if not said:
        return "a person"
    return "a person with " + (f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0])


def _hair_words(identity: Identity) -> str:
    if identity.style == "bald":
        return "no hair"
    return f"a {identity.hair} bun" if identity.style == "bun" else f"{identity.style} {identity.hair} hair"


def scene_phrases(scene: Scene) -> dict[str, str]:
    """{what it says: phrase}, in the order in which captions say them."""
    phrases = {
        "clothes": f"wearing {'an' if scene.shirt[0] in 'aeiou' else 'a'} {scene.shirt} shirt" + (" and glasses" if scene.glasses else ""),
        "view": scene.view,
        "framing": scene.framing,
        "place": f"{scene.place} background",
        "light": scene.light,
        "motion": scene.motion,
    }
    if scene.motion.startswith("turning"):  # the view is the motion
        del phrases["view"]
    return {what: phrase for what, phrase in phrases.items() if phrase}


def caption(scene: Scene, subject: str, omit: Collection[str] = ()) -> str:
    """`[trigger], [the person], [the scene]`: the subject ("ohwx, a person", or `describe(identity)`), then what may change."""
    return ", ".join([subject, *(phrase for what, phrase in scene_phrases(scene).items() if what not in omit)])


def told_attributes(identity: Identity, scene: Scene, parts: Collection[str], omit: Collection[str] = ()) -> set[str]:
    """The names of the attributes that `caption` tells, when its subject is `describe(identity, parts)`."""
    told = {"skin"} & set(parts)
    if "hair" in parts:
        told |= {"style"} if identity.style == "bald" else {"hair", "style"}
    if "beard" in parts and identity.beard:
        told.add("beard")
    phrases = scene_phrases(scene).keys() - set(omit)
    told |= phrases - {"clothes"}
    if "clothes" in phrases:
        told |= {"shirt", "glasses"} if scene.glasses else {"shirt"}
    return told


def list_captions(rng: random.Random, count: int = 400) -> list[str]:
    """Captions that hold every word of the world: what the tokenizers learn their vocabulary from."""
    drawn = [
        caption(draw_scene(rng, motion=rng.choice(("", None))), rng.choice([describe(draw_identity(rng)), "person, a person"]))
        for _ in range(count)
    ]
    words = [*HAIR, *SKIN, *SHIRT, *PLACE, *STYLE, *VIEW, *FRAMING, *LIGHT, *MOTION]
    return drawn + [f"a {word} person" for word in words]
