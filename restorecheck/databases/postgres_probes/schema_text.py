"""How the definition of one object becomes one line that is the same wherever the object was restored. Pure.

A line is for people to read in a difference, and for a comparison to rely on: what PostgreSQL itself writes in two ways
is written in one here.
"""

from __future__ import annotations

import hashlib
import re

LONGEST = 1000
"""Characters of one line. Of what is longer, the beginning is shown, and a digest stands for all of it."""

_SPACE = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+""")

_VARCHAR = r"'(?:[^']|'')*'::character varying"
_CAST_OF_ARRAY = re.compile(rf"\(ARRAY\[({_VARCHAR}(?:, {_VARCHAR})*)\]\)::text\[\]")
_ELEMENT = re.compile(_VARCHAR)

OF_EVERY_DATABASE = frozenset({"schema public", "extension plpgsql"})
"""What a new database has: lines that say nothing about a backup."""


def line(head: str, text: str | None = None, body: str | None = None) -> str:
    """Return one line: `head`, then `text` without its layout, then a digest of `body`, letter by letter."""
    parts = [head]
    if text:
        parts.append(_SPACE.sub(lambda found: found[1] or " ", _settled(text)).strip())
    if body is not None:
        parts.append(f"sha256:{_digest(body)}")
    whole = " ".join(parts).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if len(whole) <= LONGEST:
        return whole
    return f"{whole[: LONGEST - 100]}… ({len(whole):,} characters, sha256:{_digest(whole)})"


def ascending(lines: list[str]) -> tuple[str, ...]:
    """Return the lines in their order: by code points, as no collation does it."""
    return tuple(sorted(set(lines)))


def of_users(lines: tuple[str, ...]) -> int:
    """Return how many of the lines are no part of every new database."""
    return sum(one not in OF_EVERY_DATABASE and not one.startswith("extension plpgsql version ") for one in lines)


def _settled(text: str) -> str:
    """Write the cast of a list of texts as PostgreSQL writes it once it has been dumped and loaded.

    `x IN ('a', 'b')` on a varchar reads `((x)::text = ANY ((ARRAY['a'::character varying, …])::text[]))` where it was
    first declared, and `ANY (ARRAY[('a'::character varying)::text, …])` wherever a dump of it was restored.
    """
    return _CAST_OF_ARRAY.sub(lambda found: f"ARRAY[{_ELEMENT.sub(_cast, found[1])}]", text)


def _cast(found: re.Match[str]) -> str:
    return f"({found[0]})::text"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
