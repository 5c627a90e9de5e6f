"""How long a scrape of a thousand checks takes: the first of a process, and every later one; beside reading all anew.

The peer makes the same text and remembers nothing: it decodes the newest report of every check at each scrape. CHECKS
(1000), RUNS (30) of each check, ASSERTIONS (2) of each. A SQLite store in a temporary directory.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import sqlalchemy as sa
from metrics_world import configured, orders, ran
from store_places import AT

from restorecheck.config import Config
from restorecheck.durable import encode
from restorecheck.metrics import derived, exposition
from restorecheck.metrics.standing import Facts, Look
from restorecheck.model import Finding, Outcome, Report, Verdict
from restorecheck.store import Store
from restorecheck.store.tables import RUNS as TABLE

CHECKS, RUNS, ASSERTIONS = (
    int(os.environ.get(name, n)) for name, n in (("CHECKS", 1000), ("RUNS", 30), ("ASSERTIONS", 2))
)
ROUNDS = 7
NOW = AT + timedelta(days=RUNS)


def furnish(home: Path) -> tuple[Config, Store]:
    """Make the checks and a store with all their runs."""
    [asked, *_] = orders().assertions
    assertions = tuple(replace(asked, name=f"question-{n}") for n in range(ASSERTIONS))
    findings = tuple(Finding(a.name, Outcome.PASS, "at least 1", "2", seconds=0.5, value="2") for a in assertions)
    checks = [orders(name=f"shop-{n:04}", assertions=assertions) for n in range(CHECKS)]
    store = Store.open(f"sqlite:///{home}/restorecheck.sqlite")
    made = replace(ran(), findings=findings)
    with store._database.write() as connection:  # noqa: SLF001 - as `proofs.save` does, and a hundred times as fast
        for check in checks:
            rows = []
            for n in range(RUNS):
                began, verdict = AT + timedelta(days=n), Verdict.BROKEN if n % 10 == 9 else Verdict.PASSED
                name = f"{check.name}-{began:%Y%m%dt%H%Mz}"
                ended = began + timedelta(minutes=9)
                one = replace(made, run_id=name, check=check.name, verdict=verdict, started=began, ended=ended)
                rows.append(
                    {
                        "run_id": name,
                        "check_name": check.name,
                        "verdict": verdict.value,
                        "started": one.started.timestamp(),
                        "ended": one.ended.timestamp(),
                        "report": encode(one, Report),
                    }
                )
            connection.execute(sa.insert(TABLE), rows)
    store.first_seen.note("check", [check.name for check in checks])
    return configured(home, *checks), store


def scrape(look: Look, config: Config) -> str:
    """Return what one scrape gives."""
    return exposition.text(derived.figures(Facts(config, NOW, "0", look.kept(config, NOW))))


def peer(store: Store, config: Config) -> str:
    """Return the same with nothing remembered from one scrape to the next."""
    return scrape(Look(store), config)


def seconds(act: Callable[[], object]) -> float:
    """Return the processor time of one call: SQLite works in this process, and others use the machine as well."""
    began = time.process_time()
    act()
    return time.process_time() - began


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="restorecheck-scrape-") as home:
        config, store = furnish(Path(home))
        look = Look(store)
        cold = seconds(lambda: scrape(look, config))
        warm, theirs, text = [], [], ""
        for _ in range(ROUNDS):
            warm.append(seconds(lambda: scrape(look, config)))
            theirs.append(seconds(lambda: peer(store, config)))
        text = scrape(look, config)
        read = seconds(lambda: look.kept(config, NOW))
        kept = look.kept(config, NOW)
        put = seconds(lambda: derived.figures(Facts(config, NOW, "0", kept)))
        store.close()
    series = sum(not line.startswith("#") for line in text.splitlines())
    result = {
        "checks": CHECKS,
        "runs": CHECKS * RUNS,
        "series": series,
        "series_per_check": round(series / CHECKS, 1),
        "bytes": len(text),
        "cold_cpu_seconds": round(cold, 3),
        "warm_cpu_seconds": round(statistics.median(warm), 3),
        "warm_reading_cpu_seconds": round(read, 3),
        "warm_figures_cpu_seconds": round(put, 3),
        "peer_decoding_all_anew_cpu_seconds": round(statistics.median(theirs), 3),
    }
    each, peers = result["warm_cpu_seconds"], result["peer_decoding_all_anew_cpu_seconds"]
    print(f"{CHECKS} checks, {series} series; CPU seconds: {cold:.2f} for the first scrape, then {each:.2f} each")
    print(f"decoding the newest report of every check anew: {peers:.2f} each")
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
