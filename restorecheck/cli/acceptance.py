"""`restorecheck accept`: an operator's word that what a run measured is right, and what that changes.

It is written down with who, why and what, and told. It moves what later runs are compared with, and nothing else: the
verdict of the run stays what it was.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich import box
from rich.table import Table

from restorecheck.assertions import difference
from restorecheck.cli import exits, human, stores
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import load
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.failures import KINDS
from restorecheck.model import Assertion, Check, Measured, Report, Verdict
from restorecheck.store import Acceptance, Store


def accept(
    check: str,
    assertions: Sequence[str],
    config: Path,
    *,
    run: str | None,
    reason: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    """Accept what a run measured; without an assertion, list what was accepted."""
    with errors("accept", as_json=as_json):
        loaded = load(config)
        declared = loaded.check(check)
        if not assertions:
            with stores.opened(loaded) as store:
                _list(store, check, as_json=as_json)
            return
        if not (reason or "").strip():
            hint = f'restorecheck accept {check} {" ".join(assertions)} --reason "…"'
            raise RestorecheckError("say why: an acceptance is kept with its reason", hint, kind="config")
        names = [_declared(declared, name).name for name in dict.fromkeys(assertions)]
        said = _Said(check, WallClock().now(), by or _who(), (reason or "").strip())
        found, before = stores.changed(loaded, lambda store: _accepted(store, declared, said, names, run))
    _told(found, before, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Said:
    """Who says when that something of a check is right, and why."""

    check: str
    at: datetime
    actor: str
    reason: str


def _accepted(
    store: Store, check: Check, said: _Said, names: Sequence[str], run: str | None
) -> tuple[list[Acceptance], dict[str, Measured | None]]:
    """Keep what is accepted, and return it with what runs were compared with until now."""
    found = [_acceptance(store, said, name, run) for name in names]  # all of them, or none
    held = {one.assertion: one.measured for one in store.baselines.known(check, said.at)}
    store.baselines.accept(found)
    return found, {name: held.get(name) for name in names}


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _declared(check: Check, name: str) -> Assertion:
    found = next((a for a in check.assertions if a.name == name), None)
    if found is None:
        names = ", ".join(a.name for a in check.assertions) or "none"
        raise RestorecheckError(f"{check.name} has no assertion {name}", f"it has {names}", kind="config")
    against = found.expect.of or found.expect.same_as
    if against is None or against.kind == "reference":
        raise RestorecheckError(
            f"{name} is not compared with earlier runs, so there is nothing to accept",
            "change what it expects in the check file" if against is None else "record the reference anew",
            kind="config",
        )
    return found


def _acceptance(store: Store, said: _Said, assertion: str, run: str | None) -> Acceptance:
    """Return what is to be kept. Raises RestorecheckError if that run measured nothing that could be accepted."""
    run_id = run or store.baselines.newest(said.check, assertion)
    if run_id is None:
        raise RestorecheckError(
            f"no run has measured {assertion} yet", f"the next run of {said.check} does", kind="config"
        )
    report = store.proofs.run(run_id)
    if report.check != said.check:
        raise RestorecheckError(f"{run_id} is a run of {report.check}, not of {said.check}", kind="config")
    _refuse_damage(report, assertion)
    measured = store.baselines.measured(run_id).get(assertion)
    if measured is None:
        raise RestorecheckError(
            f"{run_id} measured nothing of {assertion}", f"`restorecheck show {run_id}` tells why", kind="config"
        )
    return Acceptance(said.check, assertion, said.at, said.actor, said.reason, run_id, measured)


def _refuse_damage(report: Report, name: str) -> None:
    """Raise if what was measured was measured on what is damaged: nobody can accept that."""
    finding = next((f for f in report.findings if f.name == name), None)
    kind = finding.kind if finding else ""
    if kind in KINDS and KINDS[kind].verdict is Verdict.BROKEN and kind != "assertion-failed":
        raise RestorecheckError(
            f"{report.run_id} found damage there, which nobody can accept: {finding.message if finding else ''}",
            KINDS[kind].hint,
            kind="config",
        )


def _told(found: Sequence[Acceptance], before: dict[str, Measured | None], *, as_json: bool) -> None:
    changes = {a.assertion: difference(before[a.assertion], a.measured) for a in found}
    if as_json:
        accepted = [{**_object(a), "changes": list(changes[a.assertion])} for a in found]
        emit("accept", exits.PASSED, accepted=accepted)
        return
    for acceptance in found:
        said = f"{acceptance.check}: {acceptance.assertion} is accepted as {acceptance.run_id} measured it"
        out.print(said, markup=False, soft_wrap=True)
        for line in changes[acceptance.assertion]:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    err.print("later runs are compared with this; the verdict of that run stays what it was", markup=False)


def _list(store: Store, check: str, *, as_json: bool) -> None:
    found = store.baselines.acceptances(check)
    if as_json:
        emit("accept", exits.PASSED, accepted=[_object(a) for a in found])
        return
    if not found:
        out.print(f"nothing of {check} was accepted yet", markup=False)
        return
    table = Table("assertion", "accepted", "by", "run", "reason", box=box.SIMPLE_HEAD, show_edge=False)
    for one in found:
        table.add_row(one.assertion, human.moment(one.at), one.actor, one.run_id, one.reason)
    out.print(table)


def _object(acceptance: Acceptance) -> dict[str, object]:
    return {
        "check": acceptance.check,
        "assertion": acceptance.assertion,
        "at": acceptance.at.isoformat(),
        "by": acceptance.actor,
        "reason": acceptance.reason,
        "run": acceptance.run_id,
    }
