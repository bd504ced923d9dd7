"""An exception in words for the person: what happened, what it cost, what to do. The traceback stays in the log."""

import errno
from dataclasses import dataclass

from studio.errors import Problem, is_disk_full
from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Failure(Facts):
    """Why a job failed: what happened, what it cost, what to do. action: name of the button that does it, or "".

    unexpected: a fault of ours, not something the person can mend.
    """

    ALWAYS_WRITTEN = ("message", "cost", "fix", "action", "unexpected")
    message: str
    cost: str = ""
    fix: str = ""
    action: str = ""
    unexpected: bool = False

    def as_problem(self) -> Problem:
        return Problem(self.message, cost=self.cost, fix=self.fix, action=self.action)


MAX_WINDOWS_PATH = 248  # of a folder; 12 more of a file
_OTHER_FOLDER = "choose another workspace folder with --home"
_OUTSIDE = {  # what the disk says, and no program can help
    errno.EROFS: ("This place can only be read, not written: {}.", f"Make it writable, or {_OTHER_FOLDER}."),
    errno.EIO: ("The disk failed while {} was read or written.", f"Check the disk and its cable, or {_OTHER_FOLDER}."),
    errno.ENOTDIR: ("A file stands where a folder is needed: {}.", f"Move that file away, or {_OTHER_FOLDER}."),
    errno.ENAMETOOLONG: ("The path is longer than this disk allows: {}.", f"Use a shorter path: {_OTHER_FOLDER}."),
}
KEPT_ALL = "Nothing was lost."
KEPT = "Everything up to the last safety copy is kept."
_STUMBLED = (
    "The GPU failed while it was computing.",
    KEPT,
    "Resume. If it happens again: take back any overclocking, update the graphics driver, and see how hot the card gets.",
    "resume",
)
_GPU_FAULTS = {  # what CUDA's messages hold
    "no kernel image is available": (
        "The installed torch was not built for this GPU: the card is too old for it, or too new.",
        KEPT_ALL,
        "Start the studio with launch, which looks for the build that fits; the doctor command says what is there.",
        "",
    ),
    "unspecified launch failure": _STUMBLED,
    "illegal memory access": _STUMBLED,
    "uncorrectable ECC error": _STUMBLED,
    "launch timed out": _STUMBLED,
    "CUDA error: unknown error": _STUMBLED,  # after a sleep, or when the card fell off the bus
    "driver shutting down": _STUMBLED,
}


def explain(error: BaseException) -> Failure:
    if isinstance(error, Problem):
        return Failure(message=error.message, cost=error.cost, fix=error.fix, action=error.action)
    if is_out_of_gpu_memory(error):
        fix = "Close other programs that use the GPU, or raise 'Blocks kept in RAM' (or lower the photo size), then start again."
        return _words("The GPU's memory is full.", KEPT, fix, "resume")
    if isinstance(error, RuntimeError) and (found := next((words for text, words in _GPU_FAULTS.items() if text in str(error)), None)):
        return _words(*found)
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: can't allocate memory" in str(error):
        return _words("The computer's memory (RAM) is full.", KEPT, "Close other programs, then resume.", "resume")
    if is_disk_full(error):
        return _words("The disk is full.", "Everything that was finished is kept.", "Free some space, then go on.", "resume")
    if is_path_too_long(error):
        message = "A path became too long for Windows, which takes 260 characters."
        return _words(message, KEPT, "Move the workspace to a short folder, for example with --home C:\\Likeness.", "")
    if is_missing_runtime(error):
        message = "A library could not be loaded: Microsoft's Visual C++ runtime is missing or too old."
        return _words(
            message, "Nothing was lost.", "Install it with: winget install Microsoft.VCRedist.2015+.x64, then start again.", "resume"
        )
    if isinstance(error, PermissionError):
        return _words(
            f"A file may not be opened or written: {error.filename or error}.", "", "Check who owns it and whether it is open.", ""
        )
    if isinstance(error, OSError) and error.errno in _OUTSIDE:
        message, fix = _OUTSIDE[error.errno]
        return _words(message.format(error.filename or error.strerror), KEPT_ALL, fix, "")
    if isinstance(error, (ValueError, TimeoutError)):
        return _words(str(error), "", "", "")
    return _words(f"Something unexpected went wrong ({_first_line(error)}).", KEPT, "The log has the details.", "open-log", unexpected=True)


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """torch.OutOfMemoryError, told by its name so that torch need not be loaded; old drivers raise a plain RuntimeError."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return "OutOfMemoryError" in names or (isinstance(error, RuntimeError) and "CUDA out of memory" in str(error))


def is_path_too_long(error: BaseException) -> bool:
    """Windows calls a path that is too long "not found", unless it says ERROR_FILENAME_EXCED_RANGE."""
    number, longest = getattr(error, "winerror", None), max(len(str(getattr(error, name, ""))) for name in ("filename", "filename2"))
    return number == 206 or (number in (2, 3) and longest >= MAX_WINDOWS_PATH)


def is_missing_runtime(error: BaseException) -> bool:
    """torch raises OSError with WinError 126 or 127, everything else an ImportError."""
    text = str(error)
    return (getattr(error, "winerror", None) in (126, 127) and ".dll" in text) or (
        isinstance(error, ImportError) and text.startswith("DLL load failed")
    )


def _words(message: str, cost: str, fix: str, action: str, *, unexpected: bool = False) -> Failure:
    return Failure(message=message, cost=cost, fix=fix, action=action, unexpected=unexpected)


def _first_line(error: BaseException) -> str:
    text = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
