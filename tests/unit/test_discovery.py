"""What there is in a source account, told by a hand that answers from a script: what is proposed, and what is not."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from restorecheck.config import review
from restorecheck.discovery import Answers, Draft, Place, Survey, Wishes, propose, survey
from restorecheck.discovery.dumps import nights, others, pattern_of
from restorecheck.discovery.found import Bucket, Database, Key, Snapshot
from restorecheck.discovery.writing import Night, gap, hours, length, quoted, slug, spoken
from restorecheck.errors import AwsError
from restorecheck.model import SnapshotKind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REGION = "eu-central-1"
OWN = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SCRATCH_KEY = OWN.replace("111111111111", "222222222222")


def answers(**place: Any) -> Answers:
    """Two accounts with a place for everything, unless `place` says otherwise."""
    whole = {
        "region": REGION, "subnet_group": "restorecheck", "security_groups": ("sg-0123456789abcdef0",),
        "key": SCRATCH_KEY, "instance_class": "db.t4g.medium", "bucket": "restorecheck-lab",
    }  # fmt: skip
    return Answers(
        "arn:aws:iam::111111111111:role/restorecheck-source", "from-restorecheck",
        "arn:aws:iam::222222222222:role/restorecheck-scratch", "", (Place(**(whole | place)),),
    )  # fmt: skip


# --- looking ----------------------------------------------------------------------------------------------------------


def denied(operation: str) -> AwsError:
    return AwsError("AccessDenied", f"{operation} in account 1: AccessDenied: no", kind="permission", retryable=False)


@dataclass
class Scripted:
    """A hand whose answers are written down; what is not is denied."""

    answers: dict[str, Any]
    account: str = "111111111111"
    region: str = REGION
    asked: list[str] = field(default_factory=list)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append(operation)
        if operation not in self.answers:
            raise denied(operation)
        said = self.answers[operation]
        found = said(params) if callable(said) else said
        if isinstance(found, Exception):
            raise found
        return dict(found)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        yield from self.call(service, operation, **params)[key]


INSTANCE = {
    "DBInstanceIdentifier": "orders", "Engine": "postgres", "EngineVersion": "17.2", "AllocatedStorage": 20,
    "BackupRetentionPeriod": 7, "PreferredBackupWindow": "03:00-03:30", "DBName": "shop", "StorageEncrypted": True,
    "KmsKeyId": OWN,
}  # fmt: skip
SNAPSHOT = {
    "DBSnapshotIdentifier": "rds:orders-1", "DBInstanceIdentifier": "orders", "SnapshotType": "automated",
    "Status": "available", "SnapshotCreateTime": NOW - HOUR, "Encrypted": True, "KmsKeyId": OWN,
}  # fmt: skip


def by_kind(params: dict[str, Any]) -> dict[str, Any]:
    """Answer DescribeDBSnapshots; a copy of ours, one that is not ready, and one by AWS Backup are among them."""
    if params.get("SnapshotType") == "awsbackup":
        return {"DBSnapshots": [SNAPSHOT | {"DBSnapshotIdentifier": "awsbackup:1", "SnapshotType": "awsbackup"}]}
    mine = SNAPSHOT | {"DBSnapshotIdentifier": "restorecheck-x", "SnapshotType": "manual"}
    return {"DBSnapshots": [SNAPSHOT, mine, SNAPSHOT | {"DBSnapshotIdentifier": "y", "Status": "creating"}]}


def scripted(**more: Any) -> Scripted:
    return Scripted(
        {
            "DescribeDBInstances": {"DBInstances": [INSTANCE]},
            "DescribeDBClusters": {"DBClusters": []},
            "DescribeDBSnapshots": by_kind,
            "DescribeKey": {"KeyMetadata": {"KeyManager": "CUSTOMER"}},
            "ListBuckets": {"Buckets": []},
        }
        | more
    )


def looked(hand: Scripted) -> Survey:
    return survey({hand.region: lambda: hand})


def test_an_instance_is_found_with_its_backups_and_none_of_ours():
    [one] = looked(scripted()).databases
    assert (one.name, one.initial, one.days, one.size_gib, one.sealed) == ("orders", "shop", 7, 20, "own")
    assert one.snapshots is not None
    assert [s.kind for s in one.snapshots] == [SnapshotKind.AUTOMATED, SnapshotKind.AWSBACKUP]


def test_a_key_is_looked_at_once():
    hand = scripted()
    looked(hand)
    assert hand.asked.count("DescribeKey") == 1


@pytest.mark.parametrize("call", ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots", "DescribeKey"])
def test_a_call_that_is_denied_is_named_and_the_rest_goes_on(call: str):
    hand = scripted(
        ListBuckets={"Buckets": [{"Name": "exports"}]}, GetBucketLocation={"LocationConstraint": "us-west-2"}
    )
    del hand.answers[call]
    found = looked(hand)
    assert [one.call for one in found.blind] == [call]
    assert [one.name for one in found.buckets] == ["exports"]
    if call == "DescribeDBSnapshots":
        assert found.databases[0].snapshots is None
    if call == "DescribeKey":
        assert found.databases[0].sealed == "unknown"


@pytest.mark.parametrize("call", ["ListBuckets", "GetBucketLocation", "GetBucketVersioning", "ListObjectVersions"])
def test_a_bucket_that_may_not_be_looked_at_is_named(call: str):
    hand = scripted(
        ListBuckets={"Buckets": [{"Name": "exports"}]},
        GetBucketLocation={"LocationConstraint": REGION},
        GetBucketVersioning={"Status": "Enabled"},
        ListObjectVersions={"Versions": []},
    )
    del hand.answers[call]
    found = looked(hand)
    assert [(one.call, one.kind) for one in found.blind] == [(call, "permission")]
    assert found.buckets == ()
    assert len(found.databases) == 1


def test_an_account_that_cannot_be_entered_in_one_region_is_looked_at_in_the_other():
    def shut() -> Scripted:
        raise denied("AssumeRole")

    found = survey({"us-west-2": shut, REGION: scripted})
    assert [(one.call, one.where) for one in found.blind] == [("AssumeRole", "us-west-2")]
    assert len(found.databases) == 1


def test_of_a_bucket_what_is_current_is_seen_at_the_top_and_below_each_prefix():
    def versions(params: dict[str, Any]) -> dict[str, Any]:
        assert params["ExpectedBucketOwner"] == "111111111111"
        if "Delimiter" in params:
            return {
                "CommonPrefixes": [{"Prefix": "a/"}],
                "Versions": [{"Key": "top", "IsLatest": True, "LastModified": NOW}],
            }
        old = {"Key": "a/1", "IsLatest": False, "LastModified": NOW - DAY}
        return {"Versions": [old | {"IsLatest": True, "LastModified": NOW}, old, old | {"Key": "a/", "IsLatest": True}]}

    hand = scripted(
        ListBuckets={"Buckets": [{"Name": "exports"}]},
        GetBucketLocation={"LocationConstraint": REGION},
        GetBucketVersioning={"Status": "Enabled"},
        ListObjectVersions=versions,
    )
    [one] = looked(hand).buckets
    assert (one.keys, one.whole) == ((Key("top", NOW), Key("a/1", NOW)), True)


@pytest.mark.parametrize(("said", "region"), [(None, "us-east-1"), ("EU", "eu-west-1"), ("us-west-2", "us-west-2")])
def test_the_region_of_a_bucket(said: str | None, region: str):
    hand = scripted(ListBuckets={"Buckets": [{"Name": "b"}]}, GetBucketLocation={"LocationConstraint": said})
    assert [one.region for one in looked(hand).buckets] == [region]


# --- proposing --------------------------------------------------------------------------------------------------------

BACKUP = Snapshot(SnapshotKind.AUTOMATED, NOW - HOUR, "own")
ORDERS = Database(
    "rds", "orders-prod", REGION, "postgres", "17.2", 20, 7, "03:00-03:30", "shop", "own", snapshots=(BACKUP,)
)  # fmt: skip


def changed(one: Any, **more: Any) -> Any:
    return replace(one, **more)


def drafted(*found: Any, said: Answers | None = None, **wishes: Any) -> Draft:
    """Propose, and hold every file against the configuration that would be written around it."""
    said = said or answers()
    databases = tuple(one for one in found if isinstance(one, Database))
    buckets = tuple(one for one in found if isinstance(one, Bucket))
    return propose(Survey(databases, buckets), said.ground(), NOW, Wishes(**wishes))


def written(home: Path, draft: Draft, said: Answers | None = None) -> list[str]:
    """Write all files and return the remarks of check-config on them."""
    (home / "checks").mkdir()
    (home / "config.toml").write_text((said or answers()).config(NOW))
    for one in draft.proposals:
        (home / "checks" / f"{one.name}.toml").write_text(one.text)
    return [str(remark) for remark in review(home / "config.toml")[1]]


def nightly(name: str, hours_ago: float = 3) -> Key:
    return Key(name, NOW - timedelta(hours=hours_ago))


EVERYTHING = (
    ORDERS,
    changed(ORDERS, name="big", size_gib=900, initial="", snapshots=None),
    changed(ORDERS, name="old", version="12.9"),
    changed(ORDERS, name="unnamed", initial=""),
    changed(ORDERS, name="manual-only", days=0, window="", snapshots=(changed(BACKUP, kind=SnapshotKind.MANUAL),)),
    changed(ORDERS, name="one-day", days=1),
    changed(ORDERS, name="vaulted", snapshots=(changed(BACKUP, kind=SnapshotKind.AWSBACKUP),)),
    changed(ORDERS, name="wiki", engine="mariadb", version="10.11", initial="wiki"),
    changed(ORDERS, kind="aurora", name="shop-prod", engine="aurora-postgresql", size_gib=0),
    changed(ORDERS, kind="aurora", name="shop-my", engine="aurora-mysql", version="8.0", size_gib=0),
    Bucket("shop.exports", REGION, "Enabled", (nightly("a/1.csv"), nightly("2.csv", 900)), whole=True),
    Bucket("large", REGION, "Enabled", (nightly("a/1.csv"),)),
    Bucket(
        "dumps", REGION, "Enabled",
        (
            nightly("crm/crm-2026-11-20.dump", 27), nightly("crm/crm-2026-11-21.dump"),
            nightly("crm/crm-2026-11-20.dump.sha256"), nightly("crm/crm-2026-11-21.dump.sha256"),
            nightly("mysql/2026/11/21/shop.sql.gz"), nightly("dir/20261121/toc.dat"), nightly("dir/20261121/1.dat.gz"),
        ),
        whole=True,
    ),
)  # fmt: skip


def test_all_that_is_proposed_is_a_configuration_without_a_remark_but_that_nobody_is_told(tmp_path: Path):
    draft = drafted(*EVERYTHING)
    assert draft.left_out == ()
    remarks = written(tmp_path, draft)
    assert len(draft.proposals) == 15
    assert [remark for remark in remarks if "receivers" not in remark] == []


def test_every_check_says_what_only_its_owner_knows():
    assert [one.name for one in drafted(*EVERYTHING).proposals if "FILL IN" not in one.text] == []


def test_two_checks_do_not_begin_together():
    crons = [re.search(r'schedule\s*= "([^"]+)"', one.text) for one in drafted(*EVERYTHING).proposals]
    times = [found[1] for found in crons if found]
    assert len(times) == len(set(times)) == 15


def of(draft: Draft, name: str) -> dict[str, Any]:
    [found] = [one for one in draft.proposals if one.name == name]
    return tomllib.loads(found.text)


def test_an_instance_is_asked_after_its_backup_window():
    check = of(drafted(ORDERS), "orders-prod")
    assert check["check"]["schedule"] == "30 4 * * *"
    assert (check["check"]["rpo"], check["check"]["retention"]) == ("26h", "7d")
    assert check["source"]["database"] == "shop"
    assert [a["name"] for a in check["assert"]] == [
        "readable", "counts-agree", "amcheck", "row-counts", "row-counts-hold", "schema",
    ]  # fmt: skip


def test_a_database_that_is_not_known_is_not_asked_at_night():
    draft = drafted(changed(ORDERS, initial=""))
    check = of(draft, "orders-prod")
    assert "schedule" not in check["check"]
    assert "fill in `database`" in draft.proposals[0].notes[0]
    said = drafted(changed(ORDERS, initial=""), databases={"orders-prod": "shop"})
    assert (of(said, "orders-prod")["source"]["database"], said.unmatched) == ("shop", ())


def test_an_old_server_is_restored_and_not_asked():
    check = of(drafted(changed(ORDERS, version="13.4")), "orders-prod")
    assert check["check"]["restores"] is True
    assert "assert" not in check


def test_a_backup_that_is_late_is_said():
    late = changed(ORDERS, snapshots=(changed(BACKUP, created=NOW - 3 * DAY),))
    assert drafted(late).proposals[0].notes == ("its newest backup is 3 d old: the check will say so",)


def test_manual_snapshots_set_the_pace():
    weekly = tuple(Snapshot(SnapshotKind.MANUAL, NOW - n * 7 * DAY, "own") for n in (3, 2, 1, 0))
    assert of(drafted(changed(ORDERS, days=0, snapshots=weekly)), "orders-prod")["check"]["rpo"] == "8d"


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (changed(ORDERS, cluster="shop"), "an instance of the cluster shop"),
        (changed(ORDERS, engine="oracle-ee"), "its engine is oracle-ee"),
        (changed(ORDERS, kind="aurora"), "a Multi-AZ DB cluster"),
        (changed(ORDERS, region="us-west-2"), "lab has no place for databases in us-west-2"),
        (changed(ORDERS, snapshots=()), "though they are to be kept for 7 d"),
        (changed(ORDERS, snapshots=(), days=0), "THERE IS NO BACKUP OF IT"),
        (changed(ORDERS, snapshots=(), days=0, replica_of="a:b:orders"), "it replicates orders"),
        (changed(ORDERS, snapshots=(changed(BACKUP, sealed="default"),)), "under the key aws/rds"),
        (changed(ORDERS, snapshots=None, sealed="default"), "under the key aws/rds"),
        (changed(ORDERS, engine="mysql", initial=""), "say --database orders-prod=NAME"),
        (Bucket("b", "us-west-2"), "it is in us-west-2, which was not asked for"),
        (Bucket("b", REGION, "Suspended"), "its versioning is suspended"),
        (Bucket("b", REGION), "it keeps no versions"),
        (Bucket("b", REGION, "Enabled", whole=True), "it is empty"),
        (Bucket("b", REGION, "Enabled"), "of the keys that were looked at, none is there now"),
        (Bucket("b", REGION, "Enabled", (nightly("a.sql.gpg"),)), "it is encrypted"),
        (Bucket("b", REGION, "Enabled", (nightly("a.sql.bz2"),)), "compressed with bzip2"),
        (Bucket("b", REGION, "Enabled", (nightly("/a.sql"),)), "its keys begin with /"),
    ],
)
def test_what_cannot_be_tested_has_a_reason(one: Any, reason: str):
    draft = drafted(one)
    assert draft.proposals == ()
    assert [reason in left.reason for left in draft.left_out] == [True], draft.left_out


def test_without_a_bucket_there_are_dumps_and_no_objects():
    mixed = Bucket("b", REGION, "Enabled", (nightly("a.sql"), nightly("b.csv")), whole=True)
    draft = drafted(mixed, said=answers(bucket=""))
    assert [one.name for one in draft.proposals] == ["a-dump"]
    assert [one.reason for one in draft.left_out] == [f"lab has no bucket in {REGION}"]


def test_what_is_not_wanted_is_said_and_what_matches_nothing_too():
    found = (ORDERS, changed(ORDERS, name="other"), changed(ORDERS, name="orders-old"))
    draft = drafted(*found, only=("orders-*", "nope"), skip=("*-old",), databases={"gone": "x"})
    assert [one.name for one in draft.proposals] == ["orders-prod"]
    assert [one.reason for one in draft.left_out] == ["--only does not name it", "--skip names it"]
    assert draft.unmatched == ("nope", "gone")


def test_what_a_check_tests_already_is_left_out(tmp_path: Path):
    draft = drafted(*EVERYTHING)
    written(tmp_path, draft)
    existing = review(tmp_path / "config.toml")[0].checks
    databases = tuple(one for one in EVERYTHING if isinstance(one, Database))
    buckets = tuple(one for one in EVERYTHING if isinstance(one, Bucket))
    again = propose(Survey(databases, buckets), answers().ground(), NOW, existing=existing)
    assert again.proposals == ()
    assert {one.reason.split(" tests ")[1] for one in again.left_out} == {"it already"}
    new = propose(Survey((changed(ORDERS, region="eu-central-1", name="orders.prod"),)), answers().ground(), NOW,
                  existing=existing)  # fmt: skip
    assert [one.name for one in new.proposals] == ["orders-prod-2"]


def test_more_kinds_of_dumps_than_databases_can_be_are_not_proposed():
    keys = tuple(nightly(f"{chr(97 + n)}/x.sql") for n in range(22))
    draft = drafted(Bucket("b", REGION, "Enabled", keys, whole=True))
    assert (len(draft.proposals), len(draft.left_out)) == (20, 2)


# --- keys, names, times -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "pattern", "database"),
    [
        ("crm/crm-2026-11-21.dump", "crm/crm-*.dump", "crm"),
        ("forum/20261121T030000Z.sql.gz", "forum/*.sql.gz", "forum"),
        ("2026/11/21/shop.sql", "*/*/*/shop.sql", "shop"),
        ("shard2/orders_1763704800.backup", "shard2/orders_*.backup", "orders"),
        ("backups/daily/2026-11-21.dump", "backups/daily/*.dump", ""),
        ("shop/20261121/toc.dat", "shop/*/toc.dat", "shop"),
    ],
)
def test_nights_of_one_database_have_one_pattern(key: str, pattern: str, database: str):
    assert pattern_of(key) == pattern
    [found] = nights([nightly(key)])
    assert (found.pattern, found.database) == (pattern, database)


@pytest.mark.parametrize("name", ["l" * 64, "tab\there", "esc\x1b[2J"])
def test_a_key_that_no_database_is_called_like_is_no_guess_and_is_shown_quoted(tmp_path: Path, name: str):
    bucket = Bucket("dumps", REGION, "Enabled", (nightly(f"{name}-2026-11-21.dump"),), whole=True)
    draft = drafted(bucket)
    [proposal] = draft.proposals
    assert (proposal.name, proposal.source.isprintable()) == ("dumps-dump", True)
    assert 'database = "postgres"' in proposal.text
    assert [one for one in written(tmp_path, draft) if "receivers" not in one] == []


def test_a_region_without_a_place_and_a_demo_that_throttles_nobody():
    said = replace(answers(subnet_group="", bucket=""), endpoint_url="http://127.0.0.1:1", share_keys={REGION: OWN})
    made = tomllib.loads(said.config(NOW))
    assert made["endpoint_url"] == "http://127.0.0.1:1"
    assert made["source_accounts"]["production"]["share_key"] == {REGION: OWN}
    assert made["scratch_accounts"]["lab"]["limits"]["poll"] == "0.2s"
    assert "regions" not in made["scratch_accounts"]["lab"]
    assert (
        "subnet_group"
        not in tomllib.loads(answers(subnet_group="").config(NOW))["scratch_accounts"]["lab"]["regions"][REGION]
    )


def test_what_lies_beside_dumps_is_no_reason_for_a_check_of_objects():
    beside = ["a.dump", "a.dump.sha256", "d/toc.dat", "d/3001.dat.gz", "d/blobs.toc", "x.log"]
    assert not others([nightly(key) for key in beside])
    assert others([nightly(key) for key in [*beside, "photo.jpg"]])


def test_a_name_is_allowed_and_free():
    assert slug("Shop.Exports_2026", ()) == "shop-exports-2026"
    assert slug("2026", ()) == "check-2026"
    assert slug("x" * 40, ("x" * 32,)) == "x" * 30 + "-2"
    assert slug("...", ()) == "check"


def test_times_are_said_as_configuration_reads_them():
    assert [hours(n * HOUR) for n in (26, 25.5, 48, 72)] == ["26h", "26h", "48h", "3d"]
    assert [spoken(n * HOUR) for n in (0.5, 5, 47, 72)] == ["30 min", "5 h", "47 h", "3 d"]
    assert gap([NOW]) is None
    assert (length("23:45-00:15"), length("?")) == (0.5 * HOUR, 0.5 * HOUR)
    assert quoted('a"\x7fé') == '"a\\"\\u007fé"'


def test_a_night_has_room_for_all_and_then_begins_again():
    night = Night()
    times = [night.cron() for _ in range(145)]
    assert times[0] == "0 1 * * *"
    assert len(set(times)) == 144
