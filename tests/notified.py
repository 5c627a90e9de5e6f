"""A small configuration with receivers and a store that is copied, not made: for tests of who is told by a command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from restorecheck.cli import app, output
from restorecheck.config import Config, load
from restorecheck.state import open_store
from restorecheck.store import Store

BASE = Path(__file__).parent / "unit" / "bad_config" / "base"


@dataclass(frozen=True)
class Said:
    """What a command did and said, its lines joined."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def prose(self) -> str:
        return " ".join(self.err.split())


@dataclass(frozen=True)
class Home:
    """One configured place."""

    path: Path

    @property
    def file(self) -> Path:
        return self.path / "config.toml"

    def receivers(
        self, receivers: Mapping[str, tuple[str, str]], *, told: tuple[str, ...] = (), more: str = ""
    ) -> None:
        """Declare receivers, each by its type and address; `told` are those of every check."""
        lines = ['endpoint_url = "http://127.0.0.1:1"', (BASE / "config.toml").read_text()]
        for name, (type_, url) in receivers.items():
            address = f'urls = ["{url}"]' if type_ == "alertmanager" else f'url = "{url}"'
            lines += [f"[receivers.{name}]", f'type = "{type_}"', address]
        text = "\n".join(lines) + "\n"
        self.file.write_text(text.replace("[defaults]", f"[defaults]\nreceivers = {json.dumps(told)}"))

    def load(self) -> Config:
        return load(self.file)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store as one more process would."""
        opened = open_store(self.load().state)
        try:
            yield opened
        finally:
            opened.close()

    def asked(self, *arguments: str) -> Said:
        """Run a command in this process, with room for every column of a table."""
        with wide():
            result = CliRunner().invoke(app, [*arguments, "-c", str(self.file)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)


@contextmanager
def wide() -> Iterator[None]:
    before = [(console, console.width) for console in (output.out, output.err)]
    for console, _ in before:
        console.width = 200
    try:
        yield
    finally:
        for console, width in before:
            console.width = width


def make_home(path: Path, template: Path | None = None) -> Home:
    """Make one, with the store of `template` if there is one."""
    shutil.copytree(template or BASE, path, dirs_exist_ok=True)
    made = Home(path)
    if template is None:
        with made.store():
            pass
    return made
