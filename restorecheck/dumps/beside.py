"""What a loader does beside its main way, each in a thread: make a server early, look whether the dump is whole.

Nothing that goes wrong here is lost: it is raised where the result is asked for, or met again by whoever needs it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Self

from restorecheck.dumps.programs import Installation
from restorecheck.errors import SourceError


class Early:
    """A server that is being made in a thread."""

    def __init__(self, programs: Installation, make: Callable[[], object]) -> None:
        self.programs = programs
        self.made = False
        self._make = make
        self._thread = threading.Thread(target=self._run, name="restorecheck-foreseen", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of it."""
        self._thread.join()

    def _run(self) -> None:
        # what stands in the way is met again, and told, when the server is made in its turn
        with contextlib.suppress(SourceError):
            self._make()
            self.made = True


class Beside:
    """Does something in a thread while the body runs; `result` raises what it raised."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="restorecheck-complete", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def failed(self) -> bool:
        """Say whether it has failed already."""
        return self._error is not None

    def result(self) -> None:
        """Wait for the end, and raise what was raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._do()
        except Exception as e:  # noqa: BLE001 - raised again by `result`
            self._error = e
