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


POSTGRES, AURORA = "postgres", "aurora-postgresql"
SERVERLESS = "db.serverless"
OF_AURORA = (
    SERVERLESS,
    *("db.t3.medium", "db.t3.large", "db.t4g.medium", "db.t4g.large"),
    *(name for name in CLASSES if name.startswith(("db.r6g.", "db.r7g."))),
)


def classes(engine: str) -> tuple[str, ...]:
    """Return the instance classes of an engine; Aurora has none of the smallest."""
    return {POSTGRES: CLASSES, AURORA: OF_AURORA}.get(engine, ())


def check_class(name: str, engine: str = POSTGRES) -> None:
    """Raises InvalidParameterCombination for a class that cannot be ordered."""
    if name not in classes(engine):
        message = (
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={name}, Engine={engine}."
        )
        raise AwsError("InvalidParameterCombination", message)


def version(real: str, asked: str | None) -> str:
    """Return the engine version: only that of the programs at hand. Raises InvalidParameterCombination."""
    if asked is None or asked in {real, real.split(".", maxsplit=1)[0]}:
        return real
    raise AwsError("InvalidParameterCombination", f"Cannot find version {asked} for postgres")


def versions(real: str, engine: str) -> list[str]:
    """Return the versions of an engine, the default first: for Aurora also one beside it, run by the same programs.

    So that a cluster can have another version than the default, and a restore can lose it.
    """
    major, _, minor = real.partition(".")
    beside = f"{major}.{int(minor) - 1 if int(minor or 0) > 0 else 1}"
    return {POSTGRES: [real], AURORA: [real, beside]}.get(engine, [])


def aurora_version(real: str, asked: str | None) -> str:
    """Return the version of a cluster: the default unless one is asked for. Raises InvalidParameterCombination."""
    known = versions(real, AURORA)
    if asked is None or asked == real.split(".", maxsplit=1)[0]:
        return known[0]
    if asked not in known:
        raise AwsError("InvalidParameterCombination", f"Cannot find version {asked} for {AURORA}")
    return asked


def older(version: str, than: str) -> bool:
    """Say whether a version comes before another."""
    return [int(part) for part in version.split(".")] < [int(part) for part in than.split(".")]


def engine_versions(real: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """DescribeDBEngineVersions."""
    major = real.split(".", maxsplit=1)[0]
    return [
        {
            "Engine": engine,
            "MajorEngineVersion": major,
            "EngineVersion": version,
            "DBParameterGroupFamily": f"{engine}{major}",
            "DBEngineDescription": described,
            "DBEngineVersionDescription": f"{described} {version}",
            "ValidUpgradeTarget": [],
            "Status": "available",
            "SupportsReadReplica": engine == POSTGRES,
        }
        for engine, described in ((POSTGRES, "PostgreSQL"), (AURORA, "Aurora PostgreSQL"))
        for version in versions(real, engine)[: 1 if asked.get("DefaultOnly") else None]
        if asked.get("Engine") in {None, engine} and asked.get("EngineVersion") in {None, version, major}
    ]


def orderable(real: str, region: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """DescribeOrderableDBInstanceOptions."""
    engine, major = str(asked.get("Engine")), real.split(".", maxsplit=1)[0]
    wanted = asked.get("DBInstanceClass")
    return [
        {
            "Engine": engine,
            "EngineVersion": version,
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": region + zone} for zone in "abc"],
            "MultiAZCapable": True,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": "gp3" if engine == POSTGRES else "aurora",
            "MinStorageSize": 20,
            "MaxStorageSize": 65536,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportedNetworkTypes": ["IPV4"],
        }
        for version in versions(real, engine)
        if asked.get("EngineVersion") in {None, version, major}
        for name in classes(engine)
        if wanted in {None, name}
    ]
