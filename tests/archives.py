"""Archives, noise, and a server that misbehaves as asked, for tests of downloads."""

import contextlib
import gzip
import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


def archive_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def noise(length: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(length)


class Server:
    """Answers like Zenodo; `faults` says what goes wrong with the next transfers of a file."""

    def __init__(self, files: dict[str, bytes]):
        self.files = files
        self.faults: list[str] = []
        self.requests: list[tuple[str, str | None]] = []
        self.checksum_kind = "md5"
        self.sent_bytes = 0
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self):
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def record(self) -> bytes:
        entries = [
            {
                "key": name,
                "size": len(content),
                "checksum": f"{self.checksum_kind}:{hashlib.md5(content).hexdigest()}",
                "links": {"self": f"{self.url}/files/{name}/content"},
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"files": entries}).encode()

    def answer(self, request):
        self.requests.append((request.path, request.headers.get("Range")))
        if request.path.startswith("/api/records/"):
            if self.faults and self.faults[0] in ("endless", "packed"):
                return self.send_without_length(request, self.record(), self.faults.pop(0))
            return self.send(request, 200, self.record(), {})
        content = self.files[request.path.split("/")[2]]
        fault = self.faults.pop(0) if self.faults else ""
        start = int((request.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        if fault == "no range":
            start = 0
        if fault == "refused":
            return self.send(request, 503, b"", {})
        if fault == "damaged":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if fault == "too short":
            content = content[:-10]
        if fault in ("endless", "packed"):
            return self.send_without_length(request, content, fault)
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        body = content[start:]
        sent = body[: len(body) // 2] if fault in ("cut", "stall") else body
        self.send(request, 206 if start else 200, sent, span if start else {}, len(body))
        if fault == "stall":
            self.closing.wait(60)

    @staticmethod
    def send(request, status, body, headers, length=None):
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def send_without_length(self, request, content, fault):
        """Send what is asked for and then more and more, or a little that unpacks to a lot."""
        request.send_response(200)
        if fault == "packed":
            content = gzip.compress(content + bytes(20_000_000))
            request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(content)
            while fault == "endless" and self.sent_bytes < 10**9:
                self.sent_bytes += request.wfile.write(bytes(1 << 16))
