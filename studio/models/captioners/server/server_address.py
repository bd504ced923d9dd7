"""The address of a server that writes captions, and whether what is sent there stays on this computer. Never goes online."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from studio.errors import Problem

EXAMPLE = "http://127.0.0.1:8080"
_ENDS = ("/chat/completions", "/v1")  # of an address that was copied from another program's settings


@dataclass(frozen=True)
class ServerAddress:
    """root: scheme, host and port, and a path before /v1 where there is one; without a slash at its end."""

    root: str
    host: str
    is_here: bool

    @property
    def where(self) -> str:
        """The host as it is said to people."""
        return urlsplit(self.root).netloc

    def what_leaves(self) -> str:
        """What goes where, in a sentence."""
        if self.is_here:
            return "Nothing leaves this computer: the server runs on it."
        return (
            f"Every photo and eight pictures of every clip, made smaller, leave this computer and go to {self.where}, each with the question about it. "
            "No names, captions or files' names are sent."
        )


def is_address(captioner: str) -> bool:
    """Whether a captioner is named by the address of a server."""
    return captioner.strip().casefold().startswith(("http://", "https://"))


def read_address(text: str, may_leave: bool = False) -> ServerAddress:
    """Problem if it is no address, or one of another computer and the person did not insist."""
    text = text.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_plain = not (parts.username or parts.query or parts.fragment)
    except ValueError:
        is_right = is_plain = False
    if not is_right or not is_plain or any(c.isspace() for c in text):
        raise Problem("The address of the server can't be used.", fix=f"Give one like {EXAMPLE}, without a name and password in it.")
    for end in _ENDS:
        text = text.removesuffix(end).rstrip("/")
    host = str(parts.hostname)
    address = ServerAddress(text, host, _is_loopback(host))
    if not address.is_here and not may_leave:
        raise Problem(
            f"{address.where} is another computer. {address.what_leaves()}",
            cost="Nothing was sent.",
            fix=f"Use a server on this computer, for example {EXAMPLE}, or say that the pictures may leave it.",
            action="caption-settings",
        )
    return address


def _is_loopback(host: str) -> bool:
    """Names but localhost may mean any computer, whatever they mean today."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold().rstrip(".") == "localhost"
