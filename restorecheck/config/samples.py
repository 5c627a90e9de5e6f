"""What an assertion says of evidence: which columns of the rows that should not be there are kept.

Pure but for complaints. Values are kept nowhere unless an operator says so twice: here, which of them, and in
config.toml, where.
"""

from __future__ import annotations

from restorecheck.config import expectation, question
from restorecheck.config.assert_shape import Assert
from restorecheck.config.assert_shape import Samples as SamplesTable
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.complaints import once
from restorecheck.config.document import Document
from restorecheck.config.source_shape import Source
from restorecheck.config.table import Path
from restorecheck.config.world import World
from restorecheck.model import Samples


def judge(
    document: Document[CheckFile],
    at: Path,
    said: Assert,
    source: Source,
    world: World,
    *,
    dialect: question.Dialect,
) -> None:
    """Complain about evidence that nothing could be kept of, or that has no place."""
    if said.samples is None:
        return
    here: Path = (*at, "samples")
    if why := _why_not(document, at, said, source):
        document.wrong(here, why)
    if not (world.config.tree.evidence or world.config.unclear("evidence")):
        document.wrong(
            here,
            f"has no place; say in {world.config.shown} where evidence goes, "
            'for example evidence = "/var/lib/restorecheck/evidence"',
        )
    listed = said.samples.columns or []
    if said.samples.columns == [] and not document.unclear(*here, "keys"):
        document.wrong((*here, "keys"), 'is empty; write by which columns a row is found again, for example ["id"]')
    once(document, (*here, "keys"), listed)
    answered = question.names(said.sql, dialect) if said.sql else None
    for index, key in enumerate(listed):
        if answered is not None and key.casefold() not in (name.casefold() for name in answered):
            document.wrong(
                (*here, "keys", index), f"{key} is no column that the query answers; they are {', '.join(answered)}"
            )


def of(said: SamplesTable) -> Samples:
    """Return what a table without problems declares."""
    keys = tuple(said.columns or ())
    return Samples(keys) if said.limit is None else Samples(keys, said.limit)


def _why_not(document: Document[CheckFile], at: Path, said: Assert, source: Source) -> str | None:
    """Return why an assertion like this has no rows of which keys could be kept, or None."""
    if source.type == "s3-objects":
        return "is of no use to a source of type s3-objects; leave it out"
    if said.probe is not None:
        return "is of no use to a probe, which names what it finds; leave it out"
    if said.expect is None or document.unclear(*at, "expect") or expectation.families(said.expect) == ["no_rows"]:
        return None
    return "keeps keys of rows that should not be there; write expect = { no_rows = true }, or leave it out"
