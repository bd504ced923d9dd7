"""Run by hand: how long from `./launch.sh --no-browser` to the first page, in a set-up studio with a workspace of its own. Prints JSON.

.venv/bin/python tests/benchmarks/warm_start.py [--runs 3]
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
LAUNCHER = ROOT / "launch.sh"
GIVE_UP_SECONDS = 120


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="starts to measure")
    runs = parser.parse_args().runs
    measure_overhead()  # an environment that is not yet set up is set up here, outside the measurement
    overheads = [measure_overhead() for _ in range(runs)]
    with tempfile.TemporaryDirectory() as home:
        pages = [measure_first_page(Path(home)) for _ in range(runs)]
    report = {
        "seconds_to_first_page": [round(wall, 2) for wall, _ in pages],
        "median_seconds_to_first_page": round(statistics.median(wall for wall, _ in pages), 2),
        "median_cpu_seconds_to_first_page": round(statistics.median(cpu for _, cpu in pages), 2),
        "launcher_overhead_seconds": round(statistics.median(overheads), 3),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(report))


def measure_overhead():
    """Seconds that the launcher adds: `launch --help` less the same by app.py itself."""
    environment = dict(os.environ, CI="true")
    through_launcher = seconds([LAUNCHER, "--help"], environment)
    return through_launcher - seconds([sys.executable, ROOT / "app.py", "--help"], environment)


def seconds(command, environment):
    began = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def measure_first_page(home):
    """(Seconds, processor seconds) from the command to the first page with status 200: on a busy machine only the second counts.

    The first run in `home` is the slowest: the demo project is made beside it.
    """
    port = free_port()
    began = time.perf_counter()
    command = [LAUNCHER, "--no-browser", "--port", str(port), "--home", home]
    studio = subprocess.Popen(command, env=dict(os.environ, CI="true"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(port):
            if studio.poll() is not None:
                raise SystemExit(f"the studio ended with code {studio.returncode}; run {LAUNCHER.name} to see why")
            if time.perf_counter() - began > GIVE_UP_SECONDS:
                raise SystemExit(f"no page after {GIVE_UP_SECONDS} s")
            time.sleep(0.02)
        spent = psutil.Process(studio.pid).cpu_times()
        return time.perf_counter() - began, sum(spent[:4])  # its own, and that of the programs it ran
    finally:
        studio.send_signal(signal.SIGINT)
        studio.wait()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
            return page.status == 200 and bool(page.read())
    except (urllib.error.URLError, ConnectionError):
        return False


if __name__ == "__main__":
    main()
