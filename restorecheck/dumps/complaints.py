"""What a restore complains of, as values, and what each complaint means: pure, nothing is run here.

An error text can carry a row (`invalid input syntax for type integer: "4111…"`). So a complaint keeps names of objects
from the dump's table of contents, and of the message only what `postgres_errors` would repeat. Nothing is ignored: a
complaint that no rule knows counts as unknown, and a restore with one is not green.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from restorecheck import failures
from restorecheck.databases.postgres_errors import repeatable
from restorecheck.model import Observation, Verdict


class Sort(StrEnum):
    """What a complaint is about."""

    HARMLESS = "harmless"  # of no consequence in an empty database
    ROLE = "role"  # a role that the dump speaks of is not here
    LACK = "lack"  # something else that this machine or this server lacks
    TROUBLE = "trouble"  # the server went away, or had no memory
    FULL = "full"  # no room on the disk
    FOLLOWS = "follows"  # something is missing that an earlier error may have kept from being made
    REFERENCE = "reference"  # a row points to one that is not there, perhaps because of an earlier error
    ORDER = "order"  # a rule on values that may depend on how texts are sorted
    DATA = "data"  # the content is at fault
    DAMAGE = "damage"  # the archive cannot be read
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error, without any row value."""

    sort: Sort
    sentence: str
    name: str = ""  # of the role, extension or library that is missing
    sqlstate: str = ""


_QUOTED = r"[\"“]([^\"”]*)[\"”]"

RULES: tuple[tuple[Sort, str], ...] = (
    # --- this machine's own trouble with a file, in the words of its system, whatever it was about to do with it
    (Sort.FULL, r": (No space left on device|Disk quota exceeded)$"),
    (Sort.TROUBLE, r": (Too many open files( in system)?|Cannot allocate memory|Input/output error)$"),
    (Sort.LACK, r": (Permission denied|Read-only file system)$"),
    # --- the archive cannot be read
    (Sort.DAMAGE, r"unexpected end of file|could not read from input file|could not (un|de)compress"),
    (Sort.DAMAGE, r"corrupt|did not find magic string|does not appear to be a valid archive|sanity check on integer"),
    (Sort.DAMAGE, r"could not find (block ID|entry|header for file|file .* in archive)|invalid (tar|ENCODING|STDSTR)"),
    (Sort.DAMAGE, r"(unexpected|unrecognized|found unexpected) (data )?(block|offset|section)|out of range -- perhaps"),
    (Sort.DAMAGE, r"could not (open|close|seek|determine) (large object TOC|TOC file|input file|file|seek position)"),
    (Sort.DAMAGE, r"invalid line in large object|unsupported tar header|could not initialize compression|block ID"),
    (Sort.DAMAGE, r"unrecognized file format|unexpected (tar|section code)|invalid (dumpId|dependency|creation date)"),
    (Sort.DAMAGE, r"invalid compression (code|specification)|actual file length|incomplete tar header|invalid entry"),
    (Sort.DAMAGE, r"inconsistent|not find (slot|any)|large object TOC|ftell|bad (dumpId|checksum)|possibly corrupt"),
    # --- what is missing here
    (
        Sort.LACK,
        r"unsupported version|not support(ed)? (compression|by this build)|is compressed, but this installation",
    ),
    (Sort.FULL, r"No space left on device|could not (extend|write to) file|[Dd]isk quota exceeded"),
    (Sort.TROUBLE, r"server closed the connection|connection to server|terminating connection|the database system is"),
    (Sort.TROUBLE, r"out of (shared )?memory|canceling statement|too many clients|could not fork|SSL SYSCALL"),
    (Sort.TROUBLE, r"no connection to the server|lost synchronization|could not resize shared memory"),
    (Sort.ROLE, rf"role {_QUOTED} does not exist"),
    (Sort.LACK, rf"extension {_QUOTED} is not available|could not open extension control file {_QUOTED}"),
    (
        Sort.LACK,
        rf"extension {_QUOTED} has no (installation script|update path)|extension .* must be (loaded|preloaded)",
    ),
    (Sort.LACK, r"could not (access file|load library)"),
    (Sort.LACK, rf"language {_QUOTED} does not exist|tablespace {_QUOTED} does not exist"),
    (Sort.LACK, rf"access method {_QUOTED} does not exist|{_QUOTED} must be loaded via shared_preload"),
    (Sort.LACK, r"ICU is not supported|collation .* for encoding .* does not exist|(could not|cannot) create locale"),
    (Sort.LACK, r"could not (open|convert|find|get) .*(collator|locale)|collation provider|invalid locale"),
    (Sort.LACK, r"unrecognized configuration parameter|permission denied|must be (superuser|owner|member|able)"),
    (Sort.LACK, r"not supported by this (build|platform)|wal_level|subscription|replication slot|compression method"),
    # --- nothing to do with the backup
    (Sort.HARMLESS, r"schema \"public\" already exists|language \"plpgsql\" already exists"),
    # --- a process that ended and had no time to say why: where it did say, that outranks this
    (Sort.UNKNOWN, r"worker process"),
    # --- what it holds
    (Sort.REFERENCE, r"violates foreign key constraint"),
    (Sort.ORDER, r"violates (check|exclusion) constraint|is violated by some row|no partition of relation"),
    (Sort.ORDER, r"violates partition constraint|could not create exclusion constraint"),
    (Sort.DATA, r"violates|duplicate key|could not create unique index|contains null values|invalid byte sequence"),
    (Sort.DATA, r"invalid input|missing data for|extra data after|out of range|too long|malformed|invalid hexadecimal"),
    (Sort.DATA, r"end-of-copy|unterminated|syntax error|literal (carriage return|newline)|unexpected message|mismatch"),
    (Sort.DATA, r"unsupported format character|invalid (message|escape|Unicode|DSM|memory|string|value|name|command)"),
    (
        Sort.DATA,
        r"has no equivalent in encoding|backslash commands are restricted|invalid \w+ (format|syntax)|COPY file",
    ),
    (Sort.FOLLOWS, r"does not exist|is not a (table|view|sequence)|current transaction is aborted|no schema has been"),
    (
        Sort.FOLLOWS,
        r"could not find (a )?|there is no (unique|primary)|cannot be (implemented|cast)|has no (default|col)",
    ),
    (Sort.FOLLOWS, r"errors occurred|finished item|could not execute|already exists|is not partitioned"),
)
"""Which of several may be said is decided by order: what cannot be read, what is missing here, what it holds."""

