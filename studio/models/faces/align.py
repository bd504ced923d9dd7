"""A face as the embedder wants it: turned and scaled so that eyes, nose and mouth lie where they lay in what it learned from."""

import cv2
import numpy as np

SIDE = 112
# where the five landmarks lie in the 112 x 112 px faces that SFace and its kin were trained on (OpenCV's FaceRecognizerSF has the same)
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32)


def aligned(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(112, 112, 3) of the face with these landmarks (5, 2).

    The picture is scaled down first where the face is large, since warping takes single pixels and would alias."""
    matrix = similarity(landmarks.astype(np.float64), PLACES.astype(np.float64))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        picture, corner, shrink = _smaller_part(picture, landmarks, scale)
        matrix = similarity((landmarks.astype(np.float64) - corner) * shrink, PLACES.astype(np.float64))
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


def similarity(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(2, 3): the turn, scale and shift that bring the points nearest to the places (Umeyama 1991, without mirroring)."""
    from_mean, to_mean = points.mean(0), places.mean(0)
    a, b = points - from_mean, places - to_mean
    spread = max(float((a**2).sum()), 1e-12)
    cosine, sine = float((a * b).sum()) / spread, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, to_mean - linear @ from_mean])


def _smaller_part(picture: np.ndarray, landmarks: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray, float]:
    """(the part around the face at twice the final size, its corner in the picture, how much it was scaled)."""
    height, width = picture.shape[:2]
    centre, reach = landmarks.mean(0), SIDE / scale
    left, top = (int(max(0, value - reach)) for value in centre)
    right, bottom = int(min(width, centre[0] + reach)), int(min(height, centre[1] + reach))
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    shrink = 2 * scale
    size = max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.array([left, top], np.float64), shrink
