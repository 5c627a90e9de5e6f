"""A tiny AWS on 127.0.0.1 that records what it is asked and answers what a test scripts: to see what was *sent*.

It speaks the query protocol (RDS, STS, EC2). Nothing here decides anything.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import pytest

Answer = tuple[int, str]


@dataclass
class Recorder:
    """What was asked, in order, and what is answered: the script of an action, its last answer repeated."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    script: dict[str, list[Answer]] = field(default_factory=dict)

    @property
    def actions(self) -> list[str]:
        return [params.get("Action", "?") for params in self.asked]

    def answer(self, action: str, *answers: Answer) -> None:
        self.script[action] = list(answers)

    def next(self, params: dict[str, str]) -> Answer:
        self.asked.append(params)
        answers = self.script.get(params.get("Action", ""), [])
        if not answers:
            return result(params.get("Action", ""), "")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def recording() -> Iterator[Recorder]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status, text = recorder.next(dict(parse_qsl(body)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorder.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


# --- answers ----------------------------------------------------------------------------------------------------


def result(action: str, inner: str) -> Answer:
    return 200, f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"


def error(code: str, message: str = "", status: int = 400) -> Answer:
    return status, (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    )


def xml(value: Any, item: str = "member") -> str:
    """Return values as the query protocol writes them; a list is named by the pair (item, list)."""
    if isinstance(value, Mapping):
        return "".join(f"<{key}>{xml(inner)}</{key}>" for key, inner in value.items())
    if isinstance(value, tuple):
        name, items = value
        return "".join(f"<{name}>{xml(inner)}</{name}>" for inner in items)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))


def tag_list(tags: Mapping[str, str]) -> tuple[str, list[dict[str, str]]]:
    return "Tag", [{"Key": key, "Value": value} for key, value in tags.items()]


def instances(*described: Mapping[str, Any]) -> Answer:
    return result("DescribeDBInstances", xml({"DBInstances": ("DBInstance", list(described))}))


def snapshots(*described: Mapping[str, Any], marker: str = "") -> Answer:
    more = {"Marker": marker} if marker else {}
    return result("DescribeDBSnapshots", xml({"DBSnapshots": ("DBSnapshot", list(described)), **more}))


def clusters(*described: Mapping[str, Any]) -> Answer:
    return result("DescribeDBClusters", xml({"DBClusters": ("DBCluster", list(described))}))


def cluster_snapshots(*described: Mapping[str, Any]) -> Answer:
    held = {"DBClusterSnapshots": ("DBClusterSnapshot", list(described))}
    return result("DescribeDBClusterSnapshots", xml(held))


def identity(account: str) -> Answer:
    return result("GetCallerIdentity", xml({"Account": account, "Arn": f"arn:aws:sts::{account}:assumed-role/r/s"}))


def assumed(account: str, lasts: timedelta = timedelta(hours=1)) -> Answer:
    credentials = {
        "AccessKeyId": f"ASIA{account}",
        "SecretAccessKey": "secret",
        "SessionToken": "token",
        "Expiration": datetime.now(UTC) + lasts,
    }
    user = {"AssumedRoleId": "AROA:s", "Arn": f"arn:aws:sts::{account}:assumed-role/r/s"}
    return result("AssumeRole", xml({"Credentials": credentials, "AssumedRoleUser": user}))


def plain_environment(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Leave nothing of the machine's own AWS settings, and no waiting between tries."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(directory / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(directory / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda bucket: True)
