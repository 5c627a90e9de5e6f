"""What is done before the first run: `init`, `check-config`, `schema`, `doctor`, `iam`, `rules`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restorecheck.cli.root import DEFAULT_CONFIG, ConfigOption, JsonOption, app


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
