"""Colours of HDR and of wide gamuts as a screen of today shows them: PQ, HLG, BT.2020 and P3 mapped to sRGB.

Code points (primaries, transfer) are those of ITU-T H.273, as clips, AVIF, HEIF and PNG's cICP carry them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

PQ, HLG = 16, 18
_BT709, _BT2020, _DCI_P3, _DISPLAY_P3 = 1, 9, 11, 12
_SDR_VIDEO = (1, 6, 14, 15)  # shown by the EOTF of BT.1886
_UNSAID = (0, 2)
# chromaticities of red, green, blue and white (H.273, table 2)
_D65 = (0.3127, 0.3290)
_PRIMARIES = {
    _BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    _BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    _DCI_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    _DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_WHITE_NITS = 203.0  # what a white sheet has in HDR (BT.2408, table 1): it becomes SDR's white
_HLG_WHITE = 0.2650  # the same in HLG: scene light of a signal of 75 %
# HLG's OOTF is left out: its gamma is for the brightness of the screen, 1.2 x 1.111 ^ log2(peak / 1000 cd/m2) (BT.2390, for those dimmer
# than BT.2100's). sRGB's white is 80 cd/m2 (IEC 61966-2-1); HLG's white stands there on a screen with a peak of 303 cd/m2, for which the
# gamma is 1.001.
_KNEE = 0.9  # linear light above which highlights, up to many times white, are pressed together
_BRIGHTEST = 8.0  # linear light up to which highlights are told apart
_TABLE_STEPS = 1 << 14
CUBE_SIDE = 33
_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True)
class Colours:
    """How numbers stand for colours in a file."""

    primaries: int = _BT709
    transfer: int = 13  # sRGB

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)

    @property
    def need_mapping(self) -> bool:
        """Whether a program that takes them for sRGB would show other colours."""
        return self.is_hdr or self.primaries in (_BT2020, _DCI_P3, _DISPLAY_P3)


def map_to_srgb(rgb: np.ndarray, colours: Colours) -> np.ndarray:
    """(..., 3) uint8 sRGB of RGB signals: uint8 or uint16 of full range, or float from 0 to 1."""
    flat = rgb.reshape(-1, 3)
    result = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), _STRIP_PIXELS):
        part = flat[start : start + _STRIP_PIXELS]
        most = np.iinfo(part.dtype).max if part.dtype.kind == "u" else 1
        mapped = _map(part.astype(np.float32) / np.float32(most), colours)
        result[start : start + _STRIP_PIXELS] = np.rint(mapped * 255)
    return result.reshape(rgb.shape)


@dataclass(frozen=True)
class Tables:
    """The same mapping for ffmpeg: lut1d, colorchannelmixer, lut1d, lut3d, on floating point.

    Each step does what it is exact at: a curve, a matrix, a curve, and at last the highlights, for which the three colours must be seen
    together; what is darker passes the last one as it is.
    """

    to_light: Path
    matrix: np.ndarray
    encode: Path
    highlights: Path | None  # SDR has none

    def files(self) -> list[Path]:
        return [path for path in (self.to_light, self.encode, self.highlights) if path]


def write_tables(stem: Path, colours: Colours) -> Tables:
    """Write STEM-....cube."""
    names = (stem.with_name(f"{stem.name}-{name}.cube") for name in ("light", "encode", "highlights"))
    to_light, encode, highlights = names
    steps = np.linspace(0, 1, _TABLE_STEPS)
    most = _BRIGHTEST if colours.is_hdr else 1.0
    _write_curve(to_light, _to_light(steps.astype(np.float32), colours.transfer) / most)
    _write_curve(encode, _encode(steps * most, colours.transfer) / _encode(np.array([most]), colours.transfer))
    if colours.is_hdr:
        _write_highlights(highlights)
    return Tables(to_light, _matrix(colours.primaries), encode, highlights if colours.is_hdr else None)


def _write_curve(path: Path, values: np.ndarray) -> None:
    rows = "\n".join(f"{value:.8f} {value:.8f} {value:.8f}" for value in values.tolist())
    path.write_text(f"LUT_1D_SIZE {len(values)}\n{rows}\n", encoding="ascii")


def _write_highlights(path: Path) -> None:
    """Codes up to that of the brightest light, as sRGB; red runs fastest."""
    codes = np.linspace(0, 1, CUBE_SIDE) * float(_encode(np.array([_BRIGHTEST]), PQ)[0])
    blue, green, red = np.meshgrid(codes, codes, codes, indexing="ij")
    light = _decode(np.stack([red, green, blue], -1).reshape(-1, 3))
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in _encode(_press_highlights(light), PQ).tolist())
    path.write_text(f"LUT_3D_SIZE {CUBE_SIDE}\n{rows}\n", encoding="ascii")


def _map(signal: np.ndarray, colours: Colours) -> np.ndarray:
    """(N, 3) float32 sRGB, from 0 to 1."""
    light = np.maximum(_to_light(signal, colours.transfer) @ _matrix(colours.primaries).T, 0)
    if colours.is_hdr:
        light = _press_highlights(light)
    return _encode(np.minimum(light, 1), colours.transfer)


def _to_light(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Linear light in which SDR's white is 1."""
    if transfer == PQ:
        return _pq_to_nits(signal) / np.float32(_WHITE_NITS)
    if transfer == HLG:
        return _hlg_to_scene(signal) / np.float32(_HLG_WHITE)
    if _is_video(transfer):
        return signal ** np.float32(2.4)  # BT.1886, black at 0
    return _decode(signal)


