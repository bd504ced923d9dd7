"""launch.bat, and the start.bat of exports, as Windows' cmd reads them, run by wine. There is no Windows Python here: small programs note how
they were called."""

import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pip._vendor.distlib
import pytest
from test_neighbours import export, put

REPOSITORY = Path(__file__).resolve().parent.parent
STARTER = Path(pip._vendor.distlib.__file__).with_name("t64.exe")  # pip's starter for Windows: runs the command that is appended to it
NO_WINE = "launch.bat is run by wine, which is not installed (Debian: apt-get install --no-install-recommends wine wine64)"
pytestmark = pytest.mark.skipif(os.name == "nt" or not shutil.which("wine"), reason=NO_WINE)
STAND_IN = """@echo off
echo %* >> {calls}
if "%~4"=="probe" goto probe
if "%~5"=="probe" goto probe
if "%~5"=="ready" exit /b {ready}
exit /b {code}
:probe
{probe}
"""


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """The environment of a fresh Windows."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("wine")), "WINEDEBUG": "-all", "LANG": "C.UTF-8"}
    env |= {"WINEPREFIX": env["HOME"] + "/prefix", "WINEDLLOVERRIDES": "mscoree,mshtml="}
    try:
        subprocess.run(["wine", "wineboot", "-i"], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=240)
    except (OSError, subprocess.SubprocessError) as error:  # as on a processor or in a container that it cannot run in
        pytest.skip(f"wine is installed, but does not start here: {error}")
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    keeps_windows_running = subprocess.Popen(["wine", "cmd"], env=env, stdin=subprocess.PIPE, **quiet)  # each start of it takes seconds
    subprocess.run(["wine", "cmd", "/c", "exit"], env=env, stdin=subprocess.DEVNULL, check=True, timeout=240, **quiet)
    yield env
    keeps_windows_running.communicate(b"exit\r\n", timeout=60)
    subprocess.run(["wineserver", "-k"], env=env, **quiet)


class Windows:
    """A studio's folder and a PATH to put programs on."""

    def __init__(self, folder, wine):
        self.root, self.path, self.env = folder / "My (1st) & best! studio", folder / "path", wine
        self.calls_file = folder / "calls.txt"
        (self.root / "studio").mkdir(parents=True)
        self.path.mkdir()
        shutil.copy2(REPOSITORY / "launch.bat", self.root)
        shutil.copy2(REPOSITORY / "studio/bootstrap.py", self.root / "studio")

    def add_program(self, exe, *, probe="echo %~1", ready=0, code=0):
        """An .exe that notes its command line; `probe` is what it does when asked whether it is a fit Python."""
        exe.parent.mkdir(parents=True, exist_ok=True)
        script = self.path.parent / f"{exe.parent.name}-{exe.stem}.bat"
        write_batch(script, STAND_IN.format(calls=windows_path(self.calls_file), ready=ready, code=code, probe=probe))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("__main__.py", "")
        exe.write_bytes(
            STARTER.read_bytes() + f"#!c:\\windows\\system32\\cmd.exe /d /c {windows_path(script)}\r\n".encode() + archive.getvalue()
        )

    def launch(self, *arguments, **options):
        return self.run("launch.bat", *arguments, **options)

    def run(self, batch, *arguments, keys="", folder=None, **variables):
        """The finished process. Its output goes to files: wine's services, should this start them, keep a pipe open after its end."""
        env = self.env | {"WINEPATH": windows_path(self.path)} | variables
        command = ["wine", "cmd", "/c", f".\\{batch}", *arguments]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            done = subprocess.run(command, cwd=folder or self.root, env=env, input=keys.encode(), stdout=out, stderr=err, timeout=120)
            done.stdout, done.stderr = (self._read(file) for file in (out, err))
        return done

    @staticmethod
    def _read(file):
        file.seek(0)
        return file.read().decode(errors="replace").replace("\r\n", "\n")

    def calls(self):
        return [line.strip() for line in self.calls_file.read_text(encoding="utf-8").splitlines()] if self.calls_file.exists() else []


