"""What it means that S3 would not give, or would not write, one object; and many such objects in one sentence. Pure.

Whatever cannot be told apart keeps a run from being green, and no more: only a dead key of the source account says that
the backup itself is to blame.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from restorecheck.errors import AwsError, RestorecheckError
from restorecheck.failures import kind as meaning
from restorecheck.model import Verdict

NAMED = 5
"""How many keys a sentence names."""

ABSENT = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchVersion"})
"""Codes that say that there is no such object. The answer to a HEAD has no body, so it may be the bare status."""

_SEALED = ("server side encryption", "server-side encryption", "customer-provided", "sse-c", "ssec")
_KEYS = {"key-access", "key-unusable"}


def kind_of(error: RestorecheckError, source_account: str) -> str:
    """Return the failure kind of what went wrong with one object.

    SSE-C: S3 answers `InvalidRequest` or a bare 400, and names the form of encryption where there is a body. A key
    that is dead is the backup's fault only if it is the source account's.
    """
    code = error.code if isinstance(error, AwsError) else ""
    said = error.message.lower()
    if code in {"400", "BadRequest", "InvalidRequest"} and (code == "400" or any(word in said for word in _SEALED)):
        return "object-sealed"
    if code in {"403", "Forbidden"}:
        return "permission"
    if code in ABSENT:
        return "snapshot-state"
    if error.kind == "permission" and ("kms:" in said or ":key/" in said):
        return "key-access"
    if error.kind in _KEYS:
        return "key-unusable" if error.kind == "key-unusable" and f":{source_account}:key/" in said else "key-access"
    return error.kind


@dataclass(slots=True)
class Named:
    """So many keys, and the first few of them by name."""

    count: int = 0
    keys: list[str] = field(default_factory=list)

    def add(self, key: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.keys) < NAMED:
            self.keys.append(key)

    def __str__(self) -> str:
        named = [repr(key) for key in self.keys]
        if self.count > len(self.keys):
            named.append(f"and {self.count - len(self.keys):,} more" if named else "none of them by name")
        return ", ".join(named)


@dataclass(slots=True)
class Refusals:
    """Objects that something went wrong with, by the kind of it."""

    source_account: str
    by_kind: dict[str, Named] = field(default_factory=dict)
    first: dict[str, RestorecheckError] = field(default_factory=dict)  # the first of each kind
    passing: bool = True  # whether each of them may go better another time

    def add(self, key: str, error: RestorecheckError) -> None:
        """Note one."""
        kind = kind_of(error, self.source_account)
        self.by_kind.setdefault(kind, Named()).add(key)
        self.first.setdefault(kind, error)
        self.passing &= error.retryable

    def __bool__(self) -> bool:
        return bool(self.by_kind)

    @property
    def count(self) -> int:
        """How many objects."""
        return sum(named.count for named in self.by_kind.values())

    @property
    def kind(self) -> str:
        """The kind that decides: one that blames the backup, or else the most frequent."""
        kinds = self._ordered()
        return kinds[0] if kinds else ""

    @property
    def hint(self) -> str:
        """What the first error of the deciding kind advises."""
        return self.first[self.kind].hint if self else ""

    def told(self, doing: str) -> str:
        """Return one sentence: counts by kind, a few keys, and what S3 said first."""
        parts = [f"{n.count:,} {kind} ({n})" for kind in self._ordered() if (n := self.by_kind[kind])]
        said = self.first[self.kind].message if self else ""
        return f"{self.count:,} objects could not be {doing}: {'; '.join(parts)}; S3 said: {said}"

    def _ordered(self) -> list[str]:
        def rank(kind: str) -> tuple[bool, int, str]:
            return meaning(kind).verdict is not Verdict.BROKEN, -self.by_kind[kind].count, kind

        return sorted(self.by_kind, key=rank)


def amount(count: int) -> str:
    """Return a number of bytes as people say it."""
    size, units = float(count), iter(("KiB", "MiB", "GiB", "TiB", "PiB"))
    if count < 1024:
        return f"{count} bytes"
    unit = ""
    while size >= 1024 and (following := next(units, "")):
        size, unit = size / 1024, following
    return f"{size:.1f} {unit}"


def objects(count: int) -> str:
    """Return a number of objects as people say it."""
    return f"{count:,} object{'' if count == 1 else 's'}"
