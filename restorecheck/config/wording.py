"""The sentences about the shape of a file: what pydantic found, said as "what is wrong; what would be right".

Pure. Sentences about values come ready from `values` and `names`; here are those about types, unknown and missing keys.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from restorecheck.config.table import Path, Shape
from restorecheck.config.values import veiled

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WANTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}


def key(path: Path, raw: dict[str, Any]) -> str:
    """Return a place as an operator would say it: `assert[orders-present].expect.at_least`."""
    said = ""
    here: Any = raw
    for part in path:
        here = _step(here, part)
        if isinstance(part, str):
            said += ("." if said else "") + _written(part)
        else:
            name = here.get("name") if isinstance(here, dict) else None
            said += f"[{name if isinstance(name, str) and name.isprintable() and name else part + 1}]"
    return said


def _written(part: str) -> str:
    return part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)


def _step(here: Any, part: str | int) -> Any:
    if isinstance(here, dict):
        return here.get(part)
    return here[part] if isinstance(here, list) and isinstance(part, int) else None


def instead(word: str, known: Iterable[str]) -> str:
    """Return what to write instead of a word that is not known: the nearest known one, or all of them."""
    names = sorted(known)
    near = nearest(word, names)
    return f"did you mean {near}?" if near else f"known here: {', '.join(names)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def missing(name: str, table: type[Shape]) -> str:
    """Return the sentence about a key that must be there."""
    return f"is missing; {_example(name, table)}"


def sentence(
    error: ErrorDetails, path: Path, shapes: Mapping[Path, type[Shape]], fitting: Mapping[Path, Sequence[str]]
) -> str:
    """Return the house sentence for one error of pydantic. `fitting` are the keys that each table may have."""
    kind, given = error["type"], error["input"]
    place, table = _around(path, shapes)
    if kind == "extra_forbidden":
        return _unknown(str(path[-1]), place, shapes, fitting[place])
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        near = difflib.get_close_matches(str(given).lower(), known, n=1)
        right = f'did you mean "{near[0]}"?' if near else "write " + " or ".join(f'"{word}"' for word in known)
        return f"{veiled(given)} is not known here; {right}"
    wrong = f"{veiled(given)} stands where {_WANTED[kind]} is meant"
    return f"{wrong}; {_example(str(path[len(place)]), table)}"


def _around(path: Path, shapes: Mapping[Path, type[Shape]]) -> tuple[Path, type[Shape]]:
    """Return the innermost table with a shape on the way to a place."""
    place = path[:-1]
    while place not in shapes:
        place = place[:-1]
    return place, shapes[place]


def _unknown(word: str, place: Path, shapes: Mapping[Path, type[Shape]], known: Sequence[str]) -> str:
    if not nearest(word, known):
        for other, known_there in (
            (at, shape.keys()) for at, shape in shapes.items()
        ):  # a key below the wrong header, as happens easily in TOML
            if other != place and word in known_there:
                where = f"in [{'.'.join(str(part) for part in other)}]" if other else "above the first table"
                return f"unknown key; it belongs {where}"
    return f"unknown key; {instead(word, known)}"


def _example(name: str, table: type[Shape]) -> str:
    field = table.keys()[name]
    if not field.examples:
        header = f"[[{name}]]" if name == "assert" else f"[{name}]"
        return f"write a table {header}: {str(field.description)[0].lower()}{str(field.description)[1:].rstrip('.')}"
    return f"write for example {name} = {toml(field.examples[0])}"


def toml(value: Any) -> str:
    """Return an example as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_written(name)} = {toml(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(toml(inner) for inner in value)}]"
    return json.dumps(value, ensure_ascii=False)
