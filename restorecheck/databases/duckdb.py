"""Questions to restored objects: DuckDB over local copies of them, in child processes, and no row value comes back.

Every view is read to its end, once in a run, before anything is asked of it; a file that cannot be read is a finding
about the backup and not an empty table. What the lock and the child close is told in docs/object-queries.md. Nothing
here opens a file of the backup: only children do.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from restorecheck.databases.duckdb_process import Told, told_by_child
from restorecheck.databases.duckdb_views import local_name
from restorecheck.model import Answer, Assertion, Cell, FileView

__all__ = ["ObjectQueries", "local_name"]

GIB = 1024**3
MEMORY = GIB
"""Bytes that DuckDB may use for one question."""

_BESIDES = 2 * GIB
"""Bytes of address space for Python, DuckDB's code, and what DuckDB does not count."""

_DIGEST = re.compile(r"(bool|number|time|date|duration|text):[0-9a-f]{64}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9:.+ -]{1,1100}", re.ASCII)  # numbers, times, spans, truth values; no prose
_CELLS = frozenset({"null", "bool", "number", "time", "date", "duration", "digest", "other"})

Child = Callable[[Mapping[str, Any], float, float], Told]
"""Runs one child: a job, the deadline on the monotonic clock, the seconds of the question → what it said."""

