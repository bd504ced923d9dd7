"""The face mesh: 468 points of a face in space, from which its angle and its mouth are read."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

SIDE = 192  # px of the network's input
REACH = 1.5  # its input is the square around the face's box, so many times as large, turned upright by the eyes (MediaPipe's own)
POINTS, SURE = (
    "conv2d_20",
    "conv2d_30",
)  # the network's outputs; asked for one by one, since OpenCV gives only the first of a net from memory
RIGHT_SIDE, LEFT_SIDE = 234, 454  # points beside the ears; the person's right is the picture's left
UPPER_LIP, LOWER_LIP, FOREHEAD, CHIN = 13, 14, 10, 152


@dataclass(frozen=True)
class Mesh:
    """points (468, 3): x and y in px of the network's input, z in the same unit, nearer is smaller."""

    points: np.ndarray
    sure: float  # probability that a whole face is there; low for what is hidden, blurred, or seen from behind the ear

    @property
    def turn(self) -> float:
        """Where the nose points: degrees from the front, positive to the right in the picture. About; never shown as a number."""
        x, _, z = self.points[LEFT_SIDE] - self.points[RIGHT_SIDE]
        return float(np.degrees(np.arctan2(z, x)))

    @property
    def mouth(self) -> float:
        """The gap between the lips as a share of the face's height."""
        gap, height = (np.linalg.norm(self.points[a] - self.points[b]) for a, b in ((UPPER_LIP, LOWER_LIP), (FOREHEAD, CHIN)))
        return float(gap / max(float(height), 1e-6))


def read_mesh(net: Any, picture: np.ndarray, landmarks: np.ndarray, box: tuple[float, float, float, float]) -> Mesh:
    crop = _upright_square(picture, landmarks, box)
    net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
    points, sure = net.forward(POINTS).reshape(468, 3), float(net.forward(SURE).ravel()[0])
    return Mesh(points, float(1 / (1 + np.exp(-sure))))


def _upright_square(picture: np.ndarray, landmarks: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    left, top, width, height = box
    side = REACH * max(width, height)
    across = landmarks[1] - landmarks[0]
    angle = np.degrees(np.arctan2(across[1], across[0]))
    centre = left + width / 2, top + height / 2
    matrix = cv2.getRotationMatrix2D(centre, float(angle), SIDE / side)
    matrix[:, 2] += SIDE / 2 - np.array(centre)
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
