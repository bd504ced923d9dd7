"""Small pictures and histograms as text, as a Look holds them."""

import base64

import numpy as np


def pack_thumbnail(picture: np.ndarray) -> str:
    """(H, W) uint8, sides below 256 -> text."""
    height, width = picture.shape
    return base64.b64encode(bytes((height, width)) + np.ascontiguousarray(picture, np.uint8).tobytes()).decode()


def unpack_thumbnail(text: str) -> np.ndarray:
    """The (H, W) uint8 that `pack_thumbnail` wrote."""
    data = base64.b64decode(text)
    return np.frombuffer(data[2:], np.uint8).reshape(data[0], data[1])


def pack_histogram(shares: np.ndarray) -> str:
    """Shares that sum to 1, of any shape -> text, as roots in 255 steps: the distance of two is of their roots."""
    roots = np.sqrt(np.asarray(shares, np.float64).ravel())
    return base64.b64encode((roots / max(roots.max(), 1e-12) * 255).round().astype(np.uint8).tobytes()).decode()


def unpack_histogram(text: str) -> np.ndarray:
    """(N,) shares that sum to 1, within a percent of what `pack_histogram` was given."""
    shares = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.float64) ** 2
    return shares / max(shares.sum(), 1e-12)
