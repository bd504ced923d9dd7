"""The noise levels at which ComfyUI draws with its scheduler `simple`, as comfy/samplers.py and comfy/model_sampling.py there reckon. Torch-free."""

NUM_LEVELS = 1000  # of noise, of which it takes evenly spaced ones


def simple_times(steps: int) -> tuple[float, ...]:
    """Where each step begins, from 1 down, before they are moved towards strong noise."""
    return tuple(1 - int(step * (NUM_LEVELS / steps)) / NUM_LEVELS for step in range(steps))


def simple_sigmas(steps: int, shift: float) -> tuple[float, ...]:
    """The noise level at which each step begins, behind the node ModelSamplingSD3, and 0 at the end."""
    return (*(shift * time / (1 + (shift - 1) * time) for time in simple_times(steps)), 0.0)
