"""How much of what a prompt says is seen in a clip, as the base model's observer sees it."""

import numpy as np

from studio.models.eyes import NamingSight
from studio.models.observer import MIN_FRAMES
from studio.models.observer_prompts import named_in


def prompt_accuracy(observer: NamingSight, text: str, frames: np.ndarray) -> float | None:
    """Share (0..1) of what the text says that is seen in frames (F, H, W, 3) uint8; None if it says nothing that can be seen.

    What a clip shows is read in its middle third, where a movement passes what the caption says; its motion from the whole of it.
    """
    named = named_in(text, observer.config)
    motion = named.pop("motion", None)
    middle = frames[len(frames) // 3 : len(frames) - len(frames) // 3]
    readings = observer.read(middle) if named else []
    seen = [float(np.mean([reading[attribute] == name for reading in readings])) for attribute, name in named.items()]
    if motion is not None and len(frames) >= MIN_FRAMES:
        seen.append(float(observer.read_motion(frames) == motion))
    return float(np.mean(seen)) if seen else None
