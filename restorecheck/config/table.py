"""Tables of TOML as classes: what they have in common, and how to find every one of them in a parsed file. Pure."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]
"""Where something is in a file: keys of tables and indexes of lists."""


def _outline(schema: dict[str, Any], shape: type[Shape]) -> None:
    shape.outline(schema)


class Shape(BaseModel):
    """A table of the TOML."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra=_outline)
    required: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @cache
    def keys(cls) -> dict[str, FieldInfo]:
        """Return the fields by the key that they have in the file."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def demanded(cls, content: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG003 - for those that differ
        """Return the keys that a table with this content must have."""
        return cls.required

    @classmethod
    def fitting(cls, content: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG003 - for those that differ
        """Return the keys that a table with this content may have, as messages list them."""
        return list(cls.keys())

    @classmethod
    def outline(cls, schema: dict[str, Any]) -> None:
        """Say in the JSON Schema of this table which keys it must have."""
        if cls.required:
            schema["required"] = list(cls.required)


class OfKinds(Shape):
    """A table whose `type` says which of its keys it has.

    One class for all kinds, so that every value is judged whatever else is wrong; the JSON Schema has one alternative
    for each kind.
    """

    required = ("type",)
    common: ClassVar[tuple[str, ...]] = ("type",)
    needed: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # kind → the keys that it must have, besides the common ones
    allowed: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # kind → the keys that it may have, besides

    @classmethod
    def keys_of(cls, kind: str) -> tuple[str, ...]:
        """Return every key that a table of this kind may have."""
        return (*cls.common, *cls.needed[kind], *cls.allowed[kind])

    @classmethod
    def demanded(cls, content: Mapping[str, Any]) -> tuple[str, ...]:
        """See Shape.demanded."""
        return (*cls.required, *(cls.needed[kind] if (kind := cls._kind(content)) else ()))

    @classmethod
    def fitting(cls, content: Mapping[str, Any]) -> Sequence[str]:
        """See Shape.fitting."""
        return cls.keys_of(kind) if (kind := cls._kind(content)) else list(cls.keys())

    @classmethod
    def outline(cls, schema: dict[str, Any]) -> None:
        """Say in the JSON Schema which keys each kind has, so that an editor offers the right ones."""
        properties = schema.pop("properties")
        schema["oneOf"] = [
            {
                "type": "object",
                "additionalProperties": schema["additionalProperties"],
                "properties": {key: copy.deepcopy(properties[key]) for key in cls.keys_of(kind)}
                | {"type": {"const": kind, "description": properties["type"]["description"]}},
                "required": [*cls.required, *cls.needed[kind]],
            }
            for kind in cls.needed
        ]
        del schema["additionalProperties"]

    @classmethod
    def _kind(cls, content: Mapping[str, Any]) -> str | None:
        kind = content.get("type")
        return kind if isinstance(kind, str) and kind in cls.needed else None


def tables(
    shape: type[Shape], raw: dict[str, Any], at: Path = ()
) -> Iterator[tuple[Path, type[Shape], dict[str, Any]]]:
    """Yield every table of a parsed file that has a shape, with its place."""
    yield at, shape, raw
    for key, field in shape.keys().items():
        held, inner, value = _inside(field.annotation), (*at, key), raw.get(key)
        for place, table in _nested(held[0], inner, value):
            if held[1] and isinstance(table, dict):
                yield from tables(held[1], table, place)


def _nested(container: Any, at: Path, value: Any) -> list[tuple[Path, Any]]:
    if container is dict:
        return [((*at, key), table) for key, table in value.items()] if isinstance(value, dict) else []
    if container is list:
        return [((*at, index), table) for index, table in enumerate(value)] if isinstance(value, list) else []
    return [(at, value)]


def _inside(annotation: Any) -> tuple[Any, type[Shape] | None]:
    """Return what a field holds: the container (dict, list or None) and the shape of the tables in it."""
    for part in get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,):
        inner = get_args(part)[0] if get_origin(part) is Annotated else part
        container = get_origin(inner)
        last = get_args(inner)[-1] if container in (dict, list) else inner
        last = get_args(last)[0] if get_origin(last) is Annotated else last
        if isinstance(last, type) and issubclass(last, Shape):
            return container, last
    return None, None
