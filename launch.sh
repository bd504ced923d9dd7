#!/bin/sh
# Likeness Studio: finds a Python 3.11-3.13 and hands over to studio/bootstrap.py, which makes .venv when needed and starts what was asked for.
#   ./launch.sh [--port N] [--no-browser] [--home DIR]     ./launch.sh test     ./launch.sh <command> ...
unset CDPATH
{ : <&0; } 2>/dev/null || exec 0</dev/null # a closed stdin would hand its number to the next file that is opened

root=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P) || exit 1
bootstrap=$root/studio/bootstrap.py
venv_python=$root/.venv/bin/python

start() {
    python=$1
    shift
    exec "$python" -I -X utf8 "$bootstrap" start "$@"
}

if [ -x "$venv_python" ] && "$venv_python" -I -S "$bootstrap" ready "$@" >/dev/null 2>&1; then
    start "$venv_python" "$@"
fi

for candidate in python3.13 python3.12 python3.11 python3 python "$venv_python"; do
    python=$("$candidate" -I "$bootstrap" probe 2>/dev/null) && start "$python" "$@"
done

if command -v uv >/dev/null 2>&1; then
    echo "No Python 3.11-3.13 is installed; uv fetches Python 3.12." >&2
    uv python install 3.12 >&2 && python=$(uv python find --system 3.12) && start "$python" "$@"
fi

for candidate in python3.13 python3.12 python3.11 python3 python; do # one without venv: bootstrap.py says what to install
    python=$("$candidate" -I "$bootstrap" probe-version 2>/dev/null) && start "$python" "$@"
done

echo "Likeness Studio needs Python 3.11, 3.12 or 3.13 (64-bit), and none was found: install it (Debian, Ubuntu: sudo apt install python3 python3-venv; Fedora: sudo dnf install python3.12), then start again." >&2
exit 2
