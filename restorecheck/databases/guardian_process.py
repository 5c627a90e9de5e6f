"""The small program that outlives the service by a moment: it ends a scratch server when nobody is left to want it.

Run as `python -I -S guardian_process.py guard LOCK DIRECTORY`, with a pipe from the service as its standard input. It
runs programs and a server as it is told, one JSON line each; at the end of the pipe, however the service died, it stops
what it started and removes the directory. `bind PARENT USER GROUP COMMAND…` instead becomes the command, and dies with
its parent. It imports nothing but the standard library, signals nothing but its own children, and removes that
directory alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from typing import Any

LOG_LIMIT = 1 << 20  # bytes: a server that meets damage can write 30 MB of complaints a second
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)  # only the pipe says that it is over
_PATIENCE = 5.0  # seconds that a server has to stop at once
_LAST_WORDS = 4000  # bytes of a program's output that are told


def prctl(option: int, value: int) -> None:
    """Ask Linux for something about this process; elsewhere there is nothing to ask, and the pipe alone must do."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def become(parent: int, user: int, group: int, command: list[str], death: int) -> None:
    """Turn this process into a command that gets the signal `death` when its parent dies. Does not return."""
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    prctl(_PR_SET_PDEATHSIG, death)  # after the change of user, which would take it back
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
    os.execve(command[0], command, os.environ)  # noqa: S606 - no shell is wanted


class Guardian:
    """One directory, at most one child at a time, and a pipe that says whether anybody is left."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._child = 0
        self._pipe = -1  # what the child writes
        self._serving = False
        self._words = b""
        self._logged = 0
        self._orders = b""

    def guard(self) -> None:
        """Do as told until the pipe ends; then leave nothing."""
        wake, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        while True:
            watched = [0, wake] + ([self._pipe] if self._pipe >= 0 else [])
            ready, _, _ = select.select(watched, [], [])
            if wake in ready:
                os.read(wake, 512)
            if self._pipe in ready:
                self._hear()
            self._reap()
            if 0 in ready:
                data = os.read(0, 65536)
                if not data:
                    break
                self._orders += data
            while not self._child and b"\n" in self._orders:
                line, self._orders = self._orders.split(b"\n", 1)
                self._obey(json.loads(line))
        self._end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _obey(self, order: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        self._serving, self._words = order["serve"], b""
        us = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                for ignored in _IGNORED:  # what is ignored would stay so in the program
                    signal.signal(ignored, signal.SIG_DFL)
                os.setsid()
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(writing, 1)
                os.dup2(writing, 2)
                os.chdir(self._directory)
                os.environ.clear()
                os.environ.update(order["environment"])
                become(us, order["user"], order["group"], order["command"], order["signal"])
            except BaseException as e:  # noqa: BLE001 - whatever it is, this process must not go on as a guardian
                os.write(2, f"{order['command'][0]}: {e}\n".encode())
            finally:
                os._exit(127)
        os.close(writing)
        self._child, self._pipe, self._signal = pid, reading, order["signal"]
        _tell({"started": pid})

    def _hear(self) -> None:
        data = os.read(self._pipe, 65536)
        if not data:
            os.close(self._pipe)
            self._pipe = -1
        self._words = (self._words + data)[-_LAST_WORDS:]
        if self._serving and self._logged < LOG_LIMIT:
            self._logged += len(data)
            with open(os.path.join(self._directory, "log"), "ab") as log:
                log.write(data)

    def _reap(self) -> None:
        """Learn which children ended: the one that was asked for, and orphans of it that came to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._child:
                self._child = 0
                while self._pipe >= 0 and select.select([self._pipe], [], [], 0)[0]:
                    self._hear()
                if self._pipe >= 0:  # a grandchild still holds it
                    os.close(self._pipe)
                    self._pipe = -1
                _tell({"ended": os.waitstatus_to_exitcode(status), "words": self._words.decode(errors="replace")})

    def _end(self) -> None:
        """Stop the child, and then whatever of its own children is left."""
        if self._child:
            os.kill(self._child, self._signal)
        until = time.monotonic() + _PATIENCE
        while self._children() and time.monotonic() < until:
            self._reap()
            if self._pipe >= 0 and select.select([self._pipe], [], [], 0)[0]:
                self._hear()  # a full pipe must not keep it from ending
            if not self._child:
                self._kill()
            time.sleep(0.005)
        while self._children():  # each that dies may leave us its own
            self._kill()
            self._reap()
            time.sleep(0.005)

    def _kill(self) -> None:
        for pid in self._children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _children(self) -> list[int]:
        """Return the processes whose parent we are, so that no id of somebody else's is ever signalled."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                return [int(pid) for pid in file.read().split()]
        except OSError:
            return [self._child] if self._child else []


def _tell(what: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more: the end of the pipe is next
        os.write(1, json.dumps(what).encode() + b"\n")


def main(arguments: list[str]) -> None:
    """See the module."""
    if arguments[0] == "bind":
        become(int(arguments[1]), int(arguments[2]), int(arguments[3]), arguments[4:], signal.SIGKILL)
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    Guardian(arguments[2]).guard()


if __name__ == "__main__":
    main(sys.argv[1:])
