"""Before a job computes: torch as the base model wants it, and the GPU that the plan counted on. torch is loaded when these are called."""

import gc

from studio.errors import Problem
from studio.models.preset import model_preset
from studio.workspace import Project


def set_up_torch(project: Project) -> None:
    """Quiet, and with as many threads as suit the project's base model: on small tensors threads wait for each other longer than they compute."""
    import torch

    from studio.models.loading import quiet_libraries  # loads torch

    quiet_libraries()
    if not gc.get_freeze_count():  # once in a process
        gc.freeze()  # the libraries stay: looking through them at each change of models takes half a second
    if threads := model_preset(project.facts().base_model).cpu_threads:
        torch.set_num_threads(threads)


def require_device(device: str) -> None:
    """Problem if a job was planned for a GPU, and none can be used."""
    from studio.models.loading import why_no_gpu  # loads torch

    if device == "cuda" and (why := why_no_gpu()):
        raise Problem(
            f"This run was planned for a GPU, and none can be used now: {why}",
            cost="Nothing was lost.",
            fix="Check the driver with the doctor command and resume, or start a new run: it is planned for what is there.",
            action="resume",
        )
