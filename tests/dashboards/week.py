"""A real Prometheus on loopback that has the made-up week in its store, asked as Grafana asks it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import history
from demo_world import until
from inspection import filled
from ports import free_port
from prometheus_server import Prometheus
from requirements import need

EVERY_CHECK = "(" + "|".join(check.name for check in history.FLEET) + ")"


@contextmanager
def week(directory: Path) -> Iterator[Week]:
    """Load the week, and run a Prometheus until the block ends. It scrapes nobody."""
    for program in ("prometheus", "promtool"):
        need(shutil.which(program), f"Debian's {program}")
    text, store, config = directory / "week.om", directory / "tsdb", directory / "prometheus.yml"
    history.write(text)
    loaded = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=960h", "openmetrics", "-q", text, store],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert loaded.returncode == 0, loaded.stderr
    config.write_text("{}\n")
    port = free_port()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={store}",
                "--storage.tsdb.retention.time=10y",
                f"--query.lookback-delta={history.LOOKBACK}s",  # the week has a sample every half hour
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        running = Prometheus(f"http://127.0.0.1:{port}", process, directory / "no-targets.json")
        try:
            until(lambda: _ready(running), 60)
            yield Week(running)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


def _ready(running: Prometheus) -> bool:
    assert running.process.poll() is None, "Prometheus ended"
    try:
        with urllib.request.urlopen(f"{running.url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Week:
    """The answers of that Prometheus."""

    def __init__(self, running: Prometheus) -> None:
        self._running = running

    def shown(self, target: dict[str, Any], *, at: int = history.END, **values: str) -> list[dict[str, Any]]:
        """Return the series of one question of a panel, over the week or at an instant, as the panel asks.

        `values` are of variables. The points of a range stand at whole steps, as Grafana places them.
        """
        values = {"job": f"({history.JOB}|another)", "check": EVERY_CHECK} | values
        if target.get("instant"):
            found = self._running.ask("query", query=filled(target["expr"], **values), time=at)["result"]
            return [{"labels": one["metric"], "points": [_point(one["value"])]} for one in found]
        step = history.DAY if target.get("interval") == "1d" else history.HOUR
        question = filled(target["expr"].replace("$__interval", f"{step}s"), **values)
        found = self._running.ask(
            "query_range", query=question, start=history.START // step * step, end=at // step * step, step=step
        )["result"]
        return [{"labels": one["metric"], "points": [_point(p) for p in one["values"]]} for one in found]

    def values(self, query: str) -> list[str]:
        """Return the values of a variable."""
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert found, query
        parameters: dict[str, str | float] = {"start": history.START, "end": history.END}
        series = filled(found[1], job=history.JOB, check="orders-db")
        return list(self._running.ask(f"label/{found[2]}/values", **parameters, **{"match[]": series}))


def _point(pair: list[Any]) -> tuple[int, float]:
    return int(pair[0]), float(pair[1])
