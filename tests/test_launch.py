"""The launchers on small stand-in studios: real virtual environments and real pip, but with libraries of a few bytes."""

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
BASE_PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
REPORT = "import json, os, sys; print(json.dumps({'arguments': sys.argv[1:], 'cwd': os.getcwd(), 'python': sys.executable, 'env': dict(os.environ)}))\n"
linux_only = pytest.mark.skipif(os.name == "nt", reason="launch.sh is for Linux; Windows has launch.bat")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder of wheels that pip can choose from."""
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        make_wheel(folder, "tinylib", version, {"tinylib.py": f"version = {version!r}\n"})
    make_wheel(folder, "pytest", "1.0", {"pytest/__main__.py": REPORT})
    make_wheel(folder, "official", "1.0", {"official.py": "name = 'official'\n"}, needs="flash_attn")
    for version in ("2.0", "2.0+cu999"):
        make_wheel(folder, "torch", version, {"torch/__init__.py": f"__version__ = {version!r}\n"})
    uv = "import subprocess, sys\nprint('uv was asked:', *sys.argv[1:])\npip = [sys.executable, '-m', 'pip', 'install', 'torch==2.0+cu999']\nsys.exit(subprocess.call(pip))\n"
    make_wheel(folder, "uv", load_bootstrap().UV.split("==")[1], {"uv/__main__.py": uv})
    return folder


def make_wheel(folder, name, version, files, needs=""):
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={digest(text)},{len(text.encode())}" for path, text in files.items()]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in (files | {f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,"])}).items():
            wheel.writestr(path, text)


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def load_bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", REPOSITORY / "studio/bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Launch:
    """A stand-in studio in a folder, and the computer that it is started on: which programs are on PATH, which wheels pip finds."""

    def __init__(self, root, wheels, tools):
        self.root, self.tools = root, tools
        self.env = {
            "PATH": str(tools),
            "HOME": str(root),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PYTHONPATH": "/nonsense",
            "PYTHONHOME": "/nonsense",
        }

    def __call__(self, *arguments, cwd=None, **changes):
        command = [self.root / "launch.sh", *arguments]
        return subprocess.run(
            command, cwd=cwd or self.root.parent, env=self.env | changes, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def read(self, *arguments, **changes):
        """The report of the program that was started."""
        done = self(*arguments, **changes)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def log(self):
        return self.root / ".venv/setup.log"

    @property
    def stamp(self):
        return self.root / ".venv/studio.json"

    def installed(self):
        """The version of tinylib that the environment has."""
        code = "import tinylib; print(tinylib.version)"
        return subprocess.run([self.root / ".venv/bin/python", "-c", code], capture_output=True, text=True, env={}).stdout.strip()


def make_tools(folder, *, python=True):
    """A PATH with nothing but what launch.sh needs, and one Python."""
    folder.mkdir()
    for name in ("dirname", "readlink"):
        (folder / name).symlink_to(shutil.which(name))
    if python:
        (folder / "python3").symlink_to(BASE_PYTHON)
    return folder


def make_studio(root):
    root.mkdir()
    (root / "studio").mkdir()
    (root / "tests").mkdir()
    shutil.copy2(REPOSITORY / "launch.sh", root)
    shutil.copy2(REPOSITORY / "studio/bootstrap.py", root / "studio")
    texts = {
        "requirements.txt": "# pins\ntinylib==1.0\n",
        "tests/requirements.txt": "pytest==1.0\n",
        "tests/requirements-alone.txt": "official==1.0\n",
        "app.py": REPORT,
        "studio/__init__.py": "",
        "studio/__main__.py": REPORT + "sys.exit(7 if 'fail' in sys.argv else 0)\n",
    }
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def first_start(tmp_path_factory, wheels):
    """(Launch, what its first start printed). Not to be changed: take `launch` for that."""
    folder = tmp_path_factory.mktemp("first start ü")
    launch = Launch(make_studio(folder / "Likeness Stüdio (1)"), wheels, make_tools(folder / "tools"))
    return launch, launch("train", "Anna", "--json", "a b", "ü*", cwd=folder)


@pytest.fixture
def launch(first_start, tmp_path, wheels):
    """A studio that is set up, moved to another folder."""
    original, done = first_start
    assert done.returncode == 0, done.stderr
    shutil.copytree(original.root, tmp_path / "moved ü", symlinks=True)
    (tmp_path / "moved ü/.venv/kept").touch()
    return Launch(tmp_path / "moved ü", wheels, shutil.copytree(original.tools, tmp_path / "tools", symlinks=True))


@linux_only
def test_the_first_start_installs_and_stdout_has_only_the_commands_json(first_start):
    launch, done = first_start
    report = json.loads(done.stdout)
    assert report["arguments"] == ["train", "Anna", "--json", "a b", "ü*"]
    assert report["cwd"] == str(launch.root.parent)  # relative paths mean what the person meant
    assert report["python"] == str(launch.root / ".venv/bin/python")
    assert launch.installed() == "1.0"
    assert "Making the environment" in done.stderr and "Everything is installed" in done.stderr


@linux_only
def test_programs_run_without_other_pythons_settings_and_without_telemetry(first_start):
    launch, done = first_start
    env = json.loads(done.stdout)["env"]
    assert "PYTHONHOME" not in env and env["PYTHONPATH"] == str(launch.root)
    wanted = {
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "DO_NOT_TRACK": "1",
    }
    assert wanted.items() <= env.items()


@linux_only
def test_the_second_start_does_nothing_but_start_even_in_a_moved_folder(launch):
    before = launch.log.read_bytes()
    done = launch("doctor", PIP_FIND_LINKS="/nowhere")
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout)["python"] == str(launch.root / ".venv/bin/python")
    assert launch.log.read_bytes() == before


@linux_only
def test_flags_go_to_the_window_and_words_to_the_library(launch):
    assert launch.read()["arguments"] == []
    assert launch.read("--port", "7999", "--no-browser", "--home", "x y")["arguments"] == [
        "--port",
        "7999",
        "--no-browser",
        "--home",
        "x y",
    ]
    assert launch("fail").returncode == 7


@linux_only
def test_a_script_in_the_current_folder_does_not_shadow_the_studio(launch, tmp_path):
    for name in ("json.py", "studio.py"):
        (tmp_path / name).write_text("raise SystemExit('wrong file')", encoding="utf-8")
    assert launch.read("doctor", cwd=tmp_path)["arguments"] == ["doctor"]


@linux_only
def test_it_starts_with_stdin_closed_and_through_a_link(launch, tmp_path):
    (tmp_path / "link").symlink_to(launch.root / "launch.sh")
    done = subprocess.run(["/bin/sh", "-c", '"$0" doctor <&-', tmp_path / "link"], env=launch.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arguments"] == ["doctor"]


@linux_only
def test_test_installs_what_tests_need_and_passes_arguments(launch):
    report = launch.read("test", "-q", "-k", "a b")
    assert report["arguments"] == ["tests", *load_bootstrap().SIDE_BY_SIDE, "-q", "-k", "a b"] and report["cwd"] == str(launch.root)
    assert launch.read("test", "tests/requirements.txt::x", PIP_FIND_LINKS="/nowhere")["arguments"] == ["tests/requirements.txt::x"]
    assert list(launch.root.glob(".venv/lib/*/site-packages/official.py"))  # without the library it asks for, which no folder has


@linux_only
def test_a_changed_pin_is_installed_into_the_same_environment(launch):
    (launch.root / "requirements.txt").write_text("tinylib==2.0\n", encoding="utf-8")
    assert "Bringing the studio's libraries up to date" in launch("doctor").stderr
    assert launch.installed() == "2.0" and (launch.root / ".venv/kept").exists()


@linux_only
@pytest.mark.parametrize("damage", ["stamp lost", "stamp torn", "library deleted", "other version"])
def test_a_half_made_environment_is_completed(launch, damage):
    packages = next((launch.root / ".venv/lib").glob("python*/site-packages"))
    if damage == "stamp lost":
        launch.stamp.unlink()
    elif damage == "stamp torn":
        launch.stamp.write_text('{"requ', encoding="utf-8")
    elif damage == "library deleted":
        (packages / "tinylib.py").unlink()
        shutil.rmtree(packages / "tinylib-1.0.dist-info")
    else:
        (packages / "tinylib-1.0.dist-info").rename(packages / "tinylib-1.5.dist-info")
    launch.read("doctor")
    assert launch.installed() == "1.0" and launch.stamp.exists() and (launch.root / ".venv/kept").exists()


@linux_only
def test_an_environment_whose_python_is_gone_is_made_anew(launch):
    (launch.root / ".venv/bin/python").unlink()
    (launch.root / ".venv/bin/python").symlink_to("/nowhere/python")
    assert "making it anew" in launch("doctor").stderr
    assert launch.installed() == "1.0" and not (launch.root / ".venv/kept").exists()


@linux_only
def test_a_failed_install_says_so_in_words_and_the_next_start_goes_on(launch):
    (launch.root / "requirements.txt").write_text("tinylib==3.0\n", encoding="utf-8")
    done = launch("doctor", "--json")
    assert done.returncode == 2 and done.stdout == ""
    assert "no version for this computer" in done.stderr and str(launch.log) in done.stderr and "Traceback" not in done.stderr
    (launch.root / "requirements.txt").write_text("tinylib==2.0\n", encoding="utf-8")
    launch.read("doctor")
    assert launch.installed() == "2.0"


@linux_only
def test_without_a_connection_it_says_so(launch):
    (launch.root / "requirements.txt").write_text("tinylib==3.0\n", encoding="utf-8")
    nobody = dict(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1")
    done = launch("doctor", **nobody)
    assert done.returncode == 2 and "no connection to the internet" in done.stderr


@linux_only
def test_a_second_start_waits_for_the_first_ones_install(launch):
    import fcntl

    launch.stamp.unlink()
    with open(launch.root / ".venv/setup.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [launch.root / "launch.sh", "doctor"], env=launch.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert "waiting for it to finish" in waiting.stderr.readline()
    out, _ = waiting.communicate(timeout=120)
    assert json.loads(out)["arguments"] == ["doctor"] and launch.stamp.exists()


@linux_only
def test_ctrl_c_while_waiting_ends_with_a_sentence(launch):
    import fcntl

    launch.stamp.unlink()
    with open(launch.root / ".venv/setup.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
        waiting = subprocess.Popen([launch.root / "launch.sh", "doctor"], env=launch.env, **options)
        waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        _, words = waiting.communicate(timeout=60)
    assert waiting.returncode == 130 and words == "Stopped. Start again to go on; what is already downloaded is kept.\n"


def hear_ctrl_c():
    """A test run in the background may have been told to ignore it, and what it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@linux_only
