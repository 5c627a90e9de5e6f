"""What `restorecheck init` has to know: from options, or by asking whoever sits at the terminal.

Every answer is read by what reads the configuration, so a slip is told at once and not after a look at AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from restorecheck.config import keys, names
from restorecheck.discovery import Answers, Place
from restorecheck.errors import RestorecheckError

NONE = "none"
"""How one says that there is none, so that nothing is left out by forgetting it."""

CLASS = "db.t4g.medium"

_HINT = "`restorecheck init -h` lists the options, and docs/quickstart.md says what each is"


class Asker(Protocol):
    """Whoever asks a person."""

    def ask(self, question: str, default: str) -> str:
        """Return what was answered, or the default."""

    def tell(self, wrong: str) -> None:
        """Say what is wrong with an answer, before it is asked for again."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was said on the command line; what was not is empty. What is of a region may be said as REGION=VALUE."""

    source_role: str = ""
    source_external_id: str = ""
    scratch_role: str = ""
    scratch_external_id: str = ""
    regions: tuple[str, ...] = ()
    subnet_group: tuple[str, ...] = ()
    security_group: tuple[str, ...] = ()
    scratch_key: tuple[str, ...] = ()
    instance_class: tuple[str, ...] = ()
    bucket: tuple[str, ...] = ()
    share_key: tuple[str, ...] = ()
    endpoint_url: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One thing that has to be known."""

    option: str
    question: str
    read: Callable[[str], str]
    default: str = ""  # of the question; and where nobody is asked, unless it must be said
    must: bool = True  # be said where nobody can be asked
    several: bool = False


def _or_none(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "" if text == NONE else read(text)


_SOURCE_ROLE = _Wanted("--source-role", "ARN of the role in the source account", names.role)
_SOURCE_ID = _Wanted("--source-external-id", "Its external id, or none", _or_none(names.external_id))
_SCRATCH_ROLE = _Wanted("--scratch-role", "ARN of the role in the scratch account", names.role)
_SCRATCH_ID = _Wanted("--scratch-external-id", "Its external id, or none", _or_none(names.external_id))
_REGION = _Wanted("--region", "Regions with backups", names.region, several=True)

_SUBNETS = _Wanted("--subnet-group", "DB subnet group, or none: no databases", _or_none(names.subnet_group))
_GROUPS = _Wanted("--security-group", "Security groups", _or_none(names.security_group), several=True)
_KEY = _Wanted("--scratch-key", "ARN of the scratch account's KMS key", _or_none(names.key))
_CLASS = _Wanted("--instance-class", "Instance class", names.instance_class, CLASS, must=False)
_BUCKET = _Wanted("--bucket", "Bucket for restored objects, or none", _or_none(keys.bucket))
_SHARE = _Wanted(
    "--share-key", "ARN of a key of the source account, for backups under aws/rds, or none", _or_none(names.key), NONE,
    must=False,
)  # fmt: skip


def answers(options: Options, asker: Asker | None) -> Answers:
    """Return what is known of the accounts. Without an asker, everything has to be said. Raises RestorecheckError."""
    return _Asking(options, asker).all()


class _Asking:
    def __init__(self, options: Options, asker: Asker | None) -> None:
        self._options, self._asker = options, asker
        self._missing: list[str] = []

    def all(self) -> Answers:
        said = self._options
        source_role = self._one(_SOURCE_ROLE, said.source_role)
        source_id = self._one(_SOURCE_ID, said.source_external_id)
        scratch_role = self._one(_SCRATCH_ROLE, said.scratch_role)
        if source_role and scratch_role and names.account_of(source_role) == names.account_of(scratch_role):
            raise RestorecheckError(
                f"--source-role and --scratch-role are both of account {names.account_of(source_role)}",
                "backups are restored into an account of its own, so that nothing there can be mistaken for production",
                kind="config",
            )
        scratch_id = self._one(_SCRATCH_ID, said.scratch_external_id)
        regions = list(dict.fromkeys(self._several(_REGION, said.regions)))
        places = [self._place(region, regions) for region in regions or [""]]
        shares = {region: key for region in regions if (key := self._of(_SHARE, said.share_key, region, regions))}
        if self._missing:
            raise RestorecheckError(
                f"nobody is at a terminal to be asked, and not everything was said: {', '.join(self._missing)}",
                f"say them all; where there is none of it, say {NONE}",
                kind="config",
            )
        _of_their_accounts(source_role, scratch_role, places, shares)
        return Answers(source_role, source_id, scratch_role, scratch_id, tuple(places), shares, said.endpoint_url)

    def _place(self, region: str, regions: Sequence[str]) -> Place:
        said = self._options
        subnets = self._of(_SUBNETS, said.subnet_group, region, regions)
        groups: tuple[str, ...] = ()
        key = klass = ""
        if subnets or (not said.subnet_group and self._asker is None):  # so that all that is missing is told at once
            groups = tuple(one for one in self._all_of(_GROUPS, said.security_group, region, regions) if one)
            key = self._of(_KEY, said.scratch_key, region, regions)
            klass = self._of(_CLASS, said.instance_class, region, regions)
        return Place(region, subnets, groups, key, klass, self._of(_BUCKET, said.bucket, region, regions))

    def _of(self, wanted: _Wanted, said: Sequence[str], region: str, regions: Sequence[str]) -> str:
        found = self._all_of(wanted, said, region, regions)
        if len(found) > 1:
            raise RestorecheckError(
                f"{wanted.option} was said {len(found)} times{f' for {region}' if region else ''}",
                "say it once for each region, as REGION=VALUE",
                kind="config",
            )
        return found[0] if found else ""

    def _all_of(self, wanted: _Wanted, said: Sequence[str], region: str, regions: Sequence[str]) -> list[str]:
        """Return what was said of a region, or ask for it there."""
        mine = [value for of, value in (_split(wanted, one, regions) for one in said) if of in {"", region}]
        question = _Wanted(
            wanted.option, f"{region}: {wanted.question}", wanted.read, wanted.default, wanted.must, wanted.several
        )
        if wanted.several:
            return self._several(question, mine)
        return [self._read(question, one) for one in mine] or [self._one(question, "")]

    def _several(self, wanted: _Wanted, said: Sequence[str]) -> list[str]:
        if said:
            return [self._read(wanted, one) for one in said]
        return self._asked(wanted)

    def _one(self, wanted: _Wanted, said: str) -> str:
        if said:
            return self._read(wanted, said)
        return next(iter(self._asked(wanted)), "")

    def _read(self, wanted: _Wanted, said: str) -> str:
        try:
            return wanted.read(said)
        except ValueError as e:
            raise RestorecheckError(f"{wanted.option}: {e}", _HINT, kind="config") from e

    def _asked(self, wanted: _Wanted) -> list[str]:
        if self._asker is None:
            if wanted.must:
                self._missing += [wanted.option] if wanted.option not in self._missing else []
                return []
            return [wanted.read(wanted.default)]
        while True:
            answer = self._asker.ask(wanted.question, wanted.default)
            try:
                return [wanted.read(one) for one in (answer.replace(",", " ").split() if wanted.several else [answer])]
            except ValueError as e:
                self._asker.tell(str(e))


def _of_their_accounts(source_role: str, scratch_role: str, places: Iterable[Place], shares: Mapping[str, str]) -> None:
    """Raise RestorecheckError if a key is of the account of the other role: one of them was swapped."""
    source, scratch = names.account_of(source_role), names.account_of(scratch_role)
    said = [("--scratch-key", "--scratch-role", scratch, source, place.key) for place in places]
    said += [("--share-key", "--source-role", source, scratch, key) for key in shares.values()]
    for option, role, mine, other, key in said:
        if key and names.account_of(key) == other:
            raise RestorecheckError(
                f"{option} is a key of account {other}, and {role} is of account {mine}",
                "were source and scratch swapped? the scratch account is the one that holds nothing but restores",
                kind="config",
            )


def _split(wanted: _Wanted, said: str, regions: Sequence[str]) -> tuple[str, str]:
    """Return region and value of `REGION=VALUE`; without a region it is of the only one."""
    region, equals, value = said.partition("=")
    if equals:
        if region not in regions:
            raise RestorecheckError(
                f"{wanted.option} {said}: {region} is not one of the regions, which are {', '.join(regions) or 'none'}",
                kind="config",
            )
        return region, value
    if len(regions) > 1 and said != NONE:
        raise RestorecheckError(
            f"{wanted.option} {said} does not say of which region it is",
            f"say {wanted.option} {regions[0]}={said}, and the same for {', '.join(regions[1:])}",
            kind="config",
        )
    return "", said


def databases(said: Sequence[str]) -> Mapping[str, str]:
    """Read `--database NAME=DATABASE`. Raises RestorecheckError."""
    found: dict[str, str] = {}
    for one in said:
        name, equals, database = one.partition("=")
        if not equals or not name:
            what = "says of nothing that it is its database" if equals else "says no database"
            raise RestorecheckError(f"--database {one} {what}", "say --database NAME=DATABASE", kind="config")
        if name in found:
            raise RestorecheckError(f"--database was said twice for {name}", "say it once", kind="config")
        try:
            found[name] = names.database(database)
        except ValueError as e:
            raise RestorecheckError(f"--database {one}: {e}", "say --database NAME=DATABASE", kind="config") from e
    return found
