"""Where a table lies in a data directory, for tests that damage its bytes."""

from pathlib import Path

from demo_world import World, connect, instance_of


def heap_of(world: World, instance: str, table: str, directory: Path) -> Path:
    """Return the first file of a table's heap inside a snapshot of the instance."""
    described = instance_of(world.source_rds, instance)
    assert described is not None
    with connect(described) as connection:
        row = connection.execute("select pg_relation_filepath(%s)", (table,)).fetchone()
    assert row is not None
    path = directory / str(row[0])
    assert path.exists(), path
    return path
