"""What the doctor says about a world that is well, and about each thing that may be wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fence_cases import BEGAN, OTHER, REGION, SCRATCH, SOURCE

from restorecheck.config import Config
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.doctor import Diagnosis, diagnose
from restorecheck.errors import AwsError, RefusedError, RestorecheckError, SourceError
from restorecheck.fence import TABLE, Effect, Role
from restorecheck.model import AuroraSource, Check, Limits, Placement, RdsSource, SnapshotKind

NOW = BEGAN
SOURCE_KEY = f"arn:aws:kms:{REGION}:{SOURCE}:key/source"
SHARE_KEY = f"arn:aws:kms:{REGION}:{SOURCE}:key/share"
SCRATCH_KEY = f"arn:aws:kms:{REGION}:{SCRATCH}:key/scratch"

PLACEMENT = Placement(
    account=SCRATCH,
    region=REGION,
    subnet_group="restorecheck",
    security_groups=("sg-1",),
    key=SCRATCH_KEY,
    instance_class="db.t4g.medium",
)
CHECK = Check(
    name="orders-db",
    source=RdsSource(SOURCE, REGION, "orders", "shop", share_key=SHARE_KEY),
    placement=PLACEMENT,
    limits=Limits(),
    assertions=(),
    rpo=timedelta(hours=25),
    rto=timedelta(hours=2),
)
LAB = f"lab ({SCRATCH}) {REGION}"
PRODUCTION = f"production ({SOURCE}) {REGION}"


def config_of(check: Check = CHECK, **changes: Any) -> Config:
    good = Config(
        path=Path("config.toml"),
        state=Path("/nowhere"),
        source_accounts=(SourceAccount("production", SOURCE, "role", (REGION,), share_keys={REGION: SHARE_KEY}),),
        scratch_accounts=(ScratchAccount("lab", SCRATCH, "role", (check.placement,), Limits(), 5),),
        checks=(check,),
    )
    return replace(good, **changes)


def snapshot(name: str = "rds:orders-2026-11-21-02-10", **changes: Any) -> dict[str, Any]:
    return {
        "DBSnapshotIdentifier": name,
        "DBSnapshotArn": f"arn:aws:rds:{REGION}:{SOURCE}:snapshot:{name}",
        "DBInstanceIdentifier": "orders",
        "Status": "available",
        "SnapshotType": "automated",
        "SnapshotCreateTime": NOW - timedelta(minutes=50),
        "OriginalSnapshotCreateTime": NOW - timedelta(minutes=50),
        "Engine": "postgres",
        "EngineVersion": "17.6",
        "LicenseModel": "postgresql-license",
        "AllocatedStorage": 200,
        "Encrypted": True,
        "KmsKeyId": SOURCE_KEY,
        **changes,
    }


def key(account: str, **changes: Any) -> dict[str, Any]:
    return {
        "AWSAccountId": account,
        "KeyState": "Enabled",
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        **changes,
    }


def subnet(name: str) -> dict[str, Any]:
    return {"SubnetId": name, "AvailableIpAddressCount": 100}


LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}
MAIN = {"RouteTableId": "rtb-main", "Associations": [{"Main": True}, {"GatewayId": "vgw-0"}], "Routes": [LOCAL]}


def table_of(subnet: str, *routes: Mapping[str, str]) -> dict[str, Any]:
    return {"RouteTableId": f"rtb-{subnet}", "Associations": [{"SubnetId": subnet}], "Routes": [LOCAL, *routes]}


def group(*ranges: str, **changes: Any) -> dict[str, Any]:
    v6 = [{"CidrIpv6": r} for r in ranges if ":" in r]
    v4 = [{"CidrIp": r} for r in ranges if ":" not in r]
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": v4, "Ipv6Ranges": v6}
    return {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [permission], "IpPermissionsEgress": [], **changes}


def quota(name: str, used: int, most: int) -> dict[str, Any]:
    return {"AccountQuotaName": name, "Used": used, "Max": most}


def quotas(**changes: tuple[int, int]) -> dict[str, Any]:
    limits = {"DBInstances": (3, 40), "ManualSnapshots": (0, 100), "AllocatedStorage": (100, 100_000), **changes}
    return {"AccountQuotas": [quota(name, *limit) for name, limit in limits.items()]}


Answer = Any  # the answer, an exception to raise, or a function of the parameters


def well() -> dict[tuple[Role, str], Answer]:
    """Everything that AWS answers when nothing is wrong."""
    return copy.deepcopy(
        {
            (Role.SOURCE, "DescribeDBSnapshots"): {"DBSnapshots": [snapshot()]},
            (Role.SOURCE, "DescribeKey"): {"KeyMetadata": key(SOURCE)},
            (Role.SCRATCH, "DescribeKey"): lambda KeyId, **_: {  # noqa: N803 - AWS's name
                "KeyMetadata": key(KeyId.split(":")[4])
            },
            (Role.SCRATCH, "DescribeDBSnapshots"): {"DBSnapshots": []},
            (Role.SCRATCH, "DescribeDBSubnetGroups"): {
                "DBSubnetGroups": [
                    {"VpcId": "vpc-1", "Subnets": [{"SubnetIdentifier": "s-a"}, {"SubnetIdentifier": "s-b"}]}
                ]
            },
            (Role.SCRATCH, "DescribeSubnets"): {"Subnets": [subnet("s-a"), subnet("s-b")]},
            (Role.SCRATCH, "DescribeRouteTables"): {"RouteTables": [MAIN, table_of("s-a")]},
            (Role.SCRATCH, "DescribeSecurityGroups"): {"SecurityGroups": [group("10.0.0.0/16")]},
            (Role.SCRATCH, "DescribeAccountAttributes"): quotas(),
            (Role.SCRATCH, "DescribeDBEngineVersions"): {
                "DBEngineVersions": [{"EngineVersion": "17.6", "Status": "available"}]
            },
            (Role.SCRATCH, "DescribeOrderableDBInstanceOptions"): {
                "OrderableDBInstanceOptions": [{"DBInstanceClass": "db.t4g.medium"}]
            },
        }
    )


@dataclass
class FakeAws:
    """A fence whose Hands answer from a table, and note what they were asked."""

    answers: dict[tuple[Role, str], Answer] = field(default_factory=well)
    closed: dict[Role, Exception] = field(default_factory=dict)
    asked: list[tuple[Role, str, str, dict[str, Any]]] = field(default_factory=list)

    def hand(self, role: Role, account: str, region: str) -> FakeHand:
        if role in self.closed:
            raise self.closed[role]
        assert (role, account) in {(Role.SOURCE, SOURCE), (Role.SCRATCH, SCRATCH)}
        return FakeHand(self, role)


@dataclass
class FakeHand:
    aws: FakeAws
    role: Role

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.aws.asked.append((self.role, service, operation, params))
        answer = self.aws.answers[self.role, operation]
        answer = answer(**params) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        yield from self.call(service, operation, **params)[key]


def denied(code: str = "AccessDenied", kind: str = "permission") -> AwsError:
    return AwsError(code, f"{code}: no", kind=kind, retryable=False)


def look(aws: FakeAws, check: Check = CHECK) -> dict[tuple[str, str], Diagnosis]:
    found = diagnose(config_of(check), aws, NOW)
    named = {(d.subject, d.name): d for d in found}
    assert len(named) == len(found)
    for one in found:
        assert one.detail
        assert bool(one.fix) == (one.outcome != "pass"), one
        assert "\n" not in one.detail + one.fix
    return named


def changed(operation: str, answer: Answer, role: Role = Role.SCRATCH) -> FakeAws:
    return FakeAws(well() | {(role, operation): answer})


def with_snapshot(**changes: Any) -> FakeAws:
    return changed("DescribeDBSnapshots", {"DBSnapshots": [snapshot(**changes)]}, Role.SOURCE)


# --- a world that is well -----------------------------------------------------------------------------------------


def test_a_world_that_is_well_passes_everything_and_every_look_is_there():
    found = look(FakeAws())
    assert {d.outcome for d in found.values()} == {"pass"}
    assert list(found) == [
        (PRODUCTION, "identity of the source role"),
        (PRODUCTION, "share key"),
        (LAB, "identity of the scratch role"),
        ("orders-db", "recovery points"),
        ("orders-db", "key of the backup"),
        ("orders-db", "engine version"),
        ("orders-db", "instance class"),
        (LAB, "key"),
        (LAB, "subnets"),
        (LAB, "routes"),
        (LAB, "security groups"),
        (LAB, "quotas"),
    ]
    assert (
        found["orders-db", "recovery points"].detail == "2 recovery points (automated, manual), the newest 50 min old"
    )
    assert (
        found[LAB, "quotas"].detail == "DBInstances 3 of 40, ManualSnapshots 0 of 100, AllocatedStorage 100 of 100000"
    )


def test_it_only_reads_and_only_what_the_fence_lets_through():
    aws = FakeAws()
    look(aws, replace(CHECK, source=replace(CHECK.source, snapshots=tuple(SnapshotKind))))
    assert {TABLE[role][service][operation] for role, service, operation, _ in aws.asked} == {Effect.READ}
    assert {operation for _, _, operation, _ in aws.asked} == {operation for _, operation in well()}


def test_without_a_share_key_there_is_no_look_at_one():
    source = SourceAccount("production", SOURCE, "role", (REGION,))
    found = diagnose(config_of(source_accounts=(source,)), FakeAws(), NOW)
    assert "share key" not in {d.name for d in found}


# --- identity -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RefusedError("the scratch role leads into another account"), "fail"),
        (denied("AccessDenied", "credentials"), "fail"),
        (SourceError("no answer", kind="aws-unavailable", retryable=True), "could not look"),
        (denied("Throttling", "throttled"), "could not look"),
    ],
)
def test_an_account_that_cannot_be_entered_says_so_everywhere(error: RestorecheckError, outcome: str):
    found = look(FakeAws(closed={Role.SCRATCH: error}))
    assert found[LAB, "identity of the scratch role"].outcome == outcome
    others = [d for (subject, name), d in found.items() if subject == LAB and "identity" not in name]
    assert {d.outcome for d in others} == {"could not look"}
    assert {d.fix for d in others} == {"mend its identity first"}
    assert len(others) == 5  # nothing is left out
    assert found[PRODUCTION, "identity of the source role"].outcome == "pass"
    assert found["orders-db", "recovery points"].outcome == "pass"
    assert found["orders-db", "instance class"].outcome == "could not look"


def test_a_source_account_that_cannot_be_entered():
    found = look(FakeAws(closed={Role.SOURCE: RefusedError("the source role leads into another account")}))
    failed = {name for (_, name), d in found.items() if d.outcome == "fail"}
    assert failed == {"identity of the source role"}
    for name in ("recovery points", "key of the backup", "engine version", "instance class"):
        assert found["orders-db", name].outcome == "could not look"
    assert found[LAB, "routes"].outcome == "pass"


# --- each thing that may be wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "operation"), sorted(well()))
def test_what_may_not_be_read_never_passes(role: Role, operation: str):
    healthy, ill = look(FakeAws(), _any_kind()), look(changed(operation, denied(), role), _any_kind())
    different = [ill[name] for name in ill if ill[name] != healthy[name]]
    assert different
    assert {d.outcome for d in different} == {"could not look"}
    assert list(ill) == list(healthy)


def _any_kind() -> Check:
    return replace(CHECK, source=replace(CHECK.source, snapshots=tuple(SnapshotKind)))


def with_key(role: Role, name: str, **changes: Any) -> FakeAws:
    """Everything well, and one key not."""

    def answer(KeyId: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        account = KeyId.split(":")[4]
        return {"KeyMetadata": key(account, **changes) if KeyId == name else key(account)}

    return changed("DescribeKey", answer, role)


def routes(*tables: dict[str, Any]) -> FakeAws:
    return changed("DescribeRouteTables", {"RouteTables": list(tables)})


def groups(*described: dict[str, Any]) -> FakeAws:
    return changed("DescribeSecurityGroups", {"SecurityGroups": list(described)})


IGW = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
IGW6 = {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}
HALF = {"DestinationCidrBlock": "128.0.0.0/1", "GatewayId": "igw-1"}
LISTED = {"DestinationPrefixListId": "pl-1", "GatewayId": "igw-1"}


def versions(*statuses: str | None) -> FakeAws:
    found = [{"EngineVersion": "17.6", "Status": status} for status in statuses]
    return changed("DescribeDBEngineVersions", {"DBEngineVersions": found})


ILL: list[tuple[str, Callable[[], FakeAws], str, str, str]] = [
    # what is wrong, subject, name, what it says
    ("no snapshots", lambda: changed("DescribeDBSnapshots", {"DBSnapshots": []}, Role.SOURCE), "orders-db",
     "recovery points", "no available snapshot"),
    ("unfinished", lambda: with_snapshot(Status="creating"), "orders-db", "recovery points", "no available snapshot"),
    ("our own copies", lambda: with_snapshot(name="restorecheck-orders-db-20261120t0300z"), "orders-db",
     "recovery points", "no available snapshot"),
    ("stale", lambda: with_snapshot(OriginalSnapshotCreateTime=NOW - timedelta(hours=26)), "orders-db",
     "recovery points", "the newest 26 h 0 min old, more than the rpo of 25 h 0 min"),
    ("dying key", lambda: with_key(Role.SOURCE, SOURCE_KEY, KeyState="PendingDeletion"), "orders-db",
     "key of the backup", "about to be deleted"),
    ("disabled key", lambda: with_key(Role.SOURCE, SOURCE_KEY, KeyState="Disabled"), "orders-db", "key of the backup",
     "is in state Disabled"),
    ("share key of AWS", lambda: with_key(Role.SOURCE, SHARE_KEY, KeyManager="AWS"), PRODUCTION, "share key",
     "managed by AWS"),
    ("share key elsewhere", lambda: with_key(Role.SOURCE, SHARE_KEY, AWSAccountId=OTHER), PRODUCTION, "share key",
     f"belongs to account {OTHER}"),
    ("share key disabled", lambda: with_key(Role.SOURCE, SHARE_KEY, KeyState="Disabled"), PRODUCTION, "share key",
     "is in state Disabled"),
    ("scratch key of AWS", lambda: with_key(Role.SCRATCH, SCRATCH_KEY, KeyManager="AWS"), LAB, "key", "managed by AWS"),
    ("scratch key elsewhere", lambda: with_key(Role.SCRATCH, SCRATCH_KEY, AWSAccountId=SOURCE), LAB, "key",
     f"belongs to account {SOURCE}"),
    ("asymmetric scratch key", lambda: with_key(Role.SCRATCH, SCRATCH_KEY, KeySpec="RSA_2048"), LAB, "key",
     "a key of the kind RSA_2048"),
    ("no such subnet group", lambda: changed("DescribeDBSubnetGroups", denied("DBSubnetGroupNotFoundFault",
     "placement")), LAB, "subnets", "there is no subnet group restorecheck"),
    ("no subnets", lambda: changed("DescribeDBSubnetGroups", {"DBSubnetGroups": [{"VpcId": "v", "Subnets": []}]}), LAB,
     "routes", "has no subnets"),
    ("no address", lambda: changed("DescribeSubnets", {"Subnets": [{"SubnetId": s, "AvailableIpAddressCount": 0}
     for s in ("s-a", "s-b")]}), LAB, "subnets", "no address left"),
    ("public", lambda: routes(MAIN, table_of("s-b", IGW)), LAB, "routes", "s-b has a public route: 0.0.0.0/0 to igw-1"),
    ("public by IPv6", lambda: routes(MAIN, table_of("s-a", IGW6)), LAB, "routes", "::/0 to igw-1 in rtb-s-a"),
    ("public by halves", lambda: routes(MAIN, table_of("s-a", HALF)), LAB, "routes", "128.0.0.0/1 to igw-1"),
    ("public by a list", lambda: routes(MAIN, table_of("s-a", LISTED)), LAB, "routes", "a prefix list to igw-1"),
    ("public main table", lambda: routes({**MAIN, "Routes": [LOCAL, IGW]}, table_of("s-a")), LAB, "routes",
     "s-b has a public route: 0.0.0.0/0 to igw-1 in rtb-main"),
    ("no such group", lambda: changed("DescribeSecurityGroups", denied("InvalidGroup.NotFound", "unknown-answer")), LAB,
     "security groups", "InvalidGroup.NotFound"),
    ("another VPC", lambda: groups(group("10.0.0.0/8", VpcId="vpc-2")), LAB, "security groups", "sg-1 is in vpc-2"),
    ("open", lambda: groups(group("10.0.0.0/8", "0.0.0.0/0")), LAB, "security groups", "lets in everybody (0.0.0.0/0)"),
    ("open by IPv6", lambda: groups(group("::/0")), LAB, "security groups", "lets in everybody (::/0)"),
    ("open by halves", lambda: groups(group("0.0.0.0/1")), LAB, "security groups", "lets in everybody (0.0.0.0/1)"),
    ("shut", lambda: groups(group(IpPermissions=[])), LAB, "security groups", "let in nobody"),
    ("no instance", lambda: changed("DescribeAccountAttributes", quotas(DBInstances=(40, 40))), LAB, "quotas",
     "DBInstances has no room: 40 of 40 used"),
    ("no snapshot", lambda: changed("DescribeAccountAttributes", quotas(ManualSnapshots=(100, 100))), LAB, "quotas",
     "ManualSnapshots has no room"),
    ("no storage", lambda: changed("DescribeAccountAttributes", quotas(AllocatedStorage=(99_801, 100_000))), LAB,
     "quotas", "AllocatedStorage has no room: 99801 of 100000 used, 200 needed"),
    ("deprecated", lambda: versions("deprecated"), "orders-db", "engine version", "postgres 17.6 is deprecated"),
    ("another engine", lambda: with_snapshot(Engine="mariadb"), "orders-db", "engine version",
     "is of engine mariadb, which this check cannot ask"),
    ("an engine that nobody asks", lambda: with_snapshot(Engine="oracle-ee"), "orders-db", "engine version",
     "is of engine oracle-ee, which this check cannot ask"),
    ("retired", versions, "orders-db", "engine version", "postgres 17.6 is not offered any more"),
    ("no such class", lambda: changed("DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": []}),
     "orders-db", "instance class", "db.t4g.medium for postgres 17.6 cannot be ordered in eu-central-1"),
    ("another class", lambda: changed("DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions":
     [{"DBInstanceClass": "db.m6g.large"}]}), "orders-db", "instance class", "cannot be ordered"),
]  # fmt: skip


@pytest.mark.parametrize("case", ILL, ids=lambda case: case[0])
def test_what_is_wrong_fails_with_a_fix(case: tuple[str, Callable[[], FakeAws], str, str, str]):
    _, aws, subject, name, said = case
    one = look(aws())[subject, name]
    assert one.outcome == "fail"
    assert said in one.detail
    assert one.fix


UNKNOWN: list[tuple[str, Callable[[], FakeAws], str, str, str]] = [
    ("encrypted?", lambda: with_snapshot(Encrypted=None), "orders-db", "key of the backup", "does not say Encrypted"),
    ("AWS-owned key", lambda: with_snapshot(KmsKeyId=None), "orders-db", "key of the backup", "does not say KmsKeyId"),
    ("no engine", lambda: with_snapshot(Engine=None), "orders-db", "engine version", "does not say Engine"),
    ("no time", lambda: with_snapshot(SnapshotCreateTime=None, OriginalSnapshotCreateTime=None), "orders-db",
     "recovery points", "does not say SnapshotCreateTime"),
    ("no name", lambda: with_snapshot(DBSnapshotIdentifier=None), "orders-db", "recovery points",
     "does not say DBSnapshotIdentifier"),
    ("no key", lambda: changed("DescribeKey", {}), LAB, "key", "does not say KeyMetadata"),
    ("key state", lambda: with_key(Role.SCRATCH, SCRATCH_KEY, KeyState=None), LAB, "key", "does not say KeyState"),
    ("key manager", lambda: with_key(Role.SCRATCH, SCRATCH_KEY, KeyManager=None), LAB, "key", "not say KeyManager"),
    ("key account", lambda: with_key(Role.SCRATCH, SCRATCH_KEY, AWSAccountId=None), LAB, "key", "not say AWSAccountId"),
    ("two groups", lambda: changed("DescribeDBSubnetGroups", {"DBSubnetGroups": [{}, {}]}), LAB, "subnets",
     "described 2 subnet groups"),
    ("lost subnet", lambda: changed("DescribeSubnets", {"Subnets": [subnet("s-a")]}), LAB, "subnets",
     "does not describe s-b"),
    ("no main table", lambda: routes(table_of("s-a")), LAB, "routes", "no route table of s-b, nor a main one"),
    ("no tables", routes, LAB, "routes", "no route table of s-a"),
    ("no routes", lambda: routes({**MAIN, "Routes": None}), LAB, "routes", "does not say Routes"),
    ("lost group", groups, LAB, "security groups", "does not describe sg-1"),
    ("a list of ranges", lambda: groups(group(IpPermissions=[{"PrefixListIds": [{"PrefixListId": "pl-1"}]}])), LAB,
     "security groups", "lets in a prefix list"),
    ("no quota", lambda: changed("DescribeAccountAttributes", {"AccountQuotas": []}), LAB, "quotas",
     "does not say the quota DBInstances"),
    ("no usage", lambda: changed("DescribeAccountAttributes", {"AccountQuotas":
     [{"AccountQuotaName": "DBInstances", "Max": 40}]}), LAB, "quotas", "does not say Used"),
    ("version status", lambda: versions(None), "orders-db", "engine version", "does not say the status"),
    ("VPC of a group", lambda: groups(group(VpcId=None)), LAB, "security groups", "does not say VpcId"),
    ("subnet group", lambda: changed("DescribeDBSubnetGroups", denied("Throttling", "throttled")), LAB, "routes",
     "Throttling"),
    ("groups", lambda: changed("DescribeSecurityGroups", denied("Throttling", "throttled")), LAB, "security groups",
     "Throttling"),
]  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN, ids=lambda case: case[0])
def test_what_aws_does_not_say_is_not_well(case: tuple[str, Callable[[], FakeAws], str, str, str]):
    _, aws, subject, name, said = case
    one = look(aws())[subject, name]
    assert one.outcome == "could not look"
    assert said in one.detail


# --- recovery points and their keys -------------------------------------------------------------------------------


def test_without_a_recovery_point_nothing_about_it_passes():
    found = look(changed("DescribeDBSnapshots", {"DBSnapshots": []}, Role.SOURCE))
    for name in ("key of the backup", "engine version", "instance class"):
        assert found["orders-db", name].outcome == "could not look"
        assert found["orders-db", name].fix == "mend `recovery points` first"


def test_a_stale_recovery_point_is_still_looked_at():
    found = look(with_snapshot(OriginalSnapshotCreateTime=NOW - timedelta(hours=26)))
    assert found["orders-db", "engine version"].outcome == "pass"


def test_the_age_is_that_of_the_data_and_not_of_a_copy():
    days = timedelta(days=3)
    found = look(with_snapshot(SnapshotCreateTime=NOW, OriginalSnapshotCreateTime=NOW - days))
    assert found["orders-db", "recovery points"].outcome == "fail"
    found = look(with_snapshot(OriginalSnapshotCreateTime=None))
    assert found["orders-db", "recovery points"].outcome == "pass"


def test_the_newest_decides():
    old = snapshot("old", OriginalSnapshotCreateTime=NOW - timedelta(days=9), EngineVersion="9.6", Encrypted=None)
    aws = changed("DescribeDBSnapshots", {"DBSnapshots": [snapshot(), old]}, Role.SOURCE)
    assert {d.outcome for d in look(aws).values()} == {"pass"}


def test_an_unencrypted_backup_needs_no_key():
    found = look(with_snapshot(Encrypted=False, KmsKeyId=None))
    one = found["orders-db", "key of the backup"]
    assert (one.outcome, one.detail) == ("pass", "the newest recovery point is not encrypted")


def check_of(share_key: str | None, *kinds: SnapshotKind) -> Check:
    return replace(CHECK, source=replace(CHECK.source, share_key=share_key, snapshots=kinds))


def test_a_backup_under_the_default_key_needs_a_share_key():
    aws = with_key(Role.SOURCE, SOURCE_KEY, KeyManager="AWS")
    found = look(aws, check_of(None, SnapshotKind.AUTOMATED))
    assert found["orders-db", "key of the backup"].outcome == "fail"
    assert "share_key" in found["orders-db", "key of the backup"].fix


@pytest.mark.parametrize("kind", [SnapshotKind.AUTOMATED, SnapshotKind.MANUAL])
def test_a_backup_under_the_default_key_goes_under_the_share_key(kind: SnapshotKind):
    aws = with_key(Role.SOURCE, SOURCE_KEY, KeyManager="AWS")
    found = look(aws, check_of(SHARE_KEY, kind))
    assert found["orders-db", "key of the backup"].detail.endswith(f"made under {SHARE_KEY}")


# --- shared by their owner ----------------------------------------------------------------------------------------


def shared(**changes: Any) -> dict[str, Any]:
    name = f"arn:aws:rds:{REGION}:{SOURCE}:snapshot:nightly"
    return snapshot(name, **{"DBSnapshotArn": name, "SnapshotType": "shared", **changes})


def test_shared_snapshots_are_looked_at_from_the_scratch_account():
    strangers = [
        shared(DBSnapshotArn=f"arn:aws:rds:{REGION}:{OTHER}:snapshot:nightly"),
        shared(DBInstanceIdentifier="billing"),
    ]
    aws = changed("DescribeDBSnapshots", {"DBSnapshots": [*strangers, shared()]})
    found = look(aws, check_of(None, SnapshotKind.SHARED))
    assert found["orders-db", "recovery points"].detail.startswith("1 recovery point (shared)")
    assert found["orders-db", "key of the backup"].outcome == "pass"
    roles = {role for role, _, operation, _ in aws.asked if operation == "DescribeDBSnapshots"}
    assert roles == {Role.SCRATCH}


def test_a_shared_snapshot_under_the_default_key_fails_even_with_a_share_key():
    aws = with_key(Role.SCRATCH, SOURCE_KEY, KeyManager="AWS")
    aws.answers[Role.SCRATCH, "DescribeDBSnapshots"] = {"DBSnapshots": [shared()]}
    found = look(aws, check_of(SHARE_KEY, SnapshotKind.SHARED))
    assert found["orders-db", "key of the backup"].outcome == "fail"


# --- placement ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "route",
    [
        {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "way-1"},
        {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "way-1"},
        {"DestinationCidrBlock": "10.9.0.0/16", "TransitGatewayId": "way-1"},
    ],
)
def test_a_way_out_that_is_not_public_is_noted(route: dict[str, str]):
    one = look(routes(MAIN, table_of("s-a", route)))[LAB, "routes"]
    assert one.outcome == "pass"
    assert "way out through way-1" in one.detail


def test_a_private_gateway_is_noted_too():
    one = look(routes(MAIN, table_of("s-a", {"DestinationCidrBlock": "10.9.0.0/16", "GatewayId": "vgw-1"})))
    assert "way out through vgw-1" in one[LAB, "routes"].detail


def test_egress_is_noted():
    everywhere = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    one = look(groups(group("10.0.0.0/8", IpPermissionsEgress=everywhere)))[LAB, "security groups"]
    assert one.outcome == "pass"
    assert "sg-1 let scratch call out to everywhere" in one.detail


def test_route_tables_are_asked_of_the_subnets_vpc():
    aws = FakeAws()
    look(aws)
    asked = [params for _, _, operation, params in aws.asked if operation == "DescribeRouteTables"]
    assert asked == [{"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}]


# --- capacity -----------------------------------------------------------------------------------------------------


def test_the_class_is_asked_for_with_the_licence_of_the_backup():
    aws = FakeAws()
    look(aws)
    [asked] = [params for _, _, operation, params in aws.asked if operation == "DescribeOrderableDBInstanceOptions"]
    assert asked == {
        "Engine": "postgres",
        "EngineVersion": "17.6",
        "DBInstanceClass": "db.t4g.medium",
        "LicenseModel": "postgresql-license",
        "Vpc": True,
    }
    without = with_snapshot(LicenseModel=None)
    look(without)
    [asked] = [params for _, _, operation, params in without.asked if operation == "DescribeOrderableDBInstanceOptions"]
    assert "LicenseModel" not in asked


def test_deprecated_versions_are_asked_for_too():
    aws = FakeAws()
    look(aws)
    [asked] = [params for _, _, operation, params in aws.asked if operation == "DescribeDBEngineVersions"]
    assert asked == {"Engine": "postgres", "EngineVersion": "17.6", "IncludeAll": True}
    assert look(versions("deprecated", "available"))["orders-db", "engine version"].outcome == "pass"


def test_storage_is_needed_for_the_largest_backup_of_the_place():
    small, large = replace(CHECK, name="small"), replace(CHECK, name="large")
    large = replace(large, source=replace(large.source, instance="billing"))
    sizes = {"orders": 20, "billing": 900}

    def answer(DBInstanceIdentifier: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return {"DBSnapshots": [snapshot(AllocatedStorage=sizes[DBInstanceIdentifier])]}

    aws = changed("DescribeDBSnapshots", answer, Role.SOURCE)
    aws.answers[Role.SCRATCH, "DescribeAccountAttributes"] = quotas(AllocatedStorage=(99_200, 100_000))
    found = {d.name: d for d in diagnose(config_of(checks=(large, small)), aws, NOW)}
    assert "99200 of 100000 used, 900 needed" in found["quotas"].detail


# --- clusters -------------------------------------------------------------------------------------------------------

SHOP = replace(
    CHECK,
    name="shop-aurora",
    source=AuroraSource(SOURCE, REGION, "shop", share_key=SHARE_KEY),
    placement=replace(PLACEMENT, instance_class="db.serverless", capacity=(0.5, 2.0)),
)


def cluster_snapshot(name: str = "rds:shop-2026-11-21-02-10", **changes: Any) -> dict[str, Any]:
    return {
        "DBClusterSnapshotIdentifier": name,
        "DBClusterSnapshotArn": f"arn:aws:rds:{REGION}:{SOURCE}:cluster-snapshot:{name}",
        "DBClusterIdentifier": "shop",
        "Status": "available",
        "SnapshotType": "automated",
        "SnapshotCreateTime": NOW - timedelta(minutes=50),
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.6",
        "LicenseModel": "aurora-postgresql",
        "AllocatedStorage": 200_000,
        "StorageEncrypted": True,
        "KmsKeyId": SOURCE_KEY,
        **changes,
    }


def cluster_aws(*described: dict[str, Any], shared: tuple[dict[str, Any], ...] = (), **limits: Any) -> FakeAws:
    """A world in which an Aurora check is well, and that holds no snapshot of an instance."""
    room = {"DBClusters": (39, 40), "ManualClusterSnapshots": (99, 100), "ManualSnapshots": (100, 100), **limits}
    answers = well() | {
        (Role.SOURCE, "DescribeDBClusterSnapshots"): {"DBClusterSnapshots": list(described)},
        (Role.SCRATCH, "DescribeDBClusterSnapshots"): {"DBClusterSnapshots": list(shared)},
        (Role.SCRATCH, "DescribeDBEngineVersions"): {
            "DBEngineVersions": [{"EngineVersion": "16.6", "Status": "available"}]
        },
        (Role.SCRATCH, "DescribeOrderableDBInstanceOptions"): {
            "OrderableDBInstanceOptions": [{"DBInstanceClass": "db.serverless"}]
        },
        (Role.SCRATCH, "DescribeAccountAttributes"): quotas(**room),
    }
    for role in (Role.SOURCE, Role.SCRATCH):
        del answers[role, "DescribeDBSnapshots"]  # asking for these would be the wrong list
    return FakeAws(answers)


def test_a_world_in_which_a_cluster_is_well_passes_everything():
    aws = cluster_aws(cluster_snapshot())
    found = look(aws, SHOP)
    assert {d.outcome for d in found.values()} == {"pass"}
    assert found[LAB, "quotas"].detail == "DBInstances 3 of 40, DBClusters 39 of 40"
    [asked] = [params for _, _, operation, params in aws.asked if operation == "DescribeOrderableDBInstanceOptions"]
    assert asked == {
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.6",
        "DBInstanceClass": "db.serverless",
        "Vpc": True,
    }


def test_a_copy_of_a_cluster_snapshot_needs_room_only_where_one_is_made():
    copying = replace(SHOP, source=AuroraSource(SOURCE, REGION, "shop", copies=True))
    full = cluster_aws(cluster_snapshot(), ManualClusterSnapshots=(100, 100))
    assert look(full, SHOP)[LAB, "quotas"].outcome == "pass"
    assert "ManualClusterSnapshots has no room" in look(full, copying)[LAB, "quotas"].detail


def test_no_cluster_snapshot_says_which_list_was_read():
    one = look(cluster_aws(), SHOP)["shop-aurora", "recovery points"]
    assert (one.outcome, one.detail) == (
        "fail",
        f"no available cluster snapshot (automated, manual) of shop in {REGION}",
    )
    assert one.fix == "check the cluster name, the region and `snapshots`; instances keep theirs in another list"


def test_a_retired_version_of_a_cluster_is_upgraded_at_the_source():
    aws = cluster_aws(cluster_snapshot())
    aws.answers[Role.SCRATCH, "DescribeDBEngineVersions"] = {"DBEngineVersions": []}
    one = look(aws, SHOP)["shop-aurora", "engine version"]
    assert (one.outcome, one.fix) == ("fail", "upgrade the source, so that its next snapshot can be restored")


def test_shared_cluster_snapshots_are_looked_at_from_the_scratch_account():
    name = f"arn:aws:rds:{REGION}:{SOURCE}:cluster-snapshot:nightly"
    ours = f"arn:aws:rds:{REGION}:{SOURCE}:cluster-snapshot:restorecheck-shop-aurora-20261121t0300z"
    listed = (
        cluster_snapshot(name, DBClusterSnapshotArn=name),
        cluster_snapshot(ours, DBClusterSnapshotArn=ours),
        cluster_snapshot("x", DBClusterSnapshotArn=f"arn:aws:rds:{REGION}:{OTHER}:cluster-snapshot:x"),
    )
    shared = replace(SHOP, source=AuroraSource(SOURCE, REGION, "shop", snapshots=(SnapshotKind.SHARED,)))
    found = look(cluster_aws(shared=listed), shared)
    assert found["shop-aurora", "recovery points"].detail.startswith("1 recovery point (shared)")


@pytest.mark.parametrize(
    ("share_key", "kind", "outcome"),
    [
        (None, SnapshotKind.AUTOMATED, "could not look"),
        (SHARE_KEY, SnapshotKind.AUTOMATED, "pass"),
        (None, SnapshotKind.SHARED, "pass"),
    ],
)
def test_of_a_key_that_aws_owns_nobody_can_tell_if_it_can_be_shared(
    share_key: str | None, kind: SnapshotKind, outcome: str
):
    """Under such a key, AWS says of a cluster snapshot that it is not encrypted."""
    described = cluster_snapshot(StorageEncrypted=False, StorageEncryptionType="sse-rds", KmsKeyId=None)
    check = replace(SHOP, source=AuroraSource(SOURCE, REGION, "shop", snapshots=(kind,), share_key=share_key))
    one = look(cluster_aws(described, shared=(described,)), check)["shop-aurora", "key of the backup"]
    assert one.outcome == outcome
    assert "a key that AWS owns" in one.detail


def test_instances_and_clusters_in_one_place_need_room_for_both():
    aws = cluster_aws(cluster_snapshot(), ManualSnapshots=(0, 100), DBClusters=(40, 40))
    aws.answers |= {key: answer for key, answer in well().items() if key[1] == "DescribeDBSnapshots"}
    found = {(d.subject, d.name): d for d in diagnose(config_of(checks=(CHECK, SHOP)), aws, NOW)}
    assert "DBClusters has no room" in found[LAB, "quotas"].detail
