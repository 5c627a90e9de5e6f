"""The JSON Schema (2020-12) of both kinds of files, from the same shapes that read them.

For editors: it judges types, keys and patterns, and leaves what needs more than one key to `restorecheck check-config`.
"""

from __future__ import annotations

from typing import Any, Literal

from restorecheck.config.check_shape import CheckFile
from restorecheck.config.shape import ConfigFile
from restorecheck.config.table import Shape

_TITLES = {"config": "restorecheck: config.toml", "check": "restorecheck: one check"}


def json_schema(which: Literal["config", "check"]) -> dict[str, Any]:
    """Return the JSON Schema of config.toml or of a check file."""
    kind: type[Shape] = ConfigFile if which == "config" else CheckFile
    schema = _plain(kind.model_json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": _TITLES[which]}


def _plain(node: Any) -> Any:
    """Take out what Python needed and TOML does not have: null as a choice and as a default, and generated titles."""
    if isinstance(node, list):
        return [_plain(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    node = {key: inner for key, inner in node.items() if not (key == "default" and inner is None)}
    if isinstance(node.get("title"), str):
        del node["title"]
    choices = [choice for choice in node.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        node = {**choices[0], **node}
    elif choices:
        node["anyOf"] = choices
    return {key: _plain(inner) for key, inner in node.items()}
