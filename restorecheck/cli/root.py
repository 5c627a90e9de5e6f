"""What all commands share: the application that they add themselves to, and the options that many of them have."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

UNREAD = 141
"""Whoever was to read the result is gone: the code of a program that SIGPIPE ends. typer's 1 would read as `broken`."""


class _Commands(TyperGroup):
    """The commands. `restorecheck run orders-db | head -1` must not end as if the backup were broken."""

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError as e:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
            raise SystemExit(UNREAD) from e


app = typer.Typer(
    name="restorecheck",
    cls=_Commands,
    help="Proves backups: restores them into an isolated AWS account, asks them questions, tears everything down.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: drawing boxes would double the time to the first line
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="RESTORECHECK_CONFIG", help="The config.toml to use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
CheckArgument = Annotated[str, typer.Argument(help="The name of a check.")]

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
