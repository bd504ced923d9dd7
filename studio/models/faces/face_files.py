"""The files of the face eye in presets/eyes/face, each with its hash: a damaged one is a sentence, never a wrong judgement."""

from pathlib import Path

from studio.config import PRESETS_DIR
from studio.disk import file_sha256
from studio.errors import Problem

FOLDER = PRESETS_DIR / "eyes" / "face"
DETECTOR, EMBEDDER = "face_detection_yunet_2023mar_int8bq.onnx", "face_recognition_sface_2021dec_int8bq.onnx"
MESH, MASK = "face_landmark.tflite", "selfie_segmentation.tflite"
HASHES = {
    DETECTOR: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    EMBEDDER: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    MESH: "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    MASK: "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
}


def list_files() -> list[Path]:
    return [FOLDER / name for name in HASHES]


def read_checked(name: str) -> bytes:
    """The bytes of one of the files. Problem in words if it is missing or damaged."""
    path = FOLDER / name
    fix = "Install the studio again; photos, captions and trainings stay as they are."
    if not path.is_file():
        raise Problem(f"{name}, which sees faces, is missing in {path.parent}.", fix=fix)
    if file_sha256(path) != HASHES[name]:
        raise Problem(f"{name}, which sees faces, is damaged.", fix=fix)
    return path.read_bytes()
