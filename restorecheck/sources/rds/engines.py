"""Which engines of RDS and Aurora can be asked, as AWS names them, and who asks them. A table of words only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from restorecheck.model import AuroraSource, Placement, RdsSource

Family = Literal["postgresql", "mysql"]

OF_INSTANCES: Mapping[str, Family] = MappingProxyType({"postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"})
OF_CLUSTERS: Mapping[str, Family] = MappingProxyType({"aurora-postgresql": "postgresql", "aurora-mysql": "mysql"})
"""Multi-AZ DB clusters, of engine postgres or mysql, are restored with other parameters and are not among these."""

EXTENDED = frozenset({"mysql", "postgres"})
"""Engines of instances that have an extended support: "applies only to RDS for MySQL and RDS for PostgreSQL", says the
RDS API reference of EngineLifecycleSupport."""


def why_not(source: RdsSource | AuroraSource, engine: str) -> tuple[str, str] | None:
    """Return the failure kind and a hint if a check with this source cannot ask this engine, else None."""
    family = (OF_INSTANCES if isinstance(source, RdsSource) else OF_CLUSTERS).get(engine)
    if family is None:
        return "engine-unsupported", ""
    return None if family == source.engine else ("config", f'say engine = "{family}" in [source]')


def lifecycle(place: Placement) -> str:
    """Return the EngineLifecycleSupport of a copy: extended support only where the operator asks for it.

    It is billed, and cannot be left again, even by a copy that lives for an hour. Without it AWS "automatically
    upgrades your restored DB instance to a higher engine version, if the major engine version is past its end of
    standard support date". [RDS API reference, RestoreDBInstanceFromDBSnapshot, RestoreDBClusterFromSnapshot]
    """
    return "open-source-rds-extended-support" + ("" if place.extended_support else "-disabled")


def major(engine: str, version: str) -> str:
    """Return the major version of an engine as AWS writes it: `16` of PostgreSQL 16.4, `8.0` of MySQL 8.0.35."""
    return ".".join(version.split(".")[: 1 if engine in {"postgres", "aurora-postgresql"} else 2])
