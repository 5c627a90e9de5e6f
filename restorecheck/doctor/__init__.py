"""Looks at everything that a run will need, before one does, and says what to mend. Only reads.

`diagnosis` has the words, `backups` looks at a check's recovery points and keys, `placement` at where scratch is put,
`capacity` at quotas, classes and engine versions, `buckets` at the buckets of checks of objects and dumps. What may not
be looked at is `could not look`, never `pass`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from restorecheck.config import Config
from restorecheck.doctor import backups, buckets, capacity, keys, placement
from restorecheck.doctor.diagnosis import Diagnosis, Gate, Hand, Ill, Outcome, examined
from restorecheck.errors import RefusedError, RestorecheckError
from restorecheck.failures import kind
from restorecheck.fence import Role
from restorecheck.model import AuroraSource, Check, Placement, S3DumpSource, S3ObjectsSource

__all__ = ["Diagnosis", "Gate", "Hand", "Outcome", "diagnose"]


def diagnose(config: Config, fence: Gate, now: datetime) -> tuple[Diagnosis, ...]:
    """Look at every account and region, then at every check. Never raises for what AWS or the fence answers."""
    visit = _Visit(config, fence, now)
    for source in config.source_accounts:
        for region in source.regions:
            subject = f"{source.name} ({source.id}) {region}"
            visit.enter(Role.SOURCE, source.id, region, subject)
            if region in source.share_keys:
                visit.key(subject, "share key", (Role.SOURCE, source.id, region), source.share_keys[region])
    for scratch in config.scratch_accounts:
        for place in scratch.placements:
            visit.enter(Role.SCRATCH, place.account, place.region, f"{scratch.name} ({place.account}) {place.region}")
    for check in config.checks:
        visit.check(check)
    for scratch in config.scratch_accounts:
        for place in scratch.placements:
            visit.place(place, f"{scratch.name} ({place.account}) {place.region}")
    return tuple(visit.found)


@dataclass
class _Visit:
    """One round: the doors that opened, and what was found behind them."""

    config: Config
    fence: Gate
    now: datetime
    found: list[Diagnosis] = field(default_factory=list)
    hands: dict[tuple[Role, str, str], Hand] = field(default_factory=dict)
    largest: dict[tuple[str, str], int] = field(default_factory=dict)  # placement → GiB of the largest backup
    needs: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)  # placement → quotas that a run takes of

    def look(self, subject: str, name: str, look: Callable[[], str]) -> None:
        self.found.append(examined(subject, name, look))

    def enter(self, role: Role, account: str, region: str, subject: str) -> None:
        def look() -> str:
            try:
                self.hands[role, account, region] = self.fence.hand(role, account, region)
            except RestorecheckError as e:
                if isinstance(e, RefusedError) or e.kind == "credentials":
                    raise Ill(e.message, e.hint or kind("credentials").hint) from e
                raise
            return f"the {role} role is in account {account}"

        self.look(subject, f"identity of the {role} role", look)

    def hand(self, role: Role, account: str, region: str) -> Hand:
        if (role, account, region) not in self.hands:
            message = f"account {account} could not be entered in {region} as {role} account"
            raise RestorecheckError(message, "mend its identity first")
        return self.hands[role, account, region]

    def key(self, subject: str, name: str, where: tuple[Role, str, str], key: str) -> None:
        self.look(subject, name, lambda: keys.own(self.hand(*where), key, where[1]))

    def check(self, check: Check) -> None:
        source, place, known = check.source, check.placement, backups.Known()
        doors: dict[str, Callable[[], Hand]] = {
            "source": lambda: self.hand(Role.SOURCE, source.account, source.region),
            "scratch": lambda: self.hand(Role.SCRATCH, place.account, place.region),
        }
        if isinstance(source, S3ObjectsSource | S3DumpSource):
            bucket = source
            self.look(check.name, "versions", lambda: buckets.history(check, bucket, doors["source"]()))
            self.look(check.name, "reading", lambda: buckets.readable(bucket, doors))
            if isinstance(bucket, S3DumpSource):
                self._dump(check, bucket, doors["source"])
            return
        scratch = doors["scratch"]
        self.look(check.name, "recovery points", lambda: backups.points(check, source, doors, known, self.now))
        self.look(check.name, "key of the backup", lambda: backups.key(source, doors, known))
        self.look(check.name, "engine version", lambda: capacity.engine(scratch(), known.newest(), source))
        self.look(check.name, "instance class", lambda: capacity.orderable(scratch(), known.newest(), place))
        where = (place.account, place.region)
        self.largest[where] = max(self.largest.get(where, 0), known.size_gib)
        needs = capacity.OF_INSTANCES
        if isinstance(source, AuroraSource):
            needs = capacity.OF_COPIED_CLUSTERS if source.copies else capacity.OF_CLUSTERS
        self.needs.setdefault(where, {}).update(needs)

    def _dump(self, check: Check, source: S3DumpSource, door: Callable[[], Hand]) -> None:
        declared = self.config.programs
        directories = declared.mysql if source.engine == "mysql" else declared.postgresql
        self.look(check.name, "dumps", lambda: buckets.dumps(source, door(), self.now))
        if source.server is None:
            self.look(check.name, "programs", lambda: buckets.programs(source, directories))

    def place(self, place: Placement, subject: str) -> None:
        where = (Role.SCRATCH, place.account, place.region)
        needed = self.largest.get(where[1:], 0)
        needs = tuple(self.needs.get(where[1:], dict(capacity.OF_INSTANCES)).items())
        if place.bucket:
            self.look(subject, "bucket", lambda: buckets.scratch(self.hand(*where), place))
        if not place.subnet_group:  # nothing but objects is restored here
            return
        self.key(subject, "key", where, place.key)
        self.look(subject, "subnets", lambda: placement.subnets(self.hand(*where), place))
        self.look(subject, "routes", lambda: placement.routes(self.hand(*where), place))
        self.look(subject, "security groups", lambda: placement.security_groups(self.hand(*where), place))
        self.look(subject, "quotas", lambda: capacity.quotas(self.hand(*where), needs, needed))
