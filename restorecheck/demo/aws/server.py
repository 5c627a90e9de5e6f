"""python -m restorecheck.demo.aws: an AWS that runs here, with real PostgreSQL behind its RDS.

Prints `READY http://127.0.0.1:PORT` and serves until SIGTERM or SIGINT; then every database stops, and the data
directory goes unless it was chosen. docs/demo-aws.md describes it. Listens on loopback only.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from restorecheck.demo.aws import orphans, patches
from restorecheck.demo.aws.binaries import NoPostgresError
from restorecheck.demo.aws.dataplane import DataPlane
from restorecheck.demo.aws.timeline import Timings

POSTGRES_BIN = "RESTORECHECK_DEMO_POSTGRES_BIN"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; returns the exit code."""
    options = _options(arguments)
    try:
        patches.check()
        _clean_environment()
        orphans.clean()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        data = DataPlane(options.data_dir, options.postgres_bin, checksums=options.checksums)
    except (RuntimeError, NoPostgresError, OSError) as e:
        sys.stderr.write(f"restorecheck demo aws: {e}\n")
        return 2
    try:
        _serve(data, options.port, options.timings)
    except OSError as e:
        sys.stderr.write(f"restorecheck demo aws: {e}\n")
        return 2
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # the databases are being stopped: let it end
        data.close()
    return 0


def _serve(data: DataPlane, port: int, timings: Timings) -> None:
    # Imported late: moto takes a second, and a wrong option should be told at once.
    from moto.moto_server.werkzeug_app import MotoRequestHandler  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    from restorecheck.demo.aws import rds  # noqa: PLC0415
    from restorecheck.demo.aws.application import Application  # noqa: PLC0415
    from restorecheck.demo.aws.connections import Watcher  # noqa: PLC0415
    from restorecheck.demo.aws.estate import Estate  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    estate = Estate(data, timings)
    patches.install(rds.serve(estate))
    server = make_server("127.0.0.1", port, Application(estate), threaded=True, request_handler=MotoRequestHandler)
    watcher = Watcher(estate)
    sys.stdout.write(f"READY http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        watcher.close()
        server.server_close()


def _leave(number: int, _: object) -> NoReturn:
    del number
    raise SystemExit(0)


def _clean_environment() -> None:
    """Forget what would lead psycopg and moto astray: PGHOSTADDR hijacks connections to our own sockets."""
    for name in [n for n in os.environ if n.startswith(("PG", "MOTO_")) or n == "INITIAL_NO_AUTH_ACTION_COUNT"]:
        del os.environ[name]
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # hundreds for each account, and nothing here boots an image


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m restorecheck.demo.aws", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=5555, help="0: any free port (default: 5555)")
    parser.add_argument("--data-dir", type=Path, help="kept at the end (default: a temporary one, removed at the end)")
    chosen = os.environ.get(POSTGRES_BIN)
    parser.add_argument(
        "--postgres-bin",
        type=Path,
        default=Path(chosen) if chosen else None,
        help=f"directory of PostgreSQL's programs (default: ${POSTGRES_BIN}, else those of the wheel)",
    )
    parser.add_argument("--no-checksums", dest="checksums", action="store_false", help="databases without checksums")
    parser.add_argument(
        "--timings", type=_timings, default=Timings(), help="seconds per phase, such as create=0.5,delete=0.2"
    )
    return parser.parse_args(arguments)


def _timings(text: str) -> Timings:
    try:
        pairs = [pair.split("=") for pair in text.split(",") if pair]
        return Timings(**{name.strip(): float(seconds) for name, seconds in pairs})
    except (TypeError, ValueError) as e:
        raise argparse.ArgumentTypeError(f"{text!r}: {e}") from e
