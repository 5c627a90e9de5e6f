"""Who may import whom, and what no module may do. The table is the architecture; `docs/architecture.md` explains it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from architecture import (
    Module,
    cycle,
    forbidden_imports,
    importers,
    imports,
    load,
    naive_times,
    prints,
    room,
    stale_entries,
    undocumented,
    unreplayable,
    vague_names,
)

TABLE = {
    # ground
    "errors": room(),
    "model.*": room(),
    "schedule": room(),
    "passwords": room("errors"),
    "failures": room("model.*"),
    # pure, and ports
    "durable": room("model.* errors", "pydantic"),
    "assertions.*": room("model.* failures"),
    "costs": room(),
    "admission": room("model.*"),
    "metrics": room(),
    "metrics.catalogue": room(),
    "metrics.figures": room("metrics.catalogue"),
    "metrics.aws": room("metrics.figures"),
    "metrics.emf": room("errors metrics.figures"),
    "metrics.exposition": room("metrics.catalogue metrics.figures", "prometheus_client"),
    "metrics.proved": room("model.*"),
    "rules.*": room("metrics.catalogue", "yaml"),
    "timetable": room("config.* model.* schedule"),
    "sources": room(),
    "sources.interface": room("model.* durable"),
    "databases": room(),
    "databases.interface": room("model.*"),
    "verify": room("model.* errors failures durable assertions.* sources.interface schedule"),
    # effects
    "fence.*": room("errors failures model.* schedule sources.versions.*", "awscrt botocore"),
    "databases.asking": room("databases.interface errors model.*"),
    "databases.postgres": room(
        "databases.asking databases.interface databases.postgres_census databases.postgres_connection"
        " databases.postgres_deputy databases.postgres_errors databases.postgres_prober databases.postgres_probes.*"
        " databases.postgres_question databases.postgres_role databases.sampling databases.watchdog errors model.*",
        "psycopg",
    ),
    "databases.postgres_census": room("databases.interface databases.postgres_question databases.watchdog", "psycopg"),
    "databases.postgres_cells": room("assertions.* model.*"),
    "databases.postgres_connection": room("databases.interface databases.postgres_errors errors", "psycopg"),
    "databases.postgres_errors": room(),
    "databases.postgres_question": room(
        "assertions.* databases.key_match databases.postgres_cells databases.sampling model.*", "psycopg"
    ),
    "databases.postgres_role": room("databases.interface errors", "psycopg"),
    "databases.watchdog": room("", "psycopg"),
    "databases.key_match": room("model.*"),
    "databases.sampling": room("databases.interface errors model.*"),
    "databases.pace": room("model.*"),
    "databases.crew": room("databases.asking databases.pace errors model.*"),
    "databases.postgres_prober": room("databases.interface databases.postgres_role", "psycopg"),
    "databases.postgres_deputy": room(
        "databases.interface databases.postgres_prober databases.postgres_role errors", "psycopg"
    ),
    "databases.postgres_probes.*": room(
        "databases.asking databases.crew databases.interface databases.pace databases.postgres_census"
        " databases.postgres_errors"
        " databases.postgres_prober databases.postgres_role databases.watchdog errors model.*",
        "psycopg",
    ),
    "databases.mysql_probes.*": room(
        "databases.asking databases.crew databases.interface databases.mysql_connection databases.mysql_errors"
        " databases.pace"
        " databases.postgres_errors errors model.*",
        "pymysql",
    ),
    "databases.mysql_watchdog": room("databases.interface databases.mysql_connection errors", "pymysql"),
    "references.*": room(
        "assertions.* databases.interface errors failures fence.* model.* sources.versions.*", "pydantic"
    ),
    "sources.beside": room("databases.interface errors fence.* model.* sources.versions.*"),
    "sources.needs": room("model.*"),
    "databases.declared_postgres": room(
        "databases.interface databases.postgres_connection databases.postgres_deputy databases.postgres_prober"
        " databases.postgres_role errors",
        "psycopg",
    ),
    "databases.duckdb": room("databases.duckdb_process databases.duckdb_views model.*"),
    "databases.duckdb_child": room(
        "databases.duckdb_cells databases.duckdb_confinement databases.duckdb_errors databases.duckdb_streams"
        " databases.duckdb_views model.*",
        "duckdb",
    ),
    "databases.duckdb_cells": room("assertions.* databases.postgres_cells model.*"),
    "databases.duckdb_confinement": room(),
    "databases.duckdb_errors": room("databases.postgres_errors"),
    "databases.duckdb_process": room(),
    "databases.duckdb_streams": room("", "zstandard"),
    "databases.duckdb_views": room(),
    "databases.mysql": room("databases.interface databases.mysql_server databases.postgres_connection errors model.*"),
    "databases.mysql_cells": room("assertions.* databases.postgres_cells model.*"),
    "databases.mysql_connection": room(
        "databases.interface databases.mysql_errors databases.postgres_connection errors", "pymysql"
    ),
    "databases.mysql_errors": room("databases.postgres_errors"),
    "databases.mysql_question": room(
        "assertions.* databases.key_match databases.mysql_cells databases.sampling model.*", "pymysql"
    ),
    "databases.mysql_role": room("databases.interface errors", "pymysql"),
    "databases.mysql_server": room(
        "databases.asking databases.interface databases.mysql_connection databases.mysql_errors"
        " databases.mysql_probes.* databases.mysql_question databases.mysql_role databases.mysql_watchdog"
        " databases.sampling errors model.*",
        "pymysql",
    ),
    "workplace": room("errors"),
    "evidence": room("errors schedule"),
    "databases.guardian": room("errors"),
    "databases.guardian_process": room(),
    "databases.scratch_mysql": room("databases.guardian databases.interface databases.scratch_postgres errors"),
    "databases.scratch_postgres": room(
        "databases.guardian databases.interface databases.postgres_connection databases.scratch_disarming errors",
        "psycopg",
    ),
    "databases.scratch_disarming": room("", "psycopg"),
    "dumps.*": room(
        "databases.guardian databases.interface databases.postgres_connection databases.postgres_errors"
        " databases.scratch_mysql"
        " databases.scratch_postgres errors failures model.* sources.s3_dump.loads",
        "zstandard",
    ),
    "sources.losses": room("model.*"),
    "sources.census": room("databases.interface errors failures model.*"),
    "sources.versions.*": room("errors failures model.*"),
    "sources.rds.*": room(
        "databases.interface durable errors failures fence.* model.* passwords references.* schedule sources.beside"
        " sources.census sources.interface sources.losses sources.needs"
    ),
    "sources.aurora.*": room(
        "databases.interface durable errors failures model.* schedule sources.interface sources.rds.*"
    ),
    "sources.s3_objects.*": room(
        "databases.duckdb_views durable errors fence.* model.* passwords schedule sources.interface sources.versions.*"
        " workplace"
    ),
    "sources.s3_dump.loads": room("databases.interface model.*"),
    "sources.s3_dump.*": room(
        "databases.guardian databases.interface databases.scratch_postgres durable errors fence.* model.* passwords"
        " references.* schedule sources.beside sources.census sources.interface sources.losses sources.needs"
        " sources.s3_dump.loads sources.versions.* workplace"
    ),
    "engines": room(),
    "engines.clock": room(),
    "engines.inline": room("durable errors model.*"),
    "engines.dbos": room("durable engines.inline engines.records engines.taking errors model.*", "dbos"),
    "engines.records": room("errors"),
    "engines.taking": room(),
    "engines.invocation": room(),
    "engines.rounds": room("durable engines.inline engines.invocation errors model.*"),
    "engines.aws_lambda": room(
        "durable engines.inline engines.invocation engines.rounds errors model.*", "aws_durable_execution_sdk_python"
    ),
    "engines.lambda_entry": room("", "aws_durable_execution_sdk_python"),
    "engines.lambda_fleet": room("durable engines.taking errors failures model.* schedule"),
    "iam.*": room("config.* errors fence.* model.* schedule"),
    "discovery.*": room("config.* errors model.* schedule sources.rds.* sources.versions.*"),
    "due": room("config.* store.* timetable"),
    "functions.*": room(
        "alerts.* config.* dispatch due durable engines.aws_lambda engines.lambda_entry engines.lambda_fleet errors"
        " fence.* logs.* metrics.derived metrics.emf metrics.exporting metrics.figures metrics.standing model.* ports"
        " replica schedule state store.* store.bucket.* sweep.* upkeep verify workplace"
    ),
    "handler": room("engines.clock functions.*"),
    "store.*": room("assertions.* durable errors model.*", "alembic sqlalchemy"),
    "store.bucket.*": room("durable errors model.* schedule store.*", "sqlalchemy"),
    "store.bucket.s3": room("errors fence.* store.bucket.*"),
    "sweep.*": room("errors fence.* schedule sources.versions.*"),
    "logs.*": room("errors schedule", "structlog"),
    "web.*": room("errors logs.*"),
    "replica": room("errors model.*"),
    "doctor.*": room("config.* dumps.* errors failures fence.* model.* schedule sources.rds.* sources.s3_dump.*"),
    "config.*": room(
        "errors model.* schedule", "apscheduler pydantic pydantic_core sqlglot tree_sitter tree_sitter_toml"
    ),
    "holding": room("config.* costs model.*"),
    "metrics.standing": room("config.* metrics.proved model.* replica state store.* timetable"),
    "metrics.of_checks": room("config.* metrics.figures metrics.standing model.*"),
    "metrics.of_runs": room(
        "config.* metrics.catalogue metrics.figures metrics.proved metrics.standing model.* store.*"
    ),
    "metrics.of_accounts": room("config.* metrics.catalogue metrics.figures metrics.standing"),
    "metrics.of_service": room("config.* metrics.catalogue metrics.figures metrics.standing"),
    "metrics.derived": room(
        "metrics.figures metrics.of_accounts metrics.of_checks metrics.of_runs metrics.of_service metrics.standing"
    ),
    "metrics.textfile": room("errors metrics.exposition metrics.figures"),
    "metrics.pushgateway": room("errors metrics.exposition metrics.figures", "prometheus_client urllib3"),
    "metrics.exporting": room(
        "config.* durable errors metrics.emf metrics.figures metrics.pushgateway metrics.textfile"
    ),
    "alerts.*": room(
        "assertions.* config.* durable errors failures fence.* holding logs.* model.* store.*", "apprise urllib3"
    ),
    # composition
    "state": room("config.* errors fence.* passwords store.* store.bucket.* store.bucket.s3"),
    "ports": room(
        "config.* databases.declared_postgres databases.duckdb databases.interface databases.mysql databases.postgres"
        " databases.postgres_connection dumps.* durable errors evidence fence.* model.* passwords schedule"
        " sources.aurora.* sources.interface sources.rds.* sources.s3_dump.* sources.s3_objects.* state"
    ),
    "dispatch": room("admission config.* durable engines.taking errors failures model.* replica store.*"),
    "upkeep": room(
        "config.* databases.guardian databases.scratch_postgres durable errors evidence fence.* model.* store.* sweep.*"
        " workplace"
    ),
    "runner": room(
        "alerts.* config.* dispatch durable engines.clock engines.dbos errors model.* ports replica schedule state"
        " store.* verify"
    ),
    "service.*": room(
        "alerts.* config.* dispatch due durable engines.clock engines.dbos errors fence.* logs.* metrics.aws"
        " metrics.derived metrics.exporting metrics.exposition metrics.figures metrics.standing model.* ports replica"
        " rules.* state store.* upkeep verify web.*"
    ),
    "demo": room(),
    "demo.buckets": room("demo.aws.* demo.declared"),
    "demo.declared": room("demo.aws.*"),
    "demo.scenario": room("demo.aws.* demo.buckets demo.declared", "psycopg"),
    "demo.aws.*": room("", "awscrt boto3 moto psycopg pymysql werkzeug"),
    "cli.*": room("*", "rich typer"),
    "__main__": room("cli.*"),
}
"""Module, or package and all under it (`.*`) → who of ours it may import; which packages of others."""

OWNERS = {
    "aws_durable_execution_sdk_python": ("engines",),
    "boto3": ("fence", "demo"),
    "botocore": ("fence", "demo"),
    "awscrt": ("fence", "demo"),
    "duckdb": ("databases",),
    "pymysql": ("databases", "demo"),
    "dbos": ("engines",),
    "apprise": ("alerts",),
    "urllib3": ("alerts", "metrics"),
    "prometheus_client": ("metrics",),
    "yaml": ("rules",),
    "psycopg": ("databases", "demo"),
    "sqlalchemy": ("store",),
    "alembic": ("store",),
    "structlog": ("logs",),
    "moto": ("demo",),
    "cli": ("cli", "__main__"),
    "runner": ("cli",),
    "service": ("cli", "service"),
    "functions": ("functions", "handler"),
}
"""What only one part may touch, whatever the table may come to say."""

PACKAGE = Path(__file__).parents[1] / "restorecheck"
MODULES = load(PACKAGE)


def module(source: str, name: str = "room") -> Module:
    return Module(name, f"restorecheck/{name.replace('.', '/')}.py", ast.parse(source))


# --- the package ----------------------------------------------------------------------------------------------------


def test_nobody_imports_what_the_table_does_not_allow() -> None:
    assert forbidden_imports(MODULES, TABLE) == []


def test_the_table_allows_nothing_that_nobody_needs() -> None:
    assert stale_entries(MODULES, TABLE) == []


def test_dependencies_point_one_way() -> None:
    assert cycle(TABLE) == []


@pytest.mark.parametrize(("name", "owners"), OWNERS.items())
def test_what_only_one_part_may_touch(name: str, owners: tuple[str, ...]) -> None:
    strangers = {m for m in importers(MODULES, name) if m.partition(".")[0] not in owners}
    assert strangers == set()


def test_the_demo_aws_knows_nothing_of_us() -> None:
    inside = [m for m in MODULES if (m.name + ".").startswith("demo.aws.")]
    assert inside
    names = frozenset(m.name for m in MODULES)
    imported = {one.name for m in inside for one in imports(m, names) if one.ours}
    assert imported - {m.name for m in inside} <= {""}


def test_the_workflow_can_be_replayed() -> None:
    assert unreplayable(next(m for m in MODULES if m.name == "verify")) == []


def test_every_name_says_something() -> None:
    assert vague_names(MODULES) == []


def test_every_module_and_everything_public_is_documented() -> None:
    assert [problem for m in MODULES for problem in undocumented(m)] == []


def test_only_the_command_line_and_the_demo_print() -> None:
    assert [p for m in MODULES if m.name.partition(".")[0] not in {"cli", "demo"} for p in prints(m)] == []


def test_no_time_is_without_a_zone() -> None:
    assert [problem for m in MODULES for problem in naive_times(m)] == []


# --- the rules can fail -----------------------------------------------------------------------------------------------

SMALL = {"ground": room(), "port": room("ground"), "castle.*": room("port", "boto3"), "castle.tower": room("ground")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "restorecheck"
    (top / "castle").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "ground.py": "import json",
        "port.py": "from restorecheck.ground import stone",
        "castle/__init__.py": "from restorecheck.castle.hall import feast",
        "castle/hall.py": "import boto3\nfrom restorecheck import port, __version__",
        "castle/tower.py": "from restorecheck import ground",
    }
    for name, source in sources.items():
        (top / name).write_text(source)
    return top


def test_a_tree_that_follows_its_table_is_clean(tree: Path) -> None:
    assert forbidden_imports(load(tree), SMALL) == []
    assert stale_entries(load(tree), SMALL) == []


@pytest.mark.parametrize(
    "source",
    [
        "from restorecheck.port import ship",
        "import restorecheck.port",
        "from restorecheck import port",
        "from . import port",
        "from .port import ship",
        "def later():\n    from restorecheck.port import ship",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from restorecheck.port import ship",
        "import importlib\nimportlib.import_module('restorecheck.port')",
        "__import__('restorecheck.port')",
        "try:\n    import restorecheck.port as p\nexcept ImportError:\n    p = None",
    ],
)
def test_an_edge_that_is_not_in_the_table_is_found_however_it_is_written(tree: Path, source: str) -> None:
    (tree / "ground.py").write_text(source)
    (found,) = forbidden_imports(load(tree), SMALL)
    assert found.endswith("ground may not import port")


def test_relative_imports_are_resolved_from_deep_inside(tree: Path) -> None:
    (tree / "castle" / "tower.py").write_text("from ..port import ship\nfrom .hall import feast\nfrom .. import ground")
    found = forbidden_imports(load(tree), SMALL)
    assert [f.rpartition(" may not import ")[2] for f in found] == ["port", "castle.*"]


@pytest.mark.parametrize(
    "source", ["import boto3", "from boto3.session import Session", "def f():\n    import boto3.s3"]
)
def test_a_package_of_others_that_is_not_in_the_table_is_found(tree: Path, source: str) -> None:
    (tree / "port.py").write_text(f"import restorecheck.ground\n{source}")
    (found,) = forbidden_imports(load(tree), SMALL)
    assert found.endswith("port may not import boto3")
    assert importers(load(tree), "boto3") == {"port", "castle.hall"}


def test_the_package_itself_may_import_nothing(tree: Path) -> None:
    (tree / "__init__.py").write_text("from restorecheck.port import ship")
    (found,) = forbidden_imports(load(tree), SMALL)
    assert found.endswith("restorecheck may not import port")


def test_a_module_that_the_table_does_not_know_is_found(tree: Path) -> None:
    (tree / "shed.py").write_text("")
    assert forbidden_imports(load(tree), SMALL) == ["restorecheck/shed.py:1: no entry of the import table covers shed"]


def test_a_stale_edge_and_a_stale_room_are_found(tree: Path) -> None:
    table = {**SMALL, "port": room("ground", "rich"), "barn.*": room()}
    assert stale_entries(load(tree), table) == [
        "the import table has barn.*, and no such module exists",
        "the import table lets port import rich, and it does not",
    ]


def test_a_circle_is_found() -> None:
    assert set(cycle({"a": room("b"), "b": room("c"), "c": room("a")})) == {"a", "b", "c"}


def test_importers_of_a_package_of_ours_are_found(tree: Path) -> None:
    (tree / "port.py").write_text("def f():\n    from restorecheck.castle.tower import bell")
    assert importers(load(tree), "castle") == {"castle", "port"}


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    a()\nfinally:\n    b()",
        "with a():\n    b()",
        "try:\n    a()\nexcept Exception:\n    b()",
        "try:\n    a()\nexcept:\n    b()",
        "try:\n    a()\nexcept (StepFailedError, OSError):\n    b()",
        "import time",
        "from os import environ",
        "def f():\n    import random",
        "import uuid as u",
        "from datetime import UTC, datetime\nx = datetime.now(UTC)",
        "f(default_factory=datetime.now)",
        "def f(clock):\n    return clock.now()",
    ],
)
def test_what_cannot_be_replayed_is_found(source: str) -> None:
    assert len(unreplayable(module(source))) == 1


def test_what_can_be_replayed_is_left_alone() -> None:
    source = "try:\n    durable.step('a', f)\nexcept StepFailedError as e:\n    g(e, plan.now)"
    assert unreplayable(module(source)) == []


@pytest.mark.parametrize("name", ["utils", "fence.helpers", "common.names", "manager"])
def test_a_name_that_says_nothing_is_found(name: str) -> None:
    assert len(vague_names([module("", name), module("", "fence.table")])) == 1


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("x = 1", "the module has"),
        ('"""M."""\ndef f(): pass', "f has"),
        ('"""M."""\nclass C:\n    """C."""\n    async def g(self): pass', "g has"),
        ('"""M."""\nclass C:\n    x = 1', "C has"),
    ],
)
def test_a_missing_docstring_is_found(source: str, missing: str) -> None:
    (found,) = undocumented(module(source))
    assert f"{missing} no docstring" in found


def test_what_is_private_or_inside_a_function_needs_no_docstring() -> None:
    source = '"""M."""\ndef _f(): pass\ndef g():\n    """G."""\n    def h(): pass\nclass _C:\n    def m(self): pass'
    assert undocumented(module(source)) == []


def test_a_print_is_found() -> None:
    assert len(prints(module("def f():\n    print('x')\nlog.print('y')"))) == 1


@pytest.mark.parametrize(
    "call",
    [
        "datetime.now()",
        "datetime.datetime.now(tz=None)",
        "datetime.utcnow()",
        "datetime.today()",
        "date.today()",
        "datetime.fromtimestamp(0)",
        "datetime.utcfromtimestamp(0)",
    ],
)
def test_a_time_without_a_zone_is_found(call: str) -> None:
    assert len(naive_times(module(call))) == 1


@pytest.mark.parametrize(
    "call", ["datetime.now(UTC)", "datetime.fromtimestamp(0, UTC)", "datetime.fromtimestamp(0, tz=UTC)"]
)
def test_a_time_with_a_zone_is_left_alone(call: str) -> None:
    assert naive_times(module(call)) == []
