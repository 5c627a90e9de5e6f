"""On which line a key of a TOML file stands. Reads text only; asked only when there is something to complain about.

`tomllib` gives values without their places, so the file is parsed a second time, by tree-sitter's TOML grammar. What it
cannot place (a key that is missing, or a construct newer than the grammar) is placed at the table around it.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from restorecheck.config.table import Path

if TYPE_CHECKING:
    from tree_sitter import Node


def lines(text: str) -> dict[Path, int]:
    """Return the line, counted from 1, of every table, key and element of a list of tables."""
    import tree_sitter  # noqa: PLC0415 - 20 ms that only a wrong configuration needs
    import tree_sitter_toml  # noqa: PLC0415

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    found: dict[Path, int] = {(): 1}
    counts: dict[Path, int] = {}
    for node in parser.parse(text.encode()).root_node.named_children:
        if node.type == "pair":
            _pair(node, (), found)
        elif node.type in ("table", "table_array_element"):
            _table(node, found, counts)
    return found


def line_of(found: dict[Path, int], path: Path) -> int:
    """Return the line of a place, or of the nearest thing around it."""
    while path not in found:
        path = path[:-1]
    return found[path]


def _table(node: Node, found: dict[Path, int], counts: dict[Path, int]) -> None:
    head, *rest = (child for child in node.named_children if child.type != "comment")
    at: Path = ()
    *outer, last = _keys(head)
    for key in outer:  # `[assert.expect]` belongs to the newest `[[assert]]`
        at = (*at, key)
        at = (*at, counts[at] - 1) if at in counts else at
        found.setdefault(at, node.start_point.row + 1)
    at = (*at, last)
    if node.type == "table_array_element":
        found.setdefault(at, node.start_point.row + 1)
        counts[at] = counts.get(at, 0) + 1
        at = (*at, counts[at] - 1)
    found.setdefault(at, node.start_point.row + 1)
    for child in rest:
        _pair(child, at, found)


def _pair(node: Node, at: Path, found: dict[Path, int]) -> None:
    children = [child for child in node.named_children if child.type != "comment"]
    if len(children) != 2:  # a construct that the grammar does not know
        return
    key, value = children
    for part in _keys(key):
        at = (*at, part)
        found.setdefault(at, node.start_point.row + 1)
    _value(value, at, found)


def _value(node: Node, at: Path, found: dict[Path, int]) -> None:
    if node.type == "inline_table":
        for child in node.named_children:
            _pair(child, at, found)
    elif node.type == "array":
        for index, child in enumerate(child for child in node.named_children if child.type != "comment"):
            found[(*at, index)] = child.start_point.row + 1
            _value(child, (*at, index), found)


def _keys(node: Node) -> list[str]:
    """Return the parts of a key, `tomllib` reading each as it would in the file."""
    if node.type == "dotted_key":
        return [part for child in node.named_children for part in _keys(child)]
    text = (node.text or b"").decode()
    return [next(iter(tomllib.loads(f"{text} = 0")))]
