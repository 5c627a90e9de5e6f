"""Who is told and where numbers are sent, as values: receivers, the rules of telling, exports of metrics.

An address may hold a secret, so none is shown: `repr` has none, and a file is read when something is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from restorecheck.errors import RestorecheckError


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that must not be shown: as it was written, or the content of a file, which may change while we serve."""

    text: str = field(default="", repr=False)
    file: Path | None = None  # absolute

    def read(self) -> str:
        """Return the text without white space around it. Raises RestorecheckError `config` if the file is none."""
        if self.file is None:
            return self.text
        try:
            found = self.file.read_text("utf-8").strip()
        except (OSError, ValueError) as e:
            raise RestorecheckError(
                f"{self.file} cannot be read", "it must hold one line, and be readable for us", kind="config"
            ) from e
        if not found or any(not c.isprintable() for c in found):
            raise RestorecheckError(f"{self.file} must hold one line of text", kind="config")
        return found

    def __bool__(self) -> bool:
        return bool(self.text) or self.file is not None


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Every replica of an Alertmanager; all are told, never a balancer before them."""

    name: str
    urls: tuple[str, ...]  # http://host:9093, without /api
    token: Secret | None = None  # sent as a bearer token
    type: Literal["alertmanager"] = "alertmanager"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Anybody who takes what Alertmanager sends to a webhook."""

    name: str
    url: Secret
    token: Secret | None = None
    type: Literal["webhook"] = "webhook"


@dataclass(frozen=True, slots=True)
class Sns:
    """A topic of Amazon SNS."""

    name: str
    topic: str  # ARN
    type: Literal["sns"] = "sns"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A dead man's switch of the healthchecks.io protocol. `{check}` in the address stands for the check's name."""

    name: str
    url: Secret
    type: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True)
class Apprise:
    """Whatever the library apprise can reach: chat, mail, on-call services."""

    name: str
    url: Secret
    type: Literal["apprise"] = "apprise"


AnyReceiver = Alertmanager | Webhook | Sns | Heartbeat | Apprise


@dataclass(frozen=True, slots=True)
class Notify:
    """When people are told, and what is said beside the facts."""

    repeat: timedelta = timedelta(hours=4)  # while a trouble lasts
    escalate_after: int = 3  # failed runs in a row; then `escalate_to` are told as well
    escalate_to: tuple[str, ...] = ()
    service: tuple[str, ...] = ()  # receivers of what is about the service and no check
    heartbeat: str = ""  # the heartbeat that says that the service itself lives; empty: none
    heartbeat_every: timedelta = timedelta(minutes=5)
    test: timedelta = timedelta(days=7)  # how often every receiver is tried
    link: str = ""  # where this service is reached, for links in what is told; empty: no links
    runbooks: str = ""  # where the runbooks are, without a slash at its end; empty: where this service shows them


@dataclass(frozen=True, slots=True)
class Exports:
    """Where numbers are sent that nobody scrapes."""

    every: timedelta = timedelta(minutes=1)
    textfile: Path | None = None  # absolute; of node_exporter's textfile collector
    pushgateway: str = ""  # http://host:9091
    emf: str = ""  # namespace of CloudWatch's embedded metric format, written to standard output; empty: none
