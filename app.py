"""Starts the studio's window. `./launch.sh` (Windows: `launch.bat`) runs this in the right environment."""

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

DEFAULT_PORT = 7860


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 closed, or already running elsewhere; 2 a mistake that a person can mend; 1 a fault."""
    options = parse(arguments)
    if options.home:
        os.environ["STUDIO_HOME"] = str(Path(options.home).expanduser().resolve())  # the worker processes inherit it
    try:
        return run(options)
    except KeyboardInterrupt:
        return 0
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "studio":
            return fail(error, 1)
        return tell(
            f"{error.name} is not installed in this Python. Start with ./launch.sh (Windows: launch.bat): it sets up what is needed."
        )
    except ValueError as error:
        return tell(sentence(error))
    except Exception as error:
        return fail(error, 1)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="launch",
        description="Likeness Studio: teach WAN 2.2 one person, on your own GPU.",
        epilog="launch doctor, launch demo, ...: the same without a window; see launch doctor --help.",
    )
    parser.add_argument("--port", type=port_number, help=f"port on this computer (default {DEFAULT_PORT}, or the next free one)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.add_argument("--home", metavar="DIR", help="folder of the workspace (default: STUDIO_HOME, else workspace beside app.py)")
    parser.add_argument("--share-on-lan", action="store_true", help="let other computers in the local network in, with a password")
    parser.add_argument("--password", help="the password for --share-on-lan (better: the variable STUDIO_LAN_PASSWORD)")
    return parser.parse_args(arguments)


def port_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 1 to 65535")
    return int(text)


def run(options: argparse.Namespace) -> int:
    from studio import surroundings
    from studio.ui import instance
    from studio.workspace import Workspace, default_home

    password = lan_password(options)
    workspace = Workspace(default_home())
    check_writable(workspace.home)
    running = instance.find_running(workspace)
    if running:
        return point_to(running, options)
    wanted = options.port or DEFAULT_PORT
    port = instance.choose_port(wanted, fixed=options.port is not None, host="0.0.0.0" if password else instance.LOOPBACK)
    if port != wanted:
        print(f"Port {wanted} is in use by another program; taking {port}.", file=sys.stderr)
    try:
        with instance.claim(workspace, port):
            print("Starting the studio...", file=sys.stderr, flush=True)
            surroundings.put_aside(os.environ)
            from studio.ui.app import serve  # takes seconds: gradio

            serve(workspace, port=port, open_browser=not options.no_browser, **({"lan_password": password} if password else {}))
    except instance.AlreadyRunning as other:  # both were started in the same moment
        return point_to(other.url, options)
    return 0


def point_to(url: str, options: argparse.Namespace) -> int:
    from studio.ui.instance import open_in_browser

    print(f"The studio already runs at {url}")
    if not options.no_browser:
        open_in_browser(url)
    return 0


def lan_password(options: argparse.Namespace) -> str:
    """The password when the studio is to be shared, else ""."""
    if not options.share_on_lan:
        return ""
    password = options.password or os.environ.get("STUDIO_LAN_PASSWORD", "")
    if not password:
        raise ValueError("--share-on-lan needs a password: set STUDIO_LAN_PASSWORD, or add --password")
    return password


def check_writable(home: Path) -> None:
    """ValueError in words if the workspace cannot be made or written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise ValueError(f"the workspace {home} cannot be written ({error.strerror}); choose another folder with --home") from None


def sentence(error: ValueError) -> str:
    fix = getattr(error, "fix", "")
    return f"{error}; {fix}" if fix else str(error)


def tell(text: str, code: int = 2) -> int:
    print(text, file=sys.stderr)
    return code


def fail(error: Exception, code: int) -> int:
    """A fault of ours: a sentence for the person, the traceback in a file beside their work."""
    from studio.workspace import default_home

    file = default_home() / "studio-fault.txt"
    details = f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{''.join(traceback.format_exception(error))}"
    try:
        file.write_text(details, encoding="utf-8")
    except OSError:
        return tell(details, code)
    return tell(f"The studio could not go on: {error}. Your work is safe in its folders. Details: {file}", code)


if __name__ == "__main__":
    sys.exit(main())
