"""What follows from what happened: which episodes begin, last or end, who is told, and what is counted. Pure.

Given the events that nobody has routed yet, the open episodes and the time, it returns what the store is to keep.
Nothing that went wrong may end here without a word: what cannot be told because of a bug of ours is told as that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from restorecheck.alerts import checks, episodes, service
from restorecheck.alerts.checks import Matter
from restorecheck.alerts.desk import Desk, addressed
from restorecheck.alerts.episodes import Addressed, Policy, named
from restorecheck.config import Config
from restorecheck.failures import kind
from restorecheck.holding import cost_of
from restorecheck.model import About, Check, Episode, Failure, Miss, Notice, Pause, Report, Turn, Verdict
from restorecheck.store import Delivery, Event, Pending, Routed

LATE = timedelta(minutes=15)
"""What waits longer for a receiver is a trouble of its own: the time that RestoreCheckNotificationsFailing allows."""

OLD = timedelta(days=1)
"""After this an event that nobody was there to tell is history, if what it tells of is over."""

TOPICS = frozenset(
    {
        "run-began",
        "run-ended",
        "run-missed",
        "check-paused",
        "check-resumed",
        "scratch-leaked",
        "sweep-tripped",
        "sweep-clean",
        "baseline-accepted",
    }
)
"""What is known here. Anything else is handled, logged by who asked, and told to nobody."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The proof of a run that ended, and when a run of its check last passed. None: it cannot be read any more."""

    report: Report | None
    last_pass: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known beside the events when one decides."""

    proofs: Mapping[str, Ended] = field(default_factory=dict)  # of the runs that ended, by run id
    pauses: Mapping[str, Pause] = field(default_factory=dict)  # by check
    pending: Mapping[str, Pending] = field(default_factory=dict)  # what waits, by receiver
    arrived: Mapping[str, datetime] = field(default_factory=dict)  # when a receiver last took a notice


class Router:
    """One way of deciding, under one configuration. May be asked several times; keeps only what it was last asked."""

    def __init__(self, config: Config, standing: Standing, extra: Sequence[Delivery] = ()) -> None:
        """Remember what is known; `extra` is what is to be sent whatever happened."""
        self._config, self._standing, self._extra = config, standing, tuple(extra)
        self._declared = {check.name: check for check in config.checks}
        self._beats = frozenset(r.name for r in config.receivers if r.type == "heartbeat")
        self._people = frozenset(r.name for r in config.receivers) - self._beats
        self.handled: list[Event] = []
        self.wanted: str | None = None  # a run whose proof was not among those that are known: ask again with it

    def decide(self, events: list[Event], open_episodes: dict[str, Episode], now: datetime) -> Routed:
        """Return what is to be kept. See store.notices.route."""
        desk = Desk(dict(open_episodes), now)
        self.handled, self.wanted = [], None
        over = _over(events, now)
        for event in events:
            run = _said(event, "run") if event.topic == "run-ended" else None
            if run is not None and run not in self._standing.proofs:
                self.wanted = run
                break  # what came after it waits: of one check all is told in its order
            if event.id not in over:
                self._heard(desk, event)
            self.handled.append(event)
        for look in (self._left, self._waited, self._reached):
            self._looked(desk, look)
        return Routed(
            handled=tuple(event.id for event in self.handled),
            episodes=tuple(e for key, e in desk.open.items() if open_episodes.get(key) != e),
            closed=tuple(key for key in open_episodes if key not in desk.open),
            deliveries=(*self._extra, *addressed(self._people, desk.said), *addressed(self._beats, desk.beats)),
            counts=tuple(desk.counts),
        )

    # --- what happened

    def _heard(self, desk: Desk, event: Event) -> None:
        """Take in one event. One that a bug of ours keeps from being told must not keep all others waiting."""
        hear = self._hearers().get(event.topic)
        if hear is None:
            return
        trial = desk.copy()
        try:
            hear(trial, event)
        except Exception as e:  # noqa: BLE001 - see above
            untold = service.of_untold(event.topic, event.id, type(e).__name__, desk.now, self._config.notify)
            check = self._declared.get(_said(event, "check") or "")
            whom = (*self._config.notify.service, *(check.receivers if check else ()))
            desk.said.append(Addressed(named(untold), tuple(dict.fromkeys(whom))))
        else:
            desk.take(trial)

    def _hearers(self) -> Mapping[str, Callable[[Desk, Event], None]]:
        return {
            "run-began": self._began,
            "run-ended": self._ended,
            "run-missed": self._missed,
            "check-paused": self._paused,
            "scratch-leaked": self._leaked,
            "sweep-tripped": self._tripped,
            "sweep-clean": self._clean,
        }
        # Only logged: "check-resumed" (what lasts is repeated by itself now) and "baseline-accepted" (what an operator
        # did by hand, with a reason that is kept; the run that it turns green says so)

    def _began(self, desk: Desk, event: Event) -> None:
        check, run = self._declared.get(event.payload["check"]), event.payload["run"]
        if check is None or _is_old(event, desk.now):
            return
        matter = self._matter(check.name)
        notice = checks.of_begin(matter, run, event.created)
        desk.beat(notice, check.receivers)

    def _ended(self, desk: Desk, event: Event) -> None:
        name, run = event.payload["check"], event.payload["run"]
        ended = self._standing.proofs[run]
        report = ended.report or _lost(run, name, event.created)
        matter = self._matter(name)
        found = checks.of_run(matter, report, ended.last_pass)
        check = matter.check
        if check is not None:
            well = report.verdict is Verdict.PASSED and not report.leaked
            turn = Turn.PASSED if well else Turn.FIRING
            if not _is_old(event, desk.now):
                desk.beat(replace(found, id=f"{found.id}:beat", turn=turn), check.receivers)
            self._count(desk, report, check)
        missed = desk.open.get(matter.key(About.MISSED))
        if report.verdict is Verdict.PASSED:
            for about in (About.RUN, About.MISSED):
                if (episode := desk.open.get(matter.key(about))) and _ends(report, episode):
                    desk.keep(episode.key, episodes.passed(episode, checks.of_pass(matter, report, episode)))
            return
        if missed and episodes.is_quiet(missed) and missed.notice.run_id == run:
            del desk.open[missed.key]  # it was made up for: what came of it is told as the run that it is
        desk.keep(found.key, episodes.failed(desk.open.get(found.key), found, self._policy(check), desk.now))

    def _count(self, desk: Desk, report: Report, check: Check) -> None:
        prices = self._config.prices
        if prices is None or prices.currency != "USD":
            return
        amount = cost_of(report, check, prices)
        if amount is not None:
            desk.counts.append(("estimated_cost_usd", float(amount), (check.name,)))

    def _missed(self, desk: Desk, event: Event) -> None:
        """A night that is being made up for wakes nobody, unless the run that makes up for it does not end in time."""
        said = event.payload
        at = datetime.fromisoformat(said["scheduled_for"])
        miss = Miss(said["check"], at, said["reason"], said["caught_up_by"])
        matter = self._matter(miss.check)
        found = checks.of_miss(matter, miss, event.created)
        episode = desk.open.get(found.key)
        if miss.caught_up_by:
            change = episodes.noted(episode, found, desk.now)
        else:
            change = episodes.failed(episode, found, self._policy(matter.check), desk.now)
        desk.keep(found.key, change)

    def _paused(self, desk: Desk, event: Event) -> None:
        matter = self._matter(event.payload["check"])
        if troubles := desk.troubles(matter):
            notice = checks.of_pause(matter, troubles, event.payload.get("until"), event.created)
            desk.say(notice, self._everybody(troubles, self._policy(matter.check)))

    def _leaked(self, desk: Desk, event: Event) -> None:
        """A sweep that deletes again has not tripped any more, whatever else it found."""
        self._resolve(desk, event, About.SWEEP)
        self._about_the_service(desk, service.of_leak(event.payload["summary"], event.created, self._config.notify))

    def _tripped(self, desk: Desk, event: Event) -> None:
        self._about_the_service(desk, service.of_trip(event.payload["why"], event.created, self._config.notify))

    def _clean(self, desk: Desk, event: Event) -> None:
        self._resolve(desk, event, About.SWEEP)
        self._resolve(desk, event, About.LEAKED)

    def _about_the_service(self, desk: Desk, found: Notice) -> None:
        desk.keep(found.key, episodes.failed(desk.open.get(found.key), found, self._of_service(), desk.now))

    def _resolve(self, desk: Desk, event: Event, about: About) -> None:
        if episode := desk.open.get(service.KEYS[about]):
            found = service.of_clean(episode, event.created, self._config.notify)
            desk.keep(episode.key, episodes.passed(episode, found))

    # --- what nobody tells but time

    def _looked(self, desk: Desk, look: Callable[[Desk], None]) -> None:
        """Do what time asks for. A bug of ours there must not keep from being told what happens; it is told every day.

        What it would have said is not said until somebody mends it.
        """
        trial = desk.copy()
        try:
            look(trial)
        except Exception as e:  # noqa: BLE001 - see above
            notify = self._config.notify
            untold = service.of_untold("what lasts", desk.now.toordinal(), type(e).__name__, desk.now, notify)
            desk.said.append(Addressed(named(untold), notify.service or tuple(sorted(self._people))))
        else:
            desk.take(trial)

    def _left(self, desk: Desk) -> None:
        """Look at checks that left the configuration while they were in trouble, and at those that came back."""
        for name in sorted({episode.check for episode in desk.open.values() if episode.check}):
            matter = self._matter(name)
            mine = desk.troubles(matter, quiet=True)
            if matter.check is not None:
                desk.put(replace(episode, removed=False) for episode in mine)
            elif new := [episode for episode in mine if not episode.removed]:
                if told := [episode for episode in new if not episodes.is_quiet(episode)]:
                    whom = self._everybody(told, Policy(self._config.notify.repeat, ()))
                    desk.say(checks.of_removal(matter, told, desk.now), whom)
                desk.put(episodes.removed(episode, desk.now) for episode in new)

    def _waited(self, desk: Desk) -> None:
        """Repeat what lasts, and tell of what was not made up for in time."""
        for episode in list(desk.open.values()):
            if episode.about is About.RECEIVER:
                continue
            matter = self._matter(episode.check) if episode.check else None
            policy = self._policy(matter.check) if matter else self._of_service()
            check = matter.check if matter else None
            if matter and check and episodes.is_quiet(episode) and desk.now - episode.told >= _patience(check):
                found = checks.of_lost_time(matter, episode, desk.now)
                desk.keep(episode.key, episodes.spoken(episode, found, policy, desk.now))
                continue
            paused = check is not None and self._is_paused(check, desk.now)
            desk.keep(episode.key, episodes.elapsed(episode, policy, desk.now, paused=paused))

    def _reached(self, desk: Desk) -> None:
        """Tell the others of receivers for whom notices wait too long, and when they take them again.

        A receiver that refuses what it gets is found like one that is silent: what it refused waits and is tried again.
        What was given up waits no more, so it takes a notice that arrived since to call a receiver reached.
        """
        notify, standing = self._config.notify, self._standing
        for name in sorted(self._people | self._beats):
            key, waits = service.receiver_key(name), standing.pending.get(name)
            if (back := desk.open.get(key)) and back.removed:
                desk.put([replace(back, removed=False)])
            episode, policy = desk.open.get(key), self._others(name)
            late = waits is not None and desk.now - waits.oldest >= LATE
            if episode is None and waits is not None and late:
                found = service.of_receiver(name, waits.count, waits.oldest, desk.now, notify)
                desk.keep(key, episodes.failed(None, found, policy, desk.now))
            elif episode is not None and not late and (at := standing.arrived.get(name)) and at >= episode.since:
                found = service.of_receiver_reached(name, desk.now, notify)
                desk.keep(key, episodes.passed(episode, found))
            elif episode is not None:
                desk.keep(key, episodes.elapsed(episode, policy, desk.now))
        known = {service.receiver_key(name) for name in self._people | self._beats}
        for episode in [e for e in desk.open.values() if e.about is About.RECEIVER and e.key not in known]:
            if episode.removed:
                desk.keep(episode.key, episodes.elapsed(episode, self._of_service(), desk.now))
                continue
            # Not resolved: nobody can tell it any more. Not forgotten at once, as with checks: another replica may
            # have another configuration, and the two would tell it anew against each other, round by round.
            name = episode.key.removeprefix(service.receiver_key(""))
            desk.say(service.of_receiver_gone(name, episode.since, desk.now, notify), episode.receivers)
            desk.put([episodes.removed(episode, desk.now)])

    # --- who is told

    def _matter(self, name: str) -> Matter:
        return Matter(name, self._declared.get(name), self._config.notify)

    def _is_paused(self, check: Check, now: datetime) -> bool:
        pause = self._standing.pauses.get(check.name)
        declared = check.paused_until is not None and now < check.paused_until
        return declared or (pause is not None and (pause.until is None or now < pause.until))

    def _policy(self, check: Check | None) -> Policy:
        """Return who is told of a check. Of one that is not declared, those who care for the service."""
        notify = self._config.notify
        names = check.receivers if check is not None else notify.service
        return self._of(names, escalates=True)

    def _of_service(self) -> Policy:
        return self._of(self._config.notify.service)

    def _others(self, name: str) -> Policy:
        """Return who is told of a receiver in trouble: by another way, whichever there is."""
        policy = self._of_service()
        others = tuple(one for one in policy.receivers if one != name) or tuple(sorted(self._people - {name}))
        return replace(policy, receivers=others)

    def _of(self, names: Iterable[str], *, escalates: bool = False) -> Policy:
        notify = self._config.notify
        people = tuple(name for name in names if name in self._people)
        more = tuple(name for name in notify.escalate_to if name in self._people) if escalates else ()
        return Policy(notify.repeat, people, notify.escalate_after, more)

    @staticmethod
    def _everybody(troubles: Sequence[Episode], policy: Policy) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in troubles for name in episodes.audience(one, policy)))


def _said(event: Event, name: str) -> str | None:
    """Return one word of an event, whatever that looks like."""
    value = event.payload.get(name) if isinstance(event.payload, dict) else None
    return value if isinstance(value, str) else None


def _is_old(event: Event, now: datetime) -> bool:
    """Say whether something happened so long ago that a ping of it now would say something wrong of now."""
    return now - event.created > OLD


def _over(events: Sequence[Event], now: datetime) -> set[int]:
    """Return the events that tell of troubles of long ago, of which it is known that they are over.

    Where nobody served for long, all that ever went wrong would else be said at once, and that it is over.
    """
    passed, over = set[str](), set[int]()
    for event in reversed(events):
        check = _said(event, "check")
        if check is None or event.topic not in {"run-ended", "run-missed"}:
            continue
        if event.topic == "run-ended" and _said(event, "verdict") == Verdict.PASSED:
            passed.add(check)
        elif check in passed and _is_old(event, now):
            over.add(event.id)
    return over


def _ends(report: Report, episode: Episode) -> bool:
    """Say whether a run that passed ends a trouble. One that began before a time that was missed does not prove it."""
    return episode.about is not About.MISSED or episode.notice.run_id == report.run_id or report.started > episode.since


def _patience(check: Check) -> timedelta:
    """Return how long a run may take to make up for a missed time before people are told."""
    return 2 * check.rto + timedelta(hours=1)


def _lost(run: str, check: str, at: datetime) -> Report:
    """Return what stands for a proof that cannot be read: nothing is known, so nothing is proven."""
    message = "the proof of this run cannot be read any more"
    return Report(run, check, Verdict.UNPROVEN, at, at, Failure("store", "tell", message, kind("store").hint))
