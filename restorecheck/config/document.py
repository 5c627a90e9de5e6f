"""One TOML file: read, compared with its shape, and every complaint about it told as a sentence with its line.

Reading never stops at the first problem: what has the wrong type is taken out and remembered as `broken`, and the rest
is handed on, so that the rules between keys can be judged too. Reads the one file that it is given and nothing else.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path as File
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from restorecheck.config import positions, wording
from restorecheck.config.table import Path, Shape, tables
from restorecheck.errors import Problem

S = TypeVar("S", bound=Shape)

_ENCODING = "the file is not UTF-8 text; save it as UTF-8, as TOML demands"
_MARK = "\ufeff"
_CURLY = frozenset("“”„\u2018\u2019")  # what word processors and wikis make of quotes


@dataclass(slots=True)
class Document(Generic[S]):
    """A file as far as it could be understood, what is wrong with it, and what is remarked on it."""

    shown: str  # the file's name as the operator would type it
    tree: S
    text: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)
    complaints: list[tuple[Path | int, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)

    def wrong(self, path: Path, message: str) -> None:
        """Complain about one place."""
        if (path, message) not in self.complaints:
            self.complaints.append((path, message))

    def unclear(self, *path: str | int) -> bool:
        """Return whether this place, or something in it, was already complained about when the file was read."""
        return any(place[: len(path)] == path or path[: len(place)] == place for place in self.broken)

    def problems(self) -> list[Problem]:
        """Return all complaints, by line."""
        return self._placed(self.complaints)

    def remarks(self) -> list[Problem]:
        """Return all notes, by line."""
        return self._placed(self.notes)

    def _placed(self, said: Sequence[tuple[Path | int, str]]) -> list[Problem]:
        if not said:
            return []
        lines = positions.lines(self.text)
        return sorted(
            Problem(self.shown, where, "", message)
            if isinstance(where, int)
            else Problem(self.shown, positions.line_of(lines, where), wording.key(where, self.raw), message)
            for where, message in said
        )


def read(file: File, shown: str, kind: type[S]) -> Document[S]:
    """Read a file. Complaints about its encoding or syntax leave it empty, with everything in it unclear."""
    document = Document(shown, kind())
    try:
        document.text = file.read_bytes().decode()
        raw = tomllib.loads(document.text, parse_float=Decimal)
    except UnicodeDecodeError as e:
        _unreadable(document, e.object[: e.start].count(b"\n") + 1, _ENCODING)
    except OSError as e:
        _unreadable(document, 1, f"the file cannot be read ({e.strerror}); see that it exists and that you may read it")
    except (ValueError, RecursionError) as e:
        _unreadable(document, *_spoilt(document.text, e))
    else:
        _compare(document, raw, kind)
    return document


def _unreadable(document: Document[S], line: int, message: str) -> None:
    document.text = ""
    document.broken.add(())
    document.complaints.append((line, message))


def _spoilt(text: str, error: Exception) -> tuple[int, str]:
    """Return the line and the complaint about a text that is not TOML: what an editor did, else what is wrong in it."""
    if "\0" in text:  # UTF-16 that nothing marks as such
        return text[: text.index("\0")].count("\n") + 1, _ENCODING
    if text.startswith(_MARK):
        return 1, "the file begins with a byte order mark; save it as UTF-8 without one (without BOM)"
    line, why = _syntax(text, error)
    return line, f"the file is not TOML: {why}"


def _syntax(text: str, error: Exception) -> tuple[int, str]:
    """Return the line and the reason of a syntax error, which `tomllib` puts into one sentence."""
    if isinstance(error, RecursionError):
        return 1, "it is nested too deeply; no key needs more than a few levels"
    found = re.fullmatch(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", str(error), re.DOTALL)
    if not found:
        return 1, "a number in it has thousands of digits; shorten it"
    why = found[1][0].lower() + found[1][1:]
    if not found[2]:
        return text.count("\n") + (not text.endswith("\n")), f"{why} at the end of the file; something is not closed"
    written = text.split("\n")[int(found[2]) - 1].rstrip()
    if written[int(found[3]) - 1 :][:1] in _CURLY or (len(written) < int(found[3]) and written[-1:] in _CURLY):
        return int(found[2]), f'its quotes must be straight; write "…" in the place of “…” in column {found[3]}'
    return int(found[2]), f"{why} in column {found[3]}; texts need quotes, and every key stands once"


def _compare(document: Document[S], raw: dict[str, Any], kind: type[S]) -> None:
    document.raw = raw
    found = list(tables(kind, raw))
    shapes = {path: shape for path, shape, _ in found}
    fitting = {path: shape.fitting(content) for path, shape, content in found}
    try:
        document.tree = kind.model_validate(raw)
    except ValidationError as e:
        for error in e.errors(include_url=False):
            path = tuple(part for part in error["loc"] if part != "[key]")
            document.complaints.append((path, wording.sentence(error, path, shapes, fitting)))
            document.broken.add(_removable(raw, path))
        document.tree = kind.model_validate(_without(raw, document.broken))
    for path, shape, content in found:
        known = shape.keys()
        misspelt = {wording.nearest(word, known) for word in content if word not in known}
        for key in (key for key in shape.demanded(content) if key not in content):
            document.broken.add((*path, key))
            if key not in misspelt:  # the unknown key says it already
                document.complaints.append(((*path, key), wording.missing(key, shape)))


def _removable(raw: dict[str, Any], path: Path) -> Path:
    """Return the innermost entry of a table on the way to a place: what can be taken out without moving anything."""
    here: Any = raw
    entry: Path = ()
    for depth, part in enumerate(path, 1):
        if isinstance(here, str):  # that stands for a table, as the pattern alone does for files
            break
        entry = path[:depth] if isinstance(here, dict) else entry
        here = here[part]
    return entry


def _without(raw: dict[str, Any], entries: set[Path]) -> dict[str, Any]:
    rest = copy.deepcopy(raw)
    for entry in sorted(entries, key=len, reverse=True):
        here: Any = rest
        for part in entry[:-1]:
            here = here[part]
        del here[entry[-1]]
    return rest