def test_with_a_graphics_card_uv_chooses_the_pytorch_build_and_pip_keeps_it(launch):
    add_tool(launch, "nvidia-smi", "echo 'GPU 0: a card'")
    (launch.root / "requirements.txt").write_text("tinylib==1.0\ntorch==2.0\n", encoding="utf-8")
    done = launch("doctor")
    assert done.returncode == 0, done.stderr
    assert "Step 2 of 3: installing PyTorch for your NVIDIA graphics card" in done.stderr
    log = launch.log.read_text(encoding="utf-8")
    assert "--torch-backend=auto --reinstall-package torch torch==2.0" in log
    packages = next((launch.root / ".venv/lib").glob("python*/site-packages"))
    assert (packages / "torch-2.0+cu999.dist-info").is_dir()
    assert launch("doctor", PIP_FIND_LINKS="/nowhere").stderr == ""


def has_for_nvidia(launch):
    name, version = load_bootstrap().FOR_NVIDIA.split("==")
    return any((launch.root / ".venv/lib").glob(f"python*/site-packages/{name}-{version}.dist-info"))


@linux_only
def test_with_an_nvidia_card_8_bit_adamw_s_library_comes_too_and_alone(launch, tmp_path, wheels):
    name, version = load_bootstrap().FOR_NVIDIA.split("==")
    assert launch("doctor").returncode == 0 and not has_for_nvidia(launch)
    make_wheel(shutil.copytree(wheels, tmp_path / "more"), name, version, {f"{name}.py": ""}, needs="something-that-is-nowhere")
    add_tool(launch, "nvidia-smi", "echo 'GPU 0: a card'")
    assert launch("doctor", STUDIO_TORCH_BACKEND="cpu").returncode == 0 and not has_for_nvidia(launch)
    done = launch("doctor", STUDIO_TORCH_BACKEND="pip", PIP_FIND_LINKS=str(tmp_path / "more"))
    assert done.returncode == 0 and "8-bit AdamW" in done.stderr and has_for_nvidia(launch)
    assert launch("doctor", STUDIO_TORCH_BACKEND="pip", PIP_FIND_LINKS="/nowhere").stderr == ""


