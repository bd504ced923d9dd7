"""An exception in words for the person: what happened, what it cost, what to do. The traceback stays in the log."""

from studio.errors import Problem, is_disk_full

KEPT = "Everything up to the last safety copy is kept."


def explain(error):
    """{"message", "cost", "fix", "action", "unexpected"}; unexpected: a fault of ours, not something the person can mend."""
    if isinstance(error, Problem):
        return error.to_dict() | {"unexpected": False}
    if is_out_of_gpu_memory(error):
        fix = "Close other programs that use the GPU, or raise 'Blocks kept in RAM' (or lower the photo size), then start again."
        return _words("The GPU's memory is full.", KEPT, fix, "resume")
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: can't allocate memory" in str(error):
        return _words("The computer's memory (RAM) is full.", KEPT, "Close other programs, then resume.", "resume")
    if is_disk_full(error):
        return _words("The disk is full.", "The last whole checkpoint pair is kept.", "Free some space, then resume.", "resume")
    if isinstance(error, PermissionError):
        return _words(
            f"A file may not be opened or written: {error.filename or error}.", "", "Check who owns it and whether it is open.", ""
        )
    if isinstance(error, (ValueError, TimeoutError)):
        return _words(str(error), "", "", "")
    return _words(f"Something unexpected went wrong ({_first_line(error)}).", KEPT, "The log has the details.", "open-log", unexpected=True)


def is_out_of_gpu_memory(error):
    """torch.OutOfMemoryError, told by its name so that torch need not be loaded; old drivers raise a plain RuntimeError."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return "OutOfMemoryError" in names or (isinstance(error, RuntimeError) and "CUDA out of memory" in str(error))


def _words(message, cost, fix, action, *, unexpected=False):
    return {"message": message, "cost": cost, "fix": fix, "action": action, "unexpected": unexpected}


def _first_line(error):
    text = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
