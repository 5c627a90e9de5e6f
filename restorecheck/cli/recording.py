"""`restorecheck record`: what a check's questions come to at the source, written beside the backup as a manifest."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from urllib.parse import unquote, urlsplit

from restorecheck.assertions.words import count
from restorecheck.cli import exits, human
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import Config, load
from restorecheck.databases.interface import Database, Login
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE
from restorecheck.errors import RestorecheckError
from restorecheck.model import Check, S3ObjectsSource
from restorecheck.ports import fence_of
from restorecheck.references import naming, recording
from restorecheck.references.manifest import Manifest, NoManifestError, written

PASSWORD = "RESTORECHECK_RECORD_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable with the password of the user in `--from`."""

_SCHEMES = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
_PORTS = {"postgresql": 5432, "mysql": 3306}
_FORM = "write postgresql://user@host:port/database, or mysql://…"


def record(
    check: str,
    reference: str,
    source: str,
    config: Path,
    *,
    password_file: Path | None,
    destination: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """Ask the source, and write what it answered to the reference's bucket, or to `destination` instead."""
    with errors("record", as_json=as_json):
        if as_json and destination == "-":
            raise RestorecheckError("--json and --out - both print to standard output", "leave one out", kind="config")
        if role and destination:
            raise RestorecheckError("--role is of no use with --out, which writes nothing to AWS", "", kind="config")
        loaded = load(config)
        declared = loaded.check(check)
        wanted = recording.to_ask(declared, reference)
        engine, login = login_of(source)
        login = replace(login, password=_password(password_file))
        place = recording.Place(engine, _database(loaded, declared, engine), login)
        version, at = recording.begin(place)
        kept, key = wanted[0], ""
        hand = None
        if destination is None:  # who may not write need not ask for an hour first
            key = naming.key(kept, declared.name, at)
            fence = fence_of(loaded)
            hand = fence.recorder(kept.account, kept.region, (kept.bucket, key), at, role or "")
        manifest = recording.record(place, declared, wanted, (version, at), _tell)
        body = _body(manifest)
        if hand is not None:
            recording.put(hand, kept, key, body)
        elif destination != "-":
            _to_file(Path(str(destination)), body)
    where = naming.url(kept, key) if destination is None else str(destination)
    if as_json:
        recorded = manifest.recorded_at.astimezone(UTC).isoformat()
        emit("record", exits.PASSED, manifest=where, recorded_at=recorded, answers=len(manifest.answers))
        return
    if destination == "-":
        print(body.decode(), end="")
    answers, time = count(len(manifest.answers), "answer"), human.moment(manifest.recorded_at)
    said = f"recorded {answers} of {declared.name}, as of {time}: {where}"
    (err if destination == "-" else out).print(said, markup=False, soft_wrap=True)


def login_of(url: str) -> tuple[str, Login]:
    """Return the engine and the login that a URL names, without a password.

    Raises RestorecheckError `config`, which repeats nothing of the URL: there may be a password in it.
    """
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname, parts.port, unquote(parts.username or "")
    except ValueError:
        raise RestorecheckError("--from is not a URL", _FORM, kind="config") from None
    if parts.password is not None:
        raise RestorecheckError(
            "--from holds a password, which everybody on this machine could see",
            f"leave it out, and set {PASSWORD} or give --password-file",
            kind="config",
        )
    engine, name = _SCHEMES.get(parts.scheme), unquote(parts.path.removeprefix("/"))
    if engine is None or not host or not user or not name or "/" in name or parts.query or parts.fragment:
        raise RestorecheckError("--from does not name a server, a user and a database", _FORM, kind="config")
    return engine, Login(host, port or _PORTS[engine], user, "", name)


def _password(file: Path | None) -> str:
    if file is None:
        found = os.environ.get(PASSWORD, "")
        if not found:
            raise RestorecheckError(
                "there is no password for the user in --from", f"set {PASSWORD}, or give --password-file", kind="config"
            )
        return found
    try:
        found = file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as e:
        why = getattr(e, "strerror", None) or "it is not text"
        raise RestorecheckError(f"{file} cannot be read: {why}", "", kind="config") from None
    if not found:
        raise RestorecheckError(f"{file} holds no password", "", kind="config")
    return found


def _database(config: Config, check: Check, engine: str) -> Database:
    source = check.source
    tested = "objects" if isinstance(source, S3ObjectsSource) else source.engine
    if engine != tested:
        raise RestorecheckError(
            f"--from is a server of {engine}, and {check.name} tests backups of {tested}", "", kind="config"
        )
    roots = config.ca_bundle or BUNDLE
    return Postgres(roots=roots) if engine == "postgresql" else MySQL(roots=roots)


def _tell(line: str) -> None:
    err.print(line, markup=False, soft_wrap=True)


def _body(manifest: Manifest) -> bytes:
    try:
        return written(manifest)
    except NoManifestError as e:
        raise RestorecheckError(str(e), "ask for less: name `tables`", kind="no-reference") from e


def _to_file(path: Path, body: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(body)
        draft.replace(path)  # whole or not at all
    except OSError as e:
        raise RestorecheckError(f"{path} cannot be written: {e.strerror}", "", kind="config") from None
