"""What becomes of a run that a process wants to take, in words that all engines share. Imports no SDK."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Taken(StrEnum):
    """What became of a run that a process wanted to take."""

    BEGUN = "begun"
    RESUMED = "resumed"
    ENDED = "ended"  # its report is in the records
    FOREIGN = "foreign"  # begun under another step sequence: nobody can go on with it
    FAILED = "failed"  # its records say that it ended with a bug


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """Why a run stopped in this process without an end."""

    why: str
    store: bool  # the records could not be written: trying again will help once they can
