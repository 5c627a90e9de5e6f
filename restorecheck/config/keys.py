"""The shapes of names in S3, and of what a check does with objects: buckets, patterns of keys, views of files.

As in `names`, each reader returns its text or raises ValueError with a sentence "what is wrong; what would be right".
"""

from __future__ import annotations

import re

from restorecheck.config.values import shown

BUCKET = (
    r"^(?=.{3,63}$)(?![0-9]+(\.[0-9]+){3}$)(?!xn--|sthree-)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)"
    r"(?!.*\.\.)[a-z0-9][a-z0-9.-]*[a-z0-9]$"
)
"""S3 user guide, "General purpose bucket naming rules"; directory buckets (--x-s3) keep no versions."""

PATTERN = r"^[^/][\s\S]{0,1023}$"
SUFFIX = r"^\S{1,64}$"
VIEW = r"^(?!objects$)[a-z_][a-z0-9_]{0,62}$"
COLUMN_TYPE = r"^[A-Za-z][A-Za-z0-9_]*( [A-Za-z]+)*(\([0-9]{1,2}(, ?[0-9]{1,2})?\))?(\[\])?$"

_READABLE = re.compile(r"\.(parquet|(csv|tsv|jsonl|ndjson|json)(\.(gz|zst))?)$|\*$", re.IGNORECASE)
_LONGEST_KEY = 1024  # bytes of UTF-8


def bucket(text: str) -> str:
    """Read the name of a general purpose bucket."""
    if text.startswith(("s3://", "arn:")):
        raise ValueError(f'{shown(text)} is an address; write the name of the bucket alone, for example "shop-backups"')
    if not re.match(BUCKET, text) or text.endswith("\n"):
        raise ValueError(
            f"{shown(text)} is not the name of a bucket; write 3 to 63 lower-case letters, digits, hyphens and dots, "
            'for example "shop-backups"'
        )
    return text


def prefix(text: str) -> str:
    """Read the beginning of keys; empty: all of the bucket."""
    if len(text.encode()) > _LONGEST_KEY:
        raise ValueError(f"is longer than any key; write at most {_LONGEST_KEY} bytes")
    return text


def pattern(text: str) -> str:
    """Read a pattern of keys, in which `*` stops at `/` and `**` does not."""
    if text.startswith("s3://"):
        raise ValueError(f'{shown(text)} is an address; write the key without the bucket, for example "daily/*.dump"')
    if not text or text.startswith("/") or len(text.encode()) > _LONGEST_KEY:
        raise ValueError(
            f"{shown(text)} is not a pattern of keys; write 1 to {_LONGEST_KEY} bytes that do not begin with /, "
            'for example "daily/*.dump"'
        )
    return text


def readable(pattern: str) -> bool:
    """Return whether keys of this pattern may be files that a query can read."""
    return _READABLE.search(pattern) is not None


def suffix(text: str) -> str:
    """Read what follows the key of a dump in the key of its checksum."""
    if not re.match(SUFFIX, text) or text.endswith("\n"):
        raise ValueError(f'{shown(text)} is not the end of a key; write for example ".sha256"')
    return text


def view(text: str) -> str:
    """Read the name by which a query knows restored files."""
    if not re.match(VIEW, text) or text.endswith("\n"):
        why = "is the table of all objects" if text == "objects" else "is not a name for SQL"
        raise ValueError(
            f"{shown(text)} {why}; write lower-case letters, digits and _, beginning with a letter, "
            'for example "orders"'
        )
    return text


def column_type(text: str) -> str:
    """Read the type of a column, as DuckDB calls it."""
    if not re.match(COLUMN_TYPE, text) or text.endswith("\n"):
        raise ValueError(f'{shown(text)} is not a type; write one of DuckDB\'s, for example "DATE" or "DECIMAL(18, 2)"')
    return text
