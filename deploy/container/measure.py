"""Measures an image: its layers, and how long a container of it takes from the start of its process to /-/ready.

    python deploy/container/measure.py restorecheck [--engine docker] [--options "--cpus 2"] [--rounds 5]

Ends with `RESULT {json}`. The containers have no network and a read-only root; each begins with an empty state, and is
removed. The same as in deploy/kubernetes/examples/single is configured. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "kubernetes" / "examples" / "single"
HARDENED = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
WITHIN = 120.0

POLL = f"""
import http.client, time
until = time.monotonic() + {WITHIN}
while time.monotonic() < until:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 9780, timeout=5)
        connection.request("GET", "/-/ready")
        if connection.getresponse().status == 200:
            print(time.time())
            break
    except OSError:
        pass
    time.sleep(0.01)
"""


class Engine:
    """A container engine's command line: docker, or podman."""

    def __init__(self, command: str, options: str) -> None:
        self._command, self._options = shlex.split(command), shlex.split(options)

    def __call__(self, *arguments: str) -> str:
        """Run a command of the engine and return what it printed. Raises CalledProcessError."""
        return subprocess.run([*self._command, *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S603

    def layers(self, image: str) -> list[tuple[str, str]]:
        """Return size and making of every layer that holds something, the lowest first."""
        said = self("history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", image).splitlines()
        found = [(size, made) for size, _, made in (line.partition("\t") for line in said)]
        return [
            (size, " ".join(made.split())) for size, made in reversed(found) if size.split(" ")[0] not in {"0", "0B"}
        ]

    def size(self, image: str) -> int:
        """Return the bytes of an image, uncompressed."""
        return int(self("image", "inspect", "--format", "{{.Size}}", image))

    def start(self, image: str) -> float:
        """Return the seconds from the start of the process until it is ready. Raises ValueError if it never is."""
        name = f"restorecheck-measure-{uuid.uuid4().hex[:8]}"
        mount = f"--volume={EXAMPLE}:/etc/restorecheck:ro"
        off = "--env=AWS_EC2_METADATA_DISABLED=true"
        try:
            self("run", "--detach", f"--name={name}", *HARDENED, *self._options, mount, off, image)
            ready = self("exec", name, "python", "-c", POLL).strip()
            if not ready:
                raise ValueError(f"not ready within {WITHIN:.0f} s: {self('logs', name)[-500:]}")
            return float(ready) - _instant(self("inspect", "--format", "{{json .State.StartedAt}}", name))
        finally:
            self("rm", "--force", "--volumes", name)


def _instant(said: str) -> float:
    """Return the seconds of an instant, whose fraction has more digits than Python reads."""
    text = json.loads(said)
    head, _, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :] or "Z"
    return datetime.fromisoformat(f"{head}.{digits[:6].ljust(6, '0')}{zone}").timestamp()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measures the size and the start of an image.")
    parser.add_argument("image")
    parser.add_argument("--engine", default="docker", help='such as "podman --runtime runc" (default: docker)')
    parser.add_argument("--options", default="", help="more options for `run`")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    engine = Engine(options.engine, options.options)
    try:
        for size, made in engine.layers(options.image):
            sys.stdout.write(f"{size:>10}  {made[:100]}\n")
        seconds = [round(engine.start(options.image), 2) for _ in range(options.rounds)]
        result = {
            "mib": round(engine.size(options.image) / 2**20),
            "ready_seconds": statistics.median(seconds),
            "rounds": seconds,
        }
    except subprocess.CalledProcessError as e:
        sys.stderr.write(f"measure: {shlex.join(e.cmd)}: {e.stderr.strip()[-500:]}\n")
        return 1
    except (OSError, ValueError, statistics.StatisticsError) as e:
        sys.stderr.write(f"measure: {e}\n")
        return 1
    sys.stdout.write(f"RESULT {json.dumps(result)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