_Views = Mapping[str, tuple[Path, ...]]
_Key = tuple[FileView, tuple[Path, ...]]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What reading a view to its end came to."""

    rows: int = 0
    error: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Given:
    """What all questions of a run share."""

    objects: Path | None
    salt: str
    deadline: float
    within: timedelta
    names: Mapping[Path, str]
    looked: dict[_Key, _Looked]


class ObjectQueries:
    """Asks restored objects. One child process for each question."""

    def __init__(
        self,
        *,
        memory: int = MEMORY,
        threads: int = 2,
        monotonic: Callable[[], float] = time.monotonic,
        child: Child = told_by_child,
        installed: Callable[[], object] = lambda: importlib.util.find_spec("duckdb"),
    ) -> None:
        """`memory` in bytes, of one question; `child` runs one child process; `installed` says whether DuckDB is."""
        self._child = child
        self._installed = installed
        self._memory = memory
        self._threads = threads
        self._monotonic = monotonic

    @staticmethod
    def version() -> str:
        """Return DuckDB's version, empty if it is not installed."""
        try:
            return importlib.metadata.version("duckdb")
        except importlib.metadata.PackageNotFoundError:
            return ""

    def ask(
        self,
        assertions: Sequence[Assertion],
        files: Mapping[str, _Views],
        objects: Path | None,
        salt: str,
        within: timedelta,
        *,
        names: Mapping[Path, str] | None = None,
        tell: Callable[[str], object] = lambda _: None,
    ) -> tuple[Answer, ...]:
        """Ask every question and return one answer for each, in order. Never raises for what files or queries hold.

        `files`: name of an assertion → name of a view → its local files, called as `local_name` says. `objects`: lines
        of JSON, one for each restored object. `names` says which key a file came from, for messages. `tell` is called
        with a sentence for each view that was read to its end. `within` bounds the whole.
        """
        given = _Given(objects, salt, self._monotonic() + within.total_seconds(), within, names or {}, {})
        answers = tuple(self._answer(assertion, files.get(assertion.name, {}), given) for assertion in assertions)
        for (view, paths), looked in given.looked.items():
            if not looked.kind:
                tell(_told(view, paths, looked))
        return answers

    def _answer(self, assertion: Assertion, files: _Views, given: _Given) -> Answer:
        began = self._monotonic()
        answer = self._impossible(assertion, files) or (
            self._asked(assertion, files, given) if began < given.deadline else _not_asked(assertion, given.within)
        )
        return replace(answer, seconds=self._monotonic() - began)

    def _asked(self, assertion: Assertion, files: _Views, given: _Given) -> Answer:
        """Read what was not read yet, and ask."""
        views = [(view, tuple(files.get(view.name, ()))) for view in assertion.files]
        for key in views:
            if (known := given.looked.get(key)) and known.kind:
                return Answer(assertion.name, error=known.error, kind=known.kind)
        told = self._told(assertion, views, given)
        self._learn(views, told, given)
        for key in views:
            if (known := given.looked.get(key)) and known.kind:
                return Answer(assertion.name, error=known.error, kind=known.kind)
        answer = _answer_of(assertion, told, given.within)
        shapeless = [view.name for view, paths in views if _shapeless(view, paths, given.looked)]
        if answer.kind == "missing-object" and shapeless:
            which = f"{', '.join(map(repr, shapeless))} is empty, so that its columns are not known: declare them"
            return replace(answer, error=f"{answer.error}; {which}", kind="question")
        return answer

    def _impossible(self, assertion: Assertion, files: _Views) -> Answer | None:
        """Return the answer of a question that cannot be asked here at all."""
        name = assertion.name
        if not self._installed():
            missing = "DuckDB, which asks restored objects, is not installed: pip install 'restorecheck[objects]'"
            return Answer(name, error=missing, kind="environment")
        for view in assertion.files:
            if view.name.casefold() == "objects":
                taken = "`objects` is the list of objects: give the view another name"
                return Answer(name, error=taken, kind="question")
            if not files.get(view.name) and not view.may_be_empty:
                return Answer(name, error=f"no object is the file of {view.name!r}", kind="missing-object")
        return None

    def _told(self, assertion: Assertion, views: Sequence[_Key], given: _Given) -> Told:
        """Run the child, and once more, with twice the room, if it crashed."""
        told = Told()
        for attempt in (1, 2):
            now = self._monotonic()
            seconds = min(assertion.timeout.total_seconds(), max(given.deadline - now, 0.1))
            job = self._job(assertion, views, given, seconds)
            job["address_space"] = attempt * (self._memory + _BESIDES)
            job["cpu_seconds"] = int(max(given.deadline - now, 1) * self._threads) + 5
            told = self._child(job, given.deadline, seconds)
            if told.ended or told.late or told.flooded or not _crashed(told):
                break
        return told

    def _job(self, assertion: Assertion, views: Sequence[_Key], given: _Given, seconds: float) -> dict[str, Any]:
        return {
            "name": assertion.name,
            "sql": assertion.sql,
            "no_rows": assertion.expect.no_rows,
            "members": assertion.expect.members is not None,
            "salt": given.salt,
            "timeout": seconds,
            "memory": self._memory,
            "threads": self._threads,
            "objects": str(given.objects) if given.objects else "",
            "views": [
                {
                    "name": view.name,
                    "paths": [str(path) for path in paths],
                    "columns": view.columns,
                    "read": (view, paths) not in given.looked,
                }
                for view, paths in views
            ],
        }

    def _learn(self, views: Sequence[_Key], told: Told, given: _Given) -> None:
        """Note what the child found in each view, so that no file is read through twice."""
        by_name = {view.name: (view, paths) for view, paths in views}
        for message in told.messages:
            key = by_name.get(str(message.get("view", "")))
            if key and isinstance(message.get("rows"), int):
                given.looked[key] = _counted(*key, message["rows"])
        trouble = _trouble(told, by_name, given)
        key = by_name.get(told.view or str(told.last.get("view", "")))
        if trouble and key:
            given.looked[key] = trouble


def _not_asked(assertion: Assertion, within: timedelta) -> Answer:
    message = f"not asked: the {within.total_seconds():g} s allowed for all questions were over"
    return Answer(assertion.name, error=message, kind="timeout")


def _counted(view: FileView, paths: tuple[Path, ...], rows: int) -> _Looked:
    if rows or view.may_be_empty:
        return _Looked(rows)
    return _Looked(0, f"{view.name!r} holds no row at all (files: {len(paths):,})", "missing-object")


