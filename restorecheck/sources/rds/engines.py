"""Which engines of RDS and Aurora can be asked, as AWS names them, and who asks them. A table of words only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from restorecheck.model import AuroraSource, RdsSource

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
