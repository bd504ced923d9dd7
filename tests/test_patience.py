"""Requests that never end are cut off, wrong passwords slow down whoever tries them, and other computers are told where the studio is."""

import base64
import contextlib
import socket
import threading
import time

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from studio.ui.serving import patience, security
from studio.ui.serving.patience import FREE_TRIES, MOST_ADDRESSES, MOST_WAIT_SECONDS, PatientProtocol, Tries
from studio.ui.serving.security import Guard, lan_addresses

HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answer(scope, receive, send):
    """An application that waits for the whole request."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await PlainTextResponse(f"{size} bytes")(scope, receive, send)


@pytest.fixture
def port(monkeypatch):
    """Of a server that waits a second for others."""
    for name, seconds in (("HEAD_SECONDS", 1.0), ("BODY_SECONDS", 1.5), ("LOOK_SECONDS", 0.1)):
        monkeypatch.setattr(patience, name, seconds)
    server = uvicorn.Server(uvicorn.Config(answer, port=0, log_level="critical", http=PatientProtocol, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def read_all(connection):
    """What comes until the other side ends the connection."""
    connection.settimeout(30)
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            found += part
    return found


@pytest.mark.parametrize(
    "begun", [b"", b"POST", HEAD, HEAD + b"Content-Length: 9\r\n\r\nhalf"], ids=["nothing", "a word", "half a head", "half a body"]
)
def test_a_request_that_never_ends_is_cut_off(port, begun):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(begun)
        assert b"200 OK" not in read_all(connection)


def test_a_slow_upload_arrives_whole(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD + b"Content-Length: 8\r\nConnection: close\r\n\r\n")
        for _ in range(8):
            time.sleep(0.4)  # in all twice what a silent one may take
            connection.sendall(b"x")
        assert b"8 bytes" in read_all(connection)


def test_a_connection_that_is_kept_serves_the_next_request(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nhi")
            found = b""
            while not found.endswith(b"2 bytes"):
                part = connection.recv(65536)
                assert part, found
                found += part
            time.sleep(1.3)


def signed(password):
    return f"Basic {base64.b64encode(f'me:{password}'.encode()).decode()}"


def asked(guard, password, address="192.168.0.9"):
    """The status that a request for the page gets, 200 if it is let in."""
    refused = guard.refusal("GET", "/", {"host": "127.0.0.1", "authorization": signed(password) if password else ""}, address)
    return refused[0] if refused else 200


def test_wrong_passwords_slow_down_the_computer_they_come_from_and_no_other(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    guard = Guard(answer, lan_password="right")
    assert [asked(guard, "wrong") for _ in range(FREE_TRIES + 1)] == [401] * (FREE_TRIES + 1)
    assert asked(guard, "wrong") == 429 and asked(guard, "right") == 429 and asked(guard, "right", "192.168.0.10") == 200
    now[0] += 2.1
    assert asked(guard, "wrong") == 401 and guard.tries.seconds_to_wait("192.168.0.9") == pytest.approx(4.0)
    now[0] += 4.1
    assert asked(guard, "right") == 200 and asked(guard, "wrong") == 401 and asked(guard, "right") == 200


def test_a_browser_that_has_not_been_asked_yet_is_no_wrong_password():
    guard = Guard(answer, lan_password="right")
    assert {asked(guard, "") for _ in range(3 * FREE_TRIES)} == {401} and asked(guard, "right") == 200


def test_the_wait_and_what_is_remembered_have_bounds(monkeypatch):
    monkeypatch.setattr(patience.time, "monotonic", lambda: 5.0)
    tries = Tries()
    for _ in range(40):
        tries.note_wrong("10.0.0.1")
    assert tries.seconds_to_wait("10.0.0.1") == MOST_WAIT_SECONDS
    for number in range(MOST_ADDRESSES):
        tries.note_wrong(f"10.1.{number // 250}.{number % 250}")
    assert len(tries._known) == MOST_ADDRESSES and tries.seconds_to_wait("10.0.0.1") == 0


def test_other_computers_are_told_an_address_that_is_not_this_computer_s_own(monkeypatch):
    addresses = lan_addresses(7860)
    assert addresses and not any("127.0.0.1" in address for address in addresses) and addresses[0].endswith(":7860")
    monkeypatch.setattr(security.psutil, "net_if_addrs", dict)
    assert lan_addresses(7860) == [f"http://{socket.gethostname()}:7860"]
