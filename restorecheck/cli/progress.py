"""What a run shows while it goes on: a live table on a terminal, plain lines elsewhere. Always on standard error."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from restorecheck.cli import human
from restorecheck.schedule import check_of

WAIT = ": wait"


@dataclass
class _Row:
    check: str
    phase: str = ""
    status: str = ""
    began: float = field(default_factory=time.monotonic)


class Progress:
    """A Listener that shows each run's phase, how long it has taken, and what AWS says. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()  # runs go on in threads of their own
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def refresh(self) -> None:
        """Draw the table now."""
        self._live.refresh()

    def started(self, run_id: str, step: str) -> None:
        """See Listener."""
        with self._lock:
            row = self._row(run_id)
            phase = step.removesuffix(WAIT)
            if phase != row.phase:
                row.phase, row.status = phase, ""
                self._say(row, phase)

    def looked(self, run_id: str, step: str, status: str) -> None:
        """See Listener."""
        with self._lock:
            row = self._row(run_id)
            row.phase = step.removesuffix(WAIT)
            if status != row.status:
                row.status = status
                self._say(row, f"{row.phase}: {status}")

    def finished(self, run_id: str, step: str, failed: str) -> None:
        """See Listener."""
        with self._lock:
            row = self._row(run_id)
            if failed:
                row.status = failed
                self._say(row, f"{step.removesuffix(WAIT)}: FAILED: {failed}")

    def _row(self, run_id: str) -> _Row:
        return self._rows.setdefault(run_id, _Row(check_of(run_id) or run_id))

    def _say(self, row: _Row, text: str) -> None:
        if not self._console.is_terminal:
            elapsed = human.duration(time.monotonic() - row.began)
            self._console.print(f"{elapsed:>8}  {row.check}  {text}", markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table("check", "phase", "elapsed", "AWS says", box=None, pad_edge=False)
        now = time.monotonic()
        with self._lock:
            for row in self._rows.values():
                table.add_row(row.check, row.phase, human.duration(now - row.began), row.status)
        return table
