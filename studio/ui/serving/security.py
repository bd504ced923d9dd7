"""Who may talk to the studio, and of what: this computer only, under its own name, from its own page, at the addresses that the page uses."""

from __future__ import annotations

import base64
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import psutil

from studio.ui.serving.patience import Tries
from studio.ui.serving.routes import is_open

Message = MutableMapping[str, Any]  # an ASGI message, or scope
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
ServerApp = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}


class Guard:
    """ASGI middleware: refuses a foreign Host (DNS rebinding), what another site's page asks for, on a LAN anyone without the password, and
    every address that is no open door."""

    def __init__(self, app: ServerApp, lan_password: str | None = None):
        self.app, self.lan_password, self.tries = app, lan_password, Tries()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            address = (scope.get("client") or ("",))[0]
            refusal = self.refusal(scope.get("method", "WEBSOCKET"), scope["path"], headers, address)
            if refusal:
                return await refuse(scope, send, *refusal)
            return await self.app(scope, receive, with_privacy_headers(send))
        return await self.app(scope, receive, send)

    def refusal(self, method: str, path: str, headers: Mapping[str, str], address: str = "") -> tuple[int, str] | None:
        """(status, sentence) or None. address: of the computer that asks."""
        host = headers.get("host", "")
        if not self.is_own_name(host):
            return 403, f"The studio does not answer to {host[:80]!r}; open it as http://127.0.0.1 with its port."
        if is_from_another_site(headers, host) and not is_visit(method, path, headers):
            return 403, "Another website may not change or read anything here."
        if self.lan_password and (refused := self.ask_password(self.lan_password, headers.get("authorization", ""), address)):
            return refused
        if not is_open(method, path):
            return 404, "The studio has nothing at this address."
        return None

    def ask_password(self, password: str, authorization: str, address: str) -> tuple[int, str] | None:
        """(status, sentence) unless the request brings the password. Guessing gets slower with every wrong one."""
        if wait := self.tries.seconds_to_wait(address):
            return 429, f"Too many wrong passwords came from this computer; try again in {wait:.0f} seconds."
        if knows_password(authorization, password):
            self.tries.note_right(address)
            return None
        if authorization:  # a browser asks once without any
            self.tries.note_wrong(address)
        return 401, "The studio asks for its password."

    def is_own_name(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if host.rsplit(":", 1)[-1].isdigit() else host
        if name.lower() in LOCAL_NAMES:
            return True
        return bool(self.lan_password) and (_is_address(name.strip("[]")) or name.lower() == socket.gethostname().lower())


def lan_addresses(port: int) -> list[str]:
    """Where other computers in the local network find the studio; this computer's name where it has no address."""
    entries = [entry.address for card in psutil.net_if_addrs().values() for entry in card if entry.family == socket.AF_INET]
    own = [address for address in map(ipaddress.ip_address, entries) if not (address.is_loopback or address.is_link_local)]
    return [f"http://{address}:{port}" for address in sorted(own, key=str)] or [f"http://{socket.gethostname()}:{port}"]


def knows_password(authorization: str, password: str) -> bool:
    try:
        user_and_password = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
    except ValueError:
        return False
    return secrets.compare_digest(user_and_password.partition(":")[2].encode(), password.encode())


def is_from_another_site(headers: Mapping[str, str], host: str) -> bool:
    """Whether the page of another website asks, or that of another program on this computer: by what browsers say of a request.

    Our own page names itself nowhere but in Origin (the studio sends no Referer), and an address that a person typed comes from nobody.
    """
    if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
        return True
    named = [headers[name] for name in ("origin", "referer") if headers.get(name)]
    return any(address.split("://", 1)[-1].split("/", 1)[0] != host for address in named)


def is_visit(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """A link that a person followed to the page itself: it opens, as every website does, and the one that linked learns nothing."""
    is_navigation = headers.get("sec-fetch-mode", "navigate") == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
    return method in ("GET", "HEAD") and path == "/" and "origin" not in headers and is_navigation


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def with_privacy_headers(send: Send) -> Send:
    """Nothing of the studio may be framed, sniffed, or named to other sites."""
    extra = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *extra]
        await send(message)

    return send_with_headers


async def refuse(scope: Message, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Likeness Studio", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
