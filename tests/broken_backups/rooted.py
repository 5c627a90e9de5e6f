"""What only RDS itself could do to an instance: statements by the superuser, over the server's own socket."""

from __future__ import annotations

import psycopg
from demo_world import SOURCE, World

from restorecheck.demo.aws.postgres import SUPERUSER


def as_root(world: World, name: str, *statements: str, database: str = "shop", of: str = "instance") -> None:
    """Run statements as the superuser of an instance, or of a cluster, in the source account."""
    if of == "cluster":
        directory = world.aws.cluster_directory(SOURCE, name)
    else:
        directory = world.aws.instance_directory(SOURCE, name)
    lines = (directory / "postmaster.pid").read_text().splitlines()
    port, sockets = lines[3], lines[4]
    with psycopg.connect(host=sockets, port=port, user=SUPERUSER, dbname=database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
