"""What is answered to which request: paths, methods and bodies. Knows no socket.

Nothing of a request is repeated in an answer, no path leads to a file, and nothing but `/-/reload` changes anything;
that one only where it was enabled. An error of ours is one line for the client and a log line for the operator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

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


INDEX = """restorecheck

/-/healthy  GET        the process serves
/-/ready    GET        it can work, and how its parts are (?format=json)
/-/reload   POST, PUT  read the configuration again, where that is enabled
"""

_LOOK, _ACT = ("GET", "HEAD"), ("POST", "PUT")


class Answers:
    """Answers requests, from many threads at once."""

    def __init__(self, probes: Probes, reload: Callable[[], str] | None, patience: float = PATIENCE) -> None:
        self._probes, self._reload, self._patience = probes, reload, patience
        self._probing, self._reloading = threading.Lock(), threading.Lock()

    def to(self, request: Request) -> Answer:
        """Return the answer to a request. Raises nothing."""
        path, _, query = request.target.partition("?")
        routes: dict[str, tuple[tuple[str, ...], Callable[[], Answer]]] = {
            "/": (_LOOK, lambda: Answer(200, INDEX)),
            "/-/healthy": (_LOOK, lambda: Answer(200, "ok\n")),
            "/-/ready": (_LOOK, lambda: self._ready(as_json=_wants_json(query, request.accept))),
            "/-/reload": (_ACT, lambda: self._reloaded(request)),
        }
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
