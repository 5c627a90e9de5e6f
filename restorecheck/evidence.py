"""Keys of rows that should not be there, kept on this machine for people: the one place where values of rows are.

Writes below one directory, in a directory of its own for each run, which a file in it marks: 0700, its files 0600.
Removes only what it wrote itself, follows no symbolic link, and tells nobody what it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from restorecheck.errors import RestorecheckError
from restorecheck.schedule import check_of

MARK = "restorecheck-evidence"
"""Name of the file that names the run. Its time is that of the evidence."""

MOST = 64 * 1024
"""At most so many bytes are kept of one assertion."""

Row = Mapping[str, str | None]
"""The keys of one row, by the names of their columns."""

_ASSERTION = re.compile(r"[a-z0-9_-]{1,63}")
_FILE = re.compile(r"\.?[a-z0-9_-]{1,63}\.json")  # with a dot: not yet whole
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Evidence:
    """What is kept of one run below a directory that need not be there yet."""

    def __init__(self, directory: Path, run_id: str) -> None:
        self._directory, self._run_id = directory, run_id

    def keep(self, assertion: str, rows: Sequence[Row]) -> int:
        """Write the keys of rows, in place of what was kept of this assertion, and return of how many rows.

        Raises RestorecheckError if they cannot be kept.
        """
        check = check_of(self._run_id)
        if check is None or not _ASSERTION.fullmatch(assertion):
            raise RestorecheckError(f"{self._run_id}, {assertion}: not names that a file can have")
        content, count = _content({"run": self._run_id, "check": check, "assertion": assertion}, rows)
        path = self._directory / self._run_id
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
            with _opened(path) as place:
                if not os.listdir(place):
                    _write(place, MARK, self._run_id.encode())
                if _marked(place, self._run_id) is None:
                    raise RestorecheckError(f"{path} is not a directory of ours", kind="taken")
                _write(place, f"{assertion}.json", content)
        except OSError as e:
            raise RestorecheckError(f"{path} cannot be written: {e.strerror}", kind="scratch-full") from None
        return count


def of_run(directory: Path | None, run_id: str) -> Path | None:
    """Return where the evidence of a run is; None: there is none here."""
    if directory is None or check_of(run_id) is None:
        return None
    path = directory / run_id
    try:
        with _opened(path) as place:
            return path if _marked(place, run_id) is not None else None
    except OSError:
        return None


def prune(directory: Path, before: datetime) -> int:
    """Remove the evidence of runs that was first written before a time, and return of how many runs.

    What else lies there, and what somebody put beside the evidence, is left. Raises RestorecheckError, after all of
    them, if something of ours could not be removed.
    """
    gone, failed = 0, list[str]()
    try:
        found = sorted(name for name in os.listdir(directory) if check_of(name) is not None)
    except FileNotFoundError:
        return 0
    except OSError as e:
        raise RestorecheckError(f"{directory} cannot be read: {e.strerror}") from None
    for run_id in found:
        try:
            gone += _removed(directory / run_id, run_id, before.timestamp())
        except OSError as e:
            failed.append(f"{directory / run_id} could not be removed: {e.strerror}")
    if failed:
        raise RestorecheckError("; ".join(failed[:3]))
    return gone


def _removed(path: Path, run_id: str, before: float) -> bool:
    try:
        place = os.open(path, _DIRECTORY)
    except OSError:  # no directory, or a link to one, or another user's: not ours; or another replica was faster
        return False
    try:
        written = _marked(place, run_id)
        if written is None or written >= before:
            return False
        for name in os.listdir(place):
            if _FILE.fullmatch(name):
                os.unlink(name, dir_fd=place)
        if os.listdir(place) != [MARK]:  # somebody's own; the mark stays, for what is written later
            return False
        os.unlink(MARK, dir_fd=place)  # last, so that what is left after a crash still says whose it is
        os.rmdir(path)
    except FileNotFoundError:  # another replica was faster
        return False
    finally:
        os.close(place)
    return True


def _content(head: Mapping[str, str], rows: Sequence[Row]) -> tuple[bytes, int]:
    """Return what is written, and of how many rows it is: of as many of the first as fit. Raises RestorecheckError."""
    for count in range(len(rows), 0, -1):
        content = json.dumps({**head, "rows": [dict(row) for row in rows[:count]]}, indent=1).encode()
        if len(content) <= MOST:
            return content, count
    raise RestorecheckError(f"the keys of one row are larger than {MOST // 1024} KiB")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    place = os.open(path, _DIRECTORY)
    try:
        yield place
    finally:
        os.close(place)


def _marked(place: int, run_id: str) -> float | None:
    """Return when a directory was marked as this run's, in seconds; None: it is not, or others can look into it."""
    about = os.fstat(place)
    if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
        return None
    try:
        mark = os.open(MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except OSError:
        return None
    try:
        about = os.fstat(mark)
        ours = stat.S_ISREG(about.st_mode) and os.read(mark, len(run_id) + 1) == run_id.encode()
        return about.st_mtime if ours else None
    finally:
        os.close(mark)


def _write(place: int, name: str, content: bytes) -> None:
    """Write a file whole, or not at all."""
    fresh = f".{name}"
    with contextlib.suppress(FileNotFoundError):  # of an attempt that was cut short
        os.unlink(fresh, dir_fd=place)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(fresh, flags, 0o600, dir_fd=place), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, name, src_dir_fd=place, dst_dir_fd=place)
