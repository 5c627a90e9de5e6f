"""From whatever a run has made back to nothing: the server, the files, the database on a declared server.

Removes only what is marked with this run; what has its name without the mark is somebody else's, is left and reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.durable import Look
from restorecheck.model import Leftover
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_dump.journey import work_of
from restorecheck.sources.s3_dump.reach import Reach
from restorecheck.workplace import left


def stages(reach: Reach) -> Sequence[Stage]:
    """Return the one leg back."""

    def stop() -> None:
        work_of(reach).stop()

    def look() -> Look:
        work = work_of(reach)
        work.stop()
        if not work.gone():
            return Look(done=False, status="stopping", again=True)
        if (server := reach.server) is not None:
            server.drop(reach.database_name, reach.plan.run_id, reach.reader_name)
        reach.world.works.pop(reach.plan.run_id, None)
        return Look(done=True, status="gone")

    return (Stage("drop server", stop, look, reach.limits.teardown),)


def leftovers(reach: Reach) -> Sequence[Leftover]:
    """Look at the disk of this machine and at the declared server: what still has this run's name."""
    found = []
    path = reach.directory
    if (why := left(path, reach.plan.run_id)) is not None:
        found.append(Leftover(path.absolute().as_uri(), why))
    server = reach.server
    why = None if server is None else server.left(reach.database_name, reach.plan.run_id, reach.reader_name)
    if why is not None:
        found.append(Leftover(f"{reach.source.server}#{reach.database_name}", why))
    return found
