"""Complaints that several rules share: about keys of other accounts, buckets of scratch, lists that repeat. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restorecheck.config import names
from restorecheck.config.document import Document
from restorecheck.config.table import Path
from restorecheck.config.world import World


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
