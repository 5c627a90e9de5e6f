"""The shape of checks/*.toml: which tables and keys there are, their types, and what each one means.

As in `shape`, no key is required here, and what needs more than one key to judge is judged elsewhere. The shape of an
assertion is in `assert_shape`, that of a source in `source_shape`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from restorecheck.config import names
from restorecheck.config.assert_shape import Assert
from restorecheck.config.fields import (
    Also,
    Bucket,
    ClusterParameterGroup,
    Delay,
    Duration,
    InstanceClass,
    KeyPattern,
    Moment,
    OptionGroup,
    Owner,
    ParameterGroup,
    Prefix,
    ReceiverName,
    ReferenceName,
    Region,
    Serverless,
    SetName,
    Text,
    Url,
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
    receivers: Annotated[list[ReceiverName], Also(uniqueItems=True)] | None = Field(
        default=None, description="Who is told of it.", examples=[["pager", "hook"]]
    )
    critical: bool | None = Field(
        default=None, description="Whether people must be told by two ways of different kinds.", examples=[True]
    )
    owner: Owner | None = Field(default=None, description="Who owns the data.", examples=["team-payments"])
    retention: Duration | None = Field(
        default=None, description="How long recovery points are kept, until they are deleted.", examples=["35d"]
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
    extended_support: bool | None = Field(
        default=None,
        description="Pay for RDS Extended Support: without, AWS upgrades a copy past its standard support.",
        examples=[True],
    )
    limits: Limits | None = Field(default=None, description="Limits of this check.")


class Reference(Shape):
    """Where answers lie that were recorded when backups were made."""

    required = ("bucket", "object")

    bucket: Bucket | None = Field(
        default=None, description="Name of the versioned bucket with the manifests.", examples=["shop-references"]
    )
    object: KeyPattern | None = Field(
        default=None,
        description="Pattern of the keys of all manifests: * stops at /, ** does not.",
        examples=["orders/*.json"],
    )
    account: Text | None = Field(default=None, description="Name of the source account.", examples=["production"])
    region: Region | None = Field(default=None, description="Region of the bucket.", examples=["eu-central-1"])
    within: Duration | None = Field(
        default=None, description="How far from the recovery point a manifest may be.", examples=["24h"]
    )


class Objects(Shape):
    """Objects of a versioned bucket that rows of the database name."""

    required = ("bucket",)

    bucket: Bucket | None = Field(
        default=None, description="Name of the versioned bucket with the objects.", examples=["shop-documents"]
    )
    prefix: Prefix | None = Field(
        default=None,
        description="Only objects whose keys begin with this; rows do not name it.",
        examples=["documents/"],
    )
    account: Text | None = Field(default=None, description="Name of the source account.", examples=["production"])
    region: Region | None = Field(default=None, description="Region of the bucket.", examples=["eu-central-1"])
    delay: Delay | None = Field(
        default=None, description="Objects that came so much later than the backup count, too.", examples=["10m"]
    )


class CheckFile(Shape):
    """One file of checks/."""

    required = ("check", "source")

    check: CheckHead | None = Field(default=None, description="The check itself.")
    source: Source | None = Field(default=None, description="Where the backups are.")
    scratch: Scratch | None = Field(default=None, description="Where to restore, if not as the defaults say.")
    reference: dict[ReferenceName, Reference] | None = Field(
        default=None, description="Where answers lie that were recorded when backups were made, by a name of yours."
    )
    objects: dict[SetName, Objects] | None = Field(
        default=None, description="Objects that rows of the database name, by a name of yours."
    )
    asserts: list[Assert] | None = Field(
        default=None, alias="assert", description="What must hold, one table per question."
    )
