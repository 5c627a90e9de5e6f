"""One check file: rules between its keys and with config.toml, and the resolved check that comes out of it.

A check that could never be right (an objective that its own schedule breaks, a question that is none) is refused here,
because the alternative is to learn it from a restore that took hours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from restorecheck.config import accounts, expectation, question, when, wording
from restorecheck.config.check_shape import CheckFile, CheckHead, Scratch, Source
from restorecheck.config.document import Document
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.config.shape import ConfigFile, Defaults
from restorecheck.config.table import Path
from restorecheck.config.values import shown, spoken
from restorecheck.model import OBJECTIVES, Assertion, Check, Limits, Placement, RdsSource, SnapshotKind

T = TypeVar("T")
_TIMEOUT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class World:
    """What config.toml says to a check file: its document, and the accounts in it that are right."""

    config: Document[ConfigFile]
    sources: dict[str, SourceAccount]
    scratches: dict[str, ScratchAccount]

    @property
    def defaults(self) -> Defaults:
        """What a check may leave out."""
        return self.config.tree.defaults or Defaults()


def resolve(document: Document[CheckFile], world: World) -> Check | None:
    """Return the check that a file declares, or None after complaining about what is wrong with it."""
    head = document.tree.check or CheckHead()
    source = _source(document, world)
    scratch = _scratch(document, world)
    placement = _placement(document, world, scratch) if scratch else None
    limits = _limits(document, world, scratch) if scratch else None
    assertions = _assertions(document, world, limits)
    rpo = _one(document, world, ("check", "rpo"), head.rpo, world.defaults.rpo)
    rto = _one(document, world, ("check", "rto"), head.rto, world.defaults.rto)
    times = when.times(document, world.config, rpo)
    if not (document.raw.get("assert") or head.restores or document.unclear("assert")):
        document.wrong(
            ("assert",),
            "is missing: nothing would be asked; add an [[assert]], "
            "or restores = true in [check] if that it restores is all you ask",
        )
    if not (head.name and source and placement and limits and rpo and rto):
        return None
    return Check(
        name=head.name,
        source=source,
        placement=placement,
        limits=limits,
        assertions=assertions,
        rpo=rpo,
        rto=rto,
        schedule=head.schedule or world.defaults.schedule,
        timezone=head.timezone or world.defaults.timezone or "UTC",
        catch_up=times.catch_up,
        jitter=times.jitter,
        paused_until=times.paused_until,
        restores=bool(head.restores),
        description=head.description or "",
        runbook=head.runbook or world.defaults.runbook or "",
    )


def defaults(world: World) -> None:
    """Complain about defaults that no check could use."""
    said = world.defaults
    if said.account:
        _known(world, world.config, ("defaults", "account"), said.account, "source_accounts")
    if said.scratch:
        _known(world, world.config, ("defaults", "scratch"), said.scratch, "scratch_accounts")
    when.defaults(world.config)


# --- where ------------------------------------------------------------------------------------------------------


def _source(document: Document[CheckFile], world: World) -> RdsSource | None:
    source = document.tree.source or Source()
    name = _one(document, world, ("source", "account"), source.account, world.defaults.account)
    region = _one(document, world, ("source", "region"), source.region, world.defaults.region)
    if source.snapshots == []:
        document.wrong(("source", "snapshots"), 'is empty; write for example snapshots = ["automated", "manual"]')
    if source.account:
        _known(world, document, ("source", "account"), source.account, "source_accounts")
    account = world.sources.get(name or "")
    if account and region and region not in account.regions:
        document.wrong(
            ("source", "region"),
            f"{region} is not among the regions of {name}; write {' or '.join(account.regions)}, or add it there",
        )
    if not (account and region and source.instance and source.database):
        return None
    return RdsSource(
        account=account.id,
        region=region,
        instance=source.instance,
        database=source.database,
        pick=source.pick or "latest",
        within=source.within,
        snapshots=tuple(SnapshotKind(kind) for kind in source.snapshots or ("automated", "manual")),
        share_key=account.share_keys.get(region),
    )


def _scratch(document: Document[CheckFile], world: World) -> ScratchAccount | None:
    own = document.tree.scratch.account if document.tree.scratch else None
    if own:
        _known(world, document, ("scratch", "account"), own, "scratch_accounts")
    name = _one(document, world, ("scratch", "account"), own, world.defaults.scratch)
    return world.scratches.get(name or "")


def _placement(document: Document[CheckFile], world: World, account: ScratchAccount) -> Placement | None:
    region = (document.tree.source or Source()).region or world.defaults.region
    given = (document.tree.scratch or Scratch()).model_dump(
        include={"instance_class", "parameter_group", "option_group"}, exclude_none=True
    )
    for placement in account.placements:
        if placement.region == region:
            return replace(placement, **given)
    places = (world.config.tree.scratch_accounts or {})[account.name].regions
    unclear = world.config.unclear("scratch_accounts", account.name, "regions", region or "")
    if region and places and region not in places and not unclear:
        document.wrong(
            ("source", "region"),
            f"{region} has no place in the scratch account {account.name}; "
            f"add [scratch_accounts.{account.name}.regions.{region}] to {world.config.shown}",
        )
    return None


def _limits(document: Document[CheckFile], world: World, account: ScratchAccount) -> Limits | None:
    if accounts.vague(world.config, ("scratch_accounts", account.name, "limits")):
        return None
    said = (document.tree.scratch or Scratch()).limits
    return accounts.merged(
        document, ("scratch", "limits"), account.limits, said, least_poll=accounts.least_poll(world.config)
    )


def _one(
    document: Document[CheckFile], world: World, at: tuple[str, str], own: T | None, default: T | None
) -> T | None:
    """Return what the check says, or the default, or complain that neither says anything."""
    if own is not None or document.unclear(*at):
        return own
    if default is None:
        key = "scratch" if at == ("scratch", "account") else at[1]
        document.wrong(at, f"is missing; write it here, or {key} in [defaults] of {world.config.shown}")
    return default


def _known(world: World, document: Document[Any], at: Path, name: str, side: str) -> None:
    known = world.config.raw.get(side)
    if isinstance(known, dict) and known and name not in known:  # what else is wrong there is said there
        document.wrong(at, f"{shown(name)} is not one of the {side}; {wording.instead(name, known)}")


# --- what -------------------------------------------------------------------------------------------------------


def _assertions(document: Document[CheckFile], world: World, limits: Limits | None) -> tuple[Assertion, ...]:
    found = []
    names: dict[str, int] = {}
    for index, said in enumerate(document.tree.asserts or []):
        at: Path = ("assert", index)
        if said.name and names.setdefault(said.name, index) != index:
            document.wrong(
                (*at, "name"), f"{said.name} is also the name of assertion {names[said.name] + 1}; write another one"
            )
        if said.name in OBJECTIVES:
            document.wrong((*at, "name"), f"{said.name} is the name of an objective in every report; write another one")
        why = question.why_not(said.sql) if said.sql else None
        if why:
            document.wrong((*at, "sql"), why)
        sound = said.expect is not None and not document.unclear(*at, "expect")
        for key, message in (
            expectation.problems(said.expect, None if why else said.sql) if said.expect and sound else ()
        ):
            document.wrong((*at, "expect", key) if key else (*at, "expect"), message)
            sound = False
        timeout = said.timeout or world.defaults.timeout or _TIMEOUT
        if limits and timeout > limits.examine:
            document.wrong(
                (*at, "timeout"),
                f"is {spoken(timeout)}, longer than the {spoken(limits.examine)} that limits.examine allows "
                "all assertions together; shorten it, or raise that limit",
            )
        if said.name and said.sql and said.expect and sound:
            found.append(
                Assertion(
                    name=said.name,
                    sql=said.sql.strip(),
                    expect=expectation.of(said.expect),
                    severity=said.severity or "fail",
                    timeout=timeout,
                    database=said.database,
                    description=said.description or "",
                    runbook=said.runbook or "",
                )
            )
    return tuple(found)
