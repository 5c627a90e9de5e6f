"""What only RDS itself could do to an instance: statements by the superuser, over the server's own socket."""

from __future__ import annotations

import psycopg
from demo_world import SOURCE, World

from restorecheck.databases.scratch_postgres import LIMITS
from restorecheck.demo.aws.postgres import SUPERUSER

UNLIMITED = " ".join(f"-c {name}=0" for name in LIMITS)
"""A session's own options hold before its first statement, and a shape may limit statements to a millisecond."""


def as_root(world: World, name: str, *statements: str, database: str = "shop", of: str = "instance") -> None:
    """Run statements as the superuser of an instance, or of a cluster, in the source account."""
    if of == "cluster":
        directory = world.aws.cluster_directory(SOURCE, name)
    else:
        directory = world.aws.instance_directory(SOURCE, name)
    lines = (directory / "postmaster.pid").read_text().splitlines()
    port, sockets = lines[3], lines[4]
    where = {"host": sockets, "port": port, "user": SUPERUSER, "dbname": database}
    with psycopg.connect(**where, options=UNLIMITED, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
