"""The work of one run on this machine: the download and the restore, in a thread, watched by short looks.

Nothing here is recorded. A process that comes after finds no work, and `ready` does all of it again; what it can adopt
of a download it adopts. One work for each run and process, whoever asks for it: two threads never share a directory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from restorecheck.databases.guardian import sweep
from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_postgres import place
from restorecheck.durable import Look, bug
from restorecheck.errors import QueryError, RestorecheckError, SourceError
from restorecheck.model import Observation, RecoveryPoint
from restorecheck.sources.needs import needs_of
from restorecheck.sources.s3_dump import observing
from restorecheck.sources.s3_dump.download import Download, Fetched
from restorecheck.sources.s3_dump.loads import SERVERS, Described, Loaded, Loads
from restorecheck.sources.s3_dump.reach import Reach
from restorecheck.workplace import Workplace

MASTER = "restorecheck_master"
"""Whose password a server that we start gets; the server names its own superuser."""


HEAD = 1 << 16
"""Bytes of a dump that say what it is."""

KNOCKS = 5
"""How often a server that was just loaded is knocked at, a second apart."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A dump that was restored and answers."""

    reader: Login
    described: Described
    fetched: Fetched
    loaded: Loaded
    version: str
    identity: Observation


class _Task:
    """One piece of work in a thread of its own."""

    def __init__(self, name: str, do: Callable[[], None]) -> None:
        self._do = do
        self.error: RestorecheckError | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._do()
        except RestorecheckError as e:
            self.error = e
        except Exception as e:  # noqa: BLE001 - a bug of ours must end in a verdict, not in a thread that died
            self.error = SourceError(bug(e), kind="internal")

    def ended(self, within: float) -> bool:
        """Wait so many seconds for the end, and say whether it came."""
        self._thread.join(within)
        return not self._thread.is_alive()


