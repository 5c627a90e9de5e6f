"""A service control policy for a scratch account: what nobody in it may do, whatever their own policies say.

It grants nothing. It stands against a role that was given too much, or somebody who got hold of one: restored data
stays in the account, and the account stays without a way out. The management account is not held by it, nor are roles
that AWS itself acts in.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.iam.conditions import EVERYWHERE
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Estate, Scratch

WAYS_OUT = (
    "ec2:AcceptVpcPeeringConnection",
    "ec2:AttachInternetGateway",
    "ec2:AttachVpnGateway",
    "ec2:CreateEgressOnlyInternetGateway",
    "ec2:CreateInternetGateway",
    "ec2:CreateNatGateway",
    "ec2:CreateTransitGatewayVpcAttachment",
    "ec2:CreateVpcPeeringConnection",
    "ec2:CreateVpnGateway",
)
COPIES_OUT = ("rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute", "rds:StartExportTask")
UNDELETABLE = ("s3:PutBucketObjectLockConfiguration", "s3:PutObjectLegalHold", "s3:PutObjectRetention")
WITHOUT_REGION = (
    "budgets:*",
    "ce:*",
    "health:*",
    "iam:*",
    "organizations:*",
    "route53:*",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "sts:*",
    "support:*",
)
"""What is asked in no region of its own."""


def statements(estate: Estate, scratch: Scratch) -> Iterator[Statement]:
    """Yield what nobody in a scratch account may do."""
    regions = tuple(dict.fromkeys((*(place.region for place in scratch.places), *estate.regions)))
    elsewhere = {"StringNotEquals": {"aws:ResourceAccount": scratch.account}}
    # Where restorecheck runs in this account, it goes on from here into the source accounts.
    but_us = {"StringNotEquals": {"aws:ResourceAccount": scratch.account, "aws:PrincipalArn": estate.service.role}}

    def never(sid: str, actions: tuple[str, ...], why: str, **more: object) -> Statement:
        return Statement(sid, actions, EVERYWHERE, "Deny", why=why, **more)  # type: ignore[arg-type]

    yield never("StayInTheOrganization", ("organizations:LeaveOrganization",), "outside of it none of this would hold")
    yield never("NoWayOut", WAYS_OUT, "restored databases, and what runs inside them, must reach nobody")
    yield never("NoCopyOut", COPIES_OUT, "no snapshot of restored data is shared or exported")
    yield never(
        "NothingPublic",
        ("rds:CreateDBInstance", "rds:RestoreDBInstanceFromDBSnapshot"),
        "no restored database has a public address",
        conditions={"Bool": {"rds:PubliclyAccessible": "true"}},
    )
    yield never(
        "NothingWrittenElsewhere",
        ("s3:PutObject", "s3:PutObjectAcl"),
        "no restored object is written to a bucket of another account",
        conditions=elsewhere,
    )
    yield never(
        "NoRoleElsewhere",
        ("sts:AssumeRole",),
        "nobody goes on from here into another account but restorecheck itself, if it runs here",
        conditions=but_us,
    )
    yield never("NothingForEver", UNDELETABLE, "what is restored must be deleted again, so nothing may be locked")
    if regions:
        yield never(
            "OnlyTheseRegions",
            (),
            "scratch is looked for, and swept, in the configured regions alone",
            but=WITHOUT_REGION,
            conditions={"StringNotEquals": {"aws:RequestedRegion": regions}},
        )