@pytest.fixture
def windows(tmp_path, wine):
    return Windows(tmp_path, wine)


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


def write_batch(path, text):
    path.write_bytes(text.replace("\n", "\r\n").encode())


def test_it_finds_python_and_hands_over_arguments_and_exit_code(windows):
    windows.add_program(windows.path / "python.exe", code=7)
    done = windows.launch("train", "Anna B", "--json")
    assert done.returncode == 7
    python, bootstrap = windows_path(windows.path / "python.exe"), windows_path(windows.root / "studio/bootstrap.py")
    assert windows.calls() == [f'"{python}" -I "{bootstrap}" probe', f'"{python}" -I -X utf8 "{bootstrap}" start train "Anna B" --json']


def test_the_py_launcher_is_asked_first_for_each_fit_version(windows):
    windows.add_program(windows.path / "python.exe")
    windows.add_program(windows.path / "py.exe", probe=f'if "%~2"=="-3.12" echo {windows_path(windows.path / "python.exe")}')
    assert windows.launch("doctor").returncode == 0
    asked = [call.split()[0:2] for call in windows.calls()]
    assert [words[1] for words in asked] == ["-3.13", "-3.12", "-I"] and asked[2][0].endswith('python.exe"')


def test_a_ready_environment_is_used_at_once(windows):
    windows.add_program(windows.path / "python.exe")
    windows.add_program(windows.root / ".venv/Scripts/python.exe", code=3)
    assert windows.launch("--port", "7999").returncode == 3
    assert all(".venv\\Scripts\\python.exe" in call for call in windows.calls())
    assert [call.rpartition("bootstrap.py")[2] for call in windows.calls()] == ['" ready --port 7999', '" start --port 7999']


def test_a_broken_environment_is_left_to_a_python_outside_it(windows):
    windows.add_program(windows.path / "python.exe")
    windows.add_program(windows.root / ".venv/Scripts/python.exe", ready=1)
    assert windows.launch("doctor").returncode == 0
    assert windows.calls()[-1].startswith(f'"{windows_path(windows.path / "python.exe")}"')


def test_the_store_stand_in_for_python_is_not_fooled_by(windows):
    write_batch(
        windows.path / "python.bat",
        "@echo Python was not found; run without arguments to install from the Microsoft Store.\n@exit /b 9009\n",
    )
    windows.add_program(windows.path / "python3.exe", code=5)
    assert windows.launch("doctor").returncode == 5


def test_without_python_it_says_how_to_get_one(windows):
    windows.add_program(windows.path / "python.exe", probe="exit /b 1")  # for example Python 3.9
    done = windows.launch("doctor")
    assert done.returncode == 2 and done.stdout == ""
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr and "winget install" in done.stderr


def test_without_python_uv_fetches_one(windows):
    windows.add_program(windows.path / "found/python.exe", code=4)
    python = windows_path(windows.path / "found/python.exe")
    windows.add_program(windows.path / "uv.exe")
    write_batch(windows.path.parent / "path-uv.bat", f'@if "%~3"=="find" echo {python}\n')
    done = windows.launch("doctor")
    assert done.returncode == 4 and "uv fetches Python 3.12" in done.stderr


@pytest.mark.parametrize(
    "arguments, variables, waits",
    [((), {}, True), (("doctor",), {}, False), ((), {"CI": "true"}, False), ((), {"STUDIO_NO_PAUSE": "1"}, False)],
)
def test_a_double_clicked_window_stays_open_after_a_failure_only(windows, arguments, variables, waits):
    windows.add_program(windows.path / "python.exe", code=6)
    done = windows.launch(*arguments, keys="\r\n", **variables)
    assert done.returncode == 6
    assert ("press" in done.stdout.casefold()) == waits


