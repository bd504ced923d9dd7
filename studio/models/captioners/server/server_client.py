"""Talks to a server: asks, reads the answer as it arrives, and says in words what went wrong. Never through a proxy, never to where it is sent on.

A server may take minutes before its first word, when it loads its model or has no graphics card; then words must keep coming.
"""

import json
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2

from studio.errors import Problem
from studio.models.captioners.family import Answer, Interrupted
from studio.models.captioners.server.server_address import ServerAddress

CONNECT_SECONDS = 5.0
MAX_CHARACTERS = 20_000  # of an answer; more is nonsense
MAX_BYTES = 2_000_000  # of a list of models
TICK_SECONDS = 0.2  # a request to stop is seen this soon
RETRY_SECONDS = 2.0  # between two tries, while a server loads its model
KEPT = "Captions written so far are kept."
# What servers say, in their own words; each was looked up in the program's source or its issues.
_NO_PICTURES = re.compile(
    r"image input is not supported|mmproj|does not support (?:image|vision|multimodal)|image_url\W+ is not supported|unsupported content part"
    r"|missing data required for image input|not a (?:vision|multimodal) model|images? (?:are|is) not supported",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model .{0,80}not found|model_not_found|no models? loaded|unknown model|does not exist", re.IGNORECASE)
_TOO_LONG = re.compile(r"context (?:size|length|window)|exceed_context|too many tokens|n_ctx", re.IGNORECASE)
_LOADING = re.compile(r"loading model|is loading|model is (?:being )?load", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, in seconds: before its first word, between two words, for a whole answer, and until it can be reached."""

    first: float = 300.0
    next: float = 60.0
    whole: float = 600.0
    reach: float = 20.0


USUAL = Patience()


class ServerClient:
    def __init__(self, address: ServerAddress, should_stop: Callable[[], bool] = lambda: False, patience: Patience = USUAL) -> None:
        self.address, self.should_stop, self.patience = address, should_stop, patience
        limits = httpx2.Timeout(CONNECT_SECONDS, read=patience.first, write=60.0)
        # trust_env: a proxy of the environment would carry the pictures away
        self._client = httpx2.Client(timeout=limits, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, body: Mapping[str, Any] | None = None, seconds: float = CONNECT_SECONDS) -> dict[str, Any]:
        """The JSON object of an address; {} where the server has none there. Problem if no server answers at all."""
        try:
            method = "POST" if body is not None else "GET"
            with self._client.stream(method, self.address.root + path, json=body, timeout=seconds) as response:
                if response.status_code != 200:
                    return {}
                read = b""
                for piece in response.iter_bytes():
                    read += piece
                    if len(read) > MAX_BYTES:
                        return {}
            found = json.loads(read)
        except httpx2.ConnectError:
            raise self.not_there() from None
        except httpx2.HTTPError:
            return {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def answer(self, body: Mapping[str, Any]) -> Answer:
        """One answer of /v1/chat/completions. Problem where no other picture would fare better; ValueError where one might."""
        started = time.monotonic()
        while True:
            try:
                return self._read_answer(body)
            except _NotYet as e:
                waited = time.monotonic() - started
                if waited > (self.patience.first if e.is_loading else self.patience.reach):
                    raise self._given_up(e) from None
                self._wait(RETRY_SECONDS if e.is_loading else min(RETRY_SECONDS, self.patience.reach / 4))

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.should_stop():
                raise Interrupted
            time.sleep(min(TICK_SECONDS, left))

    def _read_answer(self, body: Mapping[str, Any]) -> Answer:
        text, ended = "", ""
        for event in self._events({**body, "stream": True}):
            piece, ended = _piece(event), ended or _finish(event)
            text += piece
            if len(text) > MAX_CHARACTERS:
                return Answer(text, False)
        if not text:
            raise ValueError(f"the server at {self.address.where} answered with nothing that can be read")
        if not ended:
            raise ValueError(f"the server at {self.address.where} broke off in the middle of its answer")
        return Answer(text, ended != "length")

    def _events(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What arrives, piece by piece, read by a thread of its own, so that a stop is seen while nothing does."""
        pieces: queue.Queue[dict[str, Any] | Exception | None] = queue.Queue()
        response: list[httpx2.Response] = []
        threading.Thread(target=self._fetch, args=(body, pieces, response), daemon=True).start()
        started, limit = time.monotonic(), self.patience.first
        last = started
        try:
            while True:
                try:
                    piece = pieces.get(timeout=TICK_SECONDS)
                except queue.Empty:
                    self._check(started, last, limit)
                    continue
                last, limit = time.monotonic(), self.patience.next
                self._check(started, last, limit)
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            for opened in response:
                with suppress(Exception):  # the thread may be closing it
                    opened.close()

    def _check(self, started: float, last: float, limit: float) -> None:
        now = time.monotonic()
        if self.should_stop():
            raise Interrupted
        if now - started > self.patience.whole:
            raise ValueError(f"the server at {self.address.where} did not finish its answer in {self.patience.whole:.0f} s")
        if now - last > limit:
            raise ValueError(f"the server at {self.address.where} said nothing for {limit:.0f} s")

    def _fetch(self, body: Mapping[str, Any], pieces: "queue.Queue[Any]", response: list[httpx2.Response]) -> None:
        try:
            with self._client.stream("POST", f"{self.address.root}/v1/chat/completions", json=dict(body)) as opened:
                response.append(opened)
                if opened.status_code != 200:
                    raise self._refused(opened.status_code, _start_of(opened))
                for event in _read_events(opened):
                    pieces.put(event)
            pieces.put(None)
        except httpx2.ConnectError:
            pieces.put(_NotYet(False))
        except httpx2.TimeoutException:
            pieces.put(ValueError(f"the server at {self.address.where} said nothing for {self.patience.first:.0f} s"))
        except httpx2.HTTPError:
            pieces.put(ValueError(f"the server at {self.address.where} broke off in the middle of its answer"))
        except Exception as e:
            pieces.put(e)

    # -- in words

    def _refused(self, status: int, text: str) -> Exception:
        """What an answer with an error means."""
        where = self.address.where
        if 300 <= status < 400:
            return Problem(
                f"The server at {where} sends questions on to another address; that was not followed.",
                cost=KEPT,
                fix="Give the other address.",
            )
        if status == 503 or _LOADING.search(text):
            return _NotYet(True)
        if _NO_PICTURES.search(text):
            fix = "Choose one that can, for example Qwen3-VL; llama.cpp also needs its file for pictures (--mmproj)."
            return Problem(
                f"The model that the server at {where} has can't look at pictures.", cost=KEPT, fix=fix, action="caption-settings"
            )
        if _NO_MODEL.search(text):
            return Problem(
                f"The server at {where} does not have the model that is asked for.",
                cost=KEPT,
                fix="Load it there, or choose another one.",
                action="caption-settings",
            )
        if _TOO_LONG.search(text):
            fix = "Start it with room for more (llama.cpp: -c 8192; Ollama: OLLAMA_CONTEXT_LENGTH=8192)."
            return Problem(f"The question with its pictures is longer than the server at {where} can read.", cost=KEPT, fix=fix)
        if status in (401, 403):
            return Problem(f"The server at {where} asks for a key.", cost=KEPT, fix="Start it without one; the studio sends none.")
        if status in (404, 405):
            return Problem(
                f"What answers at {where} is no server of the kind that writes captions.",
                cost=KEPT,
                fix="Check the address and its port.",
                action="caption-settings",
            )
        return ValueError(f"the server at {where} could not answer (error {status}{': ' + text if text else ''})")

    def _given_up(self, waited: "_NotYet") -> Problem:
        if not waited.is_loading:
            return self.not_there()
        words = f"The server at {self.address.where} is still loading its model after {self.patience.first:.0f} s."
        return Problem(words, cost=KEPT, fix="Wait until it is ready there, then go on.")

    def not_there(self) -> Problem:
        words = f"No server answers at {self.address.where}."
        fix = "Start it (llama-server, ollama serve, or the server of LM Studio), or check the port in its address."
        return Problem(words, cost=KEPT, fix=fix, action="caption-settings")


class _NotYet(Exception):
    """Another try may go better. is_loading: the server is there, and loads its model."""

    def __init__(self, is_loading: bool) -> None:
        super().__init__()
        self.is_loading = is_loading


def _read_events(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    """The JSON objects of an answer that comes in pieces (lines that begin with data:), or of one that comes whole. ValueError for neither."""
    is_stream = "event-stream" in response.headers.get("content-type", "")
    if not is_stream:
        yield _parse(_start_of(response, MAX_BYTES))
        return
    for line in response.iter_lines():
        name, _, value = line.partition(":")
        value = value.strip()
        if name == "error":  # llama.cpp, of what went wrong in the middle
            raise ValueError(f"the server broke off: {value[:200]}")
        if name == "data" and value == "[DONE]":
            yield {"choices": [{"finish_reason": "stop"}]}
            return
        if name == "data":
            yield _parse(value)


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"the server answered with something else than words: {' '.join(text.split())[:80]!r}")
    if found.get("error"):
        raise ValueError(f"the server broke off: {_message(found)[:200]}")
    return found


def _start_of(response: httpx2.Response, most: int = 2_000) -> str:
    """The beginning of an answer, as text; of an error that is JSON, its message."""
    read = b""
    for piece in response.iter_bytes():
        read += piece
        if len(read) >= most:
            break
    text = read[:most].decode("utf-8", "replace")
    if response.status_code == 200:
        return text
    try:
        return _message(json.loads(text))[:300]
    except (ValueError, AttributeError):
        return "" if "<" in text else " ".join(text.split())[:200]


def _message(found: dict[str, Any]) -> str:
    error = found.get("error", found)
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


def _choice(event: Mapping[str, Any]) -> dict[str, Any]:
    choices = event.get("choices")
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def _piece(event: Mapping[str, Any]) -> str:
    """The words of an event; what a model thinks before it answers stands beside them, and is not read."""
    choice = _choice(event)
    part = choice.get("delta") or choice.get("message") or {}
    content = part.get("content") if isinstance(part, dict) else None
    return content if isinstance(content, str) else ""


def _finish(event: Mapping[str, Any]) -> str:
    reason = _choice(event).get("finish_reason")
    return reason if isinstance(reason, str) else ""
