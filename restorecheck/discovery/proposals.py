"""A check for everything that was found and can be tested, a reason for everything else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from restorecheck.discovery import bucket_checks, database_checks, dumps, judging
from restorecheck.discovery.found import Bucket, Database, Survey
from restorecheck.discovery.judging import Ground
from restorecheck.discovery.writing import Making, Night, quoted, slug
from restorecheck.model import AuroraSource, Check, RdsSource, S3DumpSource, S3ObjectsSource
from restorecheck.sources.versions.patterns import pattern

MOST_DUMPS = 20
"""Databases whose dumps are proposed of one bucket: more patterns than that are no names of databases."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One check file."""

    name: str
    source: str  # in words: "RDS instance orders-prod, eu-central-1"
    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was found and gets no check."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Draft:
    """All that is proposed, and all that is not."""

    proposals: tuple[Proposal, ...]
    left_out: tuple[LeftOut, ...]
    unmatched: tuple[str, ...] = ()  # names and patterns that were said and that nothing matched


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator said: patterns of names, and which database is asked of what."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    databases: Mapping[str, str] = field(default_factory=dict)  # by the name of a source or of its check


def propose(
    survey: Survey,
    ground: Ground,
    now: datetime,
    wishes: Wishes | None = None,
    *,
    existing: Sequence[Check] = (),
    taken: Iterable[str] = (),
) -> Draft:
    """Return the draft. What a check of `existing` tests already is left out, and says so; `taken` are names."""
    return _Drafting(Making(ground, Night(), now), wishes or Wishes(), existing, set(taken)).of(survey)


class _Drafting:
    """One draft in the making."""

    def __init__(self, making: Making, wishes: Wishes, existing: Sequence[Check], taken: set[str]) -> None:
        self._making, self._wishes, self._existing = making, wishes, existing
        self._ground, self._now = making.ground, making.now
        self._taken = taken | {check.name for check in existing}
        self._left: list[LeftOut] = []
        self._used: set[str] = set()

    def of(self, survey: Survey) -> Draft:
        made = [x for one in survey.databases for x in self._database(one)]
        made += [x for one in survey.buckets for x in self._bucket(one)]
        said = [*self._wishes.only, *self._wishes.skip, *self._wishes.databases]
        return Draft(tuple(made), tuple(self._left), tuple(one for one in said if one not in self._used))

    def _database(self, one: Database) -> Iterator[Proposal]:
        source = f"{'RDS instance' if one.kind == 'rds' else 'cluster'} {one.name}, {one.region}"
        reason = self._unwanted(one.name) or self._tested(one) or judging.of_database(one, self._ground)
        name = "" if reason else slug(one.name, self._taken)
        database = database_checks.known(one, self._said(one.name, name))
        if not reason and judging.family(one) == "mysql" and not database:
            reason = f"AWS does not tell the name of its database: say --database {one.name}=NAME"
        if reason:
            self._left.append(LeftOut(source, reason))
            return
        self._taken.add(name)
        text = database_checks.text(name, one, database, self._making)
        yield Proposal(name, source, text, database_checks.notes(one, database, self._now))

    def _bucket(self, one: Bucket) -> Iterator[Proposal]:
        source = f"bucket {one.name}, {one.region}"
        if reason := self._unwanted(one.name) or judging.of_bucket(one, self._ground):
            self._left.append(LeftOut(source, reason))
            return
        nights = list(dumps.nights(one.keys))
        yield from (x for night in nights[:MOST_DUMPS] for x in self._dump(one, night))
        for night in nights[MOST_DUMPS:]:
            self._left.append(
                LeftOut(f"dumps {_shown(night.pattern)} in {source}", f"more than {MOST_DUMPS} kinds of dumps")
            )
        if nights and not dumps.others(one.keys):
            return
        reason = "" if one.region in self._ground.objects else f"{self._ground.scratch} has no bucket in {one.region}"
        if reason := self._objects_tested(one) or reason:
            self._left.append(LeftOut(f"objects of {source}", reason))
            return
        name = slug(one.name, self._taken)
        self._taken.add(name)
        text = bucket_checks.objects(name, one, self._making)
        notes = () if one.whole else ("it is large: a sample of a thousand objects in each run",)
        yield Proposal(name, f"objects of {source}", text, notes)

    def _dump(self, one: Bucket, nights: dumps.Nights) -> Iterator[Proposal]:
        source = f"dumps {_shown(nights.pattern)} in bucket {one.name}, {one.region}"
        if reason := self._dump_tested(one, nights) or nights.obstacle:
            self._left.append(LeftOut(source, reason))
            return
        name = slug(f"{nights.database or one.name}-dump", self._taken)
        self._taken.add(name)
        database = self._said(name)
        text = bucket_checks.dump(name, nights, one, database, self._making)
        notes = [] if database else ["fill in `database`; until then it has no schedule"]
        notes += ["run it once by hand: roles that it speaks of belong into `roles`"] if database else []
        notes += [note] if (note := bucket_checks.overdue(nights, self._now)) else []
        yield Proposal(name, source, text, tuple(notes))

    # --- what was said, and what is there -----------------------------------------------------------------------------

    def _unwanted(self, name: str) -> str:
        if self._wishes.only and not self._matched(name, self._wishes.only):
            return "--only does not name it"
        return "--skip names it" if self._matched(name, self._wishes.skip) else ""

    def _matched(self, name: str, patterns: Iterable[str]) -> bool:
        found = [said for said in patterns if fnmatchcase(name, said)]
        self._used.update(found)
        return bool(found)

    def _said(self, *names: str) -> str:
        said = [name for name in names if name in self._wishes.databases]
        self._used.update(said)
        return self._wishes.databases[said[0]] if said else ""

    def _mine(self) -> Iterator[Check]:
        return (check for check in self._existing if check.source.account == self._ground.account)

    def _tested(self, one: Database) -> str:
        for check in self._mine():
            source = check.source
            if not isinstance(source, RdsSource | AuroraSource) or source.region != one.region:
                continue
            kind, name = ("rds", source.instance) if isinstance(source, RdsSource) else ("aurora", source.cluster)
            if (kind, name) == (one.kind, one.name):
                return _by(check)
        return ""

    def _objects_tested(self, one: Bucket) -> str:
        found = (c for c in self._mine() if isinstance(c.source, S3ObjectsSource) and c.source.bucket == one.name)
        return next((_by(check) for check in found), "")

    def _dump_tested(self, one: Bucket, nights: dumps.Nights) -> str:
        for check in self._mine():
            source = check.source
            if not isinstance(source, S3DumpSource) or source.bucket != one.name:
                continue
            if source.object == nights.pattern or pattern(source.object).fullmatch(nights.sample):
                return _by(check)
        return ""


def _shown(pattern: str) -> str:
    """Return a pattern as it may be printed: whoever writes to a bucket chooses keys, and not what a terminal does."""
    return pattern if pattern.isprintable() else quoted(pattern)


def _by(check: Check) -> str:
    return f"the check {check.name} tests it already"
