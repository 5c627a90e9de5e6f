"""What the demo AWS offers: instance classes, engine versions, and what is wrong with others."""

from __future__ import annotations

from typing import Any

from restorecheck.demo.aws.errors import AwsError

CLASSES = tuple(
    f"db.{family}.{size}"
    for family, sizes in (
        ("t3", "micro small medium large"),
        ("t4g", "micro small medium large"),
        ("m6g", "large xlarge 2xlarge"),
        ("m7g", "large xlarge 2xlarge"),
        ("r6g", "large xlarge 2xlarge"),
        ("r7g", "large xlarge 2xlarge"),
    )
    for size in sizes.split()
)


def check_class(name: str) -> None:
    """Raises InvalidParameterCombination for a class that cannot be ordered."""
    if name not in CLASSES:
        message = (
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={name}, Engine=postgres."
        )
        raise AwsError("InvalidParameterCombination", message)


def version(real: str, asked: str | None) -> str:
    """Return the engine version: only that of the programs at hand. Raises InvalidParameterCombination."""
    if asked is None or asked in {real, real.split(".", maxsplit=1)[0]}:
        return real
    raise AwsError("InvalidParameterCombination", f"Cannot find version {asked} for postgres")


def engine_versions(real: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """DescribeDBEngineVersions."""
    major = real.split(".", maxsplit=1)[0]
    if asked.get("Engine") not in {None, "postgres"} or asked.get("EngineVersion") not in {None, real, major}:
        return []
    return [
        {
            "Engine": "postgres",
            "MajorEngineVersion": major,
            "EngineVersion": real,
            "DBParameterGroupFamily": f"postgres{major}",
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {real}",
            "ValidUpgradeTarget": [],
            "Status": "available",
            "SupportsReadReplica": True,
        }
    ]


def orderable(real: str, region: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """DescribeOrderableDBInstanceOptions."""
    if asked.get("Engine") != "postgres" or asked.get("EngineVersion") not in {
        None,
        real,
        real.split(".", maxsplit=1)[0],
    }:
        return []
    wanted = asked.get("DBInstanceClass")
    return [
        {
            "Engine": "postgres",
            "EngineVersion": real,
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": region + zone} for zone in "abc"],
            "MultiAZCapable": True,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": "gp3",
            "MinStorageSize": 20,
            "MaxStorageSize": 65536,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportedNetworkTypes": ["IPV4"],
        }
        for name in CLASSES
        if wanted in {None, name}
    ]
