"""Where scratch is put: the places of a scratch account, and what one check makes of the place in its region.

A place that serves databases and one that serves objects need different things. What a kind of source has no use for
is left empty in what it gets, so that nothing can be sent to AWS that was meant for another kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from restorecheck.config import names, shape
from restorecheck.config.check_shape import CheckFile, Scratch
from restorecheck.config.complaints import of_account, once
from restorecheck.config.document import Document
from restorecheck.config.resolved import ScratchAccount
from restorecheck.config.shape import ConfigFile
from restorecheck.config.table import Path
from restorecheck.config.world import World
from restorecheck.model import Placement

_DATABASE = ("subnet_group", "security_groups", "key", "instance_class")
_USEFUL = {
    "rds": ("instance_class", "parameter_group", "option_group", "extended_support"),
    "aurora": ("instance_class", "parameter_group", "cluster_parameter_group", "capacity", "extended_support"),
    "s3-objects": (),
    "s3-dump": (),
}
"""Kind of source → what a check may say of its placement."""


# --- config.toml ------------------------------------------------------------------------------------------------


def of_region(
    document: Document[ConfigFile], at: Path, placement: shape.Placement, account: str | None, region: str
) -> Placement | None:
    """Return the place that a scratch account has in a region, or None after complaining."""
    groups = placement.security_groups
    if groups == []:
        document.wrong(
            (*at, "security_groups"),
            "is empty, and AWS would take the default one; write the id of a group without a way out",
        )
    once(document, (*at, "security_groups"), groups or [])
    if placement.key:
        of_account(document, (*at, "key"), placement.key, account, region)
    if placement.instance_class and not document.unclear(*at, "capacity"):
        _scaled(document, at, placement.instance_class, placement.capacity)
    if not account or document.unclear(*at) or groups == []:
        return None
    return Placement(
        account=account,
        region=region,
        subnet_group=placement.subnet_group or "",
        security_groups=tuple(groups or ()),
        key=placement.key or "",
        instance_class=placement.instance_class or "",
        parameter_group=placement.parameter_group,
        option_group=placement.option_group,
        cluster_parameter_group=placement.cluster_parameter_group,
        capacity=placement.capacity,
        bucket=placement.bucket or "",
        extended_support=bool(placement.extended_support),
    )


def apart(document: Document[ConfigFile]) -> None:
    """Complain about buckets that two places have: a bucket is in one region of one account."""
    seen: dict[str, str] = {}
    for name, account in (document.tree.scratch_accounts or {}).items():
        for region, placement in (account.regions or {}).items():
            here = f"scratch_accounts.{name}.regions.{region}"
            if placement.bucket and (first := seen.setdefault(placement.bucket, here)) != here:
                document.wrong(
                    ("scratch_accounts", name, "regions", region, "bucket"),
                    f"{placement.bucket} is already the bucket of [{first}]; a bucket is in one region, write another",
                )


def _scaled(document: Document[Any], at: Path, instance_class: str, capacity: tuple[float, float] | None) -> None:
    if instance_class == names.SERVERLESS and capacity is None:
        document.wrong(
            (*at, "capacity"),
            f"is missing: {names.SERVERLESS} has no size of its own; write for example capacity = [0.5, 4]",
        )
    elif instance_class != names.SERVERLESS and capacity is not None:
        document.wrong(
            (*at, "capacity"),
            f'is of no use to {instance_class}; leave it out, or write instance_class = "{names.SERVERLESS}"',
        )


# --- checks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Here:
    """One check that is to be placed."""

    document: Document[CheckFile]
    world: World
    account: ScratchAccount
    kind: str
    region: str

    @property
    def table(self) -> str:
        """The table of config.toml that is to say more."""
        return f"[scratch_accounts.{self.account.name}.regions.{self.region}] of {self.world.config.shown}"


def of_check(document: Document[CheckFile], world: World, account: ScratchAccount) -> Placement | None:
    """Return where a check is restored, or None after complaining, here or about the place itself."""
    source = document.tree.source
    kind = source.type if source else None
    region = (source.region if source else None) or world.defaults.region
    if not kind or not region or document.unclear("source", "region"):
        return None
    here = _Here(document, world, account, kind, region)
    _useless(here)
    if kind == "s3-dump":  # which is restored on this machine: of AWS it needs nothing
        return Placement(account.id, region)
    place = next((place for place in account.placements if place.region == region), None)
    if place is None:
        _unplaced(here)
        return None
    return _of_objects(here, place) if kind == "s3-objects" else _of_database(here, place)


def _useless(here: _Here) -> None:
    """Complain about what a check says of its placement, and its kind has no use for."""
    said = here.document.tree.scratch or Scratch()
    for key in dict.fromkeys(key for keys in _USEFUL.values() for key in keys):
        if getattr(said, key) is not None and key not in _USEFUL[here.kind]:
            here.document.wrong(("scratch", key), f"is of no use to a source of type {here.kind}; leave it out")


def _unplaced(here: _Here) -> None:
    places = (here.world.config.tree.scratch_accounts or {})[here.account.name].regions
    unclear = here.world.config.unclear("scratch_accounts", here.account.name, "regions", here.region)
    if places != {} and here.region not in (places or {}) and not unclear:  # {}: said there
        here.document.wrong(
            ("source", "region"),
            f"{here.region} has no place in the scratch account {here.account.name}; "
            f"add [scratch_accounts.{here.account.name}.regions.{here.region}] to {here.world.config.shown}",
        )


def _of_objects(here: _Here, place: Placement) -> Placement | None:
    if not place.bucket:
        here.document.wrong(
            ("source", "region"), f"there is no bucket in {here.table}; add it, objects are restored into it"
        )
        return None
    return Placement(place.account, place.region, bucket=place.bucket)


def _of_database(here: _Here, place: Placement) -> Placement | None:
    if not place.instance_class:
        here.document.wrong(
            ("source", "region"), f"there is only a bucket in {here.table}; add {', '.join(_DATABASE)} for databases"
        )
        return None
    said = here.document.tree.scratch or Scratch()
    supported = place.extended_support if said.extended_support is None else said.extended_support
    placed = replace(
        place,
        instance_class=said.instance_class or place.instance_class,
        bucket="",
        extended_support=supported,
    )
    if here.kind == "rds":
        return _of_instance(here, placed, said)
    capacity = place.capacity if placed.instance_class == names.SERVERLESS else None
    placed = replace(
        placed,
        # A group of a region is of a family of RDS, which no instance of Aurora can be in.
        parameter_group=said.parameter_group,
        option_group=None,
        cluster_parameter_group=said.cluster_parameter_group or place.cluster_parameter_group,
        capacity=said.capacity or capacity,
    )
    own = said.instance_class or said.capacity  # what the place says is judged there
    if (
        own
        and not here.document.unclear("scratch", "capacity")
        and not here.document.unclear("scratch", "instance_class")
    ):
        _scaled(here.document, ("scratch",), placed.instance_class, placed.capacity)
    return placed


def _of_instance(here: _Here, place: Placement, said: Scratch) -> Placement:
    if place.instance_class == names.SERVERLESS and not here.document.unclear("scratch", "instance_class"):
        here.document.wrong(
            ("scratch", "instance_class"),
            f'is {names.SERVERLESS}, which only Aurora knows; write another one, for example "db.t4g.medium"',
        )
    return replace(
        place,
        parameter_group=said.parameter_group or place.parameter_group,
        option_group=said.option_group or place.option_group,
        cluster_parameter_group=None,
        capacity=None,
    )
