"""What pixels alone can say about a clip, measured against the base's clip of the same prompt and seed. Likeness is not measured here."""

import numpy as np

# Thresholds are starting values of the failure table: ratios to the base unless said otherwise.
FROZEN_MOTION = 0.5
SHARPNESS_RANGE = (0.5, 2.0)
FLICKER_JUMP = 3.0
FLICKER_FLOOR = 0.004  # of full brightness: below this the eye sees none
CLIPPING_JUMP = 0.15  # share of pixels, on top of the base's
MOTION_FLOOR = 0.002  # a base that stands still says nothing about frozen motion
GRID = 8  # motion is read from averages over 8 x 8 px, so that grain is not taken for motion


def measure(frames):
    """Absolute measures of one clip, frames (F, H, W, 3) uint8: motion, sharpness, flicker, clipping; brightness 0..1."""
    luma = frames.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32) / 255
    return {
        "motion": _motion(luma),
        "sharpness": _sharpness(luma),
        "flicker": _flicker(luma),
        "clipping": float(np.mean((luma <= 2 / 255) | (luma >= 253 / 255))),
    }


def compare(frames, base_frames):
    """Scores of a clip against the base's: ratios (None where the base gives no scale), change 0..1 and whether anything changed at all."""
    own, base = measure(frames), measure(base_frames)
    change = float(np.abs(frames.astype(np.int16) - base_frames.astype(np.int16)).mean() / 255)
    return {
        "motion": _ratio(own["motion"], base["motion"], MOTION_FLOOR),
        "sharpness": _ratio(own["sharpness"], base["sharpness"], 1e-3),
        "flicker": round(own["flicker"], 5),
        "base_flicker": round(base["flicker"], 5),
        "clipping": round(own["clipping"] - base["clipping"], 4),
        "change": round(change, 5),
        "applied": change > 0,
    }


def findings(scores):
    """Names of what went wrong in one clip by its scores: "frozen", "soft", "harsh", "flicker", "clipping"."""
    found = []
    if scores["motion"] is not None and scores["motion"] < FROZEN_MOTION:
        found.append("frozen")
    if scores["sharpness"] is not None and scores["sharpness"] < SHARPNESS_RANGE[0]:
        found.append("soft")
    if scores["sharpness"] is not None and scores["sharpness"] > SHARPNESS_RANGE[1]:
        found.append("harsh")
    if scores["flicker"] > max(FLICKER_FLOOR, FLICKER_JUMP * scores["base_flicker"]):
        found.append("flicker")
    if scores["clipping"] > CLIPPING_JUMP:
        found.append("clipping")
    return found


def _motion(luma):
    """Mean brightness change from frame to frame, of averages over a coarse grid."""
    size = max(1, min(GRID, *luma.shape[1:]))
    rows, columns = luma.shape[1] // size, luma.shape[2] // size
    coarse = luma[:, : rows * size, : columns * size].reshape(len(luma), rows, size, columns, size).mean((2, 4))
    return float(np.abs(np.diff(coarse, axis=0)).mean()) if len(luma) > 1 else 0.0


def _sharpness(luma):
    """Mean step between neighbouring pixels as a share of the picture's contrast: darkness is not taken for blur."""
    steps = np.abs(np.diff(luma, axis=1)).mean() + np.abs(np.diff(luma, axis=2)).mean()
    contrast = luma.std()
    return float(steps / contrast) if contrast > 1e-3 else 0.0


def _flicker(luma):
    """How much the whole picture's brightness jumps back and forth: mean second difference of the frames' means."""
    means = luma.mean((1, 2))
    return float(np.abs(np.diff(means, n=2)).mean()) if len(means) > 2 else 0.0


def _ratio(value, base, floor):
    return round(value / base, 4) if base > floor else None
