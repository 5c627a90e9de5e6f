"""The [[assert]] tables of a check: rules between their keys and with the source, and the assertions of them.

A question that could only fail for a reason of the check's own (a name that is taken, a table that no file stands for,
a database that nobody named) is refused here, because a restore that took hours would be called broken for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from restorecheck.config import expectation, keys, probes, question, references, samples
from restorecheck.config.assert_shape import SUBJECTS, Assert, Expect
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.document import Document
from restorecheck.config.source_shape import Source
from restorecheck.config.table import Path
from restorecheck.config.values import shown, spoken
from restorecheck.config.world import World
from restorecheck.model import OBJECTIVES, OBSERVATIONS, Assertion, Expectation, FileView, Limits

_TIMEOUT = timedelta(minutes=5)
OBJECTS = "objects"
"""Name of the table of all restored objects."""


def resolve(document: Document[CheckFile], world: World, limits: Limits | None) -> tuple[Assertion, ...]:
    """Return the assertions of a check, as far as they are right, and complain about the rest."""
    found = []
    names: dict[str, int] = {}
    source = document.tree.source or Source()
    for index, said in enumerate(document.tree.asserts or []):
        at: Path = ("assert", index)
        _named(document, index, said, names)
        _of_source(document, at, said, source)
        _subject(document, at, said)
        probes.judge(document, at, said, source)
        samples.judge(document, at, said, source, world, dialect=_dialect(source))
        expect = _probed(document, at, said) if said.probe else _asked(document, at, said, source)
        timeout = said.timeout or _timeout(world, limits, said)
        if limits and timeout > limits.examine:
            document.wrong(
                (*at, "timeout"),
                f"is {spoken(timeout)}, longer than the {spoken(limits.examine)} that limits.examine allows "
                "all assertions together; shorten it, or raise that limit",
            )
        if said.name and expect:
            found.append(
                Assertion(
                    name=said.name,
                    sql=(said.sql or "").strip(),
                    expect=expect,
                    severity=said.severity or "fail",
                    timeout=timeout,
                    database=said.database,
                    description=said.description or "",
                    runbook=said.runbook or "",
                    files=tuple(_views(said)),
                    probe=probes.of(said, said.probe) if said.probe else None,
                    samples=samples.of(said.samples) if said.samples else None,
                )
            )
    return tuple(found)


def _subject(document: Document[CheckFile], at: Path, said: Assert) -> None:
    there = [subject for subject in SUBJECTS if getattr(said, subject) is not None or document.unclear(*at, subject)]
    if len(there) > 1:
        document.wrong((*at, "probe"), "stands beside sql; write one of them, and a second [[assert]] for the other")
    elif not there:
        document.wrong(
            (*at, "sql"),
            'is missing; write for example sql = "select count(*) from orders", '
            'or a look that is built in: probe = "readable"',
        )


def _timeout(world: World, limits: Limits | None, said: Assert) -> timedelta:
    """Return how long an assertion may take that does not say it: a probe reads all there is, and takes its time."""
    if said.probe and limits:
        return limits.examine
    return world.defaults.timeout or _TIMEOUT


def _asked(document: Document[CheckFile], at: Path, said: Assert, source: Source) -> Expectation | None:
    """Return what a query must answer, or None after complaining."""
    dialect = _dialect(source)
    why = question.why_not(said.sql, dialect) if said.sql else None
    why = why or _not_there(document, at, said, source)
    if why:
        document.wrong((*at, "sql"), why)
    if said.expect is None or document.unclear(*at, "expect"):
        return None
    wrong = list(expectation.problems(said.expect, None if why else said.sql, dialect))
    if source.type == "s3-objects":
        wrong += [
            (key, "compares with the rows of a database, and objects have none; write another expectation")
            for key in ("same_as", "exist_in", "covers")
            if getattr(said.expect, key) is not None
        ]
    return _sound(document, at, said.expect, wrong)


def _probed(document: Document[CheckFile], at: Path, said: Assert) -> Expectation | None:
    """Return what a probe must find, or None after complaining."""
    if document.unclear(*at, "expect") or said.probe is None:
        return None
    if said.expect is None:
        why = probes.missing(said.probe)
        if why:
            document.wrong((*at, "expect"), why)
        return None if why else probes.NO_VIOLATION
    return _sound(document, at, said.expect, list(probes.problems(said.expect, said.probe)))


def _sound(document: Document[CheckFile], at: Path, expect: Expect, wrong: list[tuple[str, str]]) -> Expectation | None:
    wrong += references.unknown(document, expect)
    for key, message in wrong:
        document.wrong((*at, "expect", key) if key else (*at, "expect"), message)
    return None if wrong else expectation.of(expect)


def _dialect(source: Source) -> question.Dialect:
    if source.type == "s3-objects":
        return "duckdb"
    return "mysql" if source.engine == "mysql" else "postgres"


def _named(document: Document[CheckFile], index: int, said: Assert, names: dict[str, int]) -> None:
    at: Path = ("assert", index)
    if said.name and names.setdefault(said.name, index) != index:
        document.wrong(
            (*at, "name"), f"{said.name} is also the name of assertion {names[said.name] + 1}; write another one"
        )
    if said.name in OBJECTIVES:
        document.wrong((*at, "name"), f"{said.name} is the name of an objective in every report; write another one")
    if said.name in OBSERVATIONS:
        document.wrong((*at, "name"), f"{said.name} is the name of what a source finds by itself; write another one")


def _of_source(document: Document[CheckFile], at: Path, said: Assert, source: Source) -> None:
    """Complain about what does not go with the kind of source."""
    if source.type is None:
        return
    if source.type == "s3-objects":
        if said.database is not None:
            document.wrong((*at, "database"), "is of no use to a source of type s3-objects; leave it out")
    elif said.files is not None:
        document.wrong((*at, "files"), f"is of no use to a source of type {source.type}; ask its tables instead")
    unclear = document.unclear("source", "database") or document.unclear(*at, "database")
    if source.type == "aurora" and not (source.database or said.database or unclear):
        document.wrong(
            (*at, "database"),
            "is missing: a cluster holds several databases; write it here, or database in [source]",
        )
    _files(document, at, said)


def _files(document: Document[CheckFile], at: Path, said: Assert) -> None:
    if said.files == {} and not document.unclear(*at, "files"):
        document.wrong((*at, "files"), 'is empty; write for example files = { orders = "exports/orders/*.parquet" }')
    for name, files in (said.files or {}).items():
        if files.columns == {} and not document.unclear(*at, "files", name, "columns"):
            document.wrong((*at, "files", name, "columns"), 'is empty; write for example columns = { day = "DATE" }')
        if files.path and not keys.readable(files.path):
            document.wrong(
                (*at, "files", name, "path"),
                f"{shown(files.path)} ends like no file that can be read; "
                "write one that ends with .parquet, .csv, .tsv, .jsonl or .json (perhaps with .gz or .zst), or with *",
            )
        if files.columns and files.path and files.path.lower().endswith(".parquet"):
            document.wrong(
                (*at, "files", name, "columns"), "is of no use to Parquet, which says it itself; leave it out"
            )


def _not_there(document: Document[CheckFile], at: Path, said: Assert, source: Source) -> str | None:
    """Return what is wrong with a query of objects that names a table which nothing stands for."""
    if source.type != "s3-objects" or not said.sql or document.unclear(*at, "files"):
        return None
    there = {OBJECTS, *(said.files or {})}
    missing = sorted(question.relations(said.sql, "duckdb") - there)
    if not missing:
        return None
    return f"reads {missing[0]}, and there is only {', '.join(sorted(there))}; say in files which objects it is"


def _views(said: Assert) -> Iterator[FileView]:
    for name, files in (said.files or {}).items():
        yield FileView(name, files.path or "", tuple((files.columns or {}).items()), bool(files.empty))
