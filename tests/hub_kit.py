"""A model hub on this computer: what huggingface_hub asks a real one, with the faults of real ones on order."""

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from safetensors.torch import load, save

from studio.config import PRESETS_DIR
from studio.models.preset import model_preset

MODEL = "wan22-t2v-a14b"
REPOSITORY = model_preset(MODEL).repository
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS_BYTES = 100_000
DECOYS = (  # what a repository holds besides, and nobody needs
    "README.md",
    ".gitattributes",
    "assets/logo.png",
    "transformer/diffusion_pytorch_model.fp16.safetensors",
    "transformer_2/diffusion_pytorch_model.bin",
    "text_encoder/pytorch_model.bin",
    "text_encoder/generation_config.json",
    "tokenizer/spiece.model",
    "wan2.2_t2v_low_noise_14B.safetensors",
)


def make_repository():
    """{name: bytes}: the embedded model under the facts of the A14B, its first expert in two shards, with decoys."""
    files = dict.fromkeys(DECOYS, b"not needed " * 40)
    for path in sorted((PRESETS_DIR / "tiny").rglob("*")):
        name = path.relative_to(PRESETS_DIR / "tiny").as_posix()
        if path.is_file() and name.split("/")[0] not in ("captioner", "observer"):
            files[name] = path.read_bytes()
    for sub in ("transformer", "transformer_2"):
        config = json.loads(files[f"{sub}/config.json"]) | model_preset(MODEL).expect
        files[f"{sub}/config.json"] = json.dumps(config).encode()
    files |= in_shards(load(files.pop("transformer/diffusion_pytorch_model.safetensors")))
    return files


def in_shards(tensors, sub="transformer", stem="diffusion_pytorch_model"):
    names = sorted(tensors)
    shards = {f"{stem}-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    index = {"metadata": {}, "weight_map": {name: shard for shard, part in shards.items() for name in part}}
    below = f"{sub}/" if sub else ""
    written = {f"{below}{shard}": save({name: tensors[name].contiguous() for name in part}) for shard, part in shards.items()}
    return written | {f"{below}{stem}.safetensors.index.json": json.dumps(index).encode()}


@dataclass
class Request:
    method: str
    path: str
    name: str  # of the file asked for, "" for the list
    start: int
    headers: dict
    sent: int = 0


@dataclass
class FakeHub:
    """`with FakeHub(files) as hub`: answers at hub.endpoint and notes every request.

    faults: {name or "" for the list: [fault, ...]}, one for each request of that file, then none. A fault is ("cut", after bytes),
    ("status", code), ("status", code, headers), ("wrong",), ("stall", after bytes), ("no range",), ("endless",), ("text", bytes).
    """

    files: dict
    repository: str = REPOSITORY
    token: str = ""  # required, if there is one
    rate: float = 0.0  # bytes a second
    cdn: object = None  # another FakeHub, to which large files are redirected
    faults: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)

    def __enter__(self):
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self.server.daemon_threads = True
        self.server.block_on_close = False
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def asked(self, name=None):
        """The requests for the bytes of files, or of one."""
        return [r for r in self.requests if r.name and (name is None or r.name == name)]

    def sent(self, name=None):
        return sum(r.sent for r in self.asked(name))

    def listing(self):
        siblings = []
        for name, data in self.files.items():
            entry = {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
            if len(data) >= LFS_BYTES:
                entry["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 134}
            siblings.append(entry)
        return {
            "id": self.repository,
            "modelId": self.repository,
            "sha": COMMIT,
            "private": False,
            "gated": False,
            "tags": [],
            "siblings": siblings,
        }


def _make_handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def answer(self):
            path = unquote(urlsplit(self.path).path)
            found = re.fullmatch(rf"/{hub.repository}/resolve/([^/]+)/(.+)", path)
            name = found[2] if found else path.removeprefix("/cdn/") if path.startswith("/cdn/") else ""
            start = int((re.match(r"bytes=(\d+)-", self.headers.get("range", "")) or [0, 0])[1])
            request = Request(self.command, self.path, name, start, {k.lower(): v for k, v in self.headers.items()})
            hub.requests.append(request)
            fault = (hub.faults.get(name) or [()]).pop(0) if hub.faults.get(name) else ()
            if fault and fault[0] == "status":
                return self.say(fault[1], b'{"error": "no"}', *fault[2:])
            if fault and fault[0] == "text":
                return self.say(200, fault[1])
            if hub.token and self.headers.get("authorization") != f"Bearer {hub.token}" and not path.startswith("/cdn/"):
                code = 403 if self.headers.get("authorization") else 401
                sent = self.headers.get("authorization", "")  # a rude hub repeats what it was sent
                return self.say(code, json.dumps({"error": f"no: {sent}"}).encode(), {"X-Error-Code": "GatedRepo", "X-Error-Message": sent})
            if path == f"/api/models/{hub.repository}/revision/main":
                return self.say(200, json.dumps(hub.listing()).encode(), {"Content-Type": "application/json"})
            if name not in hub.files or (found and found[1] not in (COMMIT, "main")):
                return self.say(404, b'{"error": "Entry not found"}', {"X-Error-Code": "EntryNotFound"})
            if hub.cdn and len(hub.files[name]) >= LFS_BYTES and found:
                return self.say(302, b"", {"Location": f"{hub.cdn.endpoint}/cdn/{name}?signed=1"} | self.facts(name))
            return self.send_file(request, name, fault or ("",))

        def say(self, code, body, headers=()):
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **dict(headers)}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def facts(self, name):
            data = hub.files[name]
            etag = hashlib.sha256(data).hexdigest()
            return {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"', "X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data))}

        def send_file(self, request, name, fault):
            data, start = hub.files[name], 0 if fault[0] == "no range" else request.start
            if start >= len(data) and start:
                return self.say(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            body = data[start:]
            if fault[0] == "wrong":
                body = body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1 :]
            self.send_response(206 if start else 200)
            headers = self.facts(name) | {"Accept-Ranges": "bytes"}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            if fault[0] == "endless":
                headers["Connection"] = "close"
                body *= 3
            else:
                headers["Content-Length"] = str(len(body))
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "HEAD":
                return None
            return self.pour(request, body, fault)

        def pour(self, request, body, fault):
            limit = fault[1] if fault[0] in ("cut", "stall") else len(body)
            piece = 65536 if not hub.rate else max(1024, int(hub.rate / 50))
            for at in range(0, limit, piece):
                part = body[at : min(at + piece, limit)]
                try:
                    self.wfile.write(part)
                except OSError:  # the other side is gone
                    self.close_connection = True
                    return
                request.sent += len(part)
                if hub.rate:
                    time.sleep(len(part) / hub.rate)
            if fault[0] == "stall":
                hub.closing.wait(60)
            if limit < len(body) or fault[0] == "endless":
                self.close_connection = True

    return Handler


def files_below(folder):
    return {p.relative_to(folder).as_posix(): p for p in sorted(Path(folder).rglob("*")) if p.is_file()}
