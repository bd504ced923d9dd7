"""Whether a picture shows somebody else than the other pictures do, from embeddings that are alike where the person is. Torch-free.

Who makes the embeddings does not matter (the base model's observer, faces): rows of length 1, whose product is the likeness, at most 1.
"""

import base64
from collections.abc import Mapping

import numpy as np

from studio.data.remarks import SEVERAL_PEOPLE, STRANGER, Remark

SAME_LEAST = 0.45  # median likeness to the other pictures: lowest of the same person .489, highest of another .443 (faces, FACTS.md)
APART_LEAST = 0.15  # and so much less than what is usual among the others
MAIN_SHARE = 2 / 3  # of the pictures must show one person before anybody is taken for a stranger
LEAST_OTHERS = 3  # to compare with
SEVERAL = Remark(
    code=SEVERAL_PEOPLE, words="the pictures seem to show several people, none of them in most; leave out those of other people yourself"
)


def pack(rows: np.ndarray) -> str:
    """Text for an embedding of one picture, from (N, D) unit rows of its frames: their mean as whole numbers of -127 to 127."""
    mean = np.asarray(rows, np.float32).mean(axis=0)
    return base64.b64encode((mean / max(np.abs(mean).max(), 1e-12) * 127).round().astype(np.int8).tobytes()).decode()


def unpack(text: str) -> np.ndarray:
    """The embedding (D,) of length 1 that `pack` wrote, within half a percent."""
    values = np.frombuffer(base64.b64decode(text), np.int8).astype(np.float32)
    return values / max(np.linalg.norm(values), 1e-12)


def find_strangers(embeddings: Mapping[str, np.ndarray]) -> tuple[dict[str, Remark], Remark | None]:
    """({id: why it is left out}, what to warn of) for {id: embedding} of pictures that are good enough to judge by."""
    if len(embeddings) <= LEAST_OTHERS:
        return {}, None
    likeness = measure_likeness(embeddings)
    main = [value for value in likeness.values() if value >= SAME_LEAST]
    if len(main) < MAIN_SHARE * len(likeness):
        return {}, SEVERAL
    usual = float(np.median(main))
    strangers = {name: value for name, value in likeness.items() if value < min(SAME_LEAST, usual - APART_LEAST)}
    return {name: _stranger(value, usual) for name, value in strangers.items()}, None


def _stranger(likeness: float, usual: float) -> Remark:
    words = f"shows a different person than the other pictures (likeness {max(likeness, 0.0):.2f}, the others {usual:.2f})"
    return Remark(code=STRANGER, words=words)


def measure_likeness(embeddings: Mapping[str, np.ndarray]) -> dict[str, float]:
    """{id: median likeness to the other pictures}. The median forgives a few strangers among the others."""
    rows = np.stack(list(embeddings.values()))
    products = rows @ rows.T
    return {name: float(np.median(np.delete(products[i], i))) for i, name in enumerate(embeddings)}
