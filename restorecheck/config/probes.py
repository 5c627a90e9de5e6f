"""What an assertion with a probe says: that the probe knows it, and can be asked it. Pure but for complaints.

Which probe takes what is the table `model.probes.PROBES`; the sentences are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from restorecheck.config import expectation, ratios
from restorecheck.config.assert_shape import PROBE_KEYS, Assert, Expect
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.complaints import once
from restorecheck.config.document import Document
from restorecheck.config.source_shape import Source
from restorecheck.config.table import Path
from restorecheck.config.values import shown
from restorecheck.config.wording import toml
from restorecheck.model import Cell, Expectation, Probe
from restorecheck.model.probes import PROBES, Engine, ProbeKind

NO_VIOLATION = Expectation(equals=Cell("number", "0"))
"""What a probe that finds violations expects, unless the check says something else."""


def engine_of(source: Source) -> Engine | None:
    """Return the family of the database that is asked, or None for objects and for what is not known."""
    if source.type in (None, "s3-objects"):
        return None
    return source.engine or "postgresql"


def judge(document: Document[CheckFile], at: Path, said: Assert, source: Source) -> None:
    """Complain about a probe that the source has no use for, and about keys that the probe has no use for."""
    given = {"tables": said.tables, "exclude": said.exclude, "required": said.needed, "role": said.role}
    if said.probe is None:
        for key in (key for key in PROBE_KEYS if given[key] is not None and said.sql is not None):
            document.wrong((*at, key), "is a key of probes, and this assertion asks sql; leave it out")
        return
    kind = PROBES[said.probe]
    _of_engine(document, at, said.probe, kind, source)
    for key in PROBE_KEYS:
        if given[key] is not None and key not in kind.keys:
            document.wrong((*at, key), f"is of no use to the probe {said.probe}; leave it out")
    for key in kind.needs:
        if given[key] is None and not document.unclear(*at, key):
            example = toml(Assert.keys()[key].examples[0])  # type: ignore[index]  # every key has one
            document.wrong(
                (*at, key), f"is missing, and the probe {said.probe} needs it; write for example {key} = {example}"
            )
    _lists(document, at, said, engine_of(source))


def problems(expect: Expect, name: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the expectation of a probe, each as the key below `expect` (or "") and a sentence."""
    kind, said = PROBES[name], expectation.families(expect)
    if len(said) != 1:
        yield "", expectation.count(said) if said else f"asks for nothing; {_right(kind)}"
    elif said == ["bounds"]:
        yield from _bounds(expect, name, kind)
        return
    elif said == ["equals"] and kind.violations:
        if expect.equals != NO_VIOLATION.equals:
            yield "equals", f"can only be 0, no violation; {_right(kind)}"
    elif said != ["same_as"] or not kind.compares:
        yield said[0], f"is nothing that the probe {name} can be asked; {_right(kind)}"
    yield from expectation.unmeasured(expect)


def missing(name: str) -> str | None:
    """Return what to say of a probe without `expect`, or None: there must be no violation."""
    kind = PROBES[name]
    if kind.violations:
        return None
    example = 'expect = { at_least = 0.98, of = "previous" }' if kind.counts else 'expect = { same_as = "accepted" }'
    return f"is missing: {name} alone tells nothing right from wrong; write for example {example}"


def of(said: Assert, name: str) -> Probe:
    """Return the probe that an assertion without problems declares."""
    return Probe(
        name,
        tables=tuple(said.tables or ()),
        exclude=tuple(said.exclude or ()),
        required=tuple(said.needed or ()),
        role=said.role or "",
    )


def _of_engine(document: Document[CheckFile], at: Path, name: str, kind: ProbeKind, source: Source) -> None:
    if document.unclear("source", "engine") or source.type is None:
        return
    engine = engine_of(source)
    if engine is None:
        document.wrong((*at, "probe"), f"is of no use to a source of type {source.type}; ask its objects with sql")
    elif engine not in kind.engines:
        others = ", ".join(sorted(other for other, known in PROBES.items() if engine in known.engines))
        document.wrong(
            (*at, "probe"),
            f'{name} knows {" and ".join(kind.engines)} alone, and the source is engine = "{engine}"; '
            f"its probes are {others}",
        )


def _lists(document: Document[CheckFile], at: Path, said: Assert, engine: Engine | None) -> None:
    lists = {"tables": said.tables, "exclude": said.exclude, "required": said.needed}
    for key, listed in lists.items():
        if listed == []:
            document.wrong((*at, key), "is empty; write what is meant, or leave it out")
        once(document, (*at, key), listed or [])
        of_tables = key != "required" or said.probe == "roles"
        for index, pattern in enumerate(listed or []):
            # A table of PostgreSQL is compared as schema.table: a pattern without a dot would meet none.
            if of_tables and engine == "postgresql" and "." not in pattern and "*" not in pattern:
                document.wrong(
                    (*at, key, index), f'{shown(pattern)} names no schema; write for example "public.{pattern}"'
                )


def _bounds(expect: Expect, name: str, kind: ProbeKind) -> Iterator[tuple[str, str]]:
    if why := expectation.why_no_bounds(expect):
        yield why
        return
    key, bounds = expectation.bounds_of(expect)
    if not kind.violations and not kind.counts:
        yield key, f"is nothing that the probe {name} can be asked; {_right(kind)}"
    elif kind.counts and not expect.of:
        yield key, f"bounds the rows of every table alike, so it must be a ratio; {_right(kind)}, or ask one with sql"
    elif kind.counts:
        yield from ratios.problems(expect, bounds, key, None, "postgres")
    elif key != "at_most":
        yield key, f"asks the probe {name} for violations; {_right(kind)}"
    elif bounds[0].kind != "number" or Decimal(bounds[0].text) < 0 or Decimal(bounds[0].text) % 1:
        yield key, "is not a number of violations; write a whole number, for example 0"
    else:
        yield from expectation.unmeasured(expect)


def _right(kind: ProbeKind) -> str:
    examples = ["at_most = 0"] if kind.violations else []
    examples += ['at_least = 0.98 with of = "previous"'] if kind.counts else []
    examples += ['same_as = "accepted"'] if kind.compares else []
    return f"write {' or '.join(examples)}"
