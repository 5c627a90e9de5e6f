"""The command line. Every command is a thin composition in a module of its own, imported when it is called.

Prose and progress go to standard error, results to standard output; `--json` prints one object with a stable shape
(docs/json.md). Nothing here decides: it puts parts together and prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="restorecheck",
    help="Proves backups: restores them into an isolated AWS account, asks them questions, tears everything down.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: drawing boxes would double the time to the first line
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
demo_app = typer.Typer(help="Try restorecheck on an AWS that runs here.", rich_markup_mode=None)
app.add_typer(demo_app, name="demo", invoke_without_command=True)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="RESTORECHECK_CONFIG", help="The config.toml to use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
CheckArgument = Annotated[str, typer.Argument(help="The name of a check.")]

INTERNAL = 70
"""EX_SOFTWARE of sysexits.h. Python's own 1 would read as `broken`."""

DEFAULT_CONFIG = Path("config.toml")


def _print_version(asked: bool) -> None:
    if asked:
        from restorecheck import __version__

        print(f"restorecheck {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version  # which its callback has dealt with


@app.command()
def init(
    directory: Annotated[Path, typer.Option("--directory", "-d", help="Where config.toml and checks/ go.")] = Path(),
    *,
    source_role: Annotated[str, typer.Option(help="ARN of the role in the account whose backups are tested.")] = "",
    source_external_id: Annotated[str, typer.Option(help="Its external id, or none.")] = "",
    scratch_role: Annotated[str, typer.Option(help="ARN of the role in the account where backups are restored.")] = "",
    scratch_external_id: Annotated[str, typer.Option(help="Its external id, or none.")] = "",
    region: Annotated[list[str] | None, typer.Option(help="Where to look; may be repeated.")] = None,
    subnet_group: Annotated[
        list[str] | None, typer.Option(help="Of the scratch account, or none; with several regions REGION=VALUE.")
    ] = None,
    security_group: Annotated[list[str] | None, typer.Option(help="Likewise; may be repeated.")] = None,
    scratch_key: Annotated[list[str] | None, typer.Option(help="ARN of the scratch account's KMS key.")] = None,
    instance_class: Annotated[list[str] | None, typer.Option(help="What to restore into.")] = None,
    bucket: Annotated[list[str] | None, typer.Option(help="For restored objects, or none.")] = None,
    share_key: Annotated[
        list[str] | None, typer.Option(help="ARN of a key of the source account, for backups under aws/rds.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only what is called like this: orders-*.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Not what is called like this.")] = None,
    database: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DATABASE", help="The database in an instance or a dump.")
    ] = None,
    scratch: Annotated[str, typer.Option(help="With --merge: the scratch account, if there are several.")] = "",
    as_myself: Annotated[
        bool, typer.Option("--as-myself", help="Look as who you are, in the source account, and not in its role.")
    ] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Add checks that are missing to what is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, and write none.")] = False,
    endpoint_url: Annotated[str, typer.Option(help="Only for an AWS that runs on this machine.")] = "",
    json: JsonOption = False,
) -> None:
    """Look what could be tested, and write config.toml and a first check for each.

    Asks at a terminal what no option says. In AWS it only reads; it writes over nothing.
    """
    from restorecheck.cli import beginning
    from restorecheck.cli.answers import Options
    from restorecheck.cli.begun import Asked

    options = Options(
        source_role=source_role,
        source_external_id=source_external_id,
        scratch_role=scratch_role,
        scratch_external_id=scratch_external_id,
        regions=tuple(region or ()),
        subnet_group=tuple(subnet_group or ()),
        security_group=tuple(security_group or ()),
        scratch_key=tuple(scratch_key or ()),
        instance_class=tuple(instance_class or ()),
        bucket=tuple(bucket or ()),
        share_key=tuple(share_key or ()),
        endpoint_url=endpoint_url,
    )
    asked = Asked(
        directory,
        options,
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        databases=tuple(database or ()),
        scratch=scratch,
        merge=merge,
        dry_run=dry_run,
        myself=as_myself,
    )
    beginning.init(asked, as_json=json)


