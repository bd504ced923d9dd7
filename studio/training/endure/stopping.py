"""Ends a step before its time when a person wants the GPU back: then it is not taken, and done again after the run has gone on."""

import time
from collections.abc import Callable

import torch

from studio.training.step.block_pass import BrokenOff

PATIENCE_SECONDS = 5.0  # a step that ends within that is waited for


class StopBetweenBlocks:
    """Called before each block of a step; raises BrokenOff once a stop was asked for and the step has longer to go than PATIENCE_SECONDS."""

    def __init__(self, should_stop: Callable[[], bool], device: torch.device, usual_seconds: float | None = None):
        """usual_seconds: of a step; None: not known yet."""
        self.should_stop, self.device, self.usual_seconds = should_stop, device, usual_seconds
        self.started = time.monotonic()
        self.asked: float | None = None  # when a request to stop was first seen

    def __call__(self) -> None:
        if self._is_long and self.device.type == "cuda":
            # without it Python runs far ahead of the GPU, and a step that is left would still be worked off to its end
            torch.cuda.current_stream(self.device).synchronize()
        if not self.should_stop():
            return
        now = time.monotonic()
        self.asked = now if self.asked is None else self.asked
        if self._seconds_left(now) > PATIENCE_SECONDS or now - self.asked > PATIENCE_SECONDS:
            raise BrokenOff

    @property
    def _is_long(self) -> bool:
        return self.usual_seconds is None or self.usual_seconds > PATIENCE_SECONDS

    def _seconds_left(self, now: float) -> float:
        return float("inf") if self.usual_seconds is None else self.usual_seconds - (now - self.started)