@linux_only
def test_without_8_bit_adamw_s_library_only_that_option_is_missing_and_no_start_waits_for_it_again(launch):
    add_tool(launch, "nvidia-smi", "echo 'GPU 0: a card'")
    done = launch("doctor", STUDIO_TORCH_BACKEND="pip")
    assert done.returncode == 0 and "8-bit AdamW, an option that saves GPU memory, cannot be used here" in done.stderr
    assert "Everything else works" in done.stderr and "Everything is installed." in done.stderr and not has_for_nvidia(launch)
    assert launch("doctor", STUDIO_TORCH_BACKEND="pip").stderr == ""


@linux_only
def test_the_pytorch_build_can_be_chosen_by_hand(launch):
    add_tool(launch, "nvidia-smi", "echo 'GPU 0: a card'")
    (launch.root / "requirements.txt").write_text("torch==2.0\n", encoding="utf-8")
    assert launch("doctor", STUDIO_TORCH_BACKEND="pip").returncode == 0
    assert json.loads(launch.stamp.read_text(encoding="utf-8"))["torch"] == "pip"
    assert "uv was asked" not in launch.log.read_text(encoding="utf-8")
    assert "--torch-backend=cu999" in (launch("doctor", STUDIO_TORCH_BACKEND="cu999") and launch.log.read_text(encoding="utf-8"))


