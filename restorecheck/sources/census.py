"""Which databases a restored server holds, against those that a check asks: nobody shall pass by asking an empty one.

A cluster holds several databases, and the one that a client gets by default is often empty. Pure: what was seen comes
in, an observation goes out. It names databases and counts tables; what is in them it never sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from restorecheck.databases.interface import SYSTEM, DatabaseSeen
from restorecheck.errors import RestorecheckError
from restorecheck.failures import kind
from restorecheck.model import Observation, Verdict

NAME = "databases"
EXPECTED = "every database that is asked is there and holds tables"


def judged(seen: Sequence[DatabaseSeen], asked: Sequence[str], main: str) -> Observation:
    """Return what the databases of a server say about a check that asks those in `asked`.

    `main` is the one that stands for the backup if nothing is asked; empty: all of them together do. A database that is
    asked must exist (`missing-object`) and hold a table (`empty-database`); one that could not be looked into has the
    kind of its error.
    """
    wanted = [name for name in dict.fromkeys(asked or [main]) if name and name not in SYSTEM]
    by_name = {one.name: one for one in seen}
    wrong = [problem for name in wanted if (problem := _wrong(name, by_name.get(name)))]
    if not asked and (not main or main in by_name):
        wrong = _unasked(by_name.get(main), seen)
    # What is known about the backup is said before what is not.
    wrong.sort(key=lambda problem: kind(problem[0]).verdict is not Verdict.BROKEN)
    message = "; ".join(text for _, text in wrong)
    if message and wanted:
        message += f"; {_others(seen, wanted)}"
    return Observation(
        name=NAME,
        expected=EXPECTED,
        observed=_observed(seen, wanted),
        kind=wrong[0][0] if wrong else "",
        message=message,
    )


def failed(error: RestorecheckError) -> Observation:
    """Return the observation of a server that did not tell which databases it holds."""
    message = f"the databases could not be looked at: {error.message}"
    return Observation(NAME, EXPECTED, "not known", error.kind, message)


def of_part(seen: Observation, loaded: Iterable[Observation]) -> Observation:
    """Return what was seen where perhaps only a part could be restored: what is missing there is not the backup's."""
    partial = next((one for one in loaded if one.partial), None)
    if partial is None or not seen.kind or kind(seen.kind).verdict is not Verdict.BROKEN:
        return seen
    return replace(seen, kind=partial.kind, message=f"where only a part could be restored: {seen.message}")


def unread(seen: Iterable[DatabaseSeen], asked: Sequence[str]) -> tuple[str, ...]:
    """Return what the questions leave open, in plain words, for the level of proof."""
    said = []
    known = [one for one in seen if one.tables is not None]
    of_asked = [_counted(one) for one in known if one.name in asked]
    if of_asked:
        held = ", ".join(of_asked)
        said.append(f"only what the questions read is proven, out of {held}; whatever else was restored was not read")
    if nobody := [_counted(one) for one in known if one.name not in asked and one.tables]:
        said.append(f"restored and never asked: {', '.join(nobody)}")
    return tuple(said)


def holding(seen: Iterable[DatabaseSeen]) -> tuple[str, ...] | None:
    """Return which databases hold tables; None if one could not be looked into, for it may hold some."""
    known = [one for one in seen if one.name not in SYSTEM]
    return None if any(one.tables is None for one in known) else tuple(one.name for one in known if one.tables)


def _wrong(name: str, one: DatabaseSeen | None) -> tuple[str, str] | None:
    if one is None:
        return "missing-object", f"there is no database {name}"
    if one.kind:
        return one.kind, f"{name} could not be looked into: {one.error}"
    return None if one.tables else ("empty-database", f"{name} holds no table")


def _unasked(main: DatabaseSeen | None, seen: Sequence[DatabaseSeen]) -> list[tuple[str, str]]:
    """Return what is wrong if nothing is asked: a server of which no database holds a table holds no backup.

    Whoever makes a server anew after a loss has backups of it that restore well. If a main database is named, it stands
    for all of them.
    """
    problem = _wrong(main.name, main) if main else None
    if any(one.tables for one in seen) or (main and main.kind):
        return [problem] if problem else []
    if unknown := next((one for one in seen if one.kind), None):
        empty = problem[1] if problem else "no database is known to hold a table"
        return [(unknown.kind, f"{empty}, and {_counted(unknown)}")]
    return [problem or ("empty-database", "no database holds a table")]


def _others(seen: Sequence[DatabaseSeen], wanted: Sequence[str]) -> str:
    holding = [f"{one.name} holds {one.tables}" for one in seen if one.tables and one.name not in wanted]
    return ", ".join(holding) or "no other database is known to hold a table"


def _observed(seen: Sequence[DatabaseSeen], wanted: Sequence[str]) -> str:
    asked = [_counted(one) for one in seen if one.name in wanted]
    nobody = [_counted(one) for one in seen if one.name not in wanted]
    parts = ([", ".join(asked)] if asked else []) + ([f"not asked: {', '.join(nobody)}"] if nobody else [])
    return "; ".join(parts) or "no database"


def _counted(one: DatabaseSeen) -> str:
    if one.tables is None:
        return f"{one.name} ({one.error or 'not looked into'})"
    return f"{one.name} ({one.tables or 'no'} table{'' if one.tables in (0, 1) else 's'})"
