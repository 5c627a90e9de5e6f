"""A small S3 on 127.0.0.1 that keeps what it is sent, records every request, and misbehaves as a test tells it to.

It knows keys and no versions: a version id is part of the name. Nothing here decides anything.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Asked:
    """One request, as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlsplit("x?" + self.target.partition("?")[2]).query, True).items()}


@dataclass
class Answered:
    """What is answered; `cut` bytes of the body at most, and then the connection ends."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    wait: threading.Event | None = None  # before anything is answered
    unlengthed: bool = False  # say nothing of the length, and end the connection behind the body


Act = Callable[[Asked], Answered | None]


@dataclass
class Stored:
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


@dataclass
class ObjectServer:
    """What was asked, in order; what is kept, by `bucket/key`; what goes wrong next."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    kept: dict[str, Stored] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)  # each is asked first; the first that answers counts
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    aborted: list[str] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    written: int = 0  # bytes of answers
    lock: Any = field(default_factory=threading.Lock)

    def keep(self, name: str, body: bytes, **headers: str) -> Stored:
        self.kept[name] = Stored(body, {k.replace("_", "-"): v for k, v in headers.items()})
        return self.kept[name]

    def once(self, answer: Answered, method: str = "") -> None:
        """Answer so once, to the next request (of a method)."""
        left = [answer]
        self.acts.append(lambda asked: left.pop() if left and method in {"", asked.method} else None)

    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]

    def answer(self, asked: Asked) -> Answered:
        with self.lock:
            self.asked.append(asked)
            for act in self.acts:
                found = act(asked)
                if found is not None:
                    return found
            return self._plain(asked)

    def _plain(self, asked: Asked) -> Answered:
        name, query = unquote(asked.path)[1:], asked.query
        if asked.method in {"GET", "HEAD"}:
            return self._found(asked, name, query)
        if asked.method == "DELETE":
            self.aborted.append(query["uploadId"])
            self.uploads.pop(query["uploadId"], None)
            return Answered(204)
        if asked.method == "POST":
            return self._posted(asked, name, query)
        body, source = asked.body, asked.headers.get("x-amz-copy-source")
        if source:
            found = self.kept.get(unquote(source.partition("?versionId=")[0]))
            if found is None:
                return error("NoSuchVersion", 404)
            body = found.body
            if "x-amz-copy-source-range" in asked.headers:
                first, last = asked.headers["x-amz-copy-source-range"].removeprefix("bytes=").split("-")
                body = body[int(first) : int(last) + 1]
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if "uploadId" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            kind = "CopyPartResult"
        else:
            made = {k: v for k, v in asked.headers.items() if k.startswith("x-amz-meta-") or k == "content-type"}
            self.kept[name] = Stored(body, made)
            kind = "CopyObjectResult"
        if source:
            told = f"<ETag>&quot;{etag}&quot;</ETag><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>"
            return Answered(body=f"<{kind}>{told}<ChecksumType>FULL_OBJECT</ChecksumType></{kind}>".encode())
        return Answered(headers={"ETag": f'"{etag}"'})

    def _found(self, asked: Asked, name: str, query: dict[str, str]) -> Answered:
        if "versions" in query:
            return Answered(body=LISTING)
        found = self.kept.get(name)
        if found is None:
            return error("NoSuchKey", 404)
        body, status, headers = found.body, 200, {"ETag": f'"{found.etag}"', **found.headers}
        if wanted := asked.headers.get("range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            until = int(last) + 1 if last else len(body)
            headers["Content-Range"] = f"bytes {first}-{until - 1}/{len(body)}"
            body, status = body[int(first) : until], 206
        return Answered(status, headers, body)

    def _posted(self, asked: Asked, name: str, query: dict[str, str]) -> Answered:
        if "uploads" in query:
            upload = f"upload-{len(self.uploads) + len(self.aborted) + 1}"
            self.uploads[upload] = {}
            made = f"<UploadId>{upload}</UploadId>"
            return Answered(body=f"<InitiateMultipartUploadResult>{made}</InitiateMultipartUploadResult>".encode())
        if "delete" in query:
            return Answered(body=b"<DeleteResult></DeleteResult>")
        parts = self.uploads.pop(query["uploadId"])
        self.kept[name] = Stored(b"".join(parts[number] for number in sorted(parts)))
        told = f"<ETag>&quot;{self.kept[name].etag}-{len(parts)}&quot;</ETag>"
        return Answered(body=f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>".encode())


LISTING = b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"


def error(code: str, status: int, message: str = "no") -> Answered:
    return Answered(status, body=f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kept_by: ObjectServer

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # whoever asked has gone
            self.close_connection = True

    def serve(self) -> None:
        server = self.kept_by
        with server.lock:
            server.open_now += 1
            server.most_open = max(server.most_open, server.open_now)
        try:
            headers = {k.lower(): v for k, v in self.headers.items()}
            self._send(server.answer(Asked(self.command, self.path, headers, self._body())))
        finally:
            with server.lock:
                server.open_now -= 1

    def _body(self) -> bytes:
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # what trails
            pass
        return found

    def _send(self, answer: Answered) -> None:
        if answer.wait is not None:
            answer.wait.wait(30)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.unlengthed:
            self.send_header("Connection", "close")
            self.close_connection = True
        elif answer.status != 204 and "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            body = memoryview(answer.body if answer.cut is None else answer.body[: answer.cut])
            for first in range(0, len(body), 1 << 16):
                self.wfile.write(body[first : first + (1 << 16)])
                self.kept_by.written += len(body[first : first + (1 << 16)])
        if answer.cut is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


for _method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.serve)


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a connection that a test broke off


@contextmanager
def serving() -> Iterator[ObjectServer]:
    server = ObjectServer()
    handler = type("Handler", (_Handler,), {"kept_by": server})
    with _Threads(("127.0.0.1", 0), handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