@linux_only
def test_without_any_python_it_says_how_to_get_one(tmp_path, wheels):
    launch = Launch(make_studio(tmp_path / "new"), wheels, make_tools(tmp_path / "tools", python=False))
    add_tool(launch, "python3", "echo Python 2.7; exit 1")
    done = launch()
    assert done.returncode == 2 and done.stdout == ""
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr and "apt install" in done.stderr


@linux_only
def test_without_any_python_uv_fetches_one(tmp_path, wheels):
    launch = Launch(make_studio(tmp_path / "new"), wheels, make_tools(tmp_path / "tools", python=False))
    add_tool(launch, "uv", f'[ "$2" = find ] && echo "{BASE_PYTHON}" || echo "asked to $*"')
    done = launch("doctor")
    assert done.returncode == 0, done.stderr
    assert "asked to python install 3.12" in done.stderr and json.loads(done.stdout)["arguments"] == ["doctor"]


def add_tool(launch, name, script):
    (launch.tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (launch.tools / name).chmod(0o755)


def test_a_python_without_venv_gets_the_name_of_the_missing_package(monkeypatch, tmp_path):
    bootstrap = load_bootstrap()
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(bootstrap.SetupProblem, match=r"sudo apt install python3\.\d+-venv"):
        bootstrap.make_venv()


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.', OSError())'", "proxy"),
        ("pip._vendor.requests.exceptions.InvalidSchema: Missing dependencies for SOCKS support.", "SOCKS proxy"),
        ("OSError: Could not find a suitable TLS CA certificate bundle, invalid path: /no/such", "file of certificates that is not there"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))", "secure connection"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "no connection"),
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.", "no connection"),
        ("error: client error (Connect): dns error: failed to lookup address information", "no connection"),
        ("ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'torch.dll'", "may not be written"),
        (
            "ERROR: Could not find a version that satisfies the requirement torch==9\nERROR: No matching distribution found for torch==9",
            "no version",
        ),
        ("HINT: This error might have occurred since this system does not have Windows Long Path support enabled.", "path is too long"),
        ("ERROR: Failed building wheel for av", "Python 3.12"),
    ],
)
def test_pips_errors_become_sentences(words, sentence):
    problem = load_bootstrap().explain("The libraries could not be installed", words)
    assert sentence in str(problem) and "setup.log" in str(problem) and problem.code == 2


def test_an_unknown_error_shows_its_own_words_and_the_log():
    problem = load_bootstrap().explain("The libraries could not be installed", "fine so far\nERROR: the moon is in the way\n")
    assert "the moon is in the way" in str(problem) and "setup.log" in str(problem) and problem.code == 1


@pytest.mark.parametrize(
    "path, code_page, printed",
    [
        (r"C:\Users\Jörg\python.exe", 850, rb"C:\Users\J" + b"\x94" + rb"rg\python.exe"),  # cp1252, Python's own choice, has it as F6
        (r"C:\Users\Łukasz\python.exe", 65001, r"C:\Users\Łukasz\python.exe".encode()),
        (r"C:\Users\日本\python.exe", 437, rb"C:\Users\1234~1\python.exe"),
        (r"C:\Users\Anna\python.exe", 99999, rb"C:\Users\1234~1\python.exe"),
    ],
)
def test_the_path_of_python_is_printed_as_the_windows_console_reads_it(path, code_page, printed):
    assert load_bootstrap().console_bytes(path, code_page, lambda path: r"C:\Users\1234~1\python.exe") == printed
