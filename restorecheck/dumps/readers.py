"""Readers of the lines that pg_restore and psql write: each error becomes a complaint, and none may be lost. Pure."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from restorecheck.dumps.complaints import Complaint, Sort, judged

_HEAD = re.compile(r" *(pg_restore|error|fatal|warning): *")
_ENTRY = re.compile(r"^(?:from|in) (?:TOC )?entry \d+; \d+ \d+ (.+)$")
_ENTRY_KINDS = re.compile(r"^((?:[A-Z]+ )*[A-Z]+) (.+)$")
_RESTORE_COUNT = re.compile(r"^errors ignored on restore: (\d+)$")
_SERVER = re.compile(r"^(?:could not execute query: |COPY failed for table .+?: |.*?)(?:ERROR|FATAL|PANIC): +(.*)$")
_SCRIPT = re.compile(r"^psql:<stdin>:(\d+): (?:(ERROR|FATAL|PANIC): +(?:(\w{5}): )?|error: )(.*)$")


class RestoreReader:
    """Reads the lines that pg_restore writes, in order.

    Its processes write into one pipe, and each writes a line in pieces (its name, a level, the message). So the heads
    of two lines may stand before the first message, and the second message has none: every level that was announced
    is one complaint. [pg_log_generic_v of PostgreSQL 15 to 18; seen with two workers that met the same damage]
    """

    def __init__(self) -> None:
        self.complaints: list[Complaint] = []
        self.announced: int | None = None  # errors that pg_restore counted itself
        self._where = ""
        self._names = 0  # of the program, after which no level and no message came yet
        self._levels = 0  # after which no message came yet

    def line(self, text: str) -> None:
        """Take one line."""
        rest = self._message(text)
        if not rest:
            return
        if found := _ENTRY.match(rest):
            self._where = entry(found.group(1))
        if found or not self._levels:  # it belongs to an error, or is the text of a statement
            self._names = max(self._names - 1, 0)
            return
        self._levels -= 1
        if found := _RESTORE_COUNT.match(rest):
            self.announced = int(found.group(1))
        else:
            self._error(rest)

    def _message(self, text: str) -> str:
        """Return what follows the heads of a line, and count these. A level without a name is of the statement."""
        while head := _HEAD.match(text):
            if head.group(1) == "pg_restore":
                self._names += 1
            elif self._names:
                self._names, self._levels = self._names - 1, self._levels + 1
            else:
                break
            text = text[head.end() :]
        return text

    def _error(self, text: str) -> None:
        server = _SERVER.match(text)
        rows = text.startswith("COPY failed") or self._where.startswith("TABLE DATA")
        where = self._where if server else ""
        if server and (table := re.match(r"COPY failed for table \"(.+?)\": ", text)):
            where = f"TABLE DATA {table.group(1)}"
        self.complaints.append(judged(server.group(1) if server else text, where=where, rows=rows and bool(server)))


def entry(text: str) -> str:
    """Return kind and name of an entry of a table of contents, without its owner: `TABLE DATA public users`."""
    found = _ENTRY_KINDS.match(text)
    if not found:
        return "an object"
    words = found.group(2).split(" ")
    return f"{found.group(1)} {' '.join(words[:-1] if len(words) > 2 else words)}"[:160]


class ScriptReader:
    """Reads the lines that psql writes, in order. `dropping` are line numbers of statements that only drop things."""

    def __init__(self, dropping: AbstractSet[int] = frozenset()) -> None:
        self.complaints: list[Complaint] = []
        self.dropping = dropping

    def line(self, text: str) -> None:
        """Take one line."""
        if found := _SCRIPT.match(text):
            number, _, state, message = found.groups()
            if int(number) in self.dropping and "does not exist" in message:
                self.complaints.append(Complaint(Sort.HARMLESS, "dropped what is not there"))
                return
            self.complaints.append(judged(message, where=f"line {number}", sqlstate=state or ""))
        elif text.startswith("psql: error: "):
            self.complaints.append(judged(text.removeprefix("psql: error: ")))
