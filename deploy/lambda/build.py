"""Builds the zip of the Lambda functions: this package and what it needs of requirements.lock, for Lambda's Python.

    python deploy/lambda/build.py --out restorecheck-lambda.zip [--config DIRECTORY] [--arch x86_64] [--extra apprise]

Wheels alone are installed, by the hashes of the lock, and nothing of them is run. Built with a Python of the version
that Lambda will run, byte code is put in, with which a function begins in half the time. `--config` puts config.toml
and checks/ beside the code; without it they are read from S3 (docs/lambda.md). The same input gives the same zip, byte
for byte. Says how large it is, and refuses what Lambda would. Standard library and pip only.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import py_compile
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("aws-lambda", "objects")
MORE = frozenset({"pymysql"})
"""Of the extra for dumps, which a function cannot restore, this asks a restored MySQL."""

UNUSED = frozenset({"dbos", "rich", "typer"})
"""Of the service and the command line: no function imports them."""

PYTHON = "3.13"
PLATFORMS = {
    "x86_64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64"),
    "arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
}
"""Amazon Linux 2023, on which Lambda's Python 3.13 runs, has glibc 2.34."""

MOST = 250 * 1024 * 1024
"""Bytes that a function may have unzipped. [Lambda quotas]"""

DIRECTLY = 50 * 1024 * 1024
"""Bytes of a zip that may be uploaded without S3. [Lambda quotas]"""

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "demo")
AT = (2020, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The zip cannot be built."""


def _reader() -> ModuleType:
    """Return what reads the lock, for the image as for us."""
    path = ROOT / "deploy" / "container" / "requirements.py"
    spec = importlib.util.spec_from_file_location("locked_requirements", path)
    if spec is None or spec.loader is None:
        raise BuildError(f"{path} cannot be read")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


requirements = _reader()


def packages(extras: Sequence[str]) -> list[Any]:
    """Return what a function needs, as the lock has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = requirements.wanted(project, [*EXTRAS, *extras], ()) | MORE
    return requirements.chosen(list(requirements.read((ROOT / "requirements.lock").read_text())), asked - UNUSED)


def install(locked: Sequence[Any], into: Path, arch: str) -> None:
    """Unpack wheels for Lambda into a directory."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{line}\n" for one in locked for line in one.lines))
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON]
        for platform in PLATFORMS[arch]:
            command += ["--platform", platform]
        done = subprocess.run([*command, "--target", str(into), "-r", file.name], check=False)  # noqa: S603
    if done.returncode:
        raise BuildError("pip could not install what the lock names: see above")


def trim(directory: Path) -> None:
    """Remove what no function reads: byte code of another Python, programs, tests of others."""
    for path in [*directory.rglob("__pycache__"), directory / "bin", *directory.glob("*/tests")]:
        shutil.rmtree(path, ignore_errors=True)


def compiled(directory: Path) -> bool:
    """Put byte code in, if this is the Python that will read it. Its files are believed as they are."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        return False
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(directory, quiet=2, stripdir=str(directory), invalidation_mode=mode)
    return True


def files(directory: Path) -> Iterator[Path]:
    """Yield every file, in order."""
    yield from sorted(path for path in directory.rglob("*") if path.is_file())


def pack(directory: Path, out: Path) -> None:
    """Write the zip: names in order, one time for all, readable by the user that Lambda runs as."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files(directory):
            entry = zipfile.ZipInfo(str(path.relative_to(directory)), AT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.suffix == ".so" else 0o644) << 16
            archive.writestr(entry, path.read_bytes())


def build(out: Path, config: Path | None, arch: str, extras: Sequence[str]) -> dict[str, object]:
    """Build the zip, and return how large it is. Raises BuildError, ValueError."""
    if config is not None and not (config / "config.toml").is_file():
        raise BuildError(f"{config} holds no config.toml")
    with tempfile.TemporaryDirectory(prefix="restorecheck-lambda-") as temporary:
        directory = Path(temporary)
        locked = packages(extras)
        install(locked, directory, arch)
        trim(directory)
        shutil.copytree(ROOT / "restorecheck", directory / "restorecheck", ignore=LEFT_OUT)
        if config is not None:
            shutil.copytree(config, directory / "config", ignore=shutil.ignore_patterns("state", "work", ".*"))
        shutil.copytree(ROOT / "docs" / "runbooks", directory / "restorecheck" / "runbooks")
        fast = compiled(directory)
        size = sum(path.stat().st_size for path in files(directory))
        largest = sorted(((_size(path), path.name) for path in directory.iterdir()), reverse=True)[:8]
        if size > MOST:
            raise BuildError(f"it has {size:,} bytes unzipped, and Lambda takes {MOST:,}: leave an --extra out")
        pack(directory, out)
    return {
        "zip": str(out),
        "packages": len(locked),
        "byte_code": fast,
        "unzipped_bytes": size,
        "zipped_bytes": out.stat().st_size,
        "needs_s3": out.stat().st_size > DIRECTLY,
        "largest": {name: count for count, name in largest},
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in files(path))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build as the arguments say, and return the exit code."""
    parser = argparse.ArgumentParser(description="Builds the zip of the Lambda functions.")
    parser.add_argument("--out", type=Path, default=Path("restorecheck-lambda.zip"))
    parser.add_argument("--config", type=Path, help="a directory with config.toml and checks/")
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default="x86_64")
    parser.add_argument("--extra", action="append", default=[], help="an extra of the project, such as apprise")
    options = parser.parse_args(arguments)
    try:
        built = build(options.out, options.config, options.arch, options.extra)
    except (BuildError, OSError, ValueError) as e:
        sys.stderr.write(f"build: {e}\n")
        return 2
    sys.stdout.write(f"RESULT {json.dumps(built)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
