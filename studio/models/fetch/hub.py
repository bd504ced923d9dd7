"""The model hub, as far as a download needs it: what a repository holds, and a file's bytes from any place on. The one module that goes online.

A person's token is read at the moment the hub asks for it, is sent, and is never part of a message: what the hub or a library says is
put into our own words, for both may repeat what was sent.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants, get_session, get_token, hf_hub_url
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from studio.errors import Problem
from studio.models.fetch.connection import CERTIFICATES, prepare_connection

Answer = TypeVar("Answer")
TIMEOUT_SECONDS = 15.0  # without a byte
WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)
MAX_WAIT_SECONDS = 300.0  # of what a hub may ask for
_KEPT = "What was fetched is kept."


class ConnectionLost(Exception):
    """Nothing is wrong that another try could not mend. wait_seconds: how long the hub asks to be left alone, at least."""

    def __init__(self, words: str, wait_seconds: float = 0.0) -> None:
        super().__init__(words)
        self.words, self.wait_seconds = words, wait_seconds


class WrongBytes(Exception):
    """What came is not the file that the hub lists."""


@dataclass(frozen=True)
class RemoteFile:
    name: str
    size: int
    sha256: str = ""  # of files in large file storage
    blob_id: str = ""  # git's SHA-1, of all

    @property
    def digest(self) -> str:
        """What tells this version of the file from another."""
        return self.sha256 or self.blob_id or str(self.size)


@dataclass(frozen=True)
class Repository:
    id: str
    commit: str
    files: dict[str, RemoteFile]  # by name
    licence: str = ""  # as its card states it


@contextmanager
def online() -> Iterator[None]:
    """The studio's processes keep the hub's library offline; inside this it may reach out, without telemetry."""
    before = constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY = False, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY = before


class Hub:
    """Asks without a name; with the person's own login only where the hub wants one."""

    def __init__(self, endpoint: str) -> None:
        prepare_connection()
        self.endpoint, self.host = endpoint, urlsplit(endpoint).netloc
        self._token: str | bool = False

    def read_repository(self, repo_id: str, revision: str = "main") -> Repository:
        """Every file of a repository with its size and hashes, at the commit that `revision` is now."""

        def ask() -> ModelInfo:
            api = HfApi(endpoint=self.endpoint, token=self._token)
            return api.model_info(repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS)

        info = self._ask(ask, repo_id)
        try:
            files = [_remote_file(listed) for listed in info.siblings or ()]
            commit = str(info.sha)
            if info.siblings is None or not re.fullmatch(r"[0-9a-f]{7,64}", commit):
                raise ValueError(commit)
        except (TypeError, ValueError, AttributeError):
            raise self._not_a_hub() from None
        licence = getattr(info.card_data, "license", None)
        return Repository(repo_id, commit, {file.name: file for file in files}, licence if isinstance(licence, str) else "")

    def read_file(self, repository: Repository, name: str, max_bytes: int = 20_000_000) -> bytes:
        """The bytes of a small file."""
        file = repository.files[name]
        if file.size > max_bytes:
            raise self._not_a_hub()
        with self.open_file(repository, file) as (_, pieces):
            return b"".join(pieces)

    @contextmanager
    def open_file(self, repository: Repository, file: RemoteFile, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """(first byte, iterator of pieces) of a file from `start` on; the first byte is 0 where the server can't begin in the middle."""
        response = self._ask(lambda: self._request(repository, file, start), repository.id)
        try:
            yield self._first_byte(response, file, start), self._pieces(response, file)
        finally:
            response.close()

    def _request(self, repository: Repository, file: RemoteFile, start: int) -> httpx2.Response:
        url = hf_hub_url(repository.id, file.name, revision=repository.commit, endpoint=self.endpoint)
        headers = build_hf_headers(token=self._token) | {"accept-encoding": "identity"}
        if start:
            headers["range"] = f"bytes={start}-"
        session = get_session()
        response = session.send(session.build_request("GET", url, headers=headers, timeout=TIMEOUT_SECONDS), stream=True)
        try:
            hf_raise_for_status(response)
        except BaseException:
            response.close()
            raise
        return response

    def _first_byte(self, response: httpx2.Response, file: RemoteFile, start: int) -> int:
        if response.status_code != 206:
            return 0
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
        if not found or int(found[1]) != start or found[2] not in ("*", str(file.size)):
            raise WrongBytes(file.name)
        return start

    def _pieces(self, response: httpx2.Response, file: RemoteFile) -> Iterator[bytes]:
        """The body as it arrives; never more than the file has."""
        left = file.size
        try:
            for piece in response.iter_bytes():
                left -= len(piece)
                if left < 0:
                    raise WrongBytes(file.name)
                yield piece
        except httpx2.HTTPError as e:
            raise self._in_words(e, "") from None

    def _ask(self, action: Callable[[], Answer], repo_id: str) -> Answer:
        try:
            return action()
        except httpx2.HTTPError as e:
            if _status(e) not in (401, 403) or self._token or not (token := own_token(self.endpoint)):
                raise self._in_words(e, repo_id) from None
        except (ValueError, KeyError, TypeError):  # a page that wants a login first, or no hub at all
            raise self._not_a_hub() from None
        self._token = token
        return self._ask(action, repo_id)

    def _in_words(self, error: httpx2.HTTPError, repo_id: str) -> Exception:
        """The exception to raise for one of the library's."""
        status = _status(error)
        if status == 416:
            return WrongBytes(repo_id)
        if status in WORTH_ANOTHER_TRY:
            words = "is asked too often (error 429)" if status == 429 else f"can't answer now (error {status})"
            return ConnectionLost(words, _wished_wait(error))
        if status in (401, 403):
            return self._refused(repo_id)
        if status:
            what = "has no such file" if status == 404 else f"refuses it (error {status})"
            return Problem(f"{self.host} {what}: {repo_id}.", cost=_KEPT, fix="Try again later, or use another mirror.")
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            named = next((f", and {name} of your environment" for name in CERTIFICATES if os.environ.get(name)), "")
            return Problem(
                f"The secure connection to {self.host} can't be trusted: its certificate does not hold.",
                cost=_KEPT,
                fix=f"Check the computer's clock, and whether a proxy or a virus scanner looks into the connection{named}.",
            )
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
            return ConnectionLost("can't be reached: this computer seems to be offline, or something blocks the way")
        if isinstance(error, httpx2.TimeoutException):
            return ConnectionLost("does not answer any more")
        return ConnectionLost("broke the connection")

    def _refused(self, repo_id: str) -> Problem:
        page = f"{self.endpoint}/{repo_id}"
        if self._token:
            return Problem(
                f"{self.host} does not let your login read {repo_id}.",
                cost=_KEPT,
                fix=f"Open {page} in a browser with the same account, accept its terms, then try again.",
            )
        return Problem(
            f"{self.host} gives {repo_id} only to people who are logged in, or does not have it.",
            cost=_KEPT,
            fix=f"Accept its terms at {page}, run `hf auth login` (or set HF_TOKEN), then try again.",
        )

    def _not_a_hub(self) -> Problem:
        return Problem(
            f"{self.host} does not answer as a model hub does.",
            cost=_KEPT,
            fix="A network that wants a login first, or a wrong mirror address, does that: open it in a browser to see.",
        )


def own_token(endpoint: str) -> str | None:
    """The token of the person's Hugging Face login (HF_TOKEN, or the library's file); None without one. It never travels unencrypted."""
    token = get_token()
    if not token:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Problem(
            f"{parts.netloc} asks for your login over an unencrypted connection; it was not sent.",
            fix="Use an address that begins with https.",
        )
    if not re.fullmatch(r"[\x21-\x7e]{1,1000}", token):  # a library would repeat it in its complaint
        raise Problem("Your Hugging Face token holds signs that no token has.", fix="Run `hf auth login` again, or set HF_TOKEN anew.")
    return token


def _remote_file(listed: RepoSibling) -> RemoteFile:
    """A listed file; TypeError or ValueError if the list is not a hub's."""
    lfs = listed.lfs
    size, sha256, blob_id = (lfs.size, lfs.sha256, "") if lfs else (listed.size, "", listed.blob_id or "")
    if not isinstance(size, int) or size < 0 or not all(re.fullmatch(r"[0-9a-f]*", text) for text in (sha256, blob_id)):
        raise ValueError(listed.rfilename)
    return RemoteFile(str(listed.rfilename), size, sha256, blob_id)


def _response(error: Exception) -> httpx2.Response | None:
    """What the hub answered; None where it did not."""
    return getattr(error, "response", None)


def _status(error: Exception) -> int:
    response = _response(error)
    return response.status_code if response is not None else 0


def _wished_wait(error: Exception) -> float:
    """Seconds of a Retry-After header; 0.0 without one."""
    response = _response(error)
    text = response.headers.get("retry-after", "") if response is not None else ""
    return min(float(text), MAX_WAIT_SECONDS) if text.isdigit() else 0.0