@app.command("check-config")
def check_config(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    target: Annotated[str, typer.Option("--target", help="Where it shall run: `container` or `lambda`.")] = "container",
    json: JsonOption = False,
) -> None:
    """Report all problems of the configuration.

    With --target lambda also what is right, and yet does not fit into AWS Lambda.
    """
    from restorecheck.cli import declared

    declared.check_config(config, target, as_json=json)


@app.command()
def schema(
    which: Annotated[str, typer.Argument(help="`config` for config.toml, `check` for the files in checks/.")] = "check",
) -> None:
    """Print a JSON Schema, for editors."""
    from restorecheck.cli import declared

    declared.schema(which)


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


@app.command()
def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Look for what would stop a run.

    Roles, visibility, keys, placement, quotas, instance classes, engine versions; and what to mend.
    """
    from restorecheck.cli import upkeep

    upkeep.doctor(config, as_json=json)


@app.command()
def iam(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    only: Annotated[
        str, typer.Option("--only", help="One of them, or all of a kind: `scratch.trust`, `scratch`.")
    ] = "",
    service: Annotated[str, typer.Option("--service", help="ARN of the role that restorecheck runs as.")] = "",
    function: Annotated[
        str, typer.Option("--function", help="ARN, with version or alias, of the function that runs checks.")
    ] = "",
    runs_on: Annotated[
        str, typer.Option("--runs-on", help="What gives the service its role: ecs-tasks.amazonaws.com and the like.")
    ] = "",
    directory: Annotated[Path | None, typer.Option("--directory", help="Write NAME.json files there.")] = None,
    json: JsonOption = False,
) -> None:
    """Print the IAM policies of every role, key and bucket of the configuration.

    Least privilege, made from the table of calls that restorecheck holds itself to. Asks AWS nothing.
    """
    from restorecheck.cli import granting

    granting.iam(config, only, service=service, function=function, runs_on=runs_on, directory=directory, as_json=json)


@app.command("rules")
def rules_of_prometheus(
    form: Annotated[str, typer.Argument(help="`alerts`, `recording`, `prometheusrule` or `mixin`.")] = "alerts",
    *,
    job: Annotated[
        list[str] | None, typer.Option("--job", help="The job that scrapes the service; may be repeated.")
    ] = None,
    runbooks: Annotated[
        str | None, typer.Option("--runbooks", help="Where the runbooks are: http://restorecheck:9780/runbooks.")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", help="Of the PrometheusRule.")] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", help="name=value, put on every alert; may be repeated.")
    ] = None,
) -> None:
    """Print the rules by which a Prometheus watches the service."""
    from restorecheck.cli import ruling

    ruling.rules(form, job, runbooks, namespace, label or [])


@demo_app.callback()
def demo(context: typer.Context, json: JsonOption = False) -> None:
    """Run six checks end to end on an AWS that runs here, with real PostgreSQL behind it."""
    if context.invoked_subcommand is None:
        from restorecheck.cli import story

        story.tell(as_json=json)


@demo_app.command("aws")
def demo_aws(
    port: Annotated[int, typer.Option(help="0 takes any free port.")] = 5555,
) -> None:
    """Serve the demo AWS by itself until it is stopped; see docs/demo-aws.md."""
    from restorecheck.cli import story

    story.serve(port)


def main() -> None:
    """Run the command line. What we did not foresee ends with a code that no verdict has."""
    import os
    import sys

    try:
        app(prog_name="restorecheck")
    except Exception as e:
        if os.environ.get("RESTORECHECK_TRACEBACK"):
            raise
        print(
            f"restorecheck: internal error: {type(e).__name__}: {e}\n"
            "  hint: this is a bug; run it again with RESTORECHECK_TRACEBACK=1 and report what it prints",
            file=sys.stderr,
        )
        raise SystemExit(INTERNAL) from e
