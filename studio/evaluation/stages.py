"""Finished stages of clips on disk, by key: expensive work that a crash or a stop must not lose."""

import safetensors.torch

from studio.workspace import write_atomic


class StageStore:
    """safetensors files <key>.safetensors in one folder; the folder is gone when nothing is kept."""

    def __init__(self, folder):
        self.folder = folder

    def has(self, key):
        return self._path(key).is_file()

    def save(self, key, state):
        """state: flat dict of CPU tensors."""
        write_atomic(self._path(key), safetensors.torch.save({name: tensor.contiguous() for name, tensor in state.items()}))

    def load(self, key):
        return safetensors.torch.load(self._path(key).read_bytes())  # not mapped: Windows could not delete a mapped file

    def keep_only(self, keys):
        """Delete every stage but these."""
        kept = {self._path(key).name for key in keys}
        for path in self.folder.glob("*.safetensors"):
            if path.name not in kept:
                path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, key):
        return self.folder / f"{key}.safetensors"
