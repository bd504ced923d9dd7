"""Arrays of a look as short text, for a line of JSON: zlib and base64."""

import base64
import zlib

import numpy as np


def pack_picture(pixels: np.ndarray) -> str:
    """Text for a grey picture (H, W) uint8 of at most 255 px a side."""
    return _text(bytes(pixels.shape) + np.ascontiguousarray(pixels, np.uint8).tobytes())


def unpack_picture(text: str) -> np.ndarray:
    """(H, W) uint8, exactly as it was packed."""
    data = _bytes(text)
    return np.frombuffer(data[2:], np.uint8).reshape(data[0], data[1])


def pack_shares(shares: np.ndarray) -> str:
    """Text for shares that sum up to 1, as the square roots that the Hellinger distance compares, in 8 bits."""
    roots = np.sqrt(np.asarray(shares, np.float64).ravel())
    return _text((roots / max(float(roots.max()), 1e-12) * 255).round().astype(np.uint8).tobytes())


def unpack_roots(text: str) -> np.ndarray:
    """The square roots of the shares, a row of length 1: the Hellinger distance of two is sqrt(1 - a @ b), within .01."""
    roots = np.frombuffer(_bytes(text), np.uint8).astype(np.float32)
    return roots / max(float(np.linalg.norm(roots)), 1e-12)


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode()


def _bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
