"""config.toml and checks/*.toml, read whole: a configuration in which everything is right, or every problem at once.

Reads the files that it is pointed to and writes nothing; it asks neither AWS nor a database.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

from restorecheck.config import accounts, checks, lambda_target, remarks, service, telling, told
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.document import Document, read
from restorecheck.config.resolved import Config, Prices, Programs, State
from restorecheck.config.shape import ConfigFile
from restorecheck.config.shape import Prices as PricesTable
from restorecheck.config.shape import Programs as ProgramsTable
from restorecheck.config.world import World
from restorecheck.errors import ConfigError, Problem
from restorecheck.model import Check

CURRENCY = "USD"
"""In which AWS publishes its price list, unless the operator says otherwise."""

MOST_ASSERTIONS = 2000
"""Of all checks: each is a series of several metrics, and more is what no Prometheus should be asked to keep."""

_HINT = "docs/configuration.md describes every key"
_HINT_PLACE = (
    "--config or RESTORECHECK_CONFIG names the config.toml, else it is the one in this directory; "
    "`restorecheck init` writes a first one"
)
_HINT_LAMBDA = "docs/lambda-limits.md says what fits into Lambda, and why"


def load(path: Path) -> Config:
    """Return the configuration. Raises ConfigError with all problems of all files; files are named as `path` is."""
    return _load(path)[0]


def review(path: Path) -> tuple[Config, list[Problem]]:
    """Return the configuration, and what is remarked on checks that are right. Raises as `load`."""
    config, files = _load(path)
    return config, [remark for file in files for remark in file.remarks()]


def review_for_lambda(path: Path) -> tuple[Config, list[Problem]]:
    """Return what `review` does. Raises ConfigError also with what is right, and yet cannot work on AWS Lambda."""
    config, files = _load(path)
    document, *of_checks = files
    for at, message in lambda_target.of_all(config):
        document.wrong(at, message)
    by_name = {check.name: check for check in config.checks}
    for file in of_checks:
        for at, message in lambda_target.of(by_name[file.tree.check.name]):
            file.wrong(at, message)
    if problems := [problem for file in files for problem in file.problems()]:
        raise ConfigError(problems, _HINT_LAMBDA)
    return config, [remark for file in files for remark in file.remarks()]


def _load(path: Path) -> tuple[Config, list[Document[Any]]]:
    document = read(path, str(path), ConfigFile)
    _another(document, path)
    sources, scratches = accounts.sources(document), accounts.scratches(document)
    accounts.apart(document)
    receivers = telling.receivers(document, path)
    world = World(document, sources, scratches, receivers)
    checks.defaults(world)
    state = service.state(document, path)
    directory = _directory(document, path, state)
    ca_bundle = _ca_bundle(document, path)
    files = _check_files(document, directory, path) if directory else []
    resolved = [checks.resolve(file, world) for file in files]
    _apart(files)
    told.heartbeats(files, world)
    _few(document, files)
    notify, exports = telling.notify(document, receivers), telling.exports(document, path)
    served = service.service(document)
    programs = _programs(document, path)
    workplace = _own(document, path, "workplace", document.tree.workplace)
    evidence = _own(document, path, "evidence", document.tree.evidence)
    problems = document.problems() + [problem for file in files for problem in file.problems()]
    if problems:
        raise ConfigError(problems, _HINT)
    whole = [_whole(check) for check in resolved]
    for file, check in zip(files, whole, strict=True):
        file.notes = list(remarks.of(check, served.keep, bool(receivers)))
    config = Config(
        path=path.absolute(),
        state=state,
        source_accounts=tuple(sources.values()),
        scratch_accounts=tuple(scratches.values()),
        checks=tuple(sorted(whole, key=lambda check: check.name)),
        endpoint_url=document.tree.endpoint_url,
        ca_bundle=ca_bundle,
        prices=_prices(document.tree.prices),
        service=served,
        programs=programs,
        own_workplace=workplace,
        evidence=evidence,
        receivers=tuple(receivers.values()),
        notify=notify,
        exports=exports,
    )
    document.notes += remarks.of_all(config)
    return config, [document, *files]


def _another(document: Document[ConfigFile], path: Path) -> None:
    """Raise ConfigError if what was named is no configuration at all, so that all else would be said for nothing."""
    if "check" in document.raw and "source_accounts" not in document.raw:
        document.complaints.clear()
        document.wrong(("check",), "is what a check has; name the config.toml to which it belongs")
    elif () not in document.broken or os.path.isfile(path):
        return
    raise ConfigError(document.problems(), _HINT_PLACE)


def _ca_bundle(document: Document[ConfigFile], path: Path) -> Path | None:
    said = document.tree.ca_bundle
    if said is None:
        return None
    file = (path.parent / said).absolute()
    try:
        holds = b"-----BEGIN CERTIFICATE-----" in file.read_bytes()
    except OSError:
        document.wrong(("ca_bundle",), f"{said} cannot be read; write the name of a file with certificates")
        return None
    if not holds:
        document.wrong(
            ("ca_bundle",),
            f"{said} holds no certificate; write the name of a PEM file, such as RDS's global-bundle.pem",
        )
    return file


def _programs(document: Document[ConfigFile], path: Path) -> Programs:
    table = document.tree.programs or ProgramsTable()
    found = {"postgresql": table.postgresql or [], "mysql": table.mysql or []}
    for key, said in found.items():
        for index, directory in enumerate(said):
            if not os.path.isdir(path.parent / directory):
                document.wrong(
                    ("programs", key, index),
                    f"{directory} is not a directory; write where the programs are, or leave it out",
                )
    whole = {key: tuple((path.parent / directory).absolute() for directory in said) for key, said in found.items()}
    return Programs(**whole)


def _own(document: Document[ConfigFile], path: Path, key: str, said: str | None) -> Path | None:
    """Return the directory that is said; None: none is. One that is not a directory is said to be wrong."""
    if not said:
        return None
    directory = (path.parent / said).absolute()
    if os.path.exists(directory) and not os.path.isdir(directory):  # where Path raises for what we may not look at
        document.wrong((key,), f"{said} is not a directory; write the name of one, it is made when needed")
    return directory


def _prices(table: PricesTable | None) -> Prices | None:
    if table is None:
        return None
    return Prices(
        table.currency or CURRENCY,
        table.storage_gib_month,
        table.snapshot_gib_month,
        MappingProxyType(dict(table.instance_hour or {})),
        table.budget,
    )


def _directory(document: Document[ConfigFile], path: Path, state: State) -> Path | None:
    """Return the directory of checks, as `path` is given; None if it is not known."""
    if document.unclear("checks"):
        return None
    directory = path.parent / (document.tree.checks or "checks")
    one, other = state.directory, directory.resolve()
    if one and (one.is_relative_to(other) or other.is_relative_to(one)):
        document.wrong(
            ("state",),
            "and checks must not lie in one another, because restorecheck writes into the one and you into the other; "
            'write for example state = "state" and checks = "checks"',
        )
    return directory


def _check_files(document: Document[ConfigFile], directory: Path, path: Path) -> list[Document[CheckFile]]:
    shown = document.tree.checks or "checks"
    if not os.path.isdir(directory):
        document.wrong(
            ("checks",), f"{shown} is not a directory; make {directory} and put one file for each check into it"
        )
        return []
    found = sorted(
        file
        for file in directory.rglob("*.toml")
        if not file.name.startswith(".")  # editors' own files
        and not file.relative_to(directory).parts[0].startswith("..")  # where Kubernetes keeps what its links lead to
    )
    for deeper in (file for file in found if file.parent != directory):
        document.wrong(
            ("checks",),
            f"{deeper.relative_to(path.parent)} lies deeper than checks are read; move it into {shown}, or rename it",
        )
    files = [file for file in found if file.parent == directory]
    if not files:
        document.wrong(("checks",), f"{shown} holds no check; add a file such as {directory / 'orders-db.toml'}")
    return [read(file, str(file), CheckFile) for file in files]


def _apart(files: list[Document[CheckFile]]) -> None:
    """Complain about names that two checks have."""
    seen: dict[str, str] = {}
    for file in files:
        name = file.tree.check.name if file.tree.check else None
        if name and (first := seen.setdefault(name, file.shown)) != file.shown:
            file.wrong(("check", "name"), f"{name} is already the check in {first}; write another name")


def _few(document: Document[ConfigFile], files: list[Document[CheckFile]]) -> None:
    """Complain about more assertions than can be measured."""
    count = sum(len(file.tree.asserts or []) for file in files)
    if count > MOST_ASSERTIONS:
        document.wrong(
            ("checks",),
            f"the checks have {count} assertions, and each has series of its own in the metrics; "
            f"write {MOST_ASSERTIONS} at most, or serve them from two configurations",
        )


def _whole(check: Check | None) -> Check:
    """Refuse to lose a check: a rule that drops one without a complaint is a bug, and the check would never run."""
    if check is None:
        raise AssertionError("a check is incomplete, but nothing was said about it")
    return check
