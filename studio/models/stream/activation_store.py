"""Where a block pass keeps each block's inputs until the backward pass: on the device, or in page-locked RAM, out and in beside the computing."""

from collections.abc import Callable, Hashable

import torch

Key = Hashable


class ActivationStore:
    """Tensors by key, on the device. put(key, tensor); take(key) gives it back, once."""

    def __init__(self) -> None:
        self.kept: dict[Key, torch.Tensor] = {}

    def put(self, key: Key, tensor: torch.Tensor) -> None:
        self.kept[key] = tensor

    def take(self, key: Key) -> torch.Tensor:
        return self.kept.pop(key)

    def clear(self) -> None:
        self.kept.clear()


class HostActivationStore(ActivationStore):
    """Tensors in RAM: copied out behind the computing, and in again one before they are needed; taken in the reverse order of being put.

    Host memory is kept for the next step, so that nothing is page-locked anew; num_bytes says how much there is of it.
    """

    def __init__(self, device: torch.device | str) -> None:
        super().__init__()
        self.device, self.num_bytes = torch.device(device), 0
        self.order: list[Key] = []
        self.spare: dict[tuple[torch.Size, torch.dtype], list[torch.Tensor]] = {}
        self.arriving: dict[Key, torch.Tensor] = {}
        self.stream = torch.cuda.Stream(device) if self.device.type == "cuda" else None

    def put(self, key: Key, tensor: torch.Tensor) -> None:
        host = self._host_memory(tensor)
        self._behind_the_computing(lambda: host.copy_(tensor, non_blocking=True), tensor)
        self.kept[key] = host
        self.order.append(key)

    def take(self, key: Key) -> torch.Tensor:
        tensor = self._fetch(key) if key not in self.arriving else self.arriving.pop(key)
        if self.stream is not None:
            torch.cuda.current_stream(self.device).wait_stream(self.stream)
        self.order.remove(key)
        if self.order:  # the next one comes while this one is worked with
            self.arriving[self.order[-1]] = self._fetch(self.order[-1])
        return tensor

    def clear(self) -> None:
        if not self.kept and not self.arriving:
            return
        if self.stream is not None:
            self.stream.synchronize()
        for host in self.kept.values():
            self._give_back(host)
        super().clear()
        self.order.clear()
        self.arriving.clear()

    def _fetch(self, key: Key) -> torch.Tensor:
        host = self.kept.pop(key)
        tensor = torch.empty_like(host, device=self.device)
        self._behind_the_computing(lambda: tensor.copy_(host, non_blocking=True), tensor)
        self._give_back(host)  # copies of one stream follow each other: it is read before it is written again
        return tensor

    def _behind_the_computing(self, copy: Callable[[], object], tensor: torch.Tensor) -> None:
        """Run a copy on the store's stream, after all that was computed so far; the device tensor stays until then."""
        if self.stream is None:
            copy()
            return
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            copy()
        tensor.record_stream(self.stream)

    def _host_memory(self, tensor: torch.Tensor) -> torch.Tensor:
        free = self.spare.get((tensor.shape, tensor.dtype))
        if free:
            return free.pop()
        self.num_bytes += tensor.nbytes
        if tensor.is_meta:
            return torch.empty_like(tensor)
        return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=self.stream is not None)

    def _give_back(self, host: torch.Tensor) -> None:
        self.spare.setdefault((host.shape, host.dtype), []).append(host)
