"""Makes .venv, keeps it in step with requirements.txt and starts the studio in it. The launchers run this file with whatever
Python 3.11-3.13 they found, so it imports the standard library only. It speaks on stderr: stdout belongs to the command."""

from __future__ import annotations  # an older Python must get as far as saying that it is too old

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
REQUIREMENTS = ROOT / "requirements.txt"
TEST_REQUIREMENTS = ROOT / "tests/requirements.txt"
TEST_ALONE = ROOT / "tests/requirements-alone.txt"  # installed without what they ask for
LOG = VENV / "setup.log"
LOCK = VENV / "setup.lock"
UV = "uv==0.13.9"  # chooses the PyTorch build that fits the graphics card's driver
FOR_NVIDIA = "bitsandbytes==0.50.2"  # 8-bit AdamW; peft imports it where it is, and on other computers it only complains
OLDEST, NEWEST = (3, 11), (3, 13)
NEEDED_GB = 8.0
STILL_WORKING_SECONDS = 60.0

KNOWN_FAILURES = (  # (pattern in pip's or uv's words, our sentence); the first that is found counts
    (
        r"No space left on device|Errno 28\b|WinError 112",
        "The disk is full: setting up needs about 8 GB beside app.py and 4 GB for temporary files. Free some space",
    ),
    (
        r"dependencies for SOCKS support|Unable to determine SOCKS version|Not supported proxy scheme|Proxy URL had unsupported scheme",
        "ALL_PROXY or HTTPS_PROXY names a SOCKS proxy, which cannot be used to install. Set HTTPS_PROXY to an HTTP proxy",
    ),
    (
        r"Could not find a suitable TLS CA certificate bundle",
        "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE names a file of certificates that is not there. Take it out of your environment",
    ),
    (
        r"ProxyError|Proxy Authentication|tunnel connection failed|Cannot connect to proxy",
        "The proxy refused the connection. Check HTTPS_PROXY in your environment",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|invalid peer certificate",
        "A secure connection was refused (a company network or a virus scanner may be in between). Check the computer's date, and the network",
    ),
    (
        r"NewConnectionError|NameResolutionError|Name or service not known|[Tt]emporary failure in name resolution|getaddrinfo failed"
        r"|Network is unreachable|dns error|failed to lookup address|Connection refused|ConnectTimeout|ReadTimeout|[Tt]imed out"
        r"|Connection reset|ConnectionResetError|[Ee]rror sending request|IncompleteRead|Connection broken",
        "There is no connection to the internet, or it broke off. What is already downloaded is kept: check the connection",
    ),
    (
        r"Windows Long Path|WinError 206",
        "The folder's path is too long for Windows. Move the studio to a short one, for example C:\\Studio",
    ),
    (
        r"Permission denied|Errno 13\b|WinError (5|32)\b|Access is denied|Read-only file system|Errno 30\b",
        "A file in .venv may not be written. Close the studio if it runs, and check who owns the folder",
    ),
    (
        r"No matching distribution found|No solution found|has no wheels with a matching",
        "One of the libraries has no version for this computer, its Python or its graphics driver. Update the graphics driver, or use Python 3.12",
    ),
    (
        r"Failed building wheel|Failed to build|Microsoft Visual C\+\+",
        "One of the libraries has no ready-made build for this Python. Use Python 3.12",
    ),
)


class SetupProblem(Exception):
    """What went wrong, in one sentence with its fix. code: 2 when a person can mend it, 1 for a fault."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def say(sentence: str) -> None:
    if sys.stderr is not None:
        print(sentence, file=sys.stderr, flush=True)


# -- is everything in place?


def probe(*, needs_venv: bool = True) -> int:
    """Print this Python's path and return 0 if it can run the studio, else 1."""
    in_range = OLDEST <= sys.version_info[:2] <= NEWEST and sys.maxsize > 2**32
    if not in_range or (needs_venv and not can_make_venv()):
        return 1
    sys.stdout.buffer.write((windows_path_bytes() if WINDOWS else os.fsencode(sys.executable)) + b"\n")
    return 0


def windows_path_bytes() -> bytes:
    """This Python's path for the pipe to launch.bat. Python itself would write it in another code page than cmd reads."""
    import ctypes

    windows, room = ctypes.windll.kernel32, ctypes.create_unicode_buffer(32768)
    short = lambda path: room.value if windows.GetShortPathNameW(path, room, len(room)) else path  # noqa: E731
    return console_bytes(sys.executable, windows.GetConsoleOutputCP() or windows.GetOEMCP(), short)


def console_bytes(path: str, code_page: int, short_name: Callable[[str], str]) -> bytes:
    """A path in the console's code page; by its short name (MÜLLER~1) where that has no such letters."""
    try:
        return path.encode(f"cp{code_page}")
    except (UnicodeEncodeError, LookupError):
        return short_name(path).encode("ascii", "replace")


