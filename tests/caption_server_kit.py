"""A tiny server that behaves as llama.cpp's, Ollama's and LM Studio's are documented to: a process of its own, on a port of its own.

`python caption_server_kit.py PROGRAM BEHAVIOUR LOG` prints its port. What it is asked is written to LOG, a JSON object a line.
"""

import base64
import io
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWER = "PERSON: wearing a red coat, smiling\nSCENE: a park, soft light"
MODELS = {
    "llama.cpp": ["Qwen3-VL-4B-Q4_K_M.gguf"],
    "ollama": ["llama3.2:3b", "qwen3-vl:235b-cloud", "qwen3-vl:8b"],
    "lm_studio": ["a-llm", "a-vlm"],
    "other": ["some-model"],
}
# What each program says when its model can't look at pictures: (status, body).
REFUSALS = {
    "llama.cpp": (
        500,
        {
            "error": {
                "code": 500,
                "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
                "type": "server_error",
            }
        },
    ),
    "ollama": (400, {"error": {"message": "this model is missing data required for image input", "type": "invalid_request_error"}}),
    "lm_studio": (400, {"error": "Model does not support images. Please use a model that does."}),
    "other": (400, {"error": {"message": "some-model is not a multimodal model"}}),
}


class Handler(BaseHTTPRequestHandler):
    program, behaviour, log = "llama.cpp", "", Path("log")
    protocol_version = "HTTP/1.1"
    asked = 0

    def log_message(self, *args):
        pass

    def do_GET(self):
        found = self.listed()
        self.send(200, found) if found is not None else self.send(404, {"error": "not found"})

    def listed(self):
        names = MODELS[self.program]
        if self.behaviour == "no-models":
            names = []
        if self.path == "/v1/models":
            return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
        if self.program == "llama.cpp" and self.path == "/props":
            return {
                "build_info": "b6500-abc",
                "default_generation_settings": {},
                "modalities": {"vision": self.behaviour != "blind", "audio": False},
            }
        if self.program == "ollama" and self.path == "/api/version":
            return {"version": "0.12.6"}
        if self.program == "ollama" and self.path == "/api/tags":
            return {"models": [{"name": name, "model": name} for name in names]}
        if self.program == "lm_studio" and self.path == "/api/v0/models":
            return {"data": [{"id": name, "type": name.split("-")[-1], "state": "not-loaded"} for name in names]}
        return None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show" and self.program == "ollama":
            name = body["model"]
            can = ["completion", "vision"] if name.startswith("qwen3-vl") else ["completion"]
            return self.send(200, {"capabilities": can} | ({"remote_host": "https://ollama.com"} if name.endswith("-cloud") else {}))
        if self.path != "/v1/chat/completions":
            return self.send(404, {"error": "not found"})
        type(self).asked += 1
        self.note(body)
        return self.complete(body)

    def note(self, body):
        parts = body["messages"][0]["content"]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        sizes = [size_of(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
        kinds = [part["type"] for part in parts]
        line = {
            "model": body["model"],
            "texts": texts,
            "sizes": sizes,
            "kinds": kinds,
            "headers": dict(self.headers),
            "temperature": body["temperature"],
            "max_tokens": body["max_tokens"],
        }
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def complete(self, body):
        behaviour = self.behaviour
        if behaviour == "blind" or (behaviour == "refuses-pictures"):
            return self.send(*REFUSALS[self.program])
        if behaviour == "loading" and self.asked < 3:
            return self.send(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
        if behaviour == "wrong-model":
            return self.send(404, {"error": {"message": f'model "{body["model"]}" not found, try pulling it first', "type": "api_error"}})
        if behaviour == "context":
            return self.send(
                400,
                {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}},
            )
        if behaviour == "redirects":
            self.send_response(307)
            self.send_header("Location", "http://192.0.2.1/v1/chat/completions")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if behaviour == "html":
            return self.send(200, "<html><body>It works!</body></html>", "text/html")
        if behaviour == "empty":
            return self.send(200, {"choices": []})
        if behaviour == "fails-once" and self.asked == 1:
            return self.send(500, {"error": {"message": "CUDA error: out of memory"}})
        if behaviour == "whole":
            return self.send(200, {"choices": [{"message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}]})
        return self.stream(behaviour, body)

    def stream(self, behaviour, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        if behaviour == "thinks":
            self.event({"choices": [{"delta": {"reasoning_content": "The user wants a caption."}, "finish_reason": None}]})
        if behaviour == "endless":
            while True:
                self.event({"choices": [{"delta": {"content": "a wall, " * 200}, "finish_reason": None}]})
        words = ANSWER.split(" ")
        for number, word in enumerate(words):
            if behaviour == "breaks-off" and number == 4:
                self.wfile.flush()
                self.close_connection = True
                return
            if behaviour == "hangs" and number == 4:
                time.sleep(3600)
            if behaviour == "slow":
                time.sleep(0.15)
            self.event({"choices": [{"delta": {"content": word + " "}, "finish_reason": None}]})
        reason = "length" if behaviour == "cut" and body["max_tokens"] < 200 else "stop"
        self.event({"choices": [{"delta": {}, "finish_reason": reason}]})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, data):
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
        self.wfile.flush()

    def send(self, status, data, kind="application/json"):
        body = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def size_of(url):
    from PIL import Image

    kind, _, data = url.partition(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == "data:image/jpeg" and not picture.getexif()
    return list(picture.size)


@contextmanager
def caption_server(program, behaviour, log):
    """The address of a server that runs meanwhile."""
    process = subprocess.Popen([sys.executable, __file__, program, behaviour, str(log)], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def asked(log):
    """What the server was asked, question by question."""
    return [json.loads(line) for line in Path(log).read_text(encoding="utf-8").splitlines()] if Path(log).exists() else []


if __name__ == "__main__":
    Handler.program, Handler.behaviour, Handler.log = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
