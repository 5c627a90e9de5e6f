"""The shape of [source] in a check file: which kinds of source there are, and which keys each of them has.

Which key belongs to which kind is a table, from which the JSON Schema gets one alternative for each kind. As in
`shape`, no key is required here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from restorecheck.config import names
from restorecheck.config.fields import (
    MOST_AT_ONCE,
    Also,
    Bucket,
    Database,
    Duration,
    KeyPattern,
    KeySuffix,
    Point,
    Prefix,
    Region,
    Sample,
    Server,
    Size,
    Some,
    Text,
    parallel,
    pattern,
    positive,
)
from restorecheck.config.table import OfKinds

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "rds": ("instance", "database"),
    "aurora": ("cluster",),
    "s3-objects": ("bucket",),
    "s3-dump": ("bucket", "object", "database"),
}
"""Kind of source → the keys that it must have, besides those that have a default."""

_SNAPSHOTS = ("pick", "within", "snapshots")
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "rds": ("engine", *_SNAPSHOTS),
    "aurora": ("database", "engine", *_SNAPSHOTS, "copy"),
    "s3-objects": (
        "prefix", "at", "mode", "sample", "read", "transfer", "at_once", "most_objects", "most_bytes",
    ),
    "s3-dump": ("form", "engine", "at", "checksum", "decrypt", "jobs", "roles", "server", "most_bytes"),
}  # fmt: skip
"""Kind of source → the keys that it may have."""


class Source(OfKinds):
    """Where the recovery points are, and which of them to take."""

    common = ("type", "account", "region")
    needed = REQUIRED
    allowed = OPTIONAL

    type: Literal["rds", "aurora", "s3-objects", "s3-dump"] | None = Field(
        default=None, description="Kind of source.", examples=["rds"]
    )
    account: Text | None = Field(default=None, description="Name of the source account.", examples=["production"])
    region: Region | None = Field(default=None, description="Region of the source.", examples=["eu-central-1"])

    instance: Annotated[str, AfterValidator(names.instance), pattern(names.INSTANCE)] | None = Field(
        default=None, description="Name of the RDS instance whose backups are tested.", examples=["orders-prod"]
    )
    cluster: Annotated[str, AfterValidator(names.cluster), pattern(names.INSTANCE)] | None = Field(
        default=None, description="Name of the Aurora cluster whose backups are tested.", examples=["shop-prod"]
    )
    database: Database | None = Field(
        default=None, description="Database that is asked, unless an assertion names another.", examples=["orders"]
    )
    pick: Literal["latest", "oldest", "random"] | None = Field(
        default=None, description="Which recovery point to take.", examples=["latest"]
    )
    within: Duration | None = Field(
        default=None, description="Only recovery points younger than this.", examples=["7d"]
    )
    snapshots: (
        Annotated[
            list[Literal["automated", "manual", "shared", "awsbackup"]],
            Also(minItems=1, uniqueItems=True),
        ]
        | None
    ) = Field(default=None, description="Kinds of snapshot that count.", examples=[["automated", "manual"]])
    copies: bool | None = Field(
        default=None,
        alias="copy",
        description="Copy a cluster snapshot into the scratch account before it is restored.",
        examples=[True],
    )

    bucket: Bucket | None = Field(
        default=None, description="Name of the versioned bucket with the backups.", examples=["shop-backups"]
    )
    at: Point | None = Field(
        default=None,
        description='As the bucket was when: "now", an age, or a time with its offset.',
        examples=["1h"],
    )
    most_bytes: Size | None = Field(
        default=None, description="If more would be restored, the run ends before it begins.", examples=["500 GiB"]
    )

    prefix: Prefix | None = Field(
        default=None, description="Only objects whose keys begin with this.", examples=["exports/"]
    )
    mode: Literal["all", "sample"] | None = Field(
        default=None, description="Whether all objects are restored, or a sample of them.", examples=["sample"]
    )
    sample: Sample | None = Field(
        default=None, description="How many objects are restored: a number, or a share.", examples=["1%"]
    )
    read: Some | None = Field(
        default=None, description="How many of the restored objects are read to their end.", examples=[1000]
    )
    transfer: Literal["copy", "stream"] | None = Field(
        default=None,
        description="copy: by S3 itself, as the scratch role; stream: read by the source role, and through here.",
        examples=["copy"],
    )
    at_once: Annotated[int, AfterValidator(parallel), Also(minimum=1, maximum=MOST_AT_ONCE)] | None = Field(
        default=None, description="How many requests are in flight.", examples=[32]
    )
    most_objects: Annotated[int, AfterValidator(positive), Also(minimum=1)] | None = Field(
        default=None, description="If more would be restored, the run ends before it begins.", examples=[1_000_000]
    )

    object: KeyPattern | None = Field(
        default=None,
        description="Pattern of the keys of all dumps of this database: * stops at /, ** does not.",
        examples=["daily/orders-*.dump"],
    )
    form: Literal["file", "directory", "parts"] | None = Field(
        default=None,
        description="A dump is one object, a directory whose toc.dat is named, or parts as split makes them.",
        examples=["file"],
    )
    engine: Literal["postgresql", "mysql"] | None = Field(
        default=None, description="Which database it is; mysql stands for MariaDB, too.", examples=["postgresql"]
    )
    checksum: KeySuffix | None = Field(
        default=None,
        description="With this after its key, an object holds the dump's SHA-256.",
        examples=[".sha256"],
    )
    decrypt: Annotated[list[Text], Also(minItems=1)] | None = Field(
        default=None,
        description="A command that reads the object and writes the dump.",
        examples=[["age", "-d", "-i", "/etc/restorecheck/age.key"]],
    )
    jobs: Annotated[int, AfterValidator(parallel), Also(minimum=1, maximum=MOST_AT_ONCE)] | None = Field(
        default=None, description="Jobs of pg_restore.", examples=[4]
    )
    roles: Annotated[list[Database], Also(minItems=1, uniqueItems=True)] | None = Field(
        default=None,
        description="Roles that the dump speaks of, made before it is restored.",
        examples=[["shop_owner"]],
    )
    server: Server | None = Field(
        default=None,
        description="Restore into this server, instead of one that is started here. Without a password.",
        examples=["postgresql://restorecheck@scratch.example.org:5432/postgres"],
    )
