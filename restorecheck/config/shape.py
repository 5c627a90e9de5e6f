"""The shape of config.toml: which tables and keys there are, their types, and what each one means.

One class per table, one field per key; `description` and `examples` feed the JSON Schema, the messages and a test of
the documentation. No key is required here, although `required` names those that are: a file that lacks one is still
read, so that everything else that is wrong in it can be told at once. What needs more than one key to judge is judged
elsewhere. The shape of a check file is in `check_shape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from restorecheck.config import names
from restorecheck.config.fields import (
    Account,
    AccountName,
    Also,
    Bucket,
    Budget,
    ClusterParameterGroup,
    Delay,
    Duration,
    ExternalId,
    InstanceClass,
    Key,
    Listen,
    OptionGroup,
    Owner,
    ParameterGroup,
    Price,
    ReceiverName,
    Region,
    Role,
    Serverless,
    Share,
    State,
    Text,
    Url,
    deletions,
    pattern,
    positive,
)
from restorecheck.config.table import Shape
from restorecheck.config.telling_shape import Metrics, Notify, Receiver


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
    catch_up: bool | None = Field(
        default=None, description="Make up, once, for runs that were missed while nothing served.", examples=[False]
    )
    jitter: Delay | None = Field(
        default=None, description="Begin up to this much later than the schedule says.", examples=["30m"]
    )
    timeout: Duration | None = Field(default=None, description="How long one query may take.", examples=["5m"])
    runbook: Url | None = Field(
        default=None, description="Where to read on.", examples=["https://wiki.example.org/restore"]
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
        default=None, description="Each leg of it: until AWS no longer knows what was to go.", examples=["2h"]
    )
    run: Duration | None = Field(
        default=None, description="Everything before the teardown, together.", examples=["12h"]
    )
    lease: Duration | None = Field(
        default=None,
        description="After this, the sweep may delete what a run left; longer than a run and its teardown.",
        examples=["24h"],
    )
    poll: Duration | None = Field(default=None, description="How often AWS is asked how far it is.", examples=["30s"])


class AccountLimits(Limits):
    """How long each phase may take, and how much may exist at once."""

    instances: Annotated[int, AfterValidator(positive), Also(minimum=1)] | None = Field(
        default=None, description="How many scratch instances may exist at once.", examples=[5]
    )


class Placement(Shape):
    """Where scratch is put in one region: nothing of it may be a default, and nothing of it public."""

    required = ("subnet_group", "security_groups", "key", "instance_class")  # if a database may be restored here

    subnet_group: Annotated[str, AfterValidator(names.subnet_group), pattern(names.GROUP)] | None = Field(
        default=None, description="DB subnet group of private subnets.", examples=["restorecheck"]
    )
    security_groups: (
        Annotated[
            list[Annotated[str, AfterValidator(names.security_group), pattern(names.SECURITY_GROUP)]],
            Also(minItems=1),
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
    cluster_parameter_group: ClusterParameterGroup | None = Field(
        default=None,
        description="DB cluster parameter group of your own, of clusters.",
        examples=["restorecheck-aurora-postgresql17"],
    )
    capacity: Serverless | None = Field(
        default=None, description="Least and most ACU of clusters, if the class is db.serverless.", examples=[[0.5, 4]]
    )
    extended_support: bool | None = Field(
        default=None,
        description="Pay for RDS Extended Support: without, AWS upgrades a copy past its standard support.",
        examples=[True],
    )
    bucket: Bucket | None = Field(
        default=None, description="Bucket of the scratch account for restored objects.", examples=["restorecheck-lab"]
    )

    @classmethod
    def demanded(cls, content: Mapping[str, Any]) -> tuple[str, ...]:
        """Return nothing for a region in which only objects are restored."""
        return () if set(content) == {"bucket"} else cls.required

    @classmethod
    def outline(cls, schema: dict[str, Any]) -> None:
        """See Shape.outline."""
        schema["anyOf"] = [{"required": list(cls.required)}, {"required": ["bucket"], "maxProperties": 1}]


class ScratchAccount(Shape):
    """An account in which backups are restored, and where restorecheck may make and delete what is its own."""

    required = ("id", "role")

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
    regions: Annotated[dict[Region, Placement], Also(minProperties=1)] | None = Field(
        default=None, description="Per region, where scratch is put."
    )


class Programs(Shape):
    """Directories with the programs of database servers, beside those on the PATH."""

    postgresql: list[Text] | None = Field(
        default=None,
        description="Directories with pg_restore, initdb and postgres.",
        examples=[["/usr/lib/postgresql/17/bin"]],
    )
    mysql: list[Text] | None = Field(
        default=None,
        description="Directories with the server and client of MySQL or MariaDB.",
        examples=[["/usr/sbin"]],
    )


class Prices(Shape):
    """What AWS asks for what a run holds. What is left out is unknown, and never free."""

    currency: Annotated[str, AfterValidator(names.currency), pattern(names.CURRENCY)] | None = Field(
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
    budget: Budget | None = Field(
        default=None, description="What all restores together may cost in 30 days.", examples=[50]
    )


class Service(Shape):
    """How the service works: what every process that serves this configuration must agree on."""

    runs: Annotated[int, AfterValidator(positive), Also(minimum=1)] | None = Field(
        default=None, description="Most runs at once, over all scratch accounts.", examples=[40]
    )
    late: Duration | None = Field(
        default=None, description="A run that begins later than this was missed.", examples=["10m"]
    )
    heartbeat: Duration | None = Field(
        default=None, description="How often a process says that it lives.", examples=["5s"]
    )
    takeover: Duration | None = Field(
        default=None,
        description="A process not heard of for so long is dead, and its runs taken over.",
        examples=["60s"],
    )
    sweep: Duration | None = Field(default=None, description="How often the sweep looks.", examples=["1h"])
    sweep_most: Annotated[int, AfterValidator(deletions), Also(minimum=1)] | None = Field(
        default=None, description="If more than so many are expired, the sweep deletes nothing.", examples=[10]
    )
    sweep_share: Share | None = Field(
        default=None, description="If more than this share is expired, the sweep deletes nothing.", examples=[0.5]
    )
    keep: Duration | None = Field(default=None, description="How long finished runs are kept.", examples=["400d"])
    evidence_keep: Duration | None = Field(
        default=None, description="How long keys of rows are kept as evidence.", examples=["30d"]
    )
    drain: Duration | None = Field(
        default=None, description="How long a stopping process waits for steps in flight.", examples=["20s"]
    )
    listen: Listen | None = Field(
        default=None, description="Host and port of metrics, runbooks and health.", examples=["127.0.0.1:9780"]
    )
    reload: bool | None = Field(
        default=None, description="Whether POST /-/reload reads the configuration again.", examples=[True]
    )


class ConfigFile(Shape):
    """config.toml."""

    required = ("source_accounts", "scratch_accounts")

    state: State | None = Field(
        default=None,
        description="Where the store and the durable runs are: a directory, or a PostgreSQL database; on AWS Lambda, a "
        "PostgreSQL database or a place in a versioned bucket.",
        examples=[
            "state",
            "postgresql://restorecheck@db.example.org/restorecheck?sslmode=verify-full",
            "s3://restorecheck-state/prod?region=eu-central-1",
        ],
    )
    service_key: Text | None = Field(
        default=None,
        description="File with the key from which the passwords of scratch databases are derived.",
        examples=["/etc/restorecheck/service.key"],
    )
    checks: Text | None = Field(
        default=None, description="Directory of check files, one check per file.", examples=["checks"]
    )
    endpoint_url: Annotated[str, AfterValidator(names.loopback_url), pattern(names.LOOPBACK_URL)] | None = Field(
        default=None, description="Address of a demo AWS on this machine.", examples=["http://127.0.0.1:5555"]
    )
    ca_bundle: Text | None = Field(
        default=None, description="Certificates that databases must be signed by.", examples=["global-bundle.pem"]
    )
    defaults: Defaults | None = Field(default=None, description="What a check may leave out.")
    service: Service | None = Field(default=None, description="How `restorecheck serve` works.")
    workplace: Text | None = Field(
        default=None,
        description="Directory of this machine in which dumps, and files that are asked, lie while a run needs them.",
        examples=["/var/lib/restorecheck/work"],
    )
    evidence: Text | None = Field(
        default=None,
        description="Directory of this machine in which the keys that `samples` names are kept.",
        examples=["/var/lib/restorecheck/evidence"],
    )
    programs: Programs | None = Field(default=None, description="Where the programs are with which dumps are restored.")
    prices: Prices | None = Field(default=None, description="Prices of AWS, with which plan says what a run costs.")
    receivers: dict[ReceiverName, Receiver] | None = Field(default=None, description="Who is told, by a name of yours.")
    notify: Notify | None = Field(default=None, description="When people are told.")
    metrics: Metrics | None = Field(default=None, description="Where numbers are sent that nobody scrapes.")
    source_accounts: dict[AccountName, SourceAccount] | None = Field(
        default=None, description="Accounts with backups, by a name of yours."
    )
    scratch_accounts: dict[AccountName, ScratchAccount] | None = Field(
        default=None, description="Accounts to restore in, by a name of yours."
    )
