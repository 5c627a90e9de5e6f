"""What the operator answered, and the config.toml that follows from it. Pure.

The file is written once, for people to go on from: what most of them will want next stands in it as a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from restorecheck.config import names
from restorecheck.discovery.judging import Ground
from restorecheck.discovery.writing import quoted

SOURCE, SCRATCH = "production", "lab"
"""What the two accounts are called in the files."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where scratch is put in one region. Without a subnet group no databases, without a bucket no objects."""

    region: str
    subnet_group: str = ""
    security_groups: tuple[str, ...] = ()
    key: str = ""
    instance_class: str = ""
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """Two accounts, and a place in each region."""

    source_role: str
    source_external_id: str
    scratch_role: str
    scratch_external_id: str
    places: tuple[Place, ...]
    share_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # by region
    endpoint_url: str = ""

    def ground(self) -> Ground:
        """Return what these offer to the checks."""
        return Ground(
            source=SOURCE,
            account=names.account_of(self.source_role),
            scratch=SCRATCH,
            regions=frozenset(place.region for place in self.places),
            databases=frozenset(place.region for place in self.places if place.subnet_group),
            objects=frozenset(place.region for place in self.places if place.bucket),
            share_keys=frozenset(self.share_keys),
            classes={place.region: place.instance_class for place in self.places},
        )

    def config(self, now: datetime) -> str:
        """Return config.toml."""
        return "\n".join(self._lines(now)).rstrip() + "\n"

    def _lines(self, now: datetime) -> Iterator[str]:
        yield f"# Made by `restorecheck init` on {now:%Y-%m-%d}. Every key is described in docs/configuration.md."
        yield ""
        if self.endpoint_url:
            yield f"endpoint_url = {quoted(self.endpoint_url)}  # an AWS that runs on this machine"
        yield 'state  = "state"   # finished runs, runs under way, the service key: on a disk that is kept'
        yield 'checks = "checks"  # one file for each check'
        yield ""
        yield "[defaults]"
        yield 'jitter = "5m"'
        yield ""
        yield from _RECEIVERS.splitlines()
        yield ""
        yield f"[source_accounts.{SOURCE}]  # read, copied and shared from; nothing else is ever changed there"
        yield from self._account(self.source_role, self.source_external_id)
        yield f"regions     = [{', '.join(quoted(place.region) for place in self.places)}]"
        if self.share_keys:
            yield ""
            yield f"[source_accounts.{SOURCE}.share_key]  # for snapshots under aws/rds, which cannot be shared"
            yield from (f"{region} = {quoted(key)}" for region, key in self.share_keys.items())
        yield ""
        yield f"[scratch_accounts.{SCRATCH}]  # backups are restored here, and everything made here is deleted again"
        yield from self._account(self.scratch_role, self.scratch_external_id)
        yield ""
        yield f"[scratch_accounts.{SCRATCH}.limits]"
        yield "instances = 5  # how many runs may hold scratch at once"
        yield 'poll      = "30s"' if not self.endpoint_url else 'poll      = "0.2s"  # this AWS throttles nobody'
        for place in self.places:
            yield from _place(place)

    def _account(self, role: str, external_id: str) -> Iterator[str]:
        yield f"id          = {quoted(names.account_of(role))}"
        yield f"role        = {quoted(role)}"
        if external_id:
            yield f"external_id = {quoted(external_id)}"


def _place(place: Place) -> Iterator[str]:
    if not (place.subnet_group or place.bucket):
        return
    yield ""
    yield f"[scratch_accounts.{SCRATCH}.regions.{place.region}]"
    if place.subnet_group:
        yield f"subnet_group    = {quoted(place.subnet_group)}  # private subnets without a route to the internet"
        yield f"security_groups = [{', '.join(map(quoted, place.security_groups))}]  # without a way out"
        yield f"key             = {quoted(place.key)}"
        yield f"instance_class  = {quoted(place.instance_class)}"
        yield "# Where pg_cron or event schedulers come back with a backup, name parameter groups that keep them quiet:"
        yield '# parameter_group = "restorecheck-postgres17"'
        yield '# cluster_parameter_group = "restorecheck-aurora-postgresql17"'
    if place.bucket:
        yield f"bucket          = {quoted(place.bucket)}  # for restored objects"


_RECEIVERS = '''\
# FILL IN: who is told. Nobody is, until a receiver is here and named; then try it: `restorecheck notify --test`
# [receivers.hook]
# type     = "webhook"            # or alertmanager, sns, heartbeat, apprise: docs/receivers.md
# url_file = "secrets/hook.url"
#
# [receivers.deadman]             # calls somebody when it hears nothing: the only one that notices silence
# type = "heartbeat"
# url  = "https://hc-ping.com/PING-KEY/restorecheck"
#
# [notify]
# service   = ["hook"]            # who is told of what is about no check; and in [defaults]: receivers = ["hook"]
# heartbeat = "deadman"'''