def test_the_file_has_windows_line_ends_and_plain_letters():
    data = (REPOSITORY / "launch.bat").read_bytes()
    assert data.isascii() and data.count(b"\n") == data.count(b"\r\n")


def test_uvs_python_is_found_though_its_path_is_not_readable_in_this_console(windows):
    """uv writes UTF-8, which cmd reads in the console's code page: C:\\Users\\Jörg is then another folder."""
    windows.add_program(windows.path / "found/python.exe", code=4)
    python = windows_path(windows.path / "found/python.exe")
    windows.add_program(windows.path / "uv.exe")
    write_batch(
        windows.path.parent / "path-uv.bat",
        f'@if "%~3"=="find" echo C:\\Users\\J+Arg\\python.exe\n@if "%~2"=="run" echo {python}\n',
    )
    assert windows.launch("doctor").returncode == 4


# -- start.bat of exports


@pytest.fixture
def exported(windows, tmp_path):
    """A function: (folder of an export for that trainer, the trainer's own folder with its Python), both with signs that cmd has plans with."""

    def make(to, code=0):
        folder, place = windows.root / "export & (all)", windows.root / "a place & more"
        shutil.copytree(export(tmp_path, to, 3, [], {"steps": 100})[0], folder)
        windows.add_program(place / "venv/Scripts/python.exe", code=code)
        for name in ("run.py", "src/musubi_tuner/wan_train_network.py", "models/wan_2.1_vae.safetensors"):
            put(place / name, "")
        return folder, place

    return make


def test_start_bat_starts_ai_toolkit_with_this_folder_and_hands_back_its_exit_code(windows, exported):
    folder, place = exported("ai-toolkit", code=3)
    done = windows.run("start.bat", windows_path(place), folder=folder)
    python, program = windows_path(place / "venv/Scripts/python.exe"), windows_path(place / "run.py")
    assert (windows.calls(), done.returncode) == ([f'"{python}" "{program}" config.yaml'], 3)


def test_start_bat_takes_musubi_s_steps_one_after_the_other(windows, exported):
    folder, place = exported("musubi")
    done = windows.run("start.bat", windows_path(place), windows_path(place / "models"), folder=folder)
    assert done.returncode == 0, (done.stdout, done.stderr, windows.calls())
    programs = ["wan_cache_latents.py", "wan_cache_text_encoder_outputs.py", "wan_train_network.py", "wan_train_network.py"]
    assert [call.split("musubi_tuner\\")[1].split('"')[0] for call in windows.calls()] == programs
    model = windows_path(place / "models/wan2.2_t2v_low_noise_14B_fp16.safetensors")
    assert windows.calls()[-1].endswith(f'--config_file "low_noise.toml" --dit "{model}"')


def test_start_bat_of_musubi_ends_with_the_step_that_failed(windows, exported):
    folder, place = exported("musubi", code=5)
    assert windows.run("start.bat", windows_path(place), windows_path(place / "models"), folder=folder).returncode == 1
    assert len(windows.calls()) == 1


@pytest.mark.parametrize("to", ["ai-toolkit", "musubi"])
def test_start_bat_says_which_folder_it_needs(windows, exported, to):
    folder, _ = exported(to)
    done = windows.run("start.bat", folder=folder)
    assert done.returncode == 2 and "Name the folder" in done.stdout and windows.calls() == []


def test_start_bat_of_diffusion_pipe_goes_on_in_wsl_with_folders_as_wsl_names_them(windows, exported):
    folder, _ = exported("diffusion-pipe")
    windows.add_program(windows.path / "wsl.exe", code=4)
    done = windows.run("start.bat", "/home/you/diffusion pipe", "/mnt/d/models/Wan", folder=folder)
    wsl = windows_path(windows.path / "wsl.exe")
    assert (windows.calls(), done.returncode) == ([f'"{wsl}" sh ./start.sh "/home/you/diffusion pipe" /mnt/d/models/Wan'], 4)