def _trouble(told: Told, views: Mapping[str, _Key], given: _Given) -> _Looked | None:
    """Return what is wrong with the view that the child was busy with, or None if it came further than views."""
    view = told.view or str(told.last.get("view", ""))
    if told.stage == "ask" or view not in views:
        return None
    if "error" in told.last:
        which = _file_of(str(told.last.get("file", "")), views[view][1], given.names)
        return _Looked(0, f"{view!r}: {which}{told.last['error']}", _kind(told.last))
    if told.late or told.status in (-signal.SIGXCPU, -signal.SIGALRM):
        message = (
            f"{view!r} could not be read to its end within the {given.within.total_seconds():g} s for all questions"
        )
        return _Looked(0, message, "timeout")
    if _crashed(told):
        return _Looked(0, f"{view!r}: the reader crashed on its files, twice", "data-damaged")
    return _Looked(0, *_ending(told))


def _file_of(path: str, paths: tuple[Path, ...], names: Mapping[Path, str]) -> str:
    """Return the beginning of a sentence about one file of a view, if it is known which."""
    for number, candidate in enumerate(paths, 1):
        if str(candidate) == path:
            known = names.get(candidate)
            return f"{known!r}: " if known else f"file {number:,} of {len(paths):,}: "
    return ""


def _answer_of(assertion: Assertion, told: Told, within: timedelta) -> Answer:
    """Return what the child answered, if it has the form of an answer."""
    name = assertion.name
    if "answer" in told.last:
        try:
            return _checked(name, told.last["answer"])
        except (KeyError, TypeError, ValueError):
            return Answer(name, error="the reader answered in a form that cannot be read", kind="internal")
    if _kind(told.last) == "timeout" or told.late or told.status in (-signal.SIGXCPU, -signal.SIGALRM):
        return Answer(
            name, error=f"the query took longer than its timeout of {_span(assertion, within)}", kind="timeout"
        )
    if "error" in told.last:
        return Answer(name, error=str(told.last["error"]), kind=_kind(told.last))
    if _crashed(told):
        return Answer(name, error="the query crashed DuckDB, twice; the files could be read before", kind="question")
    error, kind = _ending(told)
    return Answer(name, error=error, kind=kind)


def _checked(name: str, answer: dict[str, Any]) -> Answer:
    """Return an answer out of what a child said. Raises KeyError, TypeError, ValueError unless it is one."""
    cells = tuple(Cell(cell["kind"], cell["text"], cell["naive"] is True) for cell in answer["cells"])
    for cell in cells:
        form = _DIGEST if cell.kind == "digest" else _PLAIN
        if cell.kind not in _CELLS or not (cell.kind in ("null", "other") or form.fullmatch(cell.text)):
            raise ValueError
    return Answer(
        name,
        int(answer["rows"]),
        answer["more"] is True,
        int(answer["columns"]),
        cells,
        str(answer["error"]),
        str(answer["kind"]),
    )


def _kind(message: Mapping[str, Any]) -> str:
    return str(message.get("kind", "internal" if "error" in message else ""))


def _crashed(told: Told) -> bool:
    """Say whether a child died by a signal that it brought upon itself."""
    return not told.ended and told.status < 0 and -told.status not in (
        signal.SIGKILL, signal.SIGXCPU, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM,
    )  # fmt: skip


def _ending(told: Told) -> tuple[str, str]:
    """Return the error and kind of a child that ended without a word."""
    if told.flooded:
        return "the reader said something that is no answer", "internal"
    if told.status == -signal.SIGKILL:
        return "the reader was killed from outside: most likely the memory of this machine ran out", "limit"
    return f"the reader ended without an answer (status {told.status})", "internal"


def _shapeless(view: FileView, paths: tuple[Path, ...], looked: Mapping[_Key, _Looked]) -> bool:
    known = looked.get((view, paths))
    return not view.columns and known is not None and known.rows == 0


def _span(assertion: Assertion, within: timedelta) -> str:
    return f"{min(assertion.timeout, within).total_seconds():g} s"


def _told(view: FileView, paths: tuple[Path, ...], looked: _Looked) -> str:
    """Return what reading a view to its end has shown, and what it has not."""
    text = f"{view.name}: every value of {looked.rows:,} rows in {len(paths):,} files was decoded"
    if not view.columns and any(".csv" in path.name or ".tsv" in path.name for path in paths):
        text += "; its columns are guessed, so a malformed line may have passed as text: declare columns"
    return text
