"""What the demo AWS offers: instance classes, engine versions, and what is wrong with others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.servers import Family

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


SERVERLESS = "db.serverless"
OF_AURORA = (
    SERVERLESS,
    *("db.t3.medium", "db.t3.large", "db.t4g.medium", "db.t4g.large"),
    *(name for name in CLASSES if name.startswith(("db.r6g.", "db.r7g."))),
)


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine that is offered."""

    name: str
    family: Family
    """Whose programs run it."""
    described: str
    major: str
    versions: tuple[str, ...]
    """The default first."""
    group: str
    """The family of its parameter groups."""
    licence: str
    port: int
    longest_password: int

    @property
    def of_clusters(self) -> bool:
        """Whether it has clusters; else it has instances with storage of their own."""
        return self.name.startswith("aurora")

    @property
    def classes(self) -> tuple[str, ...]:
        """Its instance classes; Aurora has none of the smallest."""
        return OF_AURORA if self.of_clusters else CLASSES

    @property
    def option_group(self) -> str:
        """The name of its default option group."""
        return f"default:{self.name}-{self.major.replace('.', '-')}"


def engines(postgres: str, mariadb: str | None) -> dict[str, Engine]:
    """Return what can be had with a PostgreSQL of this version, and a MariaDB of that one if there is one.

    Aurora has a version beside the default, run by the same programs, so that a cluster can have another version than
    the default and a restore can lose it. Where AWS has MySQL the demo has MariaDB, which calls itself so.
    """
    major, _, minor = postgres.partition(".")
    beside = f"{major}.{int(minor) - 1 if int(minor or 0) > 0 else 1}"
    licence = "postgresql-license"
    offered = [
        Engine("postgres", "postgresql", "PostgreSQL", major, (postgres,), f"postgres{major}", licence, 5432, 128),
        Engine(
            "aurora-postgresql",
            "postgresql",
            "Aurora PostgreSQL",
            major,
            (postgres, beside),
            f"aurora-postgresql{major}",
            licence,
            5432,
            41,
        ),
    ]
    if mariadb:
        release = ".".join(mariadb.split(".")[:2])
        licence = "general-public-license"
        aurora = ("8.0.mysql_aurora.3.08.2", "8.0.mysql_aurora.3.08.1")
        offered += [
            Engine("mariadb", "mysql", "MariaDB", release, (mariadb,), f"mariadb{release}", licence, 3306, 41),
            Engine("mysql", "mysql", "MySQL", "8.0", ("8.0.42",), "mysql8.0", licence, 3306, 41),
            Engine("aurora-mysql", "mysql", "Aurora MySQL", "8.0", aurora, "aurora-mysql8.0", licence, 3306, 41),
        ]
    return {engine.name: engine for engine in offered}


def check_class(name: str, engine: Engine) -> None:
    """Raises InvalidParameterCombination for a class that cannot be ordered."""
    if name not in engine.classes:
        message = (
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={name}, Engine={engine.name}."
        )
        raise AwsError("InvalidParameterCombination", message)


def version(engine: Engine, asked: str | None) -> str:
    """Return the engine version: the default unless one is asked for. Raises InvalidParameterCombination."""
    if asked is None or asked == engine.major:
        return engine.versions[0]
    if asked not in engine.versions:
        raise AwsError("InvalidParameterCombination", f"Cannot find version {asked} for {engine.name}")
    return asked


def older(version: str, than: str) -> bool:
    """Say whether a version comes before another."""
    return _numbers(version) < _numbers(than)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def engine_versions(offered: Iterable[Engine], asked: dict[str, Any]) -> list[dict[str, Any]]:
    """DescribeDBEngineVersions."""
    return [
        {
            "Engine": engine.name,
            "MajorEngineVersion": engine.major,
            "EngineVersion": version,
            "DBParameterGroupFamily": engine.group,
            "DBEngineDescription": engine.described,
            "DBEngineVersionDescription": f"{engine.described} {version}",
            "ValidUpgradeTarget": [],
            "Status": "available",
            "SupportsReadReplica": not engine.of_clusters,
        }
        for engine in offered
        for version in engine.versions[: 1 if asked.get("DefaultOnly") else None]
        if asked.get("Engine") in {None, engine.name} and asked.get("EngineVersion") in {None, version, engine.major}
    ]


def orderable(offered: Iterable[Engine], region: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """DescribeOrderableDBInstanceOptions."""
    wanted = asked.get("DBInstanceClass")
    return [
        {
            "Engine": engine.name,
            "EngineVersion": version,
            "DBInstanceClass": name,
            "LicenseModel": engine.licence,
            "AvailabilityZones": [{"Name": region + zone} for zone in "abc"],
            "MultiAZCapable": True,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": "aurora" if engine.of_clusters else "gp3",
            "MinStorageSize": 20,
            "MaxStorageSize": 65536,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportedNetworkTypes": ["IPV4"],
        }
        for engine in offered
        if engine.name == asked.get("Engine")
        for version in engine.versions
        if asked.get("EngineVersion") in {None, version, engine.major}
        for name in engine.classes
        if wanted in {None, name}
    ]
