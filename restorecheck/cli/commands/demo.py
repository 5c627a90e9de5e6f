"""The demo: `demo`, `demo aws`."""

from __future__ import annotations

from typing import Annotated

import typer

from restorecheck.cli.root import JsonOption, app

demo_app = typer.Typer(help="Try restorecheck on an AWS that runs here.", rich_markup_mode=None)
app.add_typer(demo_app, name="demo", invoke_without_command=True)


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