_RULES = tuple((sort, re.compile(pattern), '"' in pattern) for sort, pattern in RULES)
_IN_QUOTES = re.compile(r"\"[^\"]*\"|“[^”]*”")


def judged(message: str, *, where: str = "", sqlstate: str = "", rows: bool = False) -> Complaint:
    """Return what one error means.

    `where` names the object from the table of contents; `rows` says that the rows of a table were being loaded, so that
    an error which no rule knows is one of the data.
    """
    sort, found = (Sort.DATA if rows else Sort.UNKNOWN), None
    bare = _IN_QUOTES.sub('""', message)  # a table may be called `subscriptions`, and a value may say `corrupt`
    for known, pattern, names in _RULES:
        if found := pattern.search(message if names else bare):
            sort = known
            break
    name = next((g for g in found.groups() if g), "") if found and sort in (Sort.ROLE, Sort.LACK) else ""
    said = f'role "{name}" does not exist' if sort is Sort.ROLE else repeatable(message, name)
    if sort is Sort.LACK and not name and (setting := re.search(r"parameter \"([\w.]+)\"", message)):
        name = setting.group(1)
        said = repeatable(message, name)
    if "worker process" in message:
        said = "a process of pg_restore died"
    text = f"{where}: {said or 'an error whose text may hold a row'}" if where else said or "an error"
    return Complaint(sort, text, name, sqlstate)


MOST = 5000
"""Complaints after which a restore is given up: it cannot become green any more."""


# --- what it all comes to ---------------------------------------------------------------------------------------------

_KIND = {
    Sort.DAMAGE: "dump-damaged",
    Sort.DATA: "dump-errors",
    Sort.REFERENCE: "dump-errors",
    Sort.ORDER: "dump-errors",
    Sort.FOLLOWS: "dump-errors",
    Sort.FULL: "scratch-full",
    Sort.TROUBLE: "database-unreachable",
    Sort.LACK: "environment",
    Sort.ROLE: "environment",
    Sort.UNKNOWN: "unknown-answer",
}
_RANK = tuple(_KIND)  # the first that is met says what the whole is
_SHOWN = 5


def classified(complaints: Iterable[Complaint], *, other_locale: bool = False, seconds: float = 0.0) -> Observation:
    """Return one observation of all complaints. What makes a backup broken outranks what makes a run unproven.

    What may only be the consequence of something that is missing here does not: a table without its extension's type is
    not made, so its rows cannot be loaded, and rows that point to them point nowhere. `other_locale` says that texts
    sort otherwise here than where they were dumped.
    """
    told = [c for c in complaints if c.sort is not Sort.HARMLESS]
    expected = "restored without an error"
    if not told:
        return Observation("dump-restored", expected, "no error", seconds=seconds)
    sorts = Counter(c.sort for c in told)
    excused = set()
    if sorts[Sort.LACK] or sorts[Sort.FULL] or sorts[Sort.TROUBLE]:
        excused |= {Sort.FOLLOWS, Sort.REFERENCE}
    if sorts[Sort.ROLE]:  # a role that is missing takes grants and policies with it, and no row
        excused |= {Sort.FOLLOWS} if not sorts[Sort.REFERENCE] else set()
    if other_locale and sorts[Sort.ORDER]:  # a row that is refused for its order takes the rows of its table with it
        excused |= {Sort.ORDER, Sort.FOLLOWS, Sort.REFERENCE}
    worst = next((s for s in _RANK if sorts[s] and s not in excused), None)
    kind = _KIND[worst] if worst else "environment"
    first = [c for c in told if c.sort is worst] or told
    number = f"{len(told)} error{'s' if len(told) != 1 else ''}"
    partial = failures.kind(kind).verdict is Verdict.UNPROVEN and any(c.sort is not Sort.ROLE for c in told)
    message = _message(first, told, kind)
    if worst is None and sorts[Sort.ORDER]:
        message += "; texts may sort otherwise here than where it was dumped"
    return Observation("dump-restored", expected, number, kind, message, seconds=seconds, partial=partial)


def _message(first: Sequence[Complaint], told: Sequence[Complaint], kind: str) -> str:
    """Say what is wrong: the sentences that matter most, each once, and how many there are."""
    roles = sorted({c.name for c in told if c.sort is Sort.ROLE})
    if kind == "environment" and first[0].sort is Sort.ROLE:
        return f"roles that the dump speaks of are missing: {', '.join(roles)}; declare them in `roles`"
    sentences = list(dict.fromkeys(c.sentence for c in first))
    text = "; ".join(sentences[:_SHOWN])
    if len(sentences) > _SHOWN:
        text += f"; and {len(sentences) - _SHOWN} more"
    if roles and kind == "environment":
        text += f"; also these roles are missing: {', '.join(roles)}"
    return text
