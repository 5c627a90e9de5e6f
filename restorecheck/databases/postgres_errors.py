"""What PostgreSQL's errors mean for a verdict, and what of their text may be repeated: pure, no connection here.

An error text can carry a row (`invalid input syntax for type integer: "4111…"`), also unquoted and under a borrowed
SQLSTATE (`RAISE`). So of a server's sentence only those words are kept that PostgreSQL's own templates consist of, or
that the operator wrote in the query; DETAIL, HINT and CONTEXT are never looked at.
"""

from __future__ import annotations

import re

BY_STATE = {
    "22021": "data-damaged",  # bytes that are not of the database's encoding came out of a table
    "42P01": "missing-object",
    "42703": "missing-object",
    "42883": "missing-object",
    "42704": "missing-object",
    "3F000": "missing-object",
    "3D000": "missing-object",
    "57014": "timeout",
    "55P03": "timeout",  # somebody held a lock for longer than lock_timeout
    "25P03": "timeout",
    "25P04": "timeout",
    "28000": "login-failed",
    "28P01": "login-failed",
    "53000": "database-unreachable",
    "53300": "database-unreachable",
    "57P01": "interfered",  # an administrator's command, not a crash
    "57P04": "interfered",
    "57P05": "interfered",
    "57P02": "connection-lost",
    "57P03": "database-unreachable",
}
"""SQLSTATE → failure kind, where the class alone does not say it."""

BY_CLASS = {"XX": "data-damaged", "58": "data-damaged", "08": "connection-lost"}
"""The first two characters of a SQLSTATE → failure kind. Everything else is the question's own fault."""

ELSEWHERE = "the query reads from another server, and nobody gets there from this copy: ask for what the backup holds"
"""What is said of a foreign table, or of dblink. The backup holds no row of it."""

_HINTS = {
    "42501": "the reader may read every table, but it runs no privileged function, and it is refused where a row-level "
    "security policy would hide rows from it",
    "25006": "the query tried to write",
    "53100": "the server ran out of disk while it answered: ask for less",
    "53200": "the server ran out of memory while it answered: ask for less",
    "53400": "the query reached a limit of the server, such as temp_file_limit: ask for less",
    "P0001": "a function of the database raised an error",
}

_NO_MAPPING = re.compile(r"user mapping not found")
_LOST_LIBRARY = re.compile(r"\$libdir/|\.(so|dylib|dll)\b")

_TEMPLATE = """
a access aggregate allow allowed already an and any are argument arguments array as at base be because beyond bigint
block boolean buffer by bytes cache calls cannot cast catalog character checksum chunk clause close column columns
command commands compressed constraint contain contains control conversion convert corrupt corrupted could create
current cursor cut data database date declare denied different disk does double each element encoding end error
exceeds execute exist existing expected expression failed field file find for format found from function functions
global grant granted group has have header implemented in index indexes input insert integer interval into invalid is
item its json jsonb key large left length level limit lock lookup match matching materialized may memory missing mode
modifying more multiple must name named near negative no not number numeric of off offset on one only open operator or
order out output page parameter permission pointer policy position precision prepared privilege procedure query range
read read-only real record recursive reference references relation replication request requested required return
returned returns right role roles row row-level rows scalar schema security select sequence server set single size
smallint space specified statement statements string subquery subscript substring such syntax system table tables
temporary terminating text than that the time timeout timestamp to toast token too transaction trigger tuple type
types unable unexpected unique unsupported update used user using value values variable verification version view
while window with within without would write zero zone
"""
_TEMPLATE_WORDS = frozenset(_TEMPLATE.split())
"""The words of PostgreSQL's own messages that are worth repeating; anything else may have come out of a row."""

_WORD = re.compile(r"[^\s\"'`“”«»(),;:]+|[\"'`“”«»(),;:]")
_PLACE = re.compile(r"(base|global)/\d+(/\d+)?|pg_toast_\d+", re.ASCII)
_QUOTES = frozenset("\"'`“”«»")
_SHORTEST_HELP = 0.5  # a sentence of which less than this is left helps nobody


def kind_of(sqlstate: str, message: str = "", *, lost: bool = True) -> str:
    """Return the failure kind of an error that a server gave.

    `message` only tells a lost library from a lost file, and a table elsewhere from one that is missing. `lost` says
    that the session is over: where it is not, the connection that failed is one of the server's own, to another server.
    """
    if (sqlstate == "58P01" and _LOST_LIBRARY.search(message)) or _is_elsewhere(sqlstate, message, lost):
        return "question"
    return BY_STATE.get(sqlstate) or BY_CLASS.get(sqlstate[:2]) or "question"


