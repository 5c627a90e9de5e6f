"""What was proven, and what is held to be right: `history`, `show`, `accept`, `record`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restorecheck.cli.root import DEFAULT_CONFIG, CheckArgument, ConfigOption, JsonOption, app


@app.command()
def history(
    checks: Annotated[list[str] | None, typer.Argument(help="Only these checks.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many runs at most.")] = 20,
    since: Annotated[
        str | None, typer.Option("--since", help="Only from then on: 2026-11-01, or how long ago, 36h or 7d.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List finished runs, newest first, and what was missed."""
    from restorecheck.cli import past

    past.history(checks or [], config, limit, since, as_json=json)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run id; `history` lists them.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show the proof of one run.

    Recovery point, findings, phases with their times.
    """
    from restorecheck.cli import past

    past.show(run_id, config, as_json=json)


@app.command()
def accept(
    check: CheckArgument,
    assertions: Annotated[
        list[str] | None, typer.Argument(help="What to accept; without, what was accepted is listed.")
    ] = None,
    *,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="As this run measured it; without, the newest that did.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it is right. Kept and told.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; without, the user and host.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Say that what a run measured is right: later runs are compared with it.

    For a change that was meant: a new schema, a table that was emptied. Kept with who and why.
    """
    from restorecheck.cli import acceptance

    acceptance.accept(check, assertions or [], config, run=run_id, reason=reason, by=by, as_json=json)


@app.command()
def record(
    check: CheckArgument,
    *,
    reference: Annotated[str, typer.Option("--reference", help="The [reference.NAME] of the check to record for.")],
    source: Annotated[
        str, typer.Option("--from", help="postgresql://user@host:port/database of a replica, or of the source itself.")
    ],
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Instead of RESTORECHECK_RECORD_PASSWORD in the environment.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", help="A file, or - for standard output, instead of the reference's bucket.")
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="ARN of a role to write as, instead of the credentials found here.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Record what a check's questions come to at the source, beside a backup.

    Asks what is compared with the reference, read-only, and writes the answers as one new object to its bucket.
    """
    from restorecheck.cli import recording

    recording.record(
        check, reference, source, config, password_file=password_file, destination=out, role=role, as_json=json
    )