def _is_video(transfer: int) -> bool:
    return transfer in _SDR_VIDEO + _UNSAID


def _pq_to_nits(signal: np.ndarray) -> np.ndarray:
    """BT.2100, table 4: the EOTF of PQ."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal.astype(np.float64) ** (1 / m2)
    return (10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)).astype(np.float32)


def _hlg_to_scene(signal: np.ndarray) -> np.ndarray:
    """BT.2100, table 5: the inverse of HLG's OETF."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)


def _press_highlights(light: np.ndarray) -> np.ndarray:
    """What is brighter than white comes down to it smoothly, and keeps its hue: all three by the factor of the largest."""
    largest = light.max(axis=1, keepdims=True)
    over = (largest - _KNEE) / (1 - _KNEE)
    pressed = _KNEE + (1 - _KNEE) * (1 - np.exp(-np.maximum(over, 0)))
    return np.where(over > 0, light * (pressed / np.maximum(largest, 1e-6)), light).astype(np.float32)


def _encode(light: np.ndarray, transfer: int) -> np.ndarray:
    """Light as sRGB (IEC 61966-2-1); of SDR video by the curve that `_to_light` took away, so that greys stay as they are."""
    if _is_video(transfer):
        return light ** np.float32(1 / 2.4)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** np.float32(1 / 2.4) - 0.055).astype(np.float32)


def _decode(code: np.ndarray) -> np.ndarray:
    """sRGB as light."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** np.float32(2.4)).astype(np.float32)


def _matrix(primaries: int) -> np.ndarray:
    """Linear RGB of those primaries to BT.709's, white onto white (SMPTE RP 177)."""
    if primaries == _BT709 or primaries not in _PRIMARIES:
        return np.eye(3, dtype=np.float32)
    return (np.linalg.inv(_to_xyz(_BT709)) @ _adapt(_PRIMARIES[primaries][3]) @ _to_xyz(primaries)).astype(np.float32)


def _to_xyz(primaries: int) -> np.ndarray:
    *colours, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in _PRIMARIES[primaries])
    columns = np.stack(colours, axis=1)
    return columns * np.linalg.solve(columns, white)


def _adapt(white: tuple[float, float]) -> np.ndarray:
    """A white point to D65 (Bradford, as ICC.1 does it)."""
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    here, there = (cone @ np.array([x / y, 1, (1 - x - y) / y]) for x, y in (white, _D65))
    return np.linalg.inv(cone) @ np.diag(there / here) @ cone
