"""Who may talk to the studio: this computer only, under its own name, from its own page."""

import base64
import ipaddress
import secrets
import socket

LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Guard:
    """ASGI middleware: refuses a foreign Host (DNS rebinding), a change asked for by another site's page, and on a LAN anyone without the password."""

    def __init__(self, app, lan_password=None):
        self.app, self.lan_password = app, lan_password

    async def __call__(self, scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            refusal = self.refusal(scope.get("method", "GET"), headers)
            if refusal:
                return await refuse(scope, send, *refusal)
            if scope["type"] == "http":
                return await self.app(scope, receive, with_privacy_headers(send))
        return await self.app(scope, receive, send)

    def refusal(self, method, headers):
        """(status, sentence) or None."""
        host = headers.get("host", "")
        if not self.is_own_name(host):
            return 403, f"The studio does not answer to {host[:80]!r}; open it as http://127.0.0.1 with its port."
        origin = headers.get("origin")
        if origin and (method not in SAFE_METHODS or headers.get("upgrade")) and origin.split("://", 1)[-1] != host:
            return 403, "Another website may not change anything here."
        if method not in SAFE_METHODS and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return 403, "Another website may not change anything here."
        if self.lan_password and not self.knows_password(headers.get("authorization", "")):
            return 401, "The studio asks for its password."
        return None

    def is_own_name(self, host):
        name = host.rsplit(":", 1)[0] if host.rsplit(":", 1)[-1].isdigit() else host
        if name.lower() in LOCAL_NAMES:
            return True
        return bool(self.lan_password) and (_is_address(name.strip("[]")) or name.lower() == socket.gethostname().lower())

    def knows_password(self, authorization):
        try:
            user_and_password = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
        except ValueError:
            return False
        return secrets.compare_digest(user_and_password.partition(":")[2].encode(), self.lan_password.encode())


def _is_address(name):
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def with_privacy_headers(send):
    """Nothing of the studio may be framed, sniffed, or named to other sites."""
    extra = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]

    async def send_with_headers(message):
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *extra]
        await send(message)

    return send_with_headers


async def refuse(scope, send, status, text):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Likeness Studio", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
