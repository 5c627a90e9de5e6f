"""The shape of checks/*.toml: which tables and keys there are, their types, and what each one means.

As in `shape`, no key is required here, and what needs more than one key to judge is judged elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from restorecheck.config import names
from restorecheck.config.fields import (
    Also,
    Bound,
    ClusterParameterGroup,
    ColumnType,
    Database,
    Delay,
    Duration,
    Exact,
    InstanceClass,
    KeyPattern,
    Moment,
    OptionGroup,
    OrPattern,
    ParameterGroup,
    Serverless,
    Text,
    Url,
    ViewName,
    only_true,
    pattern,
)
from restorecheck.config.shape import Limits
from restorecheck.config.source_shape import Source
from restorecheck.config.table import Shape


class CheckHead(Shape):
    """What the check is called, when it runs and what it must achieve."""

    required = ("name",)

    name: Annotated[str, AfterValidator(names.check_name), pattern(names.CHECK)] | None = Field(
        default=None, description="A short slug; AWS names are made from it.", examples=["orders-db"]
    )
    schedule: Text | None = Field(default=None, description="When to run: cron, five fields.", examples=["0 3 * * *"])
    timezone: Text | None = Field(default=None, description="Time zone of the schedule.", examples=["Europe/Berlin"])
    catch_up: bool | None = Field(
        default=None, description="Make up, once, for runs that were missed while nothing served.", examples=[False]
    )
    jitter: Delay | None = Field(
        default=None, description="Begin up to this much later than the schedule says.", examples=["30m"]
    )
    paused_until: Moment | None = Field(
        default=None, description="Nothing is due before this day or time.", examples=[]
    )
    rpo: Duration | None = Field(
        default=None, description="How old the newest recovery point may be.", examples=["25h"]
    )
    rto: Duration | None = Field(default=None, description="How long a restore may take.", examples=["2h"])
    restores: bool | None = Field(default=None, description="That it restores is all I ask.", examples=[True])
    description: str | None = Field(
        default=None, description="What this is, for people.", examples=["Orders of the shop"]
    )
    runbook: Url | None = Field(
        default=None, description="Where to read on.", examples=["https://wiki.example.org/orders"]
    )


class Scratch(Shape):
    """Where this check is restored, where it differs from the defaults and the account."""

    account: Text | None = Field(default=None, description="Name of the scratch account.", examples=["lab"])
    instance_class: InstanceClass | None = Field(
        default=None, description="Class to restore into.", examples=["db.r6g.large"]
    )
    parameter_group: ParameterGroup | None = Field(
        default=None, description="DB parameter group of your own.", examples=["restorecheck-postgres17"]
    )
    option_group: OptionGroup | None = Field(
        default=None, description="Option group of your own.", examples=["restorecheck-options"]
    )
    cluster_parameter_group: ClusterParameterGroup | None = Field(
        default=None,
        description="DB cluster parameter group of your own, of a cluster.",
        examples=["restorecheck-aurora-postgresql17"],
    )
    capacity: Serverless | None = Field(
        default=None, description="Least and most ACU of a cluster whose class is db.serverless.", examples=[[0.5, 4]]
    )
    limits: Limits | None = Field(default=None, description="Limits of this check.")


class Expect(Shape):
    """What must hold of the answer: bounds, or one of `equals`, `set` and `no_rows`."""

    at_least: Bound | None = Field(default=None, description="The answer is this or more.", examples=[1_000_000])
    at_most: Bound | None = Field(default=None, description="The answer is this or less.", examples=["15m"])
    between: Annotated[list[Bound], Also(minItems=2, maxItems=2)] | None = Field(
        default=None, description="The answer is the first, the second, or in between.", examples=[[0, 100]]
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


class Assert(Shape):
    """One read query with what must hold of its answer."""

    required = ("name", "sql", "expect")

    name: Annotated[str, AfterValidator(names.assertion_name), pattern(names.ASSERTION)] | None = Field(
        default=None, description="Name in findings and metrics.", examples=["orders-present"]
    )
    sql: Text | None = Field(default=None, description="One read query.", examples=["select count(*) from orders"])
    expect: Annotated[Expect, Also(minProperties=1)] | None = Field(
        default=None, description="What must hold of the answer.", examples=[{"at_least": 1_000_000}]
    )
    severity: Literal["fail", "warn"] | None = Field(
        default=None, description="What a failure counts as.", examples=["warn"]
    )
    timeout: Duration | None = Field(default=None, description="How long the query may take.", examples=["5m"])
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
    description: str | None = Field(
        default=None, description="What this asks, for people.", examples=["Nothing was lost"]
    )
    runbook: Url | None = Field(
        default=None, description="Where to read on.", examples=["https://wiki.example.org/orders"]
    )


class CheckFile(Shape):
    """One file of checks/."""

    required = ("check", "source")

    check: CheckHead | None = Field(default=None, description="The check itself.")
    source: Source | None = Field(default=None, description="Where the backups are.")
    scratch: Scratch | None = Field(default=None, description="Where to restore, if not as the defaults say.")
    asserts: list[Assert] | None = Field(
        default=None, alias="assert", description="What must hold, one table per question."
    )
