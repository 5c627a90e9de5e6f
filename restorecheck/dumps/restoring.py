"""A dump is brought into a database by PostgreSQL's own programs, and everything that they say is heard.

Exit code 0 is not believed by itself: the number of errors must be the number that was announced, and a script must
have come to its end. Errors come back as complaints; raised is only what keeps the loading from being one at all.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from restorecheck.databases.guardian import Account, bound
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_connection import BUNDLE, is_this_machine
from restorecheck.dumps.complaints import MOST, Complaint, Sort
from restorecheck.dumps.programs import Installation
from restorecheck.dumps.readers import RestoreReader, ScriptReader
from restorecheck.dumps.running import Limits, run
from restorecheck.dumps.script import Script
from restorecheck.errors import SourceError

_CREATE = re.compile(r"^CREATE DATABASE .*?;$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"\b([A-Z_]+) = '?([^';\s]+)'?")
_EXTENSION = re.compile(r"^\d+; \d+ \d+ EXTENSION - (\S+)", re.MULTILINE)
_OURS = {Sort.LACK: "environment", Sort.FULL: "scratch-full"}
"""What of an archive's table of contents is this machine's trouble. Memory is not: damage may ask for any amount."""
_MOST_LISTED = 256 << 20  # bytes of a table of contents: a million objects


@dataclass(frozen=True, slots=True)
class Contents:
    """What the table of contents of an archive says."""

    listing: str
    extensions: frozenset[str]
    database: Mapping[str, str]  # options of its CREATE DATABASE, such as ENCODING


def environment(login: Login | None = None, roots: Path = BUNDLE) -> dict[str, str]:
    """Return everything that a client program gets to know. Off this machine, servers are believed by `roots` alone."""
    known = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "PGSYSCONFDIR": "/nonexistent", "HOME": "/nonexistent"}
    if login is not None:
        known |= {
            "PGHOST": login.host,
            "PGPORT": str(login.port),
            "PGUSER": login.user,
            "PGPASSWORD": login.password,
            "PGDATABASE": login.database,
            "PGAPPNAME": "restorecheck",
            "PGCONNECT_TIMEOUT": "10",
            "PGGSSENCMODE": "disable",
        }
        if not is_this_machine(login.host):
            known |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(roots)}
    return known


def contents(programs: Installation, archive: Path, limits: Limits) -> Contents:
    """Read the table of contents of an archive. Raises SourceError `dump-damaged` or `environment`."""
    listing = _ask(programs, ["-l", str(archive)], limits)
    script = _ask(programs, ["--create", "--schema-only", "--section=pre-data", "-f", "-", str(archive)], limits)
    created = _CREATE.search(script)
    options = dict(_OPTION.findall(created.group())) if created else {}
    return Contents(listing, frozenset(_EXTENSION.findall(listing)), options)


def _ask(programs: Installation, arguments: list[str], limits: Limits) -> str:
    """Return what pg_restore writes without a database. Raises SourceError.

    What it says is about the archive, unless it is about this machine; where it dies without a word, nobody knows.
    """
    reader, text = RestoreReader(), bytearray()

    def wrote(data: bytes) -> None:
        text.extend(data)
        if len(text) > _MOST_LISTED:
            raise SourceError("the table of contents of the dump has no end", kind="dump-damaged")

    command = bound([programs.program("pg_restore"), *arguments])
    code = run(command, environment(), limits, said=reader.line, wrote=wrote)
    if code or reader.complaints:
        ours = next((c for c in reader.complaints if c.sort in _OURS), None)
        first = ours or next(iter(reader.complaints), None)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code} and gave no reason"
        raise SourceError(
            f"the table of contents of the dump cannot be read: {first.sentence if first else f'pg_restore {ended}'}",
            kind=_OURS[ours.sort] if ours else "dump-damaged" if first else "unknown-answer",
        )
    return text.decode(errors="replace")


def server_version(programs: Installation, login: Login, limits: Limits, roots: Path = BUNDLE) -> str:
    """Return the version of a declared server, such as `17.11`. Raises SourceError `database-unreachable`."""
    reader, answer = ScriptReader(), bytearray()
    command = [programs.program("psql"), "-X", "-q", "-A", "-t", "--no-password", "-c", "SHOW server_version"]
    run(bound(command), environment(login, roots), limits, said=reader.line, wrote=answer.extend)
    found = re.match(rb"\d+(\.\d+)?", answer)
    if found is None:
        raise SourceError("the declared server does not answer", kind="database-unreachable")
    return found.group().decode()


def restore_archive(
    programs: Installation, archive: Path, login: Login, jobs: int, limits: Limits, *, roots: Path = BUNDLE
) -> tuple[list[Complaint], int]:
    """Run pg_restore, with `jobs` in parallel if above 1; returns the complaints and its exit code.

    Owners and grants are restored: that a role is missing is to be seen, not to be hidden.
    """
    reader = RestoreReader()
    command = [programs.program("pg_restore"), "--no-password", "-d", login.database]
    if jobs > 1:
        command += ["-j", str(jobs)]
    code = run(
        bound([*command, str(archive)]),
        environment(login, roots),
        limits,
        said=reader.line,
        enough=lambda: len(reader.complaints) > MOST,
    )
    found = reader.complaints
    if len(found) > MOST:
        return found, code
    if code < 0:
        found.append(Complaint(Sort.UNKNOWN, f"pg_restore was ended by signal {-code}"))
    elif code and not found:
        found.append(Complaint(Sort.UNKNOWN, f"pg_restore ended with {code} and gave no reason"))
    elif reader.announced is not None and reader.announced > len(found):
        missed = f"pg_restore counted {reader.announced} errors, and {len(found)} could be read"
        found.append(Complaint(Sort.UNKNOWN, missed))
    return found, code


def restore_script(
    programs: Installation,
    blocks: Iterator[bytes],
    login: Login,
    account: Account,
    limits: Limits,
    *,
    roots: Path = BUNDLE,
) -> tuple[list[Complaint], int]:
    """Feed a script to psql, which runs as `account`; returns the complaints and its exit code.

    Raises SourceError `dump-damaged` if the script is cut off, or what the stream of it raises.
    """
    script = Script(blocks, secrets.token_hex(16))
    reader = ScriptReader(script.dropping)
    last = b""

    def wrote(data: bytes) -> None:
        nonlocal last
        last = (last + data)[-256:]

    command = [programs.program("psql"), "-X", "-q", "-A", "-t", "--no-password", "-v", "VERBOSITY=verbose"]
    command += ["-v", "SHOW_CONTEXT=never", "-v", "ON_ERROR_STOP=0", "-f", "-"]
    code = run(
        bound(command, account),
        environment(login, roots),
        limits,
        said=reader.line,
        wrote=wrote,
        feed=script.fed(),
        enough=lambda: len(reader.complaints) > MOST,
    )
    found = reader.complaints
    if len(found) > MOST:
        return found, code
    trouble = any(c.sort in (Sort.TROUBLE, Sort.FULL) for c in found)
    if code not in (0, 3) and not trouble:  # it was killed, or could not begin: the script has no part in that
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        found.append(Complaint(Sort.UNKNOWN, f"psql {ended} before the script did"))
    elif script.end_mark not in last and not trouble:
        found.append(Complaint(Sort.DAMAGE, "a statement of the script has no end: what came after it is lost"))
    return found, code
