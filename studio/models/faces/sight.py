"""The face eye, opened: every face of a picture with its landmarks, who it is, which way it looks; and which pixels are the person."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from studio.models.faces import face_files
from studio.models.faces.align import aligned
from studio.models.faces.mesh import Mesh, read_mesh
from studio.models.faces.nets import open_net

LOOK_SIDE = 1024  # px of the long side that faces are looked for at: 100 % of faces from 48 px up are found (FACTS.md)
QUICK_SIDE = 640  # px of the long side of a first glance: a third of the time (FACTS.md: 13 ms against 22)
# px of the largest face at the first glance from which it is enough: every face from .4 of its width up, which is all that counts in a picture,
# has 48 px or more there too, and those are found without exception (FACTS.md)
QUICK_LEAST = 48 / 0.4
SPECTATOR = 20  # px at LOOK_SIDE: smaller faces are of people far away, and nothing can be told of them
MASK_SIDE = 256
DIMENSIONS = 128  # of an embedding


@dataclass(frozen=True)
class SeenFace:
    """Places and sizes in px of the picture that was given."""

    left: float
    top: float
    width: float
    height: float
    score: float
    landmarks: np.ndarray  # (5, 2): right eye, left eye, nose, right and left corner of the mouth (the person's right)


class FaceSight:
    """Looks at RGB pictures of any size, (H, W, 3) uint8. It opens each network when it is first needed."""

    def find(self, picture: np.ndarray) -> list[SeenFace]:
        """All faces that count beside the largest, which comes first; where that is small, all that can be seen."""
        scale = min(1.0, QUICK_SIDE / max(picture.shape[:2]))
        faces = self._find_at(picture, scale)
        if scale == 1 or (faces and faces[0].width * scale >= QUICK_LEAST):
            return faces
        return self._find_at(picture, min(1.0, LOOK_SIDE / max(picture.shape[:2])))

    def embed_face(self, picture: np.ndarray, face: SeenFace, mirrored: bool = False) -> np.ndarray:
        """(128,) float32 of length 1. mirrored: the mean with the face's mirror image, which halves what the side of the light does."""
        crop = aligned(picture, face.landmarks)
        views = [crop, crop[:, ::-1]] if mirrored else [crop]
        return _unit(sum(_unit(self._embed_crop(view)) for view in views))

    def mesh(self, picture: np.ndarray, face: SeenFace) -> Mesh:
        """468 points of the face in space, and how sure it is that they are right."""
        return read_mesh(self._mesh, picture, face.landmarks, (face.left, face.top, face.width, face.height))

    def mask(self, picture: np.ndarray) -> np.ndarray:
        """(256, 256) float32: how surely each part of the picture is a person, 0 to 1, whatever the picture's shape."""
        small = cv2.resize(picture, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
        self._mask.setInput(cv2.dnn.blobFromImage(small, 1 / 255))
        return self._mask.forward()[0, 0]

    # -- what every eye gives

    def embed(self, frames: np.ndarray) -> np.ndarray:
        """(N, 128) unit rows of the largest face of each frame, mirrored (what likeness was measured with); zeros where there is no face."""
        return np.array([self._embed_largest(frame) for frame in frames], np.float32).reshape(-1, DIMENSIONS)

    def knows(self, frames: np.ndarray) -> np.ndarray:
        """(N,) bool: whether a face is seen in each."""
        return np.array([bool(self.find(frame)) for frame in frames], bool)

    def _find_at(self, picture: np.ndarray, scale: float) -> list[SeenFace]:
        """The faces of a picture that is looked at `scale` times as large, the largest first."""
        height, width = picture.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        how = (
            cv2.INTER_LINEAR if scale > 0.5 else cv2.INTER_AREA
        )  # down to a half both see every px, and the first takes a fifth of the time
        small = cv2.resize(picture, size, interpolation=how) if scale < 1 else picture
        self._detector.setInputSize(size)
        _, rows = self._detector.detect(np.ascontiguousarray(small[..., ::-1]))
        least = SPECTATOR * scale / min(1.0, LOOK_SIDE / max(height, width))
        faces = [_seen(row, scale) for row in (rows if rows is not None else ()) if row[2] >= least]
        return sorted(faces, key=lambda face: -face.width * face.height)

    def _embed_largest(self, frame: np.ndarray) -> np.ndarray:
        faces = self.find(frame)
        return self.embed_face(frame, faces[0], mirrored=True) if faces else np.zeros(DIMENSIONS, np.float32)

    def _embed_crop(self, crop: np.ndarray) -> np.ndarray:
        self._embedder.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(crop)), "data")  # RGB of 0 to 255, as it was trained
        return self._embedder.forward()[0].astype(np.float32)

    @cached_property
    def _detector(self) -> Any:
        return open_net(face_files.DETECTOR)

    @cached_property
    def _embedder(self) -> Any:
        return open_net(face_files.EMBEDDER)

    @cached_property
    def _mesh(self) -> Any:
        return open_net(face_files.MESH)

    @cached_property
    def _mask(self) -> Any:
        return open_net(face_files.MASK)


def _seen(row: np.ndarray, scale: float) -> SeenFace:
    """A row of the detector's answer: box, five landmarks, score."""
    left, top, width, height = (float(value) / scale for value in row[:4])
    return SeenFace(left, top, width, height, float(row[14]), row[4:14].reshape(5, 2).astype(np.float32) / scale)


def _unit(row: Any) -> np.ndarray:
    return row / max(float(np.linalg.norm(row)), 1e-12)
