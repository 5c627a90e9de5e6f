"""The figures of a tick: lines for CloudWatch on standard output, and whatever else is configured. Decides nothing.

A state that cannot be read is a figure, and so is a configuration that is wrong: that a tick came is said in any case.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TextIO

from restorecheck import __version__
from restorecheck.durable import Clock, bug
from restorecheck.errors import RestorecheckError
from restorecheck.functions.configuration import Loaded
from restorecheck.metrics import derived, emf
from restorecheck.metrics.exporting import ways
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Facts, Look, Process
from restorecheck.store import Store

NAMESPACE = "restorecheck"
"""Under which CloudWatch shows the metrics, unless `[exports] emf` says another."""


def measure(
    loaded: Loaded,
    store: Store | None,
    clock: Clock,
    *,
    ticked: datetime | None,
    stream: TextIO | None,
    failed: Callable[[str, RestorecheckError], object],
) -> None:
    """Say what is measured now, every way that is configured. `store` None: it cannot be read.

    `ticked` is when the schedules were looked at, if they were. `failed` hears which way did not work.
    """
    exports = loaded.config.exports
    figures = _figures(loaded, store, clock.now(), ticked, failed)
    for way, sends in ways(replace(exports, emf=exports.emf or NAMESPACE, textfile=None), clock, stream):
        try:
            sends(figures)
        except RestorecheckError as e:
            failed(f"export by {way}", e)


def unconfigured(now: datetime, stream: TextIO | None) -> None:
    """Say that there is no configuration that can be used: nothing else can be told then."""
    figures = Figures()
    figures.put("config_last_reload_successful", 0)
    out = stream or sys.stdout
    out.writelines(f"{line}\n" for line in emf.lines(figures, NAMESPACE, now))
    out.flush()


def _figures(
    loaded: Loaded,
    store: Store | None,
    now: datetime,
    ticked: datetime | None,
    failed: Callable[[str, RestorecheckError], object],
) -> Figures:
    config = loaded.config
    process = Process(ticked, reload_worked=loaded.wrong is None, loaded=loaded.at)
    facts = Facts(config, now, __version__, None, process)
    if store is not None:
        try:
            return derived.figures(replace(facts, kept=Look(store).kept(config, now)))
        except RestorecheckError as e:
            failed("figures", e)
        except Exception as e:  # noqa: BLE001 - a bug of ours in one figure must not hide that ticks come
            failed("figures", RestorecheckError(bug(e), "this is a bug: please report it with the log"))
    return derived.figures(facts)
