"""What a child process takes from itself before it reads a file that somebody else wrote. Linux.

Limits of the kernel are always set. What may be missing (an own network namespace needs a kernel that allows it) is
tried, and nothing depends on it: DuckDB's own lock, and an empty environment, hold without.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
from collections.abc import Callable
from typing import Any

_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38  # <linux/prctl.h>
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # <linux/sched.h>


def confine(
    address_space: int,
    cpu_seconds: int,
    *,
    set_limit: Callable[[int, tuple[int, int]], object] = resource.setrlimit,
    kernel: Callable[[], Any] = lambda: ctypes.CDLL(None),
) -> None:
    """Limit memory (bytes of address space), CPU time, files (none may grow) and core dumps of this process; for good.

    Also: it dies with its parent, cannot gain privileges, and sees no network where the kernel lets it have its own.
    Raises OSError or ValueError when a limit cannot be set. `kernel` returns the C library.
    """
    for which, soft, more in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CPU, cpu_seconds, 5),  # at the soft limit SIGXCPU, which says what it was; then SIGKILL
        (resource.RLIMIT_AS, address_space, 0),
    ):
        hard = resource.getrlimit(which)[1]
        most = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
        set_limit(which, (min(soft, most), most))
    with contextlib.suppress(AttributeError, OSError):  # another kernel than Linux
        libc = kernel()
        libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.prctl(_DUMPABLE, 0, 0, 0, 0)
        libc.unshare(_NEW_USER | _NEW_NETWORK)  # capabilities count inside only; no device but a dead loopback