def _is_elsewhere(sqlstate: str, message: str, lost: bool) -> bool:
    """Say whether a server failed to read from another one: its rows are in no backup of this one.

    To that server our role has no mapping (42704), and from an isolated copy there is no way (class 08).
    """
    return (sqlstate.startswith("08") and not lost) or (sqlstate == "42704" and bool(_NO_MAPPING.search(message)))


def sentence(sqlstate: str, condition: str, message: str, sql: str | None, *, lost: bool = True) -> str:
    """Return one sentence about an error: SQLSTATE, the condition's name, and what may be repeated of the message.

    `condition` is a name such as `UndefinedTable`, or empty; `sql` is what the operator wrote, None for our own;
    `lost` is as in `kind_of`.
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", condition).lower() or "error"
    text = f"the server refused with SQLSTATE {sqlstate} ({name})"
    if kept := repeatable(message, sql or ""):
        text += f": {kept}"
    if sql is None:
        return text
    if sqlstate == "58P01" and _LOST_LIBRARY.search(message):
        return f"{text}; the restored server lacks a library that the query needs"
    if _is_elsewhere(sqlstate, message, lost):
        return f"{text}; {ELSEWHERE}"
    return f"{text}; {_HINTS[sqlstate]}" if sqlstate in _HINTS else text


def repeatable(message: str, sql: str) -> str:
    """Return what of a server's message may be repeated, with `…` for what may not; empty if that helps nobody."""
    known = {part for word in _WORD.findall(sql.lower()) for part in (word, *word.split("."))}
    kept: list[str] = []
    words = 0
    before = ""
    for word in _WORD.findall(message):
        low = word.lower()
        if len(word) == 1 and not word.isalnum():
            kept.append(word)
        elif _may_be_repeated(low, known, before):
            kept.append(word)
            words += 1
        elif not kept or kept[-1] != "…":
            kept.append("…")
        before = low
    if not words or words < _SHORTEST_HELP * (words + kept.count("…")):
        return ""
    return _joined(kept)


def _may_be_repeated(word: str, known: set[str], before: str) -> bool:
    if word in _TEMPLATE_WORDS or word in known or _PLACE.fullmatch(word):
        return True
    if "." in word:  # a qualified name: `o.totl` where the query says `o.totl`, or `shop.orders` of `shop` and `orders`
        return all(part in known for part in word.split(".") if part)
    return before == "block" and word.isdecimal() and len(word) <= 10


def _joined(kept: list[str]) -> str:
    """Put words and punctuation together again, quotes around what they held."""
    text = ""
    inside = False
    for word in kept:
        if word in _QUOTES:
            text += word if inside or not text else f" {word}"
            inside = not inside
        elif not text or word in ",;:()" or text[-1] == "(" or (inside and text[-1] in _QUOTES):
            text += word
        else:
            text += f" {word}"
    return text


# --- errors of a connection attempt ---------------------------------------------------------------------------------

_CONNECTING: tuple[tuple[str, str, bool], ...] = (
    # a pattern in libpq's or the server's English text, the failure kind, whether a little later it may work
    (r"certificate verify failed|server certificate for|certificate .*does not match|root certificate", "tls", False),
    (r"server does not support SSL|SSL was required|unsupported protocol|wrong version number", "tls", False),
    (r"tls.* alert|SSL error: (?!.*(unexpected eof|connection reset|broken pipe))", "tls", False),
    (
        r": (Too many open files( in system)?|Cannot allocate memory|No space left on device)",
        "database-unreachable",
        True,
    ),
    (r"invalid page in block|could not read (block|file)|could not open (file|relation)", "data-damaged", False),
    (
        r"cache lookup failed|missing chunk number|invalid memory alloc|is not a valid data directory",
        "data-damaged",
        False,
    ),
    (r"cannot connect to invalid database", "data-damaged", False),  # half dropped: datconnlimit is -2
    (r'FATAL: +database "[^"]*" does not exist', "missing-object", False),
    (r"permission denied for database", "login-failed", False),
    (r"in a read-only transaction", "login-failed", False),  # a login trigger of the backup that writes
    (r"authentication failed|no pg_hba\.conf entry|not permitted to log in", "login-failed", True),
    (r'FATAL: +role "[^"]*" does not exist|authentication method|no password supplied', "login-failed", True),
)


def connecting(message: str) -> tuple[str, bool]:
    """Return the failure kind of a connection that did not come about, and whether trying again may help.

    libpq passes no SQLSTATE on here, so the text decides; what it does not decide is `database-unreachable`, which
    accuses nobody's backup.
    """
    for pattern, kind, retryable in _CONNECTING:
        if re.search(pattern, message, re.IGNORECASE):
            return kind, retryable
    return "database-unreachable", True
