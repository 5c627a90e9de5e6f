"""[reference.…] and [objects.…] of a check: where they are, and that what assertions name is there.

Each lies in a bucket of a source account. An account or region that a table leaves out is that of the check's source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from restorecheck.config import wording
from restorecheck.config.assert_shape import Expect
from restorecheck.config.check_shape import CheckFile, Objects
from restorecheck.config.check_shape import Reference as ReferenceTable
from restorecheck.config.complaints import not_scratch
from restorecheck.config.document import Document
from restorecheck.config.source_shape import Source
from restorecheck.config.table import Path
from restorecheck.config.values import shown
from restorecheck.config.world import World, known
from restorecheck.model import ObjectSet, Reference

_WITHIN = Reference("", "", "", "", "").within


def references(document: Document[CheckFile], world: World) -> tuple[Reference, ...]:
    """Return the references of a check, as far as they are right, and complain about the rest."""
    found = []
    for name, said in (document.tree.reference or {}).items():
        at: Path = ("reference", name)
        place = _place(document, world, at, said)
        if place and said.bucket and said.object:
            found.append(Reference(name, *place, said.bucket, said.object, said.within or _WITHIN))
    return tuple(found)


def objects(document: Document[CheckFile], world: World) -> tuple[ObjectSet, ...]:
    """Return the sets of objects of a check, as far as they are right, and complain about the rest."""
    found = []
    for name, said in (document.tree.objects or {}).items():
        at: Path = ("objects", name)
        place = _place(document, world, at, said)
        if place and said.bucket:
            found.append(ObjectSet(name, *place, said.bucket, said.prefix or "", said.delay or timedelta()))
    return tuple(found)


def unknown(document: Document[CheckFile], expect: Expect) -> Iterator[tuple[str, str]]:
    """Yield what an expectation names and the check does not declare, each as the key below `expect` and a sentence."""
    for key, against, words in (
        ("of", expect.of, ("previous", "median(7)", "max(90d)")),
        ("same_as", expect.same_as, ("accepted", "previous")),
    ):
        if against and against.reference:
            declared = document.raw.get("reference")
            yield from _undeclared(key, "reference", against.reference, declared, words)
    for key, name in (("exist_in", expect.exist_in), ("covers", expect.covers)):
        if name:
            yield from _undeclared(key, "objects", name, document.raw.get("objects"), ())


def _undeclared(key: str, table: str, name: str, declared: Any, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    tables: Mapping[str, Any] = declared if isinstance(declared, dict) else {}
    if name not in tables:
        choices = sorted((*tables, *words))
        near = wording.nearest(name, choices)
        others = f", or write {' or '.join(choices)}" if choices else ""
        right = f"did you mean {near}?" if near else f"add that table{others}"
        yield key, f"is {shown(name)}, and there is no [{table}.{name}]; {right}"


def _place(
    document: Document[CheckFile], world: World, at: Path, said: ReferenceTable | Objects
) -> tuple[str, str] | None:
    """Return the account's id and the region of a table, or None after complaining, here or about the source."""
    source = document.tree.source or Source()
    if source.type == "s3-objects":
        document.wrong(at, "is of no use to a source of type s3-objects, which has no database; leave it out")
    if said.account:
        known(world, document, (*at, "account"), said.account, "source_accounts")
    if said.bucket:
        not_scratch(document, world, (*at, "bucket"), said.bucket, "write another bucket")
    name = said.account or source.account or world.defaults.account
    region = said.region or source.region or world.defaults.region
    account = world.sources.get(name or "")
    if not account or not region or document.unclear(*at):
        return None
    if region not in account.regions:
        if said.account or said.region:  # else it is the source's own, and said there
            document.wrong(
                (*at, "region"),
                f"{region} is not among the regions of {name}; write {' or '.join(account.regions)}, or add it there",
            )
        return None
    return account.id, region
