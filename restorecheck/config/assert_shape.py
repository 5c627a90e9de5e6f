"""The shape of [[assert]] in a check file: what is asked, or looked at, and what must hold of it.

One class for both subjects, a query and a probe, so that every value is judged whatever else is wrong; which key
belongs to which is a table, from which the JSON Schema gets one alternative for each. As in `shape`, no key is
required here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from restorecheck.config import names
from restorecheck.config.fields import (
    MOST_SAMPLED,
    Also,
    Bound,
    ColumnType,
    Database,
    Duration,
    Exact,
    KeyPattern,
    Likeness,
    Login,
    OrPattern,
    ProbeName,
    Ratio,
    SetName,
    Text,
    Url,
    ViewName,
    only_true,
    pattern,
    sampled,
)
from restorecheck.config.table import Shape
from restorecheck.model.probes import PROBES

SUBJECTS = ("sql", "probe")
"""An assertion has one of these keys."""

PROBE_KEYS = ("tables", "exclude", "required", "role")
"""What a probe may be told; which of it, says `PROBES`."""

_COMMON = ("name", "expect", "severity", "timeout", "database", "description", "runbook")

Names = Annotated[list[Text], Also(minItems=1, uniqueItems=True)]


def keys_of(subject: str, probe: object = None) -> tuple[str, ...]:
    """Return the keys that an assertion of this subject may have, itself among them; of a known probe: only its own."""
    if subject == "sql":
        return ("sql", "files", "samples")
    return ("probe", *(PROBES[probe].keys if isinstance(probe, str) and probe in PROBES else PROBE_KEYS))


class Expect(Shape):
    """What must hold of the answer: bounds, or one of the keys that ask for something else."""

    at_least: Bound | None = Field(default=None, description="The answer is this or more.", examples=[1_000_000])
    at_most: Bound | None = Field(default=None, description="The answer is this or less.", examples=["15m"])
    between: Annotated[list[Bound], Also(minItems=2, maxItems=2)] | None = Field(
        default=None, description="The answer is the first, the second, or in between.", examples=[[0, 100]]
    )
    of: Ratio | None = Field(
        default=None,
        description="Bounds are ratios of this: of earlier runs, or of a reference.",
        examples=["previous", "median(7)", "max(90d)", "replica"],
    )
    before: Literal["backup", "now"] | None = Field(
        default=None, description="Bounds are ages, measured back from this instant.", examples=["backup"]
    )
    equals: Exact | None = Field(default=None, description="The answer is exactly this.", examples=["EUR"])
    members: Annotated[list[Exact], Also(minItems=1, uniqueItems=True)] | None = Field(
        default=None,
        alias="set",
        description="The rows are exactly these values, in any order.",
        examples=[["CZ", "DE", "SK"]],
    )
    no_rows: Annotated[bool, AfterValidator(only_true), WithJsonSchema({"const": True})] | None = Field(
        default=None, description="No row comes back.", examples=[True]
    )
    same_as: Likeness | None = Field(
        default=None,
        description="The rows, or all that a probe measures, are the same as then or there.",
        examples=["accepted", "previous", "replica"],
    )
    exist_in: SetName | None = Field(
        default=None, description="Every key that the query answers is that of an object there.", examples=["documents"]
    )
    covers: SetName | None = Field(
        default=None, description="The query answers the key of every object there.", examples=["documents"]
    )


class Files(Shape):
    """Restored objects that a query sees as one table."""

    required = ("path",)

    path: KeyPattern | None = Field(
        default=None,
        description="Pattern of keys below the source's prefix: * stops at /, ** does not.",
        examples=["exports/orders/*.parquet"],
    )
    columns: Annotated[dict[Text, ColumnType], Also(minProperties=1)] | None = Field(
        default=None,
        description="Name and DuckDB type of each column of a CSV file, in order.",
        examples=[{"day": "DATE", "rate": "DOUBLE"}],
    )
    empty: bool | None = Field(default=None, description="That no row is in it, or no file, is fine.", examples=[True])


class Samples(Shape):
    """Which columns of the rows that should not be there are kept as evidence, and of how many rows."""

    required = ("keys",)

    columns: Names | None = Field(
        default=None, alias="keys", description="Columns by which a row is found again.", examples=[["id"]]
    )
    limit: Annotated[int, AfterValidator(sampled), Also(minimum=1, maximum=MOST_SAMPLED)] | None = Field(
        default=None, description="Of how many rows, the first.", examples=[5]
    )


class Assert(Shape):
    """One read query, or one probe, with what must hold of its answer."""

    required = ("name",)

    name: Annotated[str, AfterValidator(names.assertion_name), pattern(names.ASSERTION)] | None = Field(
        default=None, description="Name in findings and metrics.", examples=["orders-present"]
    )
    sql: Text | None = Field(default=None, description="One read query.", examples=["select count(*) from orders"])
    probe: ProbeName | None = Field(
        default=None, description="A look that is built in, instead of a query.", examples=["readable"]
    )
    tables: Names | None = Field(
        default=None,
        description="Patterns of schema.table that a probe looks at: * stands for anything.",
        examples=[["public.*"]],
    )
    exclude: Names | None = Field(
        default=None, description="Patterns of schema.table that a probe leaves out.", examples=[["audit.*"]]
    )
    needed: Names | None = Field(
        default=None,
        alias="required",
        description="Names that must be there: of extensions, of databases, of tables that a role reads.",
        examples=[["public.orders"]],
    )
    role: Login | None = Field(
        default=None, description="The role whose rights a probe looks at.", examples=["shop_app"]
    )
    expect: Annotated[Expect, Also(minProperties=1)] | None = Field(
        default=None, description="What must hold of the answer.", examples=[{"at_least": 1_000_000}]
    )
    severity: Literal["fail", "warn"] | None = Field(
        default=None, description="What a failure counts as.", examples=["warn"]
    )
    timeout: Duration | None = Field(
        default=None, description="How long the query or the probe may take.", examples=["5m"]
    )
    database: Database | None = Field(
        default=None,
        description="Another database of the same instance, cluster or server.",
        examples=["billing"],
    )
    files: Annotated[dict[ViewName, Annotated[Files, OrPattern()]], Also(minProperties=1)] | None = Field(
        default=None,
        description="Restored objects as tables of the query, by the name that it knows them by.",
        examples=[{"orders": "exports/orders/*.parquet"}],
    )
    samples: Samples | None = Field(
        default=None,
        description="Keys of the rows that should not be there, kept as evidence.",
        examples=[{"keys": ["id"], "limit": 5}],
    )
    description: str | None = Field(
        default=None, description="What this asks, for people.", examples=["Nothing was lost"]
    )
    runbook: Url | None = Field(
        default=None, description="Where to read on.", examples=["https://wiki.example.org/orders"]
    )

    @classmethod
    def demanded(cls, content: Mapping[str, Any]) -> tuple[str, ...]:
        """See Shape.demanded. Some probes do without `expect`; that there is a subject is judged later."""
        return cls.required if "probe" in content else (*cls.required, "expect")

    @classmethod
    def fitting(cls, content: Mapping[str, Any]) -> Sequence[str]:
        """See Shape.fitting."""
        subjects = [subject for subject in SUBJECTS if subject in content]
        return [*_COMMON, *keys_of(subjects[0], content.get("probe"))] if len(subjects) == 1 else list(cls.keys())

    @classmethod
    def outline(cls, schema: dict[str, Any]) -> None:
        """Say in the JSON Schema which keys each subject has, so that an editor offers the right ones."""
        properties, closed = schema.pop("properties"), schema.pop("additionalProperties")
        schema["oneOf"] = [
            {
                "type": "object",
                "additionalProperties": closed,
                "properties": {key: copy.deepcopy(properties[key]) for key in (*_COMMON, *keys_of(subject))},
                "required": [*cls.required, subject, *(["expect"] if subject == "sql" else [])],
            }
            for subject in SUBJECTS
        ]
