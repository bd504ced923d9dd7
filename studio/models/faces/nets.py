"""Opens the face eye's networks in OpenCV, from bytes that were checked: a path with an umlaut can then not stop it on Windows."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from studio.errors import Problem
from studio.models.faces import face_files

DETECT_LEAST = 0.7  # of the detector's score: with it, 100 % of faces from 48 px up are found and posters are not (FACTS.md)


def open_detector(data: bytes) -> Any:
    return cv2.FaceDetectorYN.create("onnx", _array(data), np.zeros(0, np.uint8), (320, 320), DETECT_LEAST)


def open_embedder(data: bytes) -> Any:
    """`cv2.FaceRecognizerSF` raises in OpenCV 5, so the network is asked itself."""
    return cv2.dnn.readNetFromONNX(_array(data))


def open_tflite(data: bytes) -> Any:
    """In OpenCV's older engine: the new one gives only the last output of a TFLite network."""
    return cv2.dnn.readNetFromTFLite(_array(data), cv2.dnn.ENGINE_CLASSIC)


OPENERS: Mapping[str, Any] = {
    face_files.DETECTOR: open_detector,
    face_files.EMBEDDER: open_embedder,
    face_files.MESH: open_tflite,
    face_files.MASK: open_tflite,
}


def open_net(name: str) -> Any:
    """The network of one of the files. Problem in words if the file is missing, damaged, or this OpenCV can't run it."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # errors alone: the new engine warns of targets that nobody asked for
    data = face_files.read_checked(name)
    try:
        return OPENERS[name](data)
    except cv2.error as e:
        raise Problem(f"{name}, which sees faces, can't be run ({e.err}).", fix="Install the studio's requirements again.") from e


def _array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
