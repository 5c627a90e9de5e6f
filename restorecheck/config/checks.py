"""One check file: rules between its keys and with config.toml, and the resolved check that comes out of it.

A check that could never be right (an objective that its own schedule breaks, a question that is none) is refused here,
because the alternative is to learn it from a restore that took hours.
"""

from __future__ import annotations

from restorecheck.config import accounts, asserts, placements, references, sources, told, when
from restorecheck.config.check_shape import CheckFile, CheckHead, Scratch
from restorecheck.config.document import Document
from restorecheck.config.resolved import ScratchAccount
from restorecheck.config.world import World, known, one
from restorecheck.model import Check, Limits


def resolve(document: Document[CheckFile], world: World) -> Check | None:
    """Return the check that a file declares, or None after complaining about what is wrong with it."""
    head = document.tree.check or CheckHead()
    source = sources.resolve(document, world)
    scratch = _scratch(document, world)
    placement = placements.of_check(document, world, scratch) if scratch else None
    limits = _limits(document, world, scratch) if scratch else None
    assertions = asserts.resolve(document, world, limits)
    rpo = one(document, world, ("check", "rpo"), head.rpo, world.defaults.rpo)
    rto = one(document, world, ("check", "rto"), head.rto, world.defaults.rto)
    recorded, named = references.references(document, world), references.objects(document, world)
    times = when.times(document, world.config, rpo, rto)
    telling = told.of(document, world)
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
        references=recorded,
        objects=named,
        critical=telling.critical,
        receivers=telling.receivers,
        owner=telling.owner,
        retention=times.retention,
    )


def defaults(world: World) -> None:
    """Complain about defaults that no check could use."""
    said = world.defaults
    if said.account:
        known(world, world.config, ("defaults", "account"), said.account, "source_accounts")
    if said.scratch:
        known(world, world.config, ("defaults", "scratch"), said.scratch, "scratch_accounts")
    when.defaults(world.config)
    told.defaults(world)


# --- where ------------------------------------------------------------------------------------------------------


def _scratch(document: Document[CheckFile], world: World) -> ScratchAccount | None:
    own = document.tree.scratch.account if document.tree.scratch else None
    if own:
        known(world, document, ("scratch", "account"), own, "scratch_accounts")
    name = one(document, world, ("scratch", "account"), own, world.defaults.scratch)
    return world.scratches.get(name or "")


def _limits(document: Document[CheckFile], world: World, account: ScratchAccount) -> Limits | None:
    if accounts.vague(world.config, ("scratch_accounts", account.name, "limits")):
        return None
    said, source = (document.tree.scratch or Scratch()).limits, document.tree.source
    return accounts.merged(
        document,
        ("scratch", "limits"),
        account.limits,
        said,
        least_poll=accounts.least_poll(world.config),
        legs=accounts.LEGS[(source and source.type) or "rds"],
    )
