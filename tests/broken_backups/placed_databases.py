"""Snapshots that cannot be opened or placed, or come back too slowly or otherwise than meant: K34 to K44, and K53."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from case import case
from demo_world import SCRATCH, SOURCE
from product import Product
from shapes import FURNITURE
from shop import PRESENT, ask, built, plain, taken

from restorecheck.model import Report, Verdict

RESTORE = "RestoreDBInstanceFromDBSnapshot"
IN_SCRATCH = {"account": SCRATCH}


@case("K34", "restored whole, and later than the rto allows: passed, with a warning", finding="rto")
def slow(product: Product) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault(RESTORE, slow_boot=2.0)
    return plain(product, rto="1s")


@case("K34", "not restored within the time that a run may take", Verdict.UNPROVEN, "deadline")
def too_slow(product: Product) -> Report:
    built(product)
    taken(product)
    product.limits["restore"] = "2s"
    product.configure()
    product.world.aws.fault(RESTORE, slow_boot=60.0)
    return plain(product)


# --- keys -------------------------------------------------------------------------------------------------------------


def sealed(product: Product) -> None:
    built(product, StorageEncrypted=True, KmsKeyId=product.world.source_key)
    taken(product, days=0.1)


@case("K35", "the KMS key is disabled", Verdict.BROKEN, "key-unusable")
def key_disabled(product: Product) -> Report:
    sealed(product)
    product.world.aws.client("kms", SOURCE).disable_key(KeyId=product.world.source_key)
    return plain(product)


@case("K35", "the KMS key is about to be deleted", Verdict.BROKEN, "key-unusable")
def key_dying(product: Product) -> Report:
    sealed(product)
    product.world.aws.client("kms", SOURCE).schedule_key_deletion(KeyId=product.world.source_key, PendingWindowInDays=7)
    return plain(product)


@case("K35", "the KMS key may not be used by the role that restores", Verdict.UNPROVEN, "key-access")
def key_denied(product: Product) -> Report:
    sealed(product)
    product.world.aws.fault("CopyDBSnapshot", code="KMSKeyNotAccessibleFault", times=None, **IN_SCRATCH)
    return plain(product)


def default_key(product: Product) -> None:
    product.world.database("shop", "create role app", *FURNITURE, StorageEncrypted=True)
    taken(product)


@case("K36", "a snapshot under aws/rds, and no key to copy it under", Verdict.UNPROVEN, "key-not-shareable")
def default_key_alone(product: Product) -> Report:
    default_key(product)
    config = product.home / "config.toml"
    kept = [line for line in config.read_text().splitlines() if not line.startswith("share_key")]
    config.write_text("\n".join(kept))
    return plain(product)


@case("healthy", "a snapshot under aws/rds, copied under a key that can be shared")
def default_key_copied(product: Product) -> Report:
    default_key(product)
    return plain(product)


# --- placement --------------------------------------------------------------------------------------------------------


def refused(product: Product, operation: str, code: str, **placed: object) -> Report:
    built(product)
    taken(product)
    product.configure(**placed)
    if code:
        product.world.aws.fault(operation, code=code, times=None, **IN_SCRATCH)
    return plain(product)


@case("K37", "a policy forbids the restore", Verdict.UNPROVEN, "permission")
def forbidden(product: Product) -> Report:
    return refused(product, RESTORE, "AccessDenied")


@case("K37", "a policy forbids to share the snapshot", Verdict.UNPROVEN, "permission")
def sharing_forbidden(product: Product) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault("ModifyDBSnapshotAttribute", code="AccessDenied", times=None)
    return plain(product)


@case("K38", "the subnet group is not there", Verdict.UNPROVEN, "placement")
def no_subnet_group(product: Product) -> Report:
    return refused(product, RESTORE, "", subnet_group="not-there")


@case("K38", "the subnets do not cover enough zones", Verdict.UNPROVEN, "placement")
def few_zones(product: Product) -> Report:
    return refused(product, RESTORE, "DBSubnetGroupDoesNotCoverEnoughAZs")


@case("K39", "the option group is not there in the scratch account", Verdict.UNPROVEN, "placement")
def no_option_group(product: Product) -> Report:
    return refused(product, RESTORE, "OptionGroupNotFoundFault", option_group="bound-to-another-vpc")


@case("K39", "the option group is bound to another VPC", Verdict.UNPROVEN, "placement")
def option_group(product: Product) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault(RESTORE, instance_status="incompatible-option-group")
    return plain(product)


@case("K40", "an engine version that is out of support: the upgrade fails", Verdict.BROKEN, "engine-retired")
def retired(product: Product) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault(RESTORE, instance_status="upgrade-failed")
    return plain(product)


@case("K41", "the instance class is not offered", Verdict.UNPROVEN, "settings")
def class_not_offered(product: Product) -> Report:
    return refused(product, RESTORE, "", instance_class="db.x2iedn.metal")


@case("K41", "the instance class is not offered for Aurora", Verdict.UNPROVEN, "settings")
def class_not_for_aurora(product: Product) -> Report:
    return of_cluster(product, instance_class="db.t4g.micro")


@case("K41", "the zone has no capacity for the class", Verdict.UNPROVEN, "capacity")
def no_capacity(product: Product) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault(RESTORE, instance_status="insufficient-capacity")
    return plain(product)


def of_cluster(product: Product, instance_class: str = "db.r6g.large") -> Report:
    product.world.cluster("orders", "create role app", *FURNITURE)
    product.world.cluster_snapshot("orders", "nightly")
    product.configure(instance_class=instance_class)
    product.declare("shop-db", {"type": "aurora", "cluster": "orders", "database": "shop"}, [PRESENT])
    return product.verify()


@case("K43", "an Aurora cluster: its instance is made, and asked: passed")
def with_instance(product: Product) -> Report:
    return of_cluster(product)


@case("K43", "an Aurora cluster whose instance may not be made", Verdict.UNPROVEN, "permission")
def without_instance(product: Product) -> Report:
    product.world.aws.fault("CreateDBInstance", code="AccessDenied", times=None, **IN_SCRATCH)
    return of_cluster(product)


@case("K44", "the restored server has not the settings of its source", Verdict.BROKEN, "assertion-failed", "sessions")
def default_settings(product: Product) -> Report:
    """The application needs 500 sessions; that is a setting of a parameter group, which no snapshot carries."""
    built(product)
    sql = "select current_setting('max_connections')::int"
    return ask(product, PRESENT, {"name": "sessions", "sql": sql, "expect": {"at_least": 500}})


# --- of other times (K53) ---------------------------------------------------------------------------------------------

BUCKET = "shop-uploads"
NAMED = "select 'c' || id || '.pdf' from customer where id <= 20"
EXIST = {"name": "rows-have-objects", "sql": NAMED, "expect": {"exist_in": "uploads"}}
COVERS = {"name": "objects-have-rows", "sql": NAMED, "expect": {"covers": "uploads"}}


def uploads(
    product: Product, *more: dict[str, object], asserts: tuple[dict[str, object], ...] = (EXIST, COVERS)
) -> Report:
    """Make one object for each of 20 rows, a day ago, and what else happened in the bucket; then snapshot and run."""
    built(product)
    product.world.bucket(BUCKET)
    old = datetime.now(UTC) - timedelta(days=1)
    writes = [{"key": f"up/c{n}.pdf", "base64": "eA==", "at": old} for n in range(1, 21)]
    product.world.aws.history(SOURCE, BUCKET, [*writes, *more])
    taken(product)
    product.check(asserts=asserts)
    path = product.home / "checks" / "shop-db.toml"
    path.write_text(f'{path.read_text()}\n[objects.uploads]\nbucket = "{BUCKET}"\nprefix = "up/"\n')
    return product.verify()


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


@case("K53", "a row names an object that was deleted before", Verdict.BROKEN, "assertion-failed", "rows-have-objects")
def object_gone(product: Product) -> Report:
    return uploads(product, {"key": "up/c7.pdf", "delete": True, "at": ago(1)})


@case("K53", "an object that no row knows", Verdict.BROKEN, "assertion-failed", "objects-have-rows")
def row_gone(product: Product) -> Report:
    return uploads(product, {"key": "up/stranger.pdf", "base64": "eA==", "at": ago(1)})


@case("K53", "the bucket has no versions: its objects of that time are not known", Verdict.UNPROVEN, "could-not-look")
def no_versions(product: Product) -> Report:
    built(product)
    product.world.bucket(BUCKET, versioning="")
    taken(product)
    product.check(asserts=[EXIST])
    path = product.home / "checks" / "shop-db.toml"
    path.write_text(f'{path.read_text()}\n[objects.uploads]\nbucket = "{BUCKET}"\nprefix = "up/"\n')
    return product.verify()


@case("healthy", "rows and objects of one time, whatever was deleted since")
def objects_fit(product: Product) -> Report:
    later = datetime.now(UTC) + timedelta(minutes=5)
    again = {"key": "up/c9.pdf", "base64": "eQ==", "at": ago(2)}
    return uploads(product, again, {"key": "up/c7.pdf", "delete": True, "at": later})
