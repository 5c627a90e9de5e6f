"""What lies in the bucket, and how it is written: keys, the record of a run, the index of a check. Pure.

A record is the whole proof of one run with what it measured, and is never changed. An index names the newest records of
one check. Both are JSON for whoever audits; docs/state-in-s3.md says what is in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from restorecheck.durable import decode, encode
from restorecheck.model import Failure, Report, Verdict
from restorecheck.schedule import check_of, time_of

COPY, KEY = "store.sqlite.gz", "service.key"
RECORDS, INDEXES, CANCELS = "runs/", "checks/", "cancel/"

RECORD = "restorecheck-run/1"
"""Changes with the meaning of anything in a record."""

INDEX = "restorecheck-check/1"

MOST = 500
"""Runs that an index names: more than a year of nightly ones. The records of older runs stay."""


@dataclass(frozen=True, slots=True)
class Line:
    """One run in the index of its check."""

    run: str
    verdict: Verdict
    kind: str | None  # of the failure
    started: datetime
    ended: datetime
    sha256: str  # of the record
    version: str  # of the record in the bucket


class NoRecordError(ValueError):
    """These bytes are no record, or no index, that this release can read."""


def record_key(run_id: str) -> str | None:
    """Return where the record of a run is; None: this is not a run id."""
    check = check_of(run_id)
    return None if check is None or time_of(run_id) is None else f"{RECORDS}{check}/{run_id}.json"


def run_of(key: str) -> str | None:
    """Return which run a key below RECORDS is the record of; None: of none."""
    run_id = key.rpartition("/")[2].removesuffix(".json")
    return run_id if record_key(run_id) == key else None


def index_key(check: str) -> str:
    """Return where the index of a check is."""
    return f"{INDEXES}{check}.json"


def cancel_key(run_id: str) -> str:
    """Return where the marker is by which a run is told to end."""
    return f"{CANCELS}{run_id}"


def written(report: Report) -> bytes:
    """Return the record of a run: always the same bytes for the same report."""
    return _json({"format": RECORD, "report": encode(report, Report)})


def read(body: bytes, run_id: str) -> Report:
    """Return the report in the record of a run. Raises NoRecordError."""
    plain = _plain(body, RECORD)
    try:
        report: Report = decode(plain["report"], Report)
    except (KeyError, ValueError) as e:  # pydantic's error is a ValueError, and may quote what was read
        raise NoRecordError("it holds no report that this release can read") from e
    if report.run_id != run_id or report.check != check_of(run_id):
        raise NoRecordError(f"it holds the report of {report.run_id!r}")
    return report


def instead(run_id: str, why: str, now: datetime, begun: datetime | None = None) -> Report:
    """Return what is known of a run whose record cannot be used: that it ended, and nothing of the backup."""
    hint = "read it by hand; an older version of the object may be whole"
    failure = Failure("store", "record", f"the record of this run cannot be used: {why}", hint)
    started = min(begun or time_of(run_id) or now, now)
    return Report(run_id, check_of(run_id) or "", Verdict.UNPROVEN, started, now, failure)


def line(report: Report, body: bytes, version: str) -> Line:
    """Return how a record stands in the index."""
    kind = report.failure.kind if report.failure else None
    sha256 = hashlib.sha256(body).hexdigest()
    return Line(report.run_id, report.verdict, kind, report.started, report.ended, sha256, version)


def merged(known: Iterable[Line], more: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines of an index with more of them, newest first; a line that is there stays as it is."""
    lines = {one.run: one for one in more} | {one.run: one for one in known}
    return tuple(sorted(lines.values(), key=lambda one: (one.started, one.run), reverse=True)[:MOST])


def index(check: str, lines: tuple[Line, ...]) -> bytes:
    """Return the index of a check."""
    return _json({"format": INDEX, "check": check, "runs": [encode(one, Line) for one in lines]})


def lines_of(body: bytes, check: str) -> tuple[Line, ...]:
    """Return the lines of an index. Raises NoRecordError."""
    plain = _plain(body, INDEX)
    try:
        if plain["check"] != check:
            raise NoRecordError(f"it is the index of {plain['check']!r}")
        return tuple(decode(one, Line) for one in plain["runs"])
    except (KeyError, TypeError, ValueError) as e:
        raise NoRecordError("it is no index that this release can read") from e


def _json(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain, indent=1, sort_keys=True).encode() + b"\n"  # escapes what no UTF-8 can hold


def _plain(body: bytes, form: str) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except ValueError as e:
        raise NoRecordError("it is no JSON") from e
    if not isinstance(plain, dict) or plain.get("format") != form:
        raise NoRecordError(f"it is not of the format {form}")
    return plain
