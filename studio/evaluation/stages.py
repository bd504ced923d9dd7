"""Finished stages of clips on disk, by key: expensive work that a crash or a stop must not lose."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors.torch
import torch

from studio.disk import write_atomic


class StageStore:
    """safetensors files <key>.safetensors in one folder; the folder is gone when nothing is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def save(self, key: str, state: Mapping[str, torch.Tensor]) -> None:
        """state: flat dict of CPU tensors."""
        write_atomic(self._path(key), safetensors.torch.save({name: tensor.contiguous() for name, tensor in state.items()}))

    def load(self, key: str) -> dict[str, torch.Tensor]:
        return safetensors.torch.load(self._path(key).read_bytes())  # not mapped: Windows could not delete a mapped file

    def keep_only(self, keys: Iterable[str]) -> None:
        """Delete every stage but these."""
        kept = {self._path(key).name for key in keys}
        for path in self.folder.glob("*.safetensors"):
            if path.name not in kept:
                path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"
