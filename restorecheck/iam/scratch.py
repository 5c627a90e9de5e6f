"""What the role of a scratch account may do: restore what is named and tagged as ours, ask for it, remove it again.

Statements about what is made hold it to our tags in the request, statements about what is there to our tags on it, and
those about what belongs to neither (a subnet group, a snapshot of another account) to names. What would let anything
out of the account is forbidden, whatever else is attached to the role.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam import never, scratch_objects
from restorecheck.iam.account import COPIES, EVERY_KIND, RESTORES, Account
from restorecheck.iam.conditions import (
    EVERYWHERE,
    IS_OURS,
    MADE_BY_US,
    NOT_PUBLIC,
    ONLY_OUR_TAGS,
    OURS,
    both,
    in_regions,
)
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Estate, Scratch
from restorecheck.iam.source import keys_through_rds


def statements(estate: Estate, scratch: Scratch) -> Iterator[Statement]:
    """Yield what the scratch role may do, and what it must never."""
    account = Account(estate, scratch, estate.sources_of(scratch))
    yield from _looking(account)
    if account.furnished:
        yield from _restoring(account)
        yield from _keys(account)
    if account.buckets:
        yield from scratch_objects.statements(account)
    yield from never.in_scratch(account)


# --- looking ---------------------------------------------------------------------------------------------------------


def _looking(account: Account) -> Iterator[Statement]:
    yield Statement(
        "SeeWhatIsHere",
        granted(
            Role.SCRATCH,
            "rds",
            "DescribeDBInstances",
            "DescribeDBClusters",
            "DescribeDBSnapshots",
            "DescribeDBClusterSnapshots",
        ),
        account.arns(*EVERY_KIND),
        why="waits for what it made, describes it before every change, proves that nothing is left, and sees what"
        " is shared with the account",
    )
    if not account.furnished:
        return
    yield Statement(
        "SeeSubnetGroups",
        granted(Role.SCRATCH, "rds", "DescribeDBSubnetGroups"),
        tuple(arn for arn in account.groups() if ":subgrp:" in arn),
        why="`doctor` looks whether the subnets of the placement have a way out",
    )
    yield Statement(
        "SeeEventsAndOffers",
        granted(
            Role.SCRATCH,
            "rds",
            "DescribeAccountAttributes",
            "DescribeDBEngineVersions",
            "DescribeEvents",
            "DescribeOrderableDBInstanceOptions",
        ),
        EVERYWHERE,
        conditions=in_regions(account.regions),
        why="why a connection was lost; and for `doctor` quotas, versions, classes; AWS knows no narrower resource",
    )
    yield Statement(
        "SeeNetwork",
        granted(Role.SCRATCH, "ec2", "DescribeSubnets", "DescribeRouteTables", "DescribeSecurityGroups"),
        EVERYWHERE,
        conditions=in_regions(account.regions),
        why="`doctor` looks for a route or a rule that leads out; AWS knows no narrower resource",
    )


# --- restoring -------------------------------------------------------------------------------------------------------


def _restoring(account: Account) -> Iterator[Statement]:
    if not (account.instances or account.clusters):
        return
    ours = account.arns("snapshot", "cluster-snapshot", name=OURS)
    yield Statement(
        "CopyFromShared",
        account.may(*COPIES),
        tuple(account.shared()),
        why="the original of a copy belongs to another account, and its tags are not seen here: its name must do",
    )
    yield Statement(
        "CopyIntoOurs",
        account.may(*COPIES),
        ours,
        conditions=MADE_BY_US,
        why="the copy under our own key, which must be named and tagged as ours",
    )
    yield Statement(
        "RestoreFromOurs",
        account.may(*RESTORES),
        ours,
        conditions=IS_OURS,
        why="restores our copy, and no other snapshot here",
    )
    yield Statement(
        "RestoreFromShared",
        account.may(*RESTORES),
        tuple(account.shared()),
        why="what is not encrypted, and every cluster, is restored from the share itself",
    )
    yield Statement(
        "MakeInstances",
        account.may("RestoreDBInstanceFromDBSnapshot", "CreateDBInstance"),
        account.arns("db", name=OURS),
        conditions=both(MADE_BY_US, NOT_PUBLIC),
        why="the restored instance, or that of a restored cluster: named and tagged as ours, and not public",
    )
    if account.clusters:
        yield Statement(
            "MakeClusters",
            account.may(of_clusters="RestoreDBClusterFromSnapshot"),
            account.arns("cluster", name=OURS),
            conditions=MADE_BY_US,
            why="the restored cluster, named and tagged as ours",
        )
        yield Statement(
            "AddToOurClusters",
            account.may(of_clusters="CreateDBInstance"),
            account.arns("cluster", name=OURS),
            conditions=IS_OURS,
            why="its instance is put into a cluster of ours, and into no other",
        )
    yield Statement(
        "UseGroups",
        (*account.may(*RESTORES), *account.may(of_clusters="CreateDBInstance")),
        tuple(account.groups()),
        why="the subnet group and the groups of parameters and options that are configured for scratch",
    )
    yield from _ours(account)


def _ours(account: Account) -> Iterator[Statement]:
    ours = account.arns(*EVERY_KIND, name=OURS)
    yield Statement(
        "TagOurs",
        ("rds:AddTagsToResource",),
        ours,
        conditions=ONLY_OUR_TAGS,
        why="tags are put on in the call that makes something; AWS asks for this as well",
    )
    yield Statement(
        "ChangePasswords",
        account.may("ModifyDBInstance", "ModifyDBCluster"),
        account.arns("db", "cluster", name=OURS),
        conditions=IS_OURS,
        why="gives the copy a password of this run; IAM cannot say that nothing else is changed, the fence does",
    )
    removes = ("DeleteDBInstance", "DeleteDBCluster", "DeleteDBSnapshot", "DeleteDBClusterSnapshot")
    yield Statement(
        "RemoveOurs",
        granted(Role.SCRATCH, "rds", *removes),
        ours,
        conditions=IS_OURS,
        why="teardown and sweep remove what carries our tag, and nothing else",
    )
    if account.clusters:
        yield Statement(
            "RemoveClustersWithoutSnapshot",
            account.may(of_clusters="DeleteDBCluster"),
            account.arns("cluster-snapshot", name=OURS),
            why="AWS lists the final snapshot among what a cluster's removal must be allowed on; ours makes none",
        )


def _keys(account: Account) -> Iterator[Statement]:
    own = tuple(dict.fromkeys(key for place in account.scratch.places for key in place.keys))
    theirs = [key for one in account.sources if one.instances or one.clusters for key in account.estate.keys_of(one)]
    every = tuple(dict.fromkeys((*own, *theirs)))
    if every:
        yield Statement(
            "LookAtKeys",
            granted(Role.SCRATCH, "kms", "DescribeKey"),
            every,
            why="`doctor` looks at the key of the placement, a run at that of a snapshot that was shared; RDS asks"
            " for it too",
        )
        yield from keys_through_rds(every, account.regions)
