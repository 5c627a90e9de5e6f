"""Who is told of one check: its receivers, whether it is critical, who owns its data; and heartbeats of several.

A complaint is made at the key that the operator has to change: the check's own, or the default that clashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from restorecheck.config import telling
from restorecheck.config.check_shape import CheckFile, CheckHead
from restorecheck.config.document import Document
from restorecheck.config.receivers import Heartbeat
from restorecheck.config.table import Path
from restorecheck.config.web_addresses import CHECK
from restorecheck.config.world import World


@dataclass(frozen=True, slots=True)
class Told:
    """What a check says of who is told."""

    receivers: tuple[str, ...] = ()
    critical: bool = False
    owner: str = ""


def defaults(world: World) -> None:
    """Complain about receivers in the defaults that there are not."""
    telling.named(world.config, world.config, ("defaults", "receivers"), world.defaults.receivers or [])


def of(document: Document[CheckFile], world: World) -> Told:
    """Return who is told of a check, and complain about what is wrong with it."""
    head, default = document.tree.check or CheckHead(), world.defaults
    telling.named(world.config, document, ("check", "receivers"), head.receivers or [])
    found = Told(
        tuple(_first(head.receivers, default.receivers) or ()),
        bool(_first(head.critical, default.critical)),
        head.owner or default.owner or "",
    )
    if found.critical and not any(document.unclear("check", key) for key in ("receivers", "critical")):
        _two_ways(document, world, found.receivers)
    return found


def heartbeats(files: Sequence[Document[CheckFile]], world: World) -> None:
    """Complain about a heartbeat that would speak for two: the one that passes hides that the other is silent."""
    first: dict[str, str] = {}
    said = world.config.tree.notify
    if said and said.heartbeat and (address := _address(world, said.heartbeat, CHECK)):
        first[address] = "the service"
    for file in files:
        who = (file.tree.check and file.tree.check.name) or file.shown
        for where, at, name in _named(file, world):
            address = _address(world, name, who)
            if address and (other := first.setdefault(address, who)) != who:
                where.wrong(
                    at,
                    f"{name} is the heartbeat of {other} already, and each would hide that the other is silent; "
                    f"write {CHECK} into its address, for the name of the check, or give each its own",
                )


def _first(own: Any, default: Any) -> Any:
    return default if own is None else own


def _two_ways(document: Document[CheckFile], world: World, receivers: Sequence[str]) -> None:
    """Complain about a critical check that one outage could silence."""
    if world.config.unclear("defaults", "receivers"):
        return
    kinds = {telling.kind_of(world.config, name) for name in receivers}
    if None in kinds or len(kinds) > 1:  # what is not known was complained about
        return
    head = document.tree.check or CheckHead()
    own = next((key for key in ("critical", "receivers") if getattr(head, key) is not None), None)
    where, at = (document, ("check", own)) if own else (world.config, ("defaults", "critical"))
    have = f"only {' and '.join(receivers)} of type {kinds.pop()}" if kinds else "none at all"
    where.wrong(
        at,
        f"a critical check must be told by two ways of different kinds, or one outage would silence it, and it has "
        f"{have}; write receivers of two types",
    )


def _named(file: Document[CheckFile], world: World) -> Iterator[tuple[Document[Any], Path, str]]:
    """Yield the receivers of a check, each with the file and the place that name it."""
    own = file.tree.check.receivers if file.tree.check else None
    where, at = (world.config, "defaults") if own is None else (file, "check")
    for index, name in enumerate((world.defaults.receivers if own is None else own) or []):
        yield where, (at, "receivers", index), name


def _address(world: World, name: str, check: str) -> str | None:
    """Return the address of a heartbeat for one check, as far as it is known; None for receivers of other types."""
    receiver = world.receivers.get(name)
    text = telling.text_of(receiver.url) if isinstance(receiver, Heartbeat) else None
    return text and text.replace(CHECK, check)
