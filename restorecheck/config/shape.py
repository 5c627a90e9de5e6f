"""The shape of the TOML: which tables and keys there are, their types, and what each one means.

One class per table, one field per key; `description` and `examples` feed the JSON Schema, the messages and a test of
the documentation. No key is required here, although `required` names those that are: a file that lacks one is still
read, so that everything else that is wrong in it can be told at once. What needs more than one key to judge is judged
elsewhere.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from restorecheck.config import names, values
from restorecheck.config.table import Shape
from restorecheck.model import Cell


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


class _Also:
    """Something more to say in the JSON Schema of a type."""

    def __init__(self, **more: Any) -> None:
        self._more = more

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), **self._more}


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write something, or leave the key out")
    return text


def _positive(count: int) -> int:
    if count < 1:
        raise ValueError(f"{count} would never let a run begin; write 1 or more")
    return count


def _only_true(flag: bool) -> bool:
    if not flag:
        raise ValueError("can only be true; leave the key out and write another expectation")
    return flag


Text = Annotated[str, AfterValidator(_some_text)]
Duration = Annotated[
    timedelta, PlainValidator(values.duration), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
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
Price = Annotated[Decimal, PlainValidator(values.price), WithJsonSchema({"type": "number", "minimum": 0})]
Account = Annotated[str, AfterValidator(names.account_id), _pattern(names.ACCOUNT)]
AccountName = Annotated[str, AfterValidator(names.account_name), _pattern(names.ACCOUNT_NAME)]
Role = Annotated[str, AfterValidator(names.role), _pattern(names.ROLE)]
ExternalId = Annotated[str, AfterValidator(names.external_id), _pattern(names.EXTERNAL_ID)]
Region = Annotated[str, AfterValidator(names.region), _pattern(names.REGION)]
Key = Annotated[str, AfterValidator(names.key), _pattern(names.KEY)]
Url = Annotated[str, AfterValidator(names.url), _pattern(names.URL)]
InstanceClass = Annotated[str, AfterValidator(names.instance_class), _pattern(names.INSTANCE_CLASS)]
ParameterGroup = Annotated[str, AfterValidator(names.parameter_group), _pattern(names.GROUP)]
OptionGroup = Annotated[str, AfterValidator(names.option_group), _pattern(names.OPTION_GROUP)]
Database = Annotated[str, AfterValidator(names.database), WithJsonSchema({"type": "string", "minLength": 1})]


# --- config.toml ------------------------------------------------------------------------------------------------


class Defaults(Shape):
    """What a check may leave out."""

    scratch: Text | None = Field(default=None, description="Name of the scratch account.", examples=["lab"])
    account: Text | None = Field(default=None, description="Name of the source account.", examples=["production"])
    region: Region | None = Field(default=None, description="Region of the source.", examples=["eu-central-1"])
    schedule: Text | None = Field(default=None, description="When to run: cron, five fields.", examples=["0 3 * * *"])
    timezone: Text | None = Field(default=None, description="Time zone of the schedule.", examples=["Europe/Berlin"])
    rpo: Duration | None = Field(
        default=None, description="How old the newest recovery point may be.", examples=["25h"]
    )
    rto: Duration | None = Field(default=None, description="How long a restore may take.", examples=["2h"])
    timeout: Duration | None = Field(default=None, description="How long one assertion may take.", examples=["5m"])
    runbook: Url | None = Field(
        default=None, description="Where to read on.", examples=["https://wiki.example.org/restore"]
    )


class SourceAccount(Shape):
    """An account whose backups are tested. Nothing of it is ever changed but our own copies and their sharing."""

    required = ("id", "role", "regions")

    id: Account | None = Field(
        default=None, description="The account's 12 digits, in quotes.", examples=["111111111111"]
    )
    role: Role | None = Field(
        default=None,
        description="Role to assume there.",
        examples=["arn:aws:iam::111111111111:role/restorecheck-source"],
    )
    external_id: ExternalId | None = Field(
        default=None, description="External id that the role's trust policy asks for.", examples=["restorecheck-4f1c2e"]
    )
    regions: list[Region] | None = Field(default=None, description="Regions with sources.", examples=[["eu-central-1"]])
    share_key: dict[Region, Key] | None = Field(
        default=None,
        description="Per region, a customer managed key under which copies are made that must be shared with scratch.",
        examples=[{"eu-central-1": "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"}],
    )


class Limits(Shape):
    """How long each phase may take."""

    copy_: Duration | None = Field(
        default=None, alias="copy", description="For each copy of a snapshot.", examples=["6h"]
    )
    restore: Duration | None = Field(default=None, description="From the restore call to `available`.", examples=["3h"])
    open: Duration | None = Field(default=None, description="From `available` to the first answer.", examples=["30m"])
    examine: Duration | None = Field(default=None, description="For all assertions together.", examples=["1h"])
    teardown: Duration | None = Field(
        default=None, description="Until AWS no longer knows the scratch.", examples=["2h"]
    )
    lease: Duration | None = Field(
        default=None,
        description="After this, the sweep may delete what a run left; longer than all phases.",
        examples=["24h"],
    )
    poll: Duration | None = Field(default=None, description="How often AWS is asked how far it is.", examples=["30s"])


class AccountLimits(Limits):
    """How long each phase may take, and how much may exist at once."""

    instances: Annotated[int, AfterValidator(_positive), _Also(minimum=1)] | None = Field(
        default=None, description="How many scratch instances may exist at once.", examples=[5]
    )


class Placement(Shape):
    """Where scratch is put in one region: nothing of it may be a default, and nothing of it public."""

    required = ("subnet_group", "security_groups", "key", "instance_class")

    subnet_group: Annotated[str, AfterValidator(names.subnet_group), _pattern(names.GROUP)] | None = Field(
        default=None, description="DB subnet group of private subnets.", examples=["restorecheck"]
    )
    security_groups: (
        Annotated[
            list[Annotated[str, AfterValidator(names.security_group), _pattern(names.SECURITY_GROUP)]],
            _Also(minItems=1),
        ]
        | None
    ) = Field(
        default=None, description="Security groups, by id, without a way out.", examples=[["sg-0123456789abcdef0"]]
    )
    key: Key | None = Field(
        default=None,
        description="KMS key of the scratch account, for the copy and the restored instance.",
        examples=["arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    )
    instance_class: InstanceClass | None = Field(
        default=None, description="Class to restore into.", examples=["db.t4g.medium"]
    )
    parameter_group: ParameterGroup | None = Field(
        default=None, description="DB parameter group of your own.", examples=["restorecheck-postgres17"]
    )
    option_group: OptionGroup | None = Field(
        default=None, description="Option group of your own.", examples=["restorecheck-options"]
    )


class ScratchAccount(Shape):
    """An account in which backups are restored, and where restorecheck may make and delete what is its own."""

    required = ("id", "role", "regions")

    id: Account | None = Field(
        default=None, description="The account's 12 digits, in quotes.", examples=["222222222222"]
    )
    role: Role | None = Field(
        default=None,
        description="Role to assume there.",
        examples=["arn:aws:iam::222222222222:role/restorecheck-scratch"],
    )
    external_id: ExternalId | None = Field(
        default=None, description="External id that the role's trust policy asks for.", examples=["restorecheck-9b27d0"]
    )
    limits: AccountLimits | None = Field(default=None, description="Limits of every run in this account.")
    regions: dict[Region, Placement] | None = Field(default=None, description="Per region, where scratch is put.")


class Prices(Shape):
    """What AWS asks for what a run holds. What is left out is unknown, and never free."""

    currency: Annotated[str, AfterValidator(names.currency), _pattern(names.CURRENCY)] | None = Field(
        default=None, description="Currency of all prices, three capital letters.", examples=["USD"]
    )
    instance_hour: dict[InstanceClass, Price] | None = Field(
        default=None,
        description="Per instance class, in quotes, the price of one hour.",
        examples=[{"db.t4g.medium": 0.065}],
    )
    storage_gib_month: Price | None = Field(
        default=None, description="Price of one GiB of an instance's storage for a month of 730 h.", examples=[0.115]
    )
    snapshot_gib_month: Price | None = Field(
        default=None, description="Price of one GiB of snapshot for a month of 730 h.", examples=[0.095]
    )


class ConfigFile(Shape):
    """config.toml."""

    required = ("source_accounts", "scratch_accounts")

    state: Text | None = Field(
        default=None, description="Directory of the store and the durable runs.", examples=["state"]
    )
    checks: Text | None = Field(
        default=None, description="Directory of check files, one check per file.", examples=["checks"]
    )
    endpoint_url: Annotated[str, AfterValidator(names.loopback_url), _pattern(names.LOOPBACK_URL)] | None = Field(
        default=None, description="Address of a demo AWS on this machine.", examples=["http://127.0.0.1:5555"]
    )
    ca_bundle: Text | None = Field(
        default=None, description="Certificates that databases must be signed by.", examples=["global-bundle.pem"]
    )
    defaults: Defaults | None = Field(default=None, description="What a check may leave out.")
    prices: Prices | None = Field(default=None, description="Prices of AWS, with which plan says what a run costs.")
    source_accounts: dict[AccountName, SourceAccount] | None = Field(
        default=None, description="Accounts with backups, by a name of yours."
    )
    scratch_accounts: dict[AccountName, ScratchAccount] | None = Field(
        default=None, description="Accounts to restore in, by a name of yours."
    )


# --- checks/*.toml ----------------------------------------------------------------------------------------------


class CheckHead(Shape):
    """What the check is called, when it runs and what it must achieve."""

    required = ("name",)

    name: Annotated[str, AfterValidator(names.check_name), _pattern(names.CHECK)] | None = Field(
        default=None, description="A short slug; AWS names are made from it.", examples=["orders-db"]
    )
    schedule: Text | None = Field(default=None, description="When to run: cron, five fields.", examples=["0 3 * * *"])
    timezone: Text | None = Field(default=None, description="Time zone of the schedule.", examples=["Europe/Berlin"])
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


class Source(Shape):
    """Where the recovery points are, and which of them to take."""

    required = ("type", "instance", "database")

    type: Literal["rds"] | None = Field(default=None, description="Kind of source.", examples=["rds"])
    account: Text | None = Field(default=None, description="Name of the source account.", examples=["production"])
    region: Region | None = Field(default=None, description="Region of the source.", examples=["eu-central-1"])
    instance: Annotated[str, AfterValidator(names.instance), _pattern(names.INSTANCE)] | None = Field(
        default=None, description="Name of the RDS instance whose backups are tested.", examples=["orders-prod"]
    )
    database: Database | None = Field(default=None, description="Database that is asked.", examples=["orders"])
    pick: Literal["latest", "oldest", "random"] | None = Field(
        default=None, description="Which recovery point to take.", examples=["latest"]
    )
    within: Duration | None = Field(
        default=None, description="Only recovery points younger than this.", examples=["7d"]
    )
    snapshots: (
        Annotated[
            list[Literal["automated", "manual", "shared", "awsbackup"]],
            _Also(minItems=1, uniqueItems=True),
        ]
        | None
    ) = Field(default=None, description="Kinds of snapshot that count.", examples=[["automated", "manual"]])


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
    limits: Limits | None = Field(default=None, description="Limits of this check.")


class Expect(Shape):
    """What must hold of the answer: bounds, or one of `equals`, `set` and `no_rows`."""

    at_least: Bound | None = Field(default=None, description="The answer is this or more.", examples=[1_000_000])
    at_most: Bound | None = Field(default=None, description="The answer is this or less.", examples=["15m"])
    between: Annotated[list[Bound], _Also(minItems=2, maxItems=2)] | None = Field(
        default=None, description="The answer is the first, the second, or in between.", examples=[[0, 100]]
    )
    before: Literal["backup", "now"] | None = Field(
        default=None, description="Bounds are ages, measured back from this instant.", examples=["backup"]
    )
    equals: Exact | None = Field(default=None, description="The answer is exactly this.", examples=["EUR"])
    members: Annotated[list[Exact], _Also(minItems=1, uniqueItems=True)] | None = Field(
        default=None,
        alias="set",
        description="The rows are exactly these values, in any order.",
        examples=[["CZ", "DE", "SK"]],
    )
    no_rows: Annotated[bool, AfterValidator(_only_true), WithJsonSchema({"const": True})] | None = Field(
        default=None, description="No row comes back.", examples=[True]
    )


class Assert(Shape):
    """One read query with what must hold of its answer."""

    required = ("name", "sql", "expect")

    name: Annotated[str, AfterValidator(names.assertion_name), _pattern(names.ASSERTION)] | None = Field(
        default=None, description="Name in findings and metrics.", examples=["orders-present"]
    )
    sql: Text | None = Field(default=None, description="One read query.", examples=["select count(*) from orders"])
    expect: Annotated[Expect, _Also(minProperties=1)] | None = Field(
        default=None, description="What must hold of the answer.", examples=[{"at_least": 1_000_000}]
    )
    severity: Literal["fail", "warn"] | None = Field(
        default=None, description="What a failure counts as.", examples=["warn"]
    )
    timeout: Duration | None = Field(default=None, description="How long the query may take.", examples=["5m"])
    database: Database | None = Field(
        default=None, description="Another database of the same instance.", examples=["billing"]
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
