"""What is answered to which request: paths, methods and bodies. Knows no socket.

Nothing of a request is repeated in an answer, no path leads to a file (a runbook is one of the names that there are),
and nothing but `/-/reload` changes anything; that one only where it was enabled. An error of ours is one line for the
client and a log line for the operator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from restorecheck import logs
from restorecheck.errors import RestorecheckError
from restorecheck.web.readiness import NOT_READY, Aspect, Probes, ready, ready_json

log = logs.get("web")

PATIENCE = 5.0
"""Seconds that a request waits for another one that asks the same; then it is told so, and no thread is kept."""


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request counts."""

    method: str
    target: str  # path and query, as sent
    accept: str = ""
    from_page: bool = False  # a web page in a browser sent it


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `allow` names the methods that would have been right."""

    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"
    allow: str = ""


class Runbooks(Protocol):
    """Who knows the runbooks: one page of Markdown for each alert and notice."""

    def names(self) -> Sequence[str]:
        """Return the names of all of them."""

    def runbook(self, name: str) -> str | None:
        """Return one of them; None: there is none of this name."""


INDEX = """restorecheck

/metrics    GET        figures, as Prometheus reads them
/runbooks/  GET        what to do when an alert fires; /runbooks/NAME is one of them
/-/healthy  GET        the process serves
/-/ready    GET        it can work, and how its parts are (?format=json)
/-/reload   POST, PUT  read the configuration again, where that is enabled
"""

METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The format of `/metrics`, as Prometheus names it."""

_LOOK, _ACT = ("GET", "HEAD"), ("POST", "PUT")
_RUNBOOKS = "/runbooks/"


class Answers:
    """Answers requests, from many threads at once."""

    def __init__(
        self,
        probes: Probes,
        reload: Callable[[], str] | None,
        patience: float = PATIENCE,
        *,
        metrics: Callable[[], str] | None = None,
        runbooks: Runbooks | None = None,
    ) -> None:
        """`metrics` returns the text of a scrape; what is None is not there, or not enabled."""
        self._probes, self._reload, self._patience = probes, reload, patience
        self._metrics, self._runbooks = metrics, runbooks
        self._probing, self._reloading, self._measuring = threading.Lock(), threading.Lock(), threading.Lock()

    def to(self, request: Request) -> Answer:
        """Return the answer to a request. Raises nothing."""
        path, _, query = request.target.partition("?")
        routes: dict[str, tuple[tuple[str, ...], Callable[[], Answer]]] = {
            "/": (_LOOK, lambda: Answer(200, INDEX)),
            "/-/healthy": (_LOOK, lambda: Answer(200, "ok\n")),
            "/-/ready": (_LOOK, lambda: self._ready(as_json=_wants_json(query, request.accept))),
            "/-/reload": (_ACT, lambda: self._reloaded(request)),
        }
        if self._metrics is not None:
            routes["/metrics"] = (_LOOK, self._measured)
        if self._runbooks is not None and path.startswith(_RUNBOOKS):
            routes[path] = (_LOOK, lambda: self._runbook(path.removeprefix(_RUNBOOKS)))
        if path not in routes:
            return Answer(404, "nothing is here; / lists what there is\n")
        methods, answer = routes[path]
        if request.method not in methods:
            allow = ", ".join(methods)
            return Answer(405, f"use {allow}\n", allow=allow)
        return answer()

    def _ready(self, *, as_json: bool) -> Answer:
        # One look at a time: parts that hang keep one thread, not one for every probe that comes.
        if not self._probing.acquire(timeout=self._patience):
            return _shown((Aspect("service", ok=False, text="its parts do not answer"),), as_json=as_json)
        try:
            aspects = tuple(replace(a, text=logs.masked(a.text)) for a in self._probes.aspects())
        except Exception:  # the client gets one line, whatever it was
            log.exception("ready.failed")
            return Answer(500, "whether the service is ready could not be found out; the log says why\n")
        finally:
            self._probing.release()
        return _shown(aspects, as_json=as_json)

    def _measured(self) -> Answer:
        assert self._metrics is not None  # noqa: S101 - `to` has seen to it
        if not self._measuring.acquire(timeout=self._patience):  # as with `_ready`
            return Answer(NOT_READY, "another scrape is still going on\n")
        try:
            return Answer(200, self._metrics(), kind=METRICS)
        except Exception:
            log.exception("metrics.failed")
            return Answer(500, "the figures could not be put together; the log says why\n")
        finally:
            self._measuring.release()

    def _runbook(self, name: str) -> Answer:
        """Answer with a runbook, or with the list of all."""
        assert self._runbooks is not None  # noqa: S101 - `to` has seen to it
        try:
            names = self._runbooks.names()
            if not name:
                return Answer(200, "".join(f"{_RUNBOOKS}{one}\n" for one in names))
            text = self._runbooks.runbook(name) if name in names else None
        except Exception:
            log.exception("runbook.failed")
            return Answer(500, "the runbooks cannot be read; the log says why\n")
        return Answer(200, text) if text is not None else Answer(404, f"there is no such runbook; see {_RUNBOOKS}\n")

    def _reloaded(self, request: Request) -> Answer:
        if self._reload is None:
            return Answer(403, "reloading over HTTP is not enabled; send SIGHUP, or enable it\n")
        if request.from_page:
            return Answer(403, "no web page may reload the configuration\n")
        if not self._reloading.acquire(timeout=self._patience):
            return Answer(NOT_READY, "another reload is still going on\n")
        try:
            return Answer(200, logs.masked(self._reload()).rstrip("\n") + "\n")
        except RestorecheckError as e:
            log.warning("reload.refused", error=e)
            lines = [*e.message.splitlines(), *e.hint.splitlines(), "the configuration in use stays as it is"]
            return Answer(500, "".join(f"{logs.masked(line)}\n" for line in lines))
        except Exception:
            log.exception("reload.failed")
            return Answer(500, "the configuration could not be read; the log says why\n")
        finally:
            self._reloading.release()


def _shown(aspects: tuple[Aspect, ...], *, as_json: bool) -> Answer:
    if as_json:
        return Answer(*ready_json(aspects), kind="application/json")
    return Answer(*ready(aspects))


def _wants_json(query: str, accept: str) -> bool:
    """Say whether JSON is asked for: `?format=json`, or accepted and named before plain text."""
    if "format=json" in query.split("&"):
        return True
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    named = [k for k in kinds if k in ("application/json", "text/plain", "text/*", "*/*")]
    return bool(named) and named[0] == "application/json"
