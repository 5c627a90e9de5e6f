"""The directory of one run on this machine: made, locked, and removed again; nothing outside it is ever touched.

A file in it names the run. What has no such file, or another run's, is not ours: it is refused, left and reported. The
lock is held as long as somebody here works on the run, so that nobody removes it under his hands; the kernel lets go of
it when a process dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Container
from pathlib import Path

from restorecheck.errors import SourceError

MARK = "restorecheck-run"
"""Name of the file that names the run, and is locked."""


class Workplace:
    """A directory that this process works in, from `open` until `close` or `remove`."""

    def __init__(self, path: Path, run_id: str) -> None:
        self.path, self._run_id = path, run_id
        self._lock: int | None = None

    def open(self) -> None:
        """Make the directory, or adopt it, and lock it. Raises SourceError `taken`, `scratch-full`."""
        if self._lock is not None:
            return
        lock = None
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)  # a database server of another user passes through
            if why := _why_not(self.path, self._run_id):
                raise SourceError(f"{self.path} {why}", kind="taken")
            lock = os.open(self.path / MARK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(lock, self._run_id.encode(), 0)
            same = os.fstat(lock).st_ino == (self.path / MARK).stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            same = False
        except OSError as e:
            _close(lock)
            raise full(self.path, e) from None
        if not same:  # locked by somebody, or removed by a sweep between open and lock
            _close(lock)
            raise SourceError(f"another process works in {self.path}", kind="taken", retryable=True)
        self._lock = lock

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Remove the directory and all in it, if it is this run's and nobody else works in it; then it is closed.

        Raises SourceError `taken` if it is not, or somebody does.
        """
        if not os.path.lexists(self.path):
            self.close()
            return
        self.open()
        try:
            for path in [p for p in self.path.iterdir() if p.name != MARK]:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            (self.path / MARK).unlink()  # last, so that what is left after a crash still says whose it is
            self.path.rmdir()
        except OSError as e:
            raise SourceError(
                f"{self.path} could not be removed: {e.strerror}", kind="interfered", retryable=True
            ) from e
        finally:
            self.close()


def _close(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _why_not(path: Path, run_id: str) -> str:
    """Return why a directory is not this run's; empty: it is, or it is nobody's yet, because it is empty."""
    if path.is_symlink() or not path.is_dir() or path.stat().st_uid != os.geteuid():
        return "is not a directory of ours"
    mark = path / MARK
    if not mark.is_symlink() and mark.is_file():
        named = mark.read_text("utf-8", "replace")
        if named == run_id or (not named and os.listdir(path) == [MARK]):  # made, and not yet written
            return ""
        return f"belongs to the run {named!r}"
    return "was not made by this run" if os.listdir(path) else ""


def left(path: Path, run_id: str) -> str | None:
    """Return why a run's directory is still there, as far as known; None: it is not."""
    if not os.path.lexists(path):
        return None
    return _why_not(path, run_id)


def abandoned(above: Path) -> list[Path]:
    """Return directories below one that are of runs, and that no process works in.

    A run that is taken up again makes its own anew, so what nobody holds may be removed at any time.
    """
    found = []
    for path in sorted(above.iterdir()) if above.is_dir() else ():
        mark = path / MARK
        if path.is_symlink() or mark.is_symlink() or not mark.is_file():
            continue
        with mark.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        found.append(path)
    return found


def sweep(above: Path, keep: Container[str] = ()) -> list[Path]:
    """Remove what dead processes left below a directory, and return it. Raises SourceError as Workplace.remove.

    `keep` are the ids of runs that are under way: they would go on with what they downloaded.
    """
    gone = []
    for path in abandoned(above):
        run_id = (path / MARK).read_text("utf-8", "replace")
        if run_id not in keep:
            Workplace(path, run_id).remove()
            gone.append(path)
    return gone


def full(path: Path, error: OSError) -> SourceError:
    """Return the error for a directory that cannot be written."""
    return SourceError(f"{path} cannot be written: {error.strerror}", kind="scratch-full")
