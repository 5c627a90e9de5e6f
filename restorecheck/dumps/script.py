r"""A plain dump on its way into psql: what psql must not do is taken out, and its end is looked for as it passes.

A script is a program for psql, and psql can run other programs. So it is fed under a restriction of ours, `\restrict`,
and its own restrictions, and the commands that make and enter its database, are taken out: those are ours to make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from restorecheck.dumps.completeness import TAIL, script_end

HEAD = 1 << 20
"""Bytes at the beginning of a script in which all that belongs to the database itself stands."""

_META = re.compile(rb"^\\(?:restrict [A-Za-z0-9]+|unrestrict [A-Za-z0-9]+|connect .*)$", re.MULTILINE)
_CONNECT = re.compile(rb"^\\connect .*$", re.MULTILINE)
_MAKES = re.compile(rb"^CREATE DATABASE [^;]*;", re.MULTILINE)
_END = re.compile(rb"^\\unrestrict [A-Za-z0-9]+\s*$", re.MULTILINE)
_ROWS = re.compile(rb"^(COPY .* FROM stdin;|INSERT INTO )", re.MULTILINE)
_DROPS = re.compile(rb"^(?:DROP |ALTER .*\bDROP |SELECT pg_catalog\.lo_unlink\()")
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]+)';", re.MULTILINE)


@dataclass
class Script:
    """One pass of a script to psql. `engine` decides its last words, `key` is the restriction's, unguessable."""

    blocks: Iterator[bytes]
    key: str
    engine: str = "postgresql"
    dropping: set[int] = field(default_factory=set)  # lines, as psql counts them, with statements that only drop

    @property
    def end_mark(self) -> bytes:
        """What psql prints once it has read everything, and nothing swallowed the rest of the script."""
        return f"end-{self.key}".encode()

    def fed(self) -> Iterator[bytes]:
        """Yield what psql gets. Raises SourceError `dump-damaged` if the script has no end."""
        head = b""
        for block in self.blocks:
            head += block
            if len(head) >= HEAD + TAIL:
                break
        first = f"\\restrict {self.key}\n".encode()
        cleaned = first + self._cleaned(head)
        self._note_drops(cleaned)
        tail, raw = cleaned, head[-TAIL:]
        for block in self.blocks:
            yield tail[:-TAIL]
            tail = tail[-TAIL:] + block
            raw = (raw + block)[-TAIL:]
        script_end(self.engine, raw)
        yield _END.sub(b"", tail)
        yield b"\nSELECT '" + self.end_mark + b"';\n"

    def _cleaned(self, head: bytes) -> bytes:
        """Take psql's own commands, and the making of the database, out of what stands before the first rows."""
        rows = _ROWS.search(head)
        before, after = (head[: rows.start()], head[rows.start() :]) if rows else (head, b"")
        made = _MAKES.search(before)
        entered = _CONNECT.search(before, made.end()) if made else None
        if entered:  # pg_dump --create: up to here it speaks of the database as a whole
            before = re.sub(rb"[^\n]", b"", before[: entered.start()]) + before[entered.start() :]
        return _META.sub(b"", before) + after

    def _note_drops(self, head: bytes) -> None:
        for number, line in enumerate(head[:HEAD].split(b"\n"), 1):
            if _DROPS.match(line):
                self.dropping.add(number)


def encoding(first: bytes) -> str:
    """Return the encoding that a script says its texts have; UTF8 if it says none."""
    found = _ENCODING.search(first)
    return found.group(1).decode() if found else "UTF8"
