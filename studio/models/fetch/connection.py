"""A person's proxy and certificates, which a download goes by: used where they can be, and named in words where they can't. Torch-free."""

import os
from pathlib import Path
from urllib.request import getproxies

import httpx2
from huggingface_hub import get_session

from studio.errors import Problem

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # the first that is set counts
_FIX = "Correct it or take it out of the environment, then start the studio again."


def prepare_connection() -> None:
    """Make the hub library's session for this process, by the environment; Problem that names the setting if it can't be made."""
    leave_out_spare_socks()
    _check_certificates()
    try:
        get_session()
    except (ImportError, ValueError, OSError, httpx2.InvalidURL) as e:  # nothing is sent yet: only settings can be wrong
        raise _unusable() from e


def leave_out_spare_socks() -> None:
    """Desktops set a SOCKS proxy for all else beside those for http and https, which are all that a download needs."""
    proxies = getproxies()
    if all(_scheme(proxies.get(kind, "none://")) in ("http", "https") for kind in ("http", "https")):
        for name in [name for name in os.environ if name.casefold() == "all_proxy"]:
            del os.environ[name]


def _check_certificates() -> None:
    name = next((name for name in CERTIFICATES if os.environ.get(name)), "")
    if name and not (Path(os.environ[name]).is_dir() if name == "SSL_CERT_DIR" else Path(os.environ[name]).is_file()):
        what = "folder" if name == "SSL_CERT_DIR" else "file"
        raise Problem(f"{name} names a {what} of certificates that is not there: {os.environ[name]}.", fix=_FIX)


def _unusable() -> Problem:
    """The Problem for settings of which no session can be made. A proxy's address is not repeated: it may hold a password."""
    for kind, address in getproxies().items():
        if kind not in ("http", "https", "all"):
            continue
        names = [name for name in os.environ if name.casefold() == f"{kind}_proxy"]
        name = names[-1] if names else f"This computer's proxy setting for {kind}"
        if _scheme(address).startswith("socks"):
            fix = f"Set HTTP_PROXY and HTTPS_PROXY to an HTTP proxy (many programs offer both), or take {name} out, then start the studio again."
            return Problem(f"{name} names a SOCKS proxy, and a download can't go through one.", fix=fix)
        if not _is_proxy(address):
            return Problem(f"{name} holds no address of a proxy that can be used.", fix=f"One looks like http://proxy.example:8080. {_FIX}")
    name = next((name for name in (*CERTIFICATES, "SSLKEYLOGFILE") if os.environ.get(name)), "The computer's store of certificates")
    return Problem(f"{name} can't be used for a secure connection: what it names can't be read.", fix=_FIX)


def _scheme(address: str) -> str:
    return address.partition("://")[0].casefold() if "://" in address else "http"


def _is_proxy(address: str) -> bool:
    try:
        return httpx2.URL(address if "://" in address else f"http://{address}").scheme in ("http", "https")
    except httpx2.InvalidURL:
        return False
