"""What is going on, and steering it: `next`, `status`, `cancel`, `pause`, `resume`, `notify`, `metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restorecheck.cli.root import DEFAULT_CONFIG, ConfigOption, JsonOption, app


@app.command("next")
def coming(
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="So many runs.")] = 20,
    json: JsonOption = False,
) -> None:
    """List what comes when."""
    from restorecheck.cli import control

    control.upcoming(config, count, as_json=json)


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show who serves, what runs, what waits, and how each check stands."""
    from restorecheck.cli import control

    control.status(config, as_json=json)


@app.command()
def cancel(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run id; `status` lists them.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """End a run: it tears down, and its verdict is `unproven: cancelled`."""
    from restorecheck.cli import control

    control.cancel(run_id, config, as_json=json)


@app.command()
def pause(
    checks: Annotated[list[str], typer.Argument(help="Names of checks.")],
    until: Annotated[
        str | None, typer.Option("--until", help="2026-12-01, or with a time; without, until `resume`.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Let checks not run on their schedules for a while."""
    from restorecheck.cli import control

    control.pause(checks, until, config, as_json=json)


@app.command()
def resume(
    checks: Annotated[list[str], typer.Argument(help="Names of checks.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Let paused checks run again."""
    from restorecheck.cli import control

    control.resume(checks, config, as_json=json)


@app.command()
def notify(
    receivers: Annotated[list[str] | None, typer.Argument(help="Only these receivers.")] = None,
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Send each a notice that is no alarm, and say who took it.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show who is told, what waits to be told, and what lasts; or try whether notices arrive."""
    from restorecheck.cli import telling

    telling.notify(receivers or [], config, test=test, as_json=json)


@app.command()
def metrics(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    textfile: Annotated[
        Path | None, typer.Option("--textfile", help="Write this file, for node_exporter's textfile collector.")
    ] = None,
    push: Annotated[str, typer.Option("--push", metavar="URL", help="Send them to this Pushgateway.")] = "",
    emf: Annotated[
        str, typer.Option("--emf", metavar="NAMESPACE", help="Print CloudWatch's embedded metric format.")
    ] = "",
) -> None:
    """Print the figures of now, as Prometheus reads them, or send them where an option says.

    Those that the service exports at /metrics, without what only its process knows.
    """
    from restorecheck.cli import measuring
    from restorecheck.config.receivers import Exports

    measuring.metrics(config, Exports(textfile=textfile, pushgateway=push, emf=emf))
