"""What `restorecheck init` was asked to do, what came of it, and how that is told. Writes and looks at nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from restorecheck.assertions.words import count
from restorecheck.cli import answers, exits
from restorecheck.cli.answers import Options
from restorecheck.cli.output import emit, err, out
from restorecheck.discovery import Blind, Draft, Wishes


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked to do."""

    directory: Path
    options: Options
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    scratch: str = ""
    merge: bool = False
    dry_run: bool = False
    myself: bool = False  # look as who this process is, of the source account, and not in the role

    @property
    def config(self) -> Path:
        """The config.toml that is written, or added to."""
        return self.directory / "config.toml"

    def wishes(self) -> Wishes:
        """Return what the checks are to be. Raises RestorecheckError."""
        return Wishes(self.only, self.skip, answers.databases(self.databases))


@dataclass(frozen=True, slots=True)
class Begun:
    """What came of it."""

    files: Mapping[str, str]  # by their names below the directory
    draft: Draft
    blind: tuple[Blind, ...]
    looked: str = ""  # where: "account 111111111111 in eu-central-1"

    @property
    def code(self) -> int:
        """A look that failed, or nothing to test, is not a day that began well."""
        return exits.UNPROVEN if self.blind or not (self.draft.proposals or self._all_tested) else exits.PASSED

    @property
    def _all_tested(self) -> bool:
        return any("tests it already" in one.reason for one in self.draft.left_out)


def as_object(asked: Asked, begun: Begun) -> None:
    """Print the one object."""
    emit(
        "init",
        begun.code,
        directory=str(asked.directory),
        written=[] if asked.dry_run else sorted(begun.files),
        files=dict(begun.files) if asked.dry_run else {},
        checks=[{"name": p.name, "source": p.source, "notes": list(p.notes)} for p in begun.draft.proposals],
        left_out=[asdict(one) for one in begun.draft.left_out],
        could_not_look=[asdict(one) for one in begun.blind],
        unmatched=list(begun.draft.unmatched),
    )


def say(asked: Asked, begun: Begun) -> None:
    """Print what was found, what was left out, and what comes next."""
    draft = begun.draft
    if asked.dry_run:
        for name, text in sorted(begun.files.items()):
            out.print(f"# --- {asked.directory / name} ---\n{text}", markup=False, soft_wrap=True, highlight=False)
    if draft.proposals:
        out.print(_table(draft))
    for one in draft.left_out:
        out.print(f"left out: {one.source}: {one.reason}", markup=False, soft_wrap=True)
    for name in draft.unmatched:
        err.print(f"nothing is called {name}: what was said of it had no effect", markup=False, soft_wrap=True)
    for blind in begun.blind:
        err.print(f"could not look: {blind.call} ({blind.where}): {blind.reason}", markup=False, soft_wrap=True)
    if begun.blind:
        err.print(
            "  hint: what these calls would have told is missing above; --as-myself looks as who you are, or give"
            " whoever looks the policy `surveyor` of docs/iam.md; --merge adds the rest later",
            markup=False,
            soft_wrap=True,
        )
    if not draft.proposals:
        out.print("there is nothing to write", markup=False)
        if not (draft.left_out or begun.blind):
            said = f"there is no instance, no cluster and no bucket in {begun.looked}"
            err.print(said, markup=False, soft_wrap=True)
            err.print("  hint: is it the account, and the region, with the backups?", markup=False, soft_wrap=True)
    elif asked.dry_run:
        out.print(f"{count(len(begun.files), 'file')} would be written: this was a dry run", markup=False)
    else:
        out.print(f"\nwrote {count(len(begun.files), 'file')} into {asked.directory.absolute()}", markup=False)
        out.print(_next(asked, draft), markup=False, soft_wrap=True)


def _table(draft: Draft) -> Table:
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("check", "of", "mind"):
        result.add_column(name, overflow="fold", no_wrap=name == "check")
    for one in draft.proposals:
        result.add_row(Text(one.name), Text(one.source), Text("; ".join(one.notes), style="yellow"))
    return result


def _next(asked: Asked, draft: Draft) -> str:
    ready = next((one.name for one in draft.proposals if not one.notes), draft.proposals[0].name)
    here = "" if asked.directory.resolve() == Path.cwd() else f" --config {asked.config}"
    return "\n".join(
        [
            "next:",
            f"  grep -rn 'FILL IN' {asked.directory}   # what only you know",
            f"  restorecheck iam{here}   # the policies that the roles need",
            f"  restorecheck doctor{here}   # is everything there that a run needs?",
            f"  restorecheck plan {ready}{here}   # what a run would do; sends nothing",
            f"  restorecheck run {ready}{here}   # the first proof",
            f"  restorecheck serve{here}   # from now on by the schedules; docs/quickstart.md goes on from here",
        ]
    )
