"""Which MariaDB and MySQL are on this machine, and which of them a dump is restored into. Asked, not guessed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from restorecheck.databases.scratch_mysql import MysqlPrograms
from restorecheck.dumps.header import Header
from restorecheck.dumps.programs import server_user
from restorecheck.errors import SourceError

_SERVERS = ("mariadbd", "mysqld")
_CLIENTS = ("mariadb", "mysql")
_INSTALLERS = ("mariadb-install-db", "mysql_install_db")
_USUAL = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/usr/bin")
_VERSION = re.compile(r"Ver (\d+\.\d+\.\d+)(\S*)")


def programs_here(declared: Sequence[Path] = (), path: str | None = None) -> tuple[MysqlPrograms, ...]:
    """Return the installations here, declared directories first, then those of `path` (None: PATH) and usual places."""
    rest = (os.environ.get("PATH", "") if path is None else path).split(os.pathsep) + list(_USUAL)
    places = [*declared, *(Path(p) for p in rest if p)]
    found: dict[Path, MysqlPrograms] = {}
    for server in _every(places, _SERVERS):
        real = server.resolve()
        if real not in found and (one := _examined(server, places)):
            found[real] = one
    return tuple(found.values())


def _every(places: Sequence[Path], names: Sequence[str]) -> Iterator[Path]:
    for place in places:
        yield from (place / name for name in names if os.access(place / name, os.X_OK))


def _examined(server: Path, places: Sequence[Path]) -> MysqlPrograms | None:
    """Ask a server who it is, and find what belongs to it: beside it, or else anywhere."""
    try:
        done = subprocess.run(  # noqa: S603 - a program of the operator's machine, by its path
            [str(server), "--no-defaults", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            env={"LC_ALL": "C"},
            timeout=30,
            **server_user(),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(done.stdout.decode(errors="replace"))
    near = [server.parent, server.parent.parent / "bin", *places]
    client = next(_every(near, _CLIENTS), None)
    if version is None or client is None:
        return None
    flavour = "MariaDB" if "MariaDB" in version.group(2) else "MySQL"
    installer = (
        next(_every([*near, server.parent.parent / "scripts"], _INSTALLERS), None) if flavour == "MariaDB" else None
    )
    if flavour == "MariaDB" and installer is None:
        return None
    return MysqlPrograms(server, client, installer, flavour, version.group(1))


def flavour_of(header: Header) -> str:
    """Return whose dump it is: MariaDB's programs long called themselves MySQL's, its server never did."""
    return "MariaDB" if "MariaDB" in f"{header.flavour} {header.server} {header.program}" else "MySQL"


def release_of(header: Header) -> tuple[int, ...]:
    """Return the release of the server that was dumped, such as (10, 11); empty: the dump does not say."""
    return tuple(int(n) for n in re.findall(r"\d+", header.server)[:2])


def same(programs: MysqlPrograms, header: Header) -> bool:
    """Say whether a server understands all that the dumped one did: its flavour, and no older release."""
    return programs.flavour == flavour_of(header) and programs.release >= release_of(header)


def chosen(found: Sequence[MysqlPrograms], header: Header) -> MysqlPrograms:
    """Return the oldest that understands the dump, or one of the other flavour. Raises SourceError `environment`."""
    able = sorted((one for one in found if same(one, header)), key=lambda one: one.release)
    other = [one for one in found if one.flavour != flavour_of(header)]
    if able or other:
        return (able or other)[0]
    here = ", ".join(f"{one.flavour} {one.version}" for one in found) or "no MariaDB or MySQL server"
    raise SourceError(
        f"the dump is of {flavour_of(header)} {header.server or 'of an unknown version'}; here is {here}",
        "install a server that can read it, with its client, or name their directory in `programs`",
        kind="environment",
    )
