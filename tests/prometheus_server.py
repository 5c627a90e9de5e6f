"""A real Prometheus on loopback: scrapes, evaluates rules, sends alerts, answers queries. Nothing is left of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from demo_world import until
from ports import free_port
from requirements import need


@dataclass
class Prometheus:
    """One that runs. Its targets are a file, so they may come and go."""

    url: str
    process: subprocess.Popen[bytes]
    targets: Path
    labels: dict[str, str] = field(default_factory=dict)

    def scrape(self, *addresses: str) -> None:
        """Scrape these from now on, and nobody else; each is `host:port`."""
        written = self.targets.with_suffix(".new")
        written.write_text(json.dumps([{"targets": list(addresses), "labels": self.labels}] if addresses else []))
        written.replace(self.targets)

    def ask(self, path: str, **parameters: str | float) -> Any:
        """Return the data of an answer of the HTTP API. Raises what Prometheus says is wrong."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{path} {parameters}: {e.read().decode()}") from None

    def values(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return an instant vector, by the labels without the name and what a scrape adds."""
        found = self.ask("query", query=query)["result"]
        return {
            tuple(sorted((k, v) for k, v in one["metric"].items() if k not in {"__name__", "instance", "job"})): float(
                one["value"][1]
            )
            for one in found
        }

    def alerts(self, name: str, state: str = "firing") -> list[dict[str, str]]:
        """Return the labels of the alerts of a rule that are in a state."""
        found = self.ask("alerts")["alerts"]
        return [one["labels"] for one in found if one["labels"]["alertname"] == name and one["state"] == state]


@contextmanager
def prometheus(
    directory: Path,
    *,
    rules: Sequence[Mapping[str, Any]] = (),
    alertmanagers: Sequence[str] = (),
    data: Path | None = None,
    job: str = "restorecheck",
) -> Iterator[Prometheus]:
    """Run one in a directory of its own; every second it scrapes and evaluates. `data`: a TSDB that is there."""
    program = shutil.which("prometheus")
    need(program, "Debian's prometheus")
    assert program
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for number, document in enumerate(rules):
        files.append(directory / f"rules-{number}.yaml")
        files[-1].write_text(yaml.safe_dump(dict(document)))
    targets = directory / "targets.json"
    targets.write_text("[]")
    (directory / "prometheus.yml").write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(file) for file in files],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
                "scrape_configs": [
                    {"job_name": job, "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}]}
                ],
            }
        )
    )
    port = free_port()
    own = tempfile.mkdtemp(prefix="tsdb-", dir=directory) if data is None else str(data)
    log = (directory / "prometheus.log").open("wb")
    process = subprocess.Popen(
        [
            program,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={own}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=10y",
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ],
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
    )
    made = Prometheus(f"http://127.0.0.1:{port}", process, targets)
    try:
        until(lambda: _ready(made), 60)
        yield made
    except BaseException as e:
        e.add_note((directory / "prometheus.log").read_text()[-4000:])
        raise
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        log.close()


def _ready(made: Prometheus) -> bool:
    assert made.process.poll() is None, "Prometheus ended"
    try:
        with urllib.request.urlopen(f"{made.url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
