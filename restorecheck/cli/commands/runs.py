"""Runs and what has them: `plan`, `run`, `serve`, `healthy`, `sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from restorecheck.cli.root import DEFAULT_CONFIG, CheckArgument, ConfigOption, JsonOption, app


@app.command()
def plan(check: CheckArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show what a run would do, without writing.

    Recovery point, names, every write that would be sent, and what it costs to hold.
    """
    from restorecheck.cli import planning

    planning.plan(check, config, as_json=json)


@app.command()
def run(
    checks: Annotated[list[str] | None, typer.Argument(help="Names of checks; they run side by side.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Run every check.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Leave them to the service, and print their run ids.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Restore, ask, judge, tear down, now.

    A run of the same check that was interrupted is taken up instead of beginning another.
    """
    from restorecheck.cli import running

    running.run(checks or [], config, everything=everything, detach=detach, as_json=json)


@app.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    listen: Annotated[str | None, typer.Option("--listen", help="host:port, instead of `listen` in [service].")] = None,
    log_format: Annotated[str, typer.Option("--log-format", help="json, text, or auto: text on a terminal.")] = "auto",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Run checks on their schedules until it is stopped.

    SIGHUP reads the configuration again. SIGTERM ends soon: runs under way are taken up by the next process.
    """
    from restorecheck.cli import serving

    serving.serve(config, listen, log_format, log_level)


@app.command()
def healthy(
    listen: Annotated[
        str, typer.Option("--listen", help="host:port of the service on this machine.")
    ] = "127.0.0.1:9780",
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether it can work, not only whether it lives.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for the answer.")] = 5.0,
) -> None:
    """Ask the service on this machine whether it lives: exit code 0, or 1.

    For health checks of containers. It reads no configuration.
    """
    from restorecheck.cli import asking

    asking.healthy(listen, ready=ready, timeout=timeout)


@app.command()
def sweep(
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run/--no-dry-run", help="Only list what would be deleted.")] = True,
    most: Annotated[int, typer.Option("--most", min=1, help="Delete nothing if more pieces than this would go.")] = 10,
    share: Annotated[
        float, typer.Option("--share", min=0, max=1, help="Delete nothing if more than this part of all would go.")
    ] = 0.5,
    json: JsonOption = False,
) -> None:
    """Delete scratch that outlived its lease.

    Found by its tags in AWS, not by our notes. Only lists it unless --no-dry-run is given.
    """
    from restorecheck.cli import upkeep

    upkeep.sweep(config, most=most, share=share, act=not dry_run, as_json=json)
