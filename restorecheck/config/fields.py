"""The types of values in the TOML, as pydantic reads them and as the JSON Schema says them. Pure.

Which sentence a wrong value gets is said by `names`, `values` and `addresses`; which keys there are, by the shapes.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema

from restorecheck.config import addresses, against, keys, names, quantities, values, web_addresses
from restorecheck.model import Against, Cell, Portion
from restorecheck.model.probes import PROBES


def pattern(expression: str) -> WithJsonSchema:
    """Say in the JSON Schema what a text looks like."""
    return WithJsonSchema({"type": "string", "pattern": expression})


MOST_AT_ONCE = 256
"""Of requests or processes: more is a slip of the pen, and S3 slows down who asks so much at once."""


MOST_SAMPLED = 100
"""Rows whose keys are kept as evidence: who needs more asks the restored copy himself."""


class Also:
    """Something more to say in the JSON Schema of a type."""

    def __init__(self, **more: Any) -> None:
        self._more = more

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), **self._more}


class OrPattern:
    """A table of files may be written as its pattern alone."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return BeforeValidator(self._table).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": keys.PATTERN}, handler(core)]}

    @staticmethod
    def _table(said: Any) -> Any:
        return {"path": said} if isinstance(said, str) else said


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write something, or leave the key out")
    return text


def positive(count: int) -> int:
    """Read a number of runs or things at once."""
    if count < 1:
        raise ValueError(f"{count} would never let a run begin; write 1 or more")
    return count


def deletions(count: int) -> int:
    """Read how much a sweep may delete at once."""
    if count < 1:
        raise ValueError(f"{count} would never let the sweep delete anything; write 1 or more")
    return count


def tolerated(count: int) -> int:
    """Read a number of failed runs after which something is done."""
    if count < 1:
        raise ValueError(f"{count} failed runs are none, and would tell everybody of every run; write 1 or more")
    return count


def parallel(count: int) -> int:
    """Read a number of requests or processes at once."""
    if not 1 <= count <= MOST_AT_ONCE:
        raise ValueError(f"{count} at once is too few or too many; write a number from 1 to {MOST_AT_ONCE}")
    return count


def sampled(count: int) -> int:
    """Read of how many rows keys are kept."""
    if not 1 <= count <= MOST_SAMPLED:
        raise ValueError(f"{count} rows are too few or too many; write a number from 1 to {MOST_SAMPLED}")
    return count


def only_true(flag: bool) -> bool:
    """Read a key that says something by being there."""
    if not flag:
        raise ValueError("can only be true; leave the key out and write another expectation")
    return flag


Text = Annotated[str, AfterValidator(_some_text)]
Duration = Annotated[
    timedelta, PlainValidator(values.duration), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]
Delay = Annotated[
    timedelta, PlainValidator(values.delay), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]
_DATED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"  # a TOML date or time reaches a JSON Schema as text
Bound = Annotated[
    Cell,
    PlainValidator(values.bound),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"{values.DURATION_PATTERN}|{_DATED}"}]}
    ),
]
Exact = Annotated[Cell, PlainValidator(values.exact), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Moment = Annotated[
    date | datetime, PlainValidator(values.moment), WithJsonSchema({"type": "string", "pattern": _DATED})
]
Share = Annotated[
    float, PlainValidator(values.share), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
]
Price = Annotated[Decimal, PlainValidator(values.price), WithJsonSchema({"type": "number", "minimum": 0})]
Budget = Annotated[Decimal, PlainValidator(values.budget), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Account = Annotated[str, AfterValidator(names.account_id), pattern(names.ACCOUNT)]
AccountName = Annotated[str, AfterValidator(names.account_name), pattern(names.ACCOUNT_NAME)]
Role = Annotated[str, AfterValidator(names.role), pattern(names.ROLE)]
ExternalId = Annotated[str, AfterValidator(names.external_id), pattern(names.EXTERNAL_ID)]
Region = Annotated[str, AfterValidator(names.region), pattern(names.REGION)]
Key = Annotated[str, AfterValidator(names.key), pattern(names.KEY)]
State = Annotated[str, AfterValidator(addresses.state), pattern(addresses.STATE)]
Listen = Annotated[str, AfterValidator(addresses.listen), pattern(addresses.LISTEN)]
Url = Annotated[str, AfterValidator(names.url), pattern(names.URL)]
Page = Annotated[str, AfterValidator(web_addresses.page), pattern(web_addresses.PLAIN)]
ReceiverName = Annotated[str, AfterValidator(names.receiver), pattern(names.RECEIVER)]
Owner = Annotated[str, AfterValidator(names.owner), pattern(names.OWNER)]
InstanceClass = Annotated[str, AfterValidator(names.instance_class), pattern(names.INSTANCE_CLASS)]
ParameterGroup = Annotated[str, AfterValidator(names.parameter_group), pattern(names.GROUP)]
ClusterParameterGroup = Annotated[str, AfterValidator(names.cluster_parameter_group), pattern(names.GROUP)]
OptionGroup = Annotated[str, AfterValidator(names.option_group), pattern(names.OPTION_GROUP)]
Database = Annotated[str, AfterValidator(names.database), WithJsonSchema({"type": "string", "minLength": 1})]
Login = Annotated[str, AfterValidator(names.login), WithJsonSchema({"type": "string", "minLength": 1})]
Serverless = Annotated[
    tuple[float, float],
    PlainValidator(quantities.capacity),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "number", "minimum": 0, "maximum": quantities.MOST_ACU, "multipleOf": 0.5},
            "minItems": 2,
            "maxItems": 2,
        }
    ),
]
Bucket = Annotated[str, AfterValidator(keys.bucket), pattern(keys.BUCKET)]
Prefix = Annotated[str, AfterValidator(keys.prefix), WithJsonSchema({"type": "string", "maxLength": 1024})]
KeyPattern = Annotated[str, AfterValidator(keys.pattern), pattern(keys.PATTERN)]
KeySuffix = Annotated[str, AfterValidator(keys.suffix), pattern(keys.SUFFIX)]
ViewName = Annotated[str, AfterValidator(keys.view), pattern(keys.VIEW)]
ColumnType = Annotated[str, AfterValidator(keys.column_type), pattern(keys.COLUMN_TYPE)]
Point = Annotated[
    datetime | timedelta,
    PlainValidator(quantities.point),
    WithJsonSchema({"type": "string", "pattern": quantities.POINT}),
]
Size = Annotated[
    int,
    PlainValidator(quantities.size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": quantities.SIZE}]}),
]
_SOME = {"type": "integer", "minimum": 1}
Sample = Annotated[
    Portion,
    PlainValidator(quantities.sample),
    WithJsonSchema({"anyOf": [_SOME, {"type": "string", "pattern": quantities.SHARE}]}),
]
Some = Annotated[
    Portion,
    PlainValidator(quantities.portion),
    WithJsonSchema({"anyOf": [_SOME, {"type": "string", "pattern": f"^all$|{quantities.SHARE}"}]}),
]
Server = Annotated[str, AfterValidator(addresses.server), pattern(addresses.SERVER)]
Ratio = Annotated[Against, PlainValidator(against.ratio), pattern(against.OF)]
Likeness = Annotated[Against, PlainValidator(against.likeness), pattern(against.SAME_AS)]
SetName = Annotated[str, AfterValidator(against.name), pattern(against.NAME)]
ReferenceName = Annotated[str, AfterValidator(against.free_name), pattern(against.NAME)]
ProbeName = Annotated[str, AfterValidator(names.probe), WithJsonSchema({"type": "string", "enum": sorted(PROBES)})]
