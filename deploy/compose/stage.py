"""The AWS of the first look: starts it, makes databases, buckets and backups in it, and writes what restorecheck reads.

    python stage.py              serve until SIGTERM; /demo/config.toml is written when everything is there
    python stage.py --healthy    exit code 0 once that is so

Runs in the image's `demo` target, on loopback alone: restorecheck refuses an AWS like it anywhere else, so the service
shares this container's network. Nothing here is a secret, and nothing leaves this container.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from pathlib import Path

from restorecheck.demo.aws.process import DemoAws
from restorecheck.demo.scenario import TIMINGS, Scenario

HOME = Path("/demo")
PORT = 5555
SERVICE = """
[defaults]
schedule = "*/5 * * * *"
catch_up = false

[service]
sweep = "5m"

[receivers.alertmanager]
type = "alertmanager"
urls = ["http://alertmanager:9093"]

[notify]
service = ["alertmanager"]
"""


def main() -> int:
    """Stage everything, then serve until told to stop."""
    config = HOME / "config.toml"
    if sys.argv[1:] == ["--healthy"]:
        return healthy(config)
    config.unlink(missing_ok=True)  # of a container that was here before
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with DemoAws.start(port=PORT, timings=TIMINGS) as aws:
        draft = HOME / ".staging"
        draft.mkdir(exist_ok=True)
        Scenario(aws, draft).build()
        checks = HOME / "checks"
        checks.mkdir(exist_ok=True)
        for file in (draft / "checks").iterdir():
            receivers = file.read_text().replace("[check]\n", '[check]\nreceivers = ["alertmanager"]\n', 1)
            (checks / file.name).write_text(receivers)
        declared = (draft / "config.toml").read_text()
        config.write_text(f'state = "/var/lib/restorecheck/state"\n{declared}{SERVICE}')
        sys.stdout.write(f"an AWS is at {aws.url}; {config} points at it\n")
        stop.wait()
    return 0


def healthy(config: Path) -> int:
    """Say whether everything is staged and the AWS answers."""
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=5).close()
    except OSError:
        return 1
    return 0 if config.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
