"""No database outlives its server, however that died. Standard library only: this file also runs by itself.

Run as a program it is the watchdog: it waits until its standard input closes, which happens when the server that
holds the other end dies for whatever reason, then kills every database server under the data directory and removes it.
A data directory belongs to a living server exactly as long as that holds the lock on the file `lock` in it.

Only processes whose command line names a data directory below ours are ever signalled.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

PREFIX = "restorecheck-demo-aws-"
_DATADIR = "--datadir="  # how MariaDB is told
LOCK = "lock"
PLENTY = 6 * 1024**3
"""Bytes of free memory above which data directories may lie in memory."""


def postgres_under(root: Path) -> list[int]:
    """Return the pids of the servers (not their children) whose data directory lies below root."""
    found = []
    below = str(root) + os.sep
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            data = next((w.removeprefix(_DATADIR) for w in words if w.startswith(_DATADIR)), None)
            if (data or words[words.index("-D") + 1]).startswith(below):
                found.append(int(entry.name))
    return sorted(found)


def stop_all(root: Path, patience: float = 5.0) -> None:
    """Stop every postgres below root: an immediate shutdown, then SIGKILL for whoever is still there."""
    for number, seconds in ((signal.SIGQUIT, patience), (signal.SIGKILL, 1.0)):
        for pid in postgres_under(root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while postgres_under(root) and time.monotonic() < deadline:
            time.sleep(0.05)


def claim(root: Path) -> IO[str]:
    """Take the lock of a data directory for this process; it is held until the file is closed. Raises OSError."""
    lock = (root / LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


def parent() -> Path:
    """Return where data directories are made: in memory if there is plenty, which makes a restore ten times faster."""
    memory = Path("/dev/shm")
    if "TMPDIR" not in os.environ and os.access(memory, os.W_OK) and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        free = os.statvfs(memory).f_bavail * os.statvfs(memory).f_frsize
        if min(free, _available_memory()) >= PLENTY:
            return memory
    return Path(tempfile.gettempdir())


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def clean(*parents: Path) -> list[Path]:
    """Remove the data directories, and the postgres processes, of servers that are dead. Returns what was removed."""
    removed = []
    places = parents or (Path("/dev/shm"), Path(tempfile.gettempdir()))
    for root in [root for place in places for root in place.glob(PREFIX + "*")]:
        # Another user's, or one whose server lives: not ours to touch. One without a lock is just being made.
        with contextlib.suppress(OSError):
            if root.stat().st_uid == os.geteuid() and (root / LOCK).exists():
                with claim(root):
                    stop_all(root)
                    remove(root)
                    removed.append(root)
    return removed


def remove(root: Path, patience: float = 10.0) -> None:
    """Remove a data directory, again and again while a program that its server started still writes there."""
    deadline = time.monotonic() + patience
    while root.exists() and time.monotonic() < deadline:
        shutil.rmtree(root, ignore_errors=True)
        if root.exists():
            time.sleep(0.1)


def watch(root: Path, *, keep: bool) -> subprocess.Popen[bytes]:
    """Start the watchdog. It acts when the returned process's stdin closes, which the death of this process does."""
    command = [sys.executable, "-I", "-S", __file__, str(root), "keep" if keep else "remove"]
    # A session of its own: Ctrl-C on the terminal must not end the watchdog before the server.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/")


def main() -> None:
    """Be the watchdog: wait for the end of standard input, then clean up."""
    root, what = Path(sys.argv[1]), sys.argv[2]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    stop_all(root)
    if what == "remove":
        remove(root)


if __name__ == "__main__":
    main()
