"""One tick: a round of what the service does every second, in one call of a function that may die anywhere.

Three parts, and between them what was decided is made to count. First everything is decided and written: what is due,
what begins, what ended, who is told. Then what was decided is done: executions are started, notices are sent. Then what
came of it is written. Killed in the first part, nothing has happened; in the second, the next tick does it again, and
an execution is started once under its name; a notice that was sent and not written down is sent twice, which no sender
can avoid. Every chore is guarded by itself, and what failed is raised at the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, TextIO

from restorecheck.alerts.sender import Sender
from restorecheck.alerts.telling import Telling
from restorecheck.config.values import spoken
from restorecheck.dispatch import Dispatcher, places
from restorecheck.due import note_due
from restorecheck.durable import Clock, bug
from restorecheck.engines.lambda_fleet import Fleet, Starter, Tried
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.fence import Fence
from restorecheck.functions import turn
from restorecheck.functions.configuration import Loaded
from restorecheck.functions.haste import Hurried, LateError
from restorecheck.functions.keeping import Keeping
from restorecheck.functions.measuring import measure
from restorecheck.functions.told import Outcomes
from restorecheck.replica import FUNCTIONS, FunctionMembership
from restorecheck.store import Store
from restorecheck.store.bucket import ConflictError
from restorecheck.upkeep import DAY

TRIES = 5
"""How often a tick begins again, or writes again, because somebody else changed the state meanwhile."""

MARGIN = 15.0
"""Seconds of a call that are kept for the last commit and the figures."""

STARTS = "lambda-starts"
"""The note of the runs that could not be started."""

ROUNDS = 3
"""Rounds of telling in one tick: two thousand events each."""


@dataclass(frozen=True, slots=True)
class World:
    """What a tick works with. `me` is the request of Lambda, `left` the seconds that are left of the call."""

    loaded: Loaded
    keeping: Keeping
    starter: Starter
    fence: Callable[[], Fence]
    clock: Clock
    me: str
    left: Callable[[], float]
    tell: Callable[..., Any]
    stream: TextIO | None = None  # where figures are written; None: standard output


@dataclass(slots=True)
class Ticked:
    """What a tick came to."""

    busy: bool = False  # another one was at work
    began: tuple[str, ...] = ()
    failed: list[str] = field(default_factory=list)


class Tick:
    """One tick. `run` is called once."""

    def __init__(self, world: World) -> None:
        self._world, self._config = world, world.loaded.config
        self._keeping, self._clock, self._tell = world.keeping, world.clock, world.tell
        self._done, self._outcomes = Ticked(), Outcomes()
        self._store: Store | None = None  # None: it cannot be read
        self._fleet: Fleet | None = None
        self._turn: turn.Turn | None = None
        self._ticked: datetime | None = None
        self._tried: dict[str, Tried] = {}
        self._starter, self._serves = Hurried(world.starter, world.left), True

    def run(self) -> Ticked:
        """Do everything once, and return what it came to. Raises nothing: see Ticked.failed."""
        if self._world.loaded.wrong is not None:
            self._failed("configuration", self._world.loaded.wrong)
        try:
            try:
                self._round()
            except RestorecheckError as e:  # the state cannot be reached, or not be kept
                self._failed("state", e)
            except Exception as e:  # noqa: BLE001 - a bug must be heard; it must not hide that a tick came
                self._failed("state", _of_bug(e))
            self._measure()
        finally:
            self._keeping.close()
        return self._done

    def _round(self) -> None:
        self._store = store = self._decided()
        if not self._done.busy:
            self._guarded("start", self._begin)
            self._guarded("send", lambda: self._send(store))
            self._store = None  # what cannot be kept is no state
            self._store = self._written(store)

    # --- what is decided

    def _decided(self) -> Store:
        """Decide everything, and make it count; of two at once, one begins again with what the other decided."""
        before = list(self._done.failed)
        for _ in range(TRIES):
            self._done.failed = list(before)
            store = self._keeping.open()
            now = self._clock.now()
            if self._keeping.alone and turn.turn(store, now).is_held(self._world.me, now):
                self._tell("tick.busy")
                self._done.busy = True
                return store
            self._remark(turn.turn(store, now), now)
            self._turn = turn.take(store, self._world.me, now, self._world.left())
            ticked = self._decide(store, now)
            try:
                self._keeping.commit()
            except ConflictError as e:
                self._tell("tick.again", why=e.message)
                continue
            self._ticked = ticked
            return store
        raise StoreError("others changed the state each time that this tick was about to keep what it had decided")

    def _remark(self, before: turn.Turn, now: datetime) -> None:
        """Say why runs are missed if ticks come too seldom for them."""
        late, since = self._config.service.late, now - before.last
        if late < since <= turn.BREAK:
            why = f"the tick before was {since.total_seconds():.0f} s ago, and a run is missed after {spoken(late)}"
            self._tell("tick.seldom", why=why, hint="call it more often, or write a longer `late` in [service]")

    def _decide(self, store: Store, now: datetime) -> datetime | None:
        """Decide, and return when the schedules were looked at, if they were."""
        self._fleet = None
        self._guarded("membership", lambda: FunctionMembership(store.replicas, self._takeover).join("serve"))
        looked = self._guarded("schedule", lambda: note_due(store, self._config, now, self._tell))
        begins = self._guarded("runs", lambda: self._dispatch(store))
        self._serves = looked and begins
        self._guarded("telling", lambda: self._route(store))
        self._guarded("retention", lambda: self._prune(store, now))
        return now if looked else None

    def _dispatch(self, store: Store) -> None:
        """Let runs begin, go on and end. Nothing begins while Lambda does not say how those are that began."""
        self._tried = _tried(store)
        fleet = Fleet(
            self._starter,
            kept=self._keeping.kept,
            settle=self._keeping.settle,
            cancel=self._keeping.cancel,
            tried=self._tried,
        )
        fleet.look(entry.run_id for entry in store.ledger.owned(FUNCTIONS))
        membership = FunctionMembership(store.replicas, self._takeover)
        self._fleet = fleet  # what was admitted is begun, also if the round breaks off
        Dispatcher(store, fleet, membership, self._clock, self._tell).round(places(self._config))

    def _route(self, store: Store) -> None:
        """Decide who is told. Only while ticks come without a break is a receiver that is not reached a failure.

        A tick that could not look at the schedules or at the runs pings nobody: that ping says that checks are run.
        """
        assert self._turn is not None  # noqa: S101 - a mistake of ours alone
        served = (self._clock.now() - self._turn.since).total_seconds()
        telling = Telling(
            store, self._clock, self._tell, FUNCTIONS, began=self._clock.monotonic() - served, pings=self._serves
        )
        telling.round(self._config)
        for _ in range(ROUNDS - 1):
            if self._left() <= 0 or not store.outbox.pending(1):
                return
            telling.round(self._config)

    def _prune(self, store: Store, now: datetime) -> None:
        if store.timers.claim("prune", DAY, FUNCTIONS):
            self._tell("store.pruned", runs=store.prune(now - self._config.service.keep))

    # --- what is done

    def _begin(self) -> None:
        if self._fleet is None:
            return
        failed = self._fleet.start()
        self._done.began = tuple(run for run in self._fleet.wanted if run not in failed)
        now = self._clock.now().isoformat()
        for run, error in failed.items():
            if not isinstance(error, LateError):
                times = self._tried[run].times + 1 if run in self._tried else 1
                self._tried[run] = Tried(times, error.kind, error.message, now)
            self._tell("run.not-started", run=run, why=error.message, hint=error.hint)
            self._failed("start", error)
        self._tried = {run: self._tried[run] for run in failed if run in self._tried}
        for error in self._fleet.tell_cancelled().values():
            self._failed("cancel", error)

    def _send(self, store: Store) -> None:
        """Send what is due now. What takes longer than this call has, or must be tried again, is the next tick's."""
        if self._left() <= 0:
            return
        sender = Sender(store, self._clock, FUNCTIONS, self._heard, self._world.fence)
        sender.round(self._config)
        if not sender.settle(self._left()):
            self._tell("tick.short", why="a receiver had not answered when the time was up")

    def _heard(self, event: str, **facts: Any) -> None:
        self._outcomes.hear(event, **facts)
        self._tell(event, **facts)
        if event in {"notices.failed", "notices.not-kept"}:
            self._done.failed.append(f"send: {facts['why']}")

    # --- what came of it

    def _written(self, store: Store) -> Store:
        """Write down what came of it. If the state is another by now, its copy is told what was sent."""
        for _ in range(TRIES):
            _keep(store, self._tried)
            if self._turn is not None:
                turn.give_back(store, self._turn)
            try:
                self._keeping.commit()
            except ConflictError as e:
                self._tell("tick.again", why=e.message)
                store = self._keeping.open()
                self._outcomes.note(store, FUNCTIONS)
                continue
            return store
        raise StoreError("others changed the state each time that this tick was about to keep what it had sent")

    def _measure(self) -> None:
        world = self._world
        try:
            store, ticked = self._store, self._ticked
            measure(world.loaded, store, self._clock, ticked=ticked, stream=world.stream, failed=self._failed)
        except Exception as e:  # noqa: BLE001 - it must not hide what failed before
            self._failed("figures", _of_bug(e))

    # --- parts

    @property
    def _takeover(self) -> timedelta:
        return self._config.service.takeover

    def _left(self) -> float:
        return self._world.left() - MARGIN

    def _guarded(self, chore: str, act: Callable[[], object]) -> bool:
        """Do a chore, and say if it was done.

        What the state does not let us do ends the tick, and all else is raised at the end.
        """
        try:
            act()
        except StoreError:
            raise
        except RestorecheckError as e:
            self._failed(chore, e)
        except Exception as e:  # noqa: BLE001 - a bug must be heard; it must not keep the other chores from being done
            self._failed(chore, _of_bug(e))
        else:
            return True
        return False

    def _failed(self, chore: str, error: RestorecheckError) -> None:
        self._done.failed.append(f"{chore}: {error.message}")
        self._tell("chore.failed", chore=chore, why=error.message, hint=error.hint)


def _of_bug(error: Exception) -> RestorecheckError:
    return RestorecheckError(bug(error), "this is a bug: please report it with the log")


def _tried(store: Store) -> dict[str, Tried]:
    """Return the starts that failed. A note of another release, which we cannot read, says nothing."""
    note: Any = store.notes.get(STARTS)
    try:
        return {run: Tried(**one) for run, one in note.items()} if isinstance(note, dict) else {}
    except TypeError:
        return {}


def _keep(store: Store, tried: Mapping[str, Tried]) -> None:
    if tried or store.notes.get(STARTS):
        store.notes.set(STARTS, {run: asdict(one) for run, one in tried.items()})
