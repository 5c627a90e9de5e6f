"""What is allowed in a check, and yet proves less than its author may think. Pure.

A remark stops nothing. It is for `restorecheck check-config`, where there is still time to ask for more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from restorecheck.config.resolved import Config
from restorecheck.config.table import Path
from restorecheck.config.values import spoken
from restorecheck.model import Assertion, Check, Probe, S3DumpSource, S3ObjectsSource
from restorecheck.model.probes import PROBES

_DRIFTING = ("previous", "median")
_WATCHERS = "who looks at the metrics and at `restorecheck status`"
_ELSE = "or what nobody asks for may be damaged"


def of(check: Check, keep: timedelta, receivers: bool) -> Iterator[tuple[Path, str]]:
    """Yield the remarks on a check that is right, each with its place in the file.

    `keep`: how long runs are kept. `receivers`: whether there is anybody who could be told.
    """
    if receivers and check.schedule and not check.receivers:
        yield ("check",), f"nobody is told of its runs but {_WATCHERS}; write receivers, here or in [defaults]"
    for index, assertion in enumerate(check.assertions):
        at: Path = ("assert", index)
        if _drifts(assertion) and not any(_holds(other, assertion) for other in check.assertions):
            yield (*at, "expect"), _boiled(assertion)
        if assertion.probe and PROBES[assertion.probe.name].physical and isinstance(check.source, S3DumpSource):
            yield (*at, "probe"), _built_anew(assertion.probe.name)
        span = assertion.expect.of.span if assertion.expect.of else None
        if span and span > keep:
            yield (
                (*at, "expect"),
                f"finished runs are kept for {spoken(keep)}, so no more of them is known; see service.keep",
            )
    if databases := _unread(check):
        yield ("assert",), f'no assertion reads every row of {databases}; add one with probe = "readable", {_ELSE}'
    yield from _unused(check)


def of_all(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield the remarks on config.toml, each with its place in the file."""
    notify, prices = config.notify, config.prices
    if not config.receivers:
        if any(check.schedule for check in config.checks):
            yield ("receivers",), f"nobody is told of any run but {_WATCHERS}; write [receivers.…] and receivers"
    elif not notify.service:
        without = "leaks, a sweep that stopped, receivers that cannot be reached"
        yield ("notify", "service"), f"nobody is told of what is about no check: {without}; name receivers in service"
    told = {name for check in config.checks for name in check.receivers}
    told |= {*notify.escalate_to, *notify.service, notify.heartbeat}
    for receiver in config.receivers:
        if receiver.name not in told:
            yield ("receivers", receiver.name), "nothing names it; write it where it is to be told, or leave it out"
    if prices and prices.budget is not None:
        if prices.currency != "USD":
            yield ("prices", "budget"), "only prices in USD are added up and measured, so nothing is held against it"
        elif not (prices.instance_hour or prices.storage_gib_month or prices.snapshot_gib_month):
            yield ("prices", "budget"), "no price is known, so nothing is held against it; write prices"


def _drifts(assertion: Assertion) -> bool:
    """Return whether a small loss in every run would pass for ever: each run lowers what the next is held against."""
    expect = assertion.expect
    low = Decimal(expect.at_least.text) if expect.of and expect.at_least else Decimal(1)
    return bool(expect.of and expect.of.kind in _DRIFTING) and low < 1


def _holds(other: Assertion, assertion: Assertion) -> bool:
    """Return whether another assertion asks the same and has a floor that does not sink."""
    expect = other.expect
    floor = expect.at_least or expect.equals or expect.same_as
    same = (other.sql.split(), other.probe, other.database) == (
        assertion.sql.split(), assertion.probe, assertion.database,
    )  # fmt: skip
    return bool(same and floor) and not (expect.of and expect.of.kind in _DRIFTING)


def _built_anew(probe: str) -> str:
    return (
        f"{probe} proves nothing about a logical backup, whose files and indexes are all new; "
        "foreign_keys and a reference do"
    )


def _boiled(assertion: Assertion) -> str:
    low = assertion.expect.at_least
    lost = (1 - Decimal(low.text if low else "1")) * 100
    said = f"{lost.normalize():f} %"
    baseline = "the run before" if assertion.expect.of and assertion.expect.of.kind == "previous" else "the last runs"
    return (
        f"{said} less than {baseline}, in every run, passes for ever; "
        'add the same with at_least of "max(90d)", or with a number'
    )


def _unread(check: Check) -> str:
    """Return the databases that are asked and not read in full. A dump is read when it is restored."""
    source = check.source
    if isinstance(source, S3ObjectsSource | S3DumpSource):
        return ""
    asked = {assertion.database or source.database or "" for assertion in check.assertions}
    read = {assertion.database or source.database for assertion in check.assertions if _reads(assertion.probe)}
    return " and of ".join(sorted(asked - read))


def _reads(probe: Probe | None) -> bool:
    return probe is not None and probe.name == "readable" and not probe.tables


def _unused(check: Check) -> Iterator[tuple[Path, str]]:
    named = {
        against.reference
        for assertion in check.assertions
        for against in (assertion.expect.of, assertion.expect.same_as)
        if against
    }
    asked = {name for assertion in check.assertions for name in (assertion.expect.exist_in, assertion.expect.covers)}
    for reference in check.references:
        if reference.name not in named:
            yield ("reference", reference.name), "no assertion compares with it; say same_as or of, or leave it out"
    for objects in check.objects:
        if objects.name not in asked:
            yield ("objects", objects.name), "no assertion asks for it; say exist_in or covers, or leave it out"