class Work:
    """What is done for one run in this process."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._patience = reach, reach.world.patience
        self._place = Workplace(reach.directory, reach.plan.run_id)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._task: _Task | None = None
        self._loader: Loads | None = None
        self._fetched: Fetched | None = None
        self._ready: Ready | None = None
        self._foresaw = False
        self.status = "not begun"

    # --- looking ------------------------------------------------------------------------------------------------------

    def download(self, point: RecoveryPoint) -> Look:
        """See how far the download is, and begin it if nobody has."""
        return self._look(lambda: self._fetched is not None, lambda: self._fetch(point))

    def restore(self, point: RecoveryPoint) -> Look:
        """See how far the restore is, and begin it, with the download if need be."""
        return self._look(lambda: self._ready is not None, lambda: self._restore(point))

    def ready(self, point: RecoveryPoint) -> Ready:
        """Return what was restored; restore it first if this process has not. Raises what stood in the way."""
        while not self.restore(point).done:
            if self._stopped.is_set():
                raise SourceError("the run was torn down while it was restored", kind="cancelled")
        assert self._ready is not None  # noqa: S101 - that is what done says
        return self._ready

    def forget(self) -> None:
        """Let the next look restore again: what was restored does not answer any more."""
        with self._lock:
            self._ready = None
            loader, self._loader = self._loader, None
        if loader is not None:
            loader.close()

    def _look(self, done: Callable[[], bool], do: Callable[[], None]) -> Look:
        with self._lock:
            if done():
                return Look(done=True, status=self.status)
            if self._stopped.is_set():
                raise SourceError("the run was torn down", kind="cancelled")
            if self._task is None:
                self._task = _Task(f"dump {self._reach.plan.run_id}", do)
            task = self._task
        if not task.ended(self._patience):
            return Look(done=False, status=self.status, again=True)
        with self._lock:
            if self._task is task:
                self._task = None
        if task.error is not None:
            raise task.error
        return Look(done(), self.status, again=True)

    # --- working ------------------------------------------------------------------------------------------------------

    def _fetch(self, point: RecoveryPoint) -> None:
        self._place.open()
        self.status = "reading from S3"
        download = Download(self._reach, point, self._place.path, stop=self._stopped.is_set, told=self._tell)
        self._fetched = download.run()

    def _restore(self, point: RecoveryPoint) -> None:
        if self._fetched is None:
            self._fetch(point)
        fetched = self._fetched
        assert fetched is not None  # noqa: S101 - fetched just above
        reach, stop = self._reach, self._stopped.is_set
        loader = self._loader if self._foresaw and self._loader else self._opened()
        self._foresaw = False  # the next restore, if this one fails, begins anew
        within = reach.limits.restore
        try:
            self.status = "reading the dump's header"
            described = loader.inspect(fetched.files, within, stop)
            self.status = f"restoring {described.form}"
            loaded = loader.load(reach.password(MASTER), within, stop)
        except RestorecheckError as e:
            raise _besides(e, point, observing.size(point), fetched.observation) from e
        reader = reach.reader(loaded.login)
        version = self._answering(loaded.login, reader)
        identity = observing.whose(reach.source.database, described)
        self._ready = Ready(reader, described, fetched, loaded, version, identity)
        self.status = f"answers, {reach.source.engine} {version}"

    def _opened(self) -> Loads:
        self._reach.database  # noqa: B018 - who could not ask it need not restore it
        self.forget()
        with self._lock:
            if self._stopped.is_set():
                raise SourceError("the run was torn down", kind="cancelled")
            self._loader = self._reach.loader()
            return self._loader

    def _answering(self, master: Login, reader: Login) -> str:
        """Make the reader's role and return the server's version once a query answers."""
        database, server = self._reach.database, self._reach.server
        needs = needs_of(self._reach.check, self._reach.source.database)
        for attempt in range(1, KNOCKS + 1):
            try:
                if server is None:
                    database.prepare(master, reader, needs)
                else:
                    server.admit(reader, self._reach.plan.run_id, needs.get(self._reach.source.database))
                return database.knock(reader)
            except QueryError as e:
                if not e.retryable or attempt == KNOCKS or self._stopped.wait(self._reach.world.pause):
                    raise
        raise AssertionError  # the last attempt returned or raised

    def _tell(self, status: str) -> None:
        self.status = status
        if not self._foresaw and self._loader is None:
            self._foresee()

    def _foresee(self) -> None:
        """Let who restores look ahead, once the beginning of the dump is here."""
        dump = self._place.path / "dump"
        try:
            with (dump / "toc.dat" if self._reach.source.form == "directory" else dump).open("rb") as file:
                first = file.read(HEAD)
        except OSError:  # nothing of it is here yet
            return
        if len(first) == HEAD:  # a smaller dump is here before anything could be made ready for it
            self._foresaw = True
            with suppress(RestorecheckError):  # what is wrong is told when it is needed
                self._opened().foresee(first, self._reach.password(MASTER))

    # --- the end ------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let everything end: the thread, the server, whatever it runs."""
        self._stopped.set()
        with self._lock:
            loader = self._loader
        if loader is not None:
            loader.close()

    def gone(self) -> bool:
        """Remove the directory once the thread has ended, and say whether that is done. Raises SourceError `taken`."""
        with self._lock:
            task = self._task
        if task is not None and not task.ended(self._patience):
            return False
        self.stop()  # again: a loader may have been made since
        if self._place.path.is_dir():
            self._place.open()
            sweep(place(self._place.path / SERVERS))  # a server whose guardian was killed with its service
        self._place.remove()
        return True


def _besides(error: RestorecheckError, point: RecoveryPoint, *seen: Observation) -> RestorecheckError:
    """Return an error that also says what was seen to be wrong before it; damage that was seen says what it is."""
    wrong = [s for s in seen if s.message]
    # whoever reads that a dump is damaged wants to know which one to restore instead
    before = [r for r in point.remarks if r.startswith("the dump before") and error.kind == "dump-damaged"]
    if not (wrong or before) or error.kind == "cancelled":
        return error
    said = "; ".join([*(s.message for s in wrong), *before])
    kind = next((s.kind for s in wrong if s.kind == "object-damaged"), error.kind)
    return RestorecheckError(f"{error.message}; besides, {said}", error.hint, kind=kind, retryable=error.retryable)
