"""Complaints that several rules share: about keys of other kinds and accounts, lists that repeat, short times. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from restorecheck.config import names
from restorecheck.config.document import Document
from restorecheck.config.shape import ConfigFile
from restorecheck.config.table import OfKinds, Path
from restorecheck.config.values import spoken
from restorecheck.config.world import World

_LOCAL = timedelta(milliseconds=50)  # with an AWS on this machine, a day may last a second


def once(document: Document[Any], at: Path, listed: Sequence[str]) -> None:
    """Complain about what a list has twice."""
    for twice in sorted({entry for entry in listed if listed.count(entry) > 1}):
        document.wrong(at, f"lists {twice} twice; write it once")


def of_account(document: Document[Any], at: Path, key: str, account: str | None, region: str) -> None:
    """Complain about a KMS key of another account or region."""
    if account and names.account_of(key) != account:
        document.wrong(at, f"is a key of account {names.account_of(key)}; write one of account {account}")
    if names.region_of(key) != region:
        document.wrong(at, f"is a key of {names.region_of(key)}; write one of {region}")


def not_scratch(document: Document[Any], world: World, at: Path, bucket: str, right: str) -> None:
    """Complain about a bucket of what must last that is a scratch bucket, in which runs delete."""
    for scratch in world.scratches.values():
        for place in scratch.placements:
            if bucket == place.bucket:
                document.wrong(
                    at,
                    f"{bucket} is the scratch bucket of {scratch.name}, in which runs delete what they made; {right}",
                )


def foreign(
    document: Document[Any],
    at: Path,
    shape: type[OfKinds],
    kind: str | None,
    meant: Mapping[tuple[str, str], str],
) -> None:
    """Complain about keys of other kinds of table. `meant`: key and the kind in which it stands → what was meant."""
    if kind is None:
        return
    content: Any = document.raw
    for part in at:
        content = content[part]
    for key in (key for key in content if key in shape.keys() and key not in shape.keys_of(kind)):  # noqa: SIM118 - not a dict
        *others, last = (other for other in shape.needed if key in shape.keys_of(other))
        whose = f"{', '.join(others)} and {last}" if others else last
        instead = meant.get((key, kind))
        right = f"did you mean {instead}?" if instead and instead not in content else "leave it out"
        document.wrong((*at, key), f"is a key of {whose}, not of {kind}; {right}")


def too_short(document: Document[ConfigFile], at: Path, length: timedelta, least: timedelta, why: str) -> None:
    """Complain about a time that is shorter than the real AWS and real people bear."""
    local = document.tree.endpoint_url or document.unclear("endpoint_url")
    bound = _LOCAL if local else least
    if length < bound:
        document.wrong(at, f'is {spoken(length)}, {why}; write "{spoken(bound)}" or more')
