"""`restorecheck sweep`, after a run that could not tidy up, and `restorecheck doctor`, before one that cannot work."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from restorecheck.cli import exits
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import load
from restorecheck.doctor import Diagnosis, Outcome, diagnose
from restorecheck.engines.clock import WallClock
from restorecheck.ports import fence_of
from restorecheck.sweep import State, Swept
from restorecheck.sweep import sweep as look_and_sweep
from restorecheck.upkeep import places

_COLOURS: dict[Outcome, str] = {"pass": "green", "fail": "bold red", "could not look": "yellow"}


def sweep(config: Path, *, most: int, share: float, act: bool, as_json: bool) -> None:
    """Sweep every configured place and exit with the documented code."""
    with errors("sweep", as_json=as_json):
        loaded = load(config)
        now = WallClock().now()
        swept = look_and_sweep(fence_of(loaded), places(loaded), now, act=act, most=most, share=share)
    code = _sweep_code(swept)
    if as_json:
        emit("sweep", code, swept=swept.to_json())
    else:
        _print_sweep(swept)
    raise SystemExit(code)


def _sweep_code(swept: Swept) -> int:
    if swept.leaked:
        return exits.REFUSED_OR_LEAKED
    return exits.UNPROVEN if swept.blind else exits.PASSED


def _print_sweep(swept: Swept) -> None:
    for piece in swept.pieces:
        out.print(f"{piece.state:<8}  {piece.label}  {piece.reason}".rstrip(), markup=False, soft_wrap=True)
    for blind in swept.blind:
        where = f"{blind.what} of {blind.place.name} ({blind.place.account}) {blind.place.region}"
        err.print(f"could not look at {where}: {blind.reason}", markup=False, soft_wrap=True)
    if swept.tripped:
        err.print(
            f"NOTHING WAS DELETED: {swept.tripped}; find out why before you raise --most or --share", style="bold red"
        )
    said = swept.counted
    if swept.of(State.EXPIRED) and not swept.acted:
        said += "; this was a dry run, --no-dry-run deletes them"
    out.print(said, markup=False, soft_wrap=True)


def doctor(config: Path, *, as_json: bool) -> None:
    """Diagnose every account, placement and check and exit with the documented code."""
    with errors("doctor", as_json=as_json):
        loaded = load(config)
        found = diagnose(loaded, fence_of(loaded), WallClock().now())
    counts = Counter(d.outcome for d in found)
    code = exits.PASSED if set(counts) <= {"pass"} else exits.UNPROVEN
    if as_json:
        keys = ("subject", "name", "outcome", "detail", "fix")
        emit("doctor", code, diagnoses=[{key: getattr(d, key) for key in keys} for d in found])
    else:
        out.print(_diagnoses(found))
        out.print(", ".join(f"{counts[o]} {o}" for o in _COLOURS if counts[o]), markup=False)
    raise SystemExit(code)


def _diagnoses(found: tuple[Diagnosis, ...]) -> Table:
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("subject", "looked at", "outcome", "found, and what to do"):
        result.add_column(column, no_wrap=column == "outcome", overflow="fold")
    for d in found:
        detail = d.detail if d.outcome == "pass" else f"{d.detail}; {d.fix}".rstrip("; ")
        result.add_row(Text(d.subject), Text(d.name), Text(d.outcome, style=_COLOURS[d.outcome]), Text(detail))
    return result