def can_make_venv() -> bool:
    """False on a Debian without python3-venv."""
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))


def is_ready(with_tests: bool = False) -> bool:
    """Is .venv whole? Reads two small files and one folder listing; imports and starts nothing large."""
    version = venv_version()
    layers = layers_of(with_tests)
    return bool(version) and all(read_stamp(f) == stamp_of(f, version) and not missing_packages(f, version) for f in layers)


def layers_of(with_tests: bool) -> tuple[Path, ...]:
    return (REQUIREMENTS, TEST_REQUIREMENTS, TEST_ALONE) if with_tests else (REQUIREMENTS,)


def venv_version() -> str:
    """ "3.12" if the Python in .venv runs and is one that we support, else ""."""
    if Path(sys.executable) == VENV_PYTHON:
        version = sys.version_info[:2]
    else:
        code = "import sys; print(sys.version_info[0], sys.version_info[1])"
        try:
            done = subprocess.run(
                [VENV_PYTHON, "-I", "-S", "-c", code], capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        version = tuple(int(number) for number in done.stdout.split()) if done.returncode == 0 else ()
    return "{}.{}".format(*version) if OLDEST <= version <= NEWEST else ""


def stamp_file(requirements: Path) -> Path:
    names = {TEST_REQUIREMENTS: "studio-tests.json", TEST_ALONE: "studio-tests-alone.json"}
    return VENV / names.get(requirements, "studio.json")


def stamp_of(requirements: Path, version: str) -> dict[str, str]:
    """What the stamp says once everything in `requirements` is installed."""
    stamp = {"requirements": hashlib.sha256(requirements.read_bytes()).hexdigest(), "python": version}
    if requirements != REQUIREMENTS:
        return stamp
    return stamp | {"torch": torch_backend()} | ({"nvidia": FOR_NVIDIA} if uses_nvidia() else {})


def read_stamp(requirements: Path) -> dict[str, str] | None:
    try:
        return json.loads(stamp_file(requirements).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_stamp(requirements: Path, version: str) -> None:
    temporary = stamp_file(requirements).with_suffix(".tmp")
    temporary.write_text(json.dumps(stamp_of(requirements, version)), encoding="utf-8")
    os.replace(temporary, stamp_file(requirements))


def pins(requirements: Path) -> dict[str, str]:
    """{name: version} of the lines `name==version`."""
    text = requirements.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)[ \t]*(?:#.*)?$", text, re.MULTILINE))


def missing_packages(requirements: Path, version: str) -> list[str]:
    """Pinned packages that are not in .venv in that version, judged by the names of the *.dist-info folders."""
    packages = VENV / ("Lib/site-packages" if WINDOWS else f"lib/python{version}/site-packages")
    try:
        names = [path.name.removesuffix(".dist-info") for path in packages.iterdir() if path.name.endswith(".dist-info")]
    except OSError:
        names = []
    found = {_normal(n): v.split("+")[0] for n, _, v in (name.rpartition("-") for name in names)}
    return [name for name, pinned in pins(requirements).items() if found.get(_normal(name)) != pinned]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def torch_backend() -> str:
    """Which PyTorch build: "pip" = whatever plain pip gives; anything else is for `uv --torch-backend` ("auto", "cpu", "cu128", ...)."""
    return os.environ.get("STUDIO_TORCH_BACKEND", "").strip().lower() or ("auto" if graphics_card() else "pip")


def uses_nvidia() -> bool:
    """Whether the PyTorch that is installed computes on an NVIDIA card. Plain pip's does on Linux alone."""
    return graphics_card() == "NVIDIA" and torch_backend() not in (("cpu", "pip") if WINDOWS else ("cpu",))


def graphics_card() -> str:
    """ "NVIDIA", "AMD" or "", judged by what its driver leaves on the disk: this is asked at every start."""
    if WINDOWS:
        system = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32"
        return "NVIDIA" if any((system / name).is_file() for name in ("nvidia-smi.exe", "nvml.dll")) else ""
    if shutil.which("nvidia-smi") or any(Path(p).exists() for p in ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/nvidia-smi")):
        return "NVIDIA"
    return "AMD" if shutil.which("rocminfo") or Path("/opt/rocm").is_dir() else ""


# -- putting it in place


def prepare(with_tests: bool = False) -> None:
    """Make .venv whole, or raise SetupProblem."""
    if is_ready(with_tests):
        return
    with exclusive():
        if is_ready(with_tests):
            return  # the start that we waited for did it
        with open(LOG, "w", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} Python {sys.version} {sys.platform} PyTorch: {torch_backend()}\n")
        make_venv()
        version = venv_version()
        for requirements in layers_of(with_tests):
            if read_stamp(requirements) != stamp_of(requirements, version) or missing_packages(requirements, version):
                install(requirements, version)
        say("Everything is installed.")


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """One start at a time sets up; the next one waits. The system frees the lock if its holder dies."""
    try:
        VENV.mkdir(exist_ok=True)
        file = open(LOCK, "ab")  # noqa: SIM115 - held until the end of the block
    except OSError as error:
        raise SetupProblem(f"{VENV} cannot be written ({error.strerror}). Put the studio into a folder of your own.") from None
    with file:
        if not try_lock(file):
            say("Another start is setting up the studio; waiting for it to finish (Ctrl-C stops waiting).")
            while not try_lock(file):
                time.sleep(0.3)
        yield


def try_lock(file: IO[bytes]) -> bool:
    try:
        if WINDOWS:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def make_venv() -> None:
    """Keep a .venv whose Python and pip work; anything else in its place is made anew."""
    if venv_version() and subprocess.run([VENV_PYTHON, "-m", "pip", "--version"], **_quiet(), env=environment()).returncode == 0:
        say("Bringing the studio's libraries up to date.")
        return
    half_made = VENV_PYTHON.parent.exists()
    say("The environment in .venv is damaged or was left half-made; making it anew." if half_made else "Welcome. This is set up once.")
    if not can_make_venv():
        package = "python{}.{}-venv".format(*sys.version_info)
        raise SetupProblem(f"Python's venv part is missing. Install it (Debian, Ubuntu: sudo apt install {package}), then start again.")
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if "torch" in pins(REQUIREMENTS) and free_gb < NEEDED_GB:
        say(f"Careful: this needs about {NEEDED_GB:.0f} GB, and {free_gb:.1f} GB are free on the disk of {ROOT}.")
    say(f"Making the environment .venv with Python {sys.version_info[0]}.{sys.version_info[1]}...")
    clear_venv()
    # Inside a virtual environment sys.executable would make one that depends on it.
    base = getattr(sys, "_base_executable", sys.executable)
    failure = "The environment .venv could not be made"
    run([base, "-I", "-m", "venv", "--without-pip", VENV], failure)
    run([VENV_PYTHON, "-I", "-m", "ensurepip", "--default-pip"], failure)  # a step of its own: venv would hide why it failed


def clear_venv() -> None:
    """Empty .venv but for the lock that we hold and the log."""
    for path in VENV.iterdir():
        if path in (LOG, LOCK):
            continue
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            sentence = (
                f"{path} cannot be removed ({error.strerror}). Close the studio if it runs, delete the folder .venv, then start again."
            )
            raise SetupProblem(sentence) from None


def install(requirements: Path, version: str) -> None:
    """Install one file of pins and leave its stamp. The stamp goes first: an interrupted install is noticed at the next start."""
    previous = read_stamp(requirements)
    stamp_file(requirements).unlink(missing_ok=True)
    if requirements == TEST_REQUIREMENTS:
        say("Installing what the tests need...")
        pip_install(["-r", str(requirements)], "What the tests need could not be installed")
    elif requirements == TEST_ALONE:
        pip_install(["--no-deps", "-r", str(requirements)], "What the tests need could not be installed")
    elif torch_backend() == "pip":
        first = "torch" in missing_packages(requirements, version)
        say(f"Installing {'PyTorch and the other libraries (7 GB on the disk; 5-20 minutes)' if first else 'what changed'}...")
        pip_install(["-r", str(requirements)], "The libraries could not be installed")
    else:
        install_for_graphics_card(requirements, changed=(previous or {}).get("torch") != torch_backend())
    if requirements == REQUIREMENTS and uses_nvidia():
        install_for_nvidia()
    write_stamp(requirements, version)


def install_for_graphics_card(requirements: Path, *, changed: bool) -> None:
    """PyTorch's build for this driver through uv, then the rest through pip: `torch==2.14.1` is satisfied by 2.14.1+cu128.

    changed: PyTorch may be there in another build, which the same pin would keep.
    """
    torch = [f"{name}=={version}" for name, version in pins(requirements).items() if name in ("torch", "torchvision")]
    say("Step 1 of 3: installing uv, which knows which PyTorch fits...")
    pip_install([UV], "uv could not be installed")
    kind = f" for your {graphics_card()} graphics card" if graphics_card() else ""
    say(f"Step 2 of 3: installing PyTorch{kind} (about 3 GB; 5-20 minutes)...")
    again = [word for pin in torch if changed for word in ("--reinstall-package", pin.split("==")[0])]
    command = [VENV_PYTHON, "-m", "uv", "pip", "install", "--python", VENV_PYTHON, f"--torch-backend={torch_backend()}", *again, *torch]
    run(command, "PyTorch could not be installed (STUDIO_TORCH_BACKEND=pip takes the ordinary build instead)")
    say("Step 3 of 3: installing the other libraries (a few minutes)...")
    pip_install(["-r", str(requirements)], "The libraries could not be installed")


def install_for_nvidia() -> None:
    """What one option needs, and no more than that option is lost with it. Alone: nothing may exchange the PyTorch that was chosen."""
    say("Installing what 8-bit AdamW needs (40 MB)...")
    try:
        pip_install(["--no-deps", "--only-binary=:all:", FOR_NVIDIA], "8-bit AdamW, an option that saves GPU memory, cannot be used here")
    except SetupProblem as problem:
        say(f"{problem} Everything else works. To try again: {VENV_PYTHON} -m pip install --no-deps {FOR_NVIDIA}")


def pip_install(arguments: list[str], failure: str) -> None:
    own_log = ["--log", str(LOG)] if on_terminal() else ["--progress-bar", "off"]
    run([VENV_PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *own_log, *arguments], failure)


def run(command: Sequence[str | Path], failure: str) -> None:
    """Run one step; its output goes to the terminal if there is one, else to the log. SetupProblem says why it failed."""
    command = [str(word) for word in command]
    with open(LOG, "ab+") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        start = log.tell()
        output: dict[str, Any] = {"stdout": sys.stderr} if on_terminal() else {"stdout": log, "stderr": subprocess.STDOUT}
        code = wait(subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment(), cwd=ROOT, **output))
        log.seek(start)
        words = log.read().decode(errors="replace")
    if code:
        raise explain(failure, words)


def wait(process: subprocess.Popen[Any]) -> int:
    """The exit code; without a terminal, a sign of life every minute. Ctrl-C reaches the step too: let it end first."""
    began = time.monotonic()
    try:
        while True:
            try:
                return process.wait(STILL_WORKING_SECONDS)
            except subprocess.TimeoutExpired:
                if not on_terminal():
                    say(f"  still working ({(time.monotonic() - began) / 60:.0f} min)...")
    except KeyboardInterrupt:
        process.wait()
        raise


def explain(failure: str, words: str) -> SetupProblem:
    """The SetupProblem for a failed step, from what pip or uv wrote."""
    for pattern, reason in KNOWN_FAILURES:
        if re.search(pattern, words):
            return SetupProblem(f"{failure}. {reason}, then start again. Details: {LOG}")
    last = next((line.strip() for line in reversed(words.splitlines()) if "error" in line.casefold()), "")
    return SetupProblem(f"{failure}. {last} Details: {LOG}".replace(".  ", ". "), code=1)


def on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _quiet() -> dict[str, Any]:
    return {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


# -- starting


def environment() -> dict[str, str]:
    """The environment of every process that runs in .venv: nothing leaks in from other Pythons, nothing is reported out."""
    unwanted = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {
        "PIP_USER": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "DO_NOT_TRACK": "1",
    }


SIDE_BY_SIDE = ("-n", "logical", "--maxprocesses", "4", "--dist", "worksteal")  # all tests, by several processes


def command_for(arguments: list[str]) -> list[str]:
    """What the launcher's arguments stand for: the studio, the tests, or a command of the library."""
    if not arguments or arguments[0].startswith("-"):
        return [str(ROOT / "app.py"), *arguments]
    if arguments[0] != "test":
        return ["-P", "-m", "studio", *arguments]  # -P: a folder full of photos and scripts must not shadow our modules
    chosen = arguments[1:]
    named = any((ROOT / word.split("::")[0]).exists() for word in chosen if not word.startswith("-"))
    return ["-m", "pytest", *([] if named else ["tests", *SIDE_BY_SIDE]), *chosen]


def start(arguments: list[str]) -> int:
    """Become the program (on Windows: run it and return its exit code)."""
    command = [str(VENV_PYTHON), *command_for(arguments)]
    variables = environment() | {"PYTHONPATH": str(ROOT)}
    if arguments[:1] == ["test"]:
        os.chdir(ROOT)
    if not WINDOWS:
        os.execve(command[0], command, variables)
    with subprocess.Popen(command, env=variables) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the program got the Ctrl-C too, and ends in its own way


def main(verb: str, *arguments: str) -> int:
    with_tests = arguments[:1] == ("test",)
    if verb.startswith("probe"):
        return probe(needs_venv=verb == "probe")
    if verb == "ready":
        return 0 if is_ready(with_tests) else 1
    try:
        prepare(with_tests)
        return start(list(arguments))
    except SetupProblem as problem:
        say(str(problem))
        return problem.code
    except OSError as error:  # a full disk, a folder that may not be written
        problem = explain("The studio could not be set up", f"error: {error}")
        say(str(problem))
        return problem.code
    except KeyboardInterrupt:
        say("Stopped. Start again to go on; what is already downloaded is kept.")
        return 130


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
