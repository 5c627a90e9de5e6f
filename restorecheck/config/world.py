"""What config.toml says to a check file, and the two complaints that follow from it everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from restorecheck.config import wording
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.document import Document
from restorecheck.config.receivers import AnyReceiver
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.config.shape import ConfigFile, Defaults
from restorecheck.config.table import Path
from restorecheck.config.values import shown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """What config.toml says to a check file: its document, and the accounts and receivers in it that are right."""

    config: Document[ConfigFile]
    sources: dict[str, SourceAccount]
    scratches: dict[str, ScratchAccount]
    receivers: dict[str, AnyReceiver]

    @property
    def defaults(self) -> Defaults:
        """What a check may leave out."""
        return self.config.tree.defaults or Defaults()


def one(document: Document[CheckFile], world: World, at: tuple[str, str], own: T | None, default: T | None) -> T | None:
    """Return what the check says, or the default, or complain that neither says anything."""
    if own is not None or document.unclear(*at):
        return own
    if default is None:
        key = "scratch" if at == ("scratch", "account") else at[1]
        document.wrong(at, f"is missing; write it here, or {key} in [defaults] of {world.config.shown}")
    return default


def known(world: World, document: Document[Any], at: Path, name: str, side: str) -> None:
    """Complain about the name of an account that config.toml does not have."""
    names = world.config.raw.get(side)
    if isinstance(names, dict) and names and name not in names:  # what else is wrong there is said there
        document.wrong(at, f"{shown(name)} is not one of the {side}; {wording.instead(name, names)}")
