"""`restorecheck init`: looks what there is in a source account, and writes config.toml and one check for each.

In AWS it only reads, as a surveyor. It writes all its files or none, and over nothing.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import typer

from restorecheck.cli import answers, begun, drafting, fresh_files
from restorecheck.cli.answers import Asker, Options
from restorecheck.cli.begun import Asked, Begun
from restorecheck.cli.output import err, errors
from restorecheck.config import Config, load, review
from restorecheck.discovery import Answers, Blind, Draft, Ground, Hand, Survey, Wishes, propose, survey
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RefusedError, RestorecheckError
from restorecheck.fence import Fence
from restorecheck.model import Entrance
from restorecheck.ports import fence_of

STOPPED = 130

_TRIAL = (
    '[check]\nname = "trial"\nrpo = "26h"\nrto = "2h"\nrestores = true\n[source]\ntype = "s3-dump"\n'
    'account = "production"\nregion = "{region}"\nbucket = "trial"\nobject = "*"\ndatabase = "trial"\n'
    '[scratch]\naccount = "lab"\n'
)
"""A check that needs nothing but accounts and a region: a configuration without any is wrong."""

Enter = Callable[[str], Hand]
"""Enters an account in a region."""


class Terminal:
    """A person at a terminal."""

    def ask(self, question: str, default: str) -> str:
        """Ask, and go on asking while nothing is said."""
        return str(typer.prompt(question, default=default or None, err=True)).strip()

    def tell(self, wrong: str) -> None:
        """Say what is wrong."""
        err.print(f"  {wrong}", markup=False, soft_wrap=True)


def init(asked: Asked, *, as_json: bool) -> None:
    """Look, write, and say what comes next; exit with the documented code."""
    asker = Terminal() if sys.stdin.isatty() and not as_json else None
    now = WallClock().now()
    with errors("init", as_json=as_json):
        try:
            made = begin(asked, asker, now)
        except (typer.Abort, KeyboardInterrupt):
            err.print("stopped: nothing was written")
            raise SystemExit(STOPPED) from None
    if as_json:
        begun.as_object(asked, made)
    else:
        begun.say(asked, made)
    raise SystemExit(made.code)


def begin(asked: Asked, asker: Asker | None, now: datetime, enter: Callable[[Answers], Enter] | None = None) -> Begun:
    """Look into the account, write the files, and return what was found. Raises RestorecheckError."""
    wishes = asked.wishes()
    if not asked.dry_run:
        fresh_files.writable(asked.directory)  # before somebody has answered twelve questions
    if asked.merge:
        return merge(asked, wishes, now)
    if asked.scratch:
        raise RestorecheckError(
            f"--scratch {asked.scratch} is only for --merge", "without it say --scratch-role", kind="config"
        )
    _untouched(asked)
    said = answers.answers(asked.options, asker)
    trial = _TRIAL.format(region=said.places[0].region)  # before AWS is asked: what was answered may not fit together
    _right(asked, {"config.toml": said.config(now), "checks/trial.toml": trial})
    regions = [place.region for place in said.places]
    found = _survey(asked, said.ground(), (enter or partial(_enter, asked))(said), regions)

    def act(files: Mapping[str, str]) -> None:
        if asked.dry_run:
            _right(asked, files)
        else:
            fresh_files.lay(asked.directory, files, _judge, whole=True)

    draft = propose(found, said.ground(), now, wishes)
    draft, files = drafting.sound(draft, "checks", {"config.toml": said.config(now)}, act)
    return Begun(files, draft, found.blind, _looked(said.ground().account, regions))


def _untouched(asked: Asked) -> None:
    """Raise RestorecheckError if there is a configuration already."""
    checks = asked.directory / "checks"
    there = [asked.config] if asked.config.exists() else sorted(checks.glob("*.toml"))[:1] if checks.is_dir() else []
    if there:
        add = f"--merge adds checks that are missing to {asked.config}" if asked.config.exists() else "move it away"
        raise RestorecheckError(
            f"{there[0]} is there already, and nothing is written over",
            f"{add}; --directory takes another place",
            kind="config",
        )


def _right(asked: Asked, files: Mapping[str, str]) -> None:
    """Raise ConfigError if files would not be a configuration; leave nothing behind."""
    with fresh_files.aside(files) as aside:
        fresh_files.tried(aside, asked.directory, _judge)


def _judge(directory: Path) -> None:
    review(directory / "config.toml")


def _enter(asked: Asked, said: Answers) -> Enter:
    ground, scratch = said.ground(), said.scratch_role
    other = Entrance(_account_of(scratch), scratch, said.scratch_external_id)
    fence = Fence({}, {other.account: other}, endpoint_url=said.endpoint_url or None)
    return partial(fence.surveyor, _entrance(asked, ground.account, said.source_role, said.source_external_id))


def _entrance(asked: Asked, account: str, role: str, external_id: str) -> Entrance:
    return Entrance(account, "" if asked.myself else role, "" if asked.myself else external_id)


def _account_of(role: str) -> str:
    return role.split(":")[4]


def _survey(asked: Asked, ground: Ground, enter: Enter, regions: Iterable[str]) -> Survey:
    try:
        found = survey({region: partial(enter, region) for region in regions})
    except RefusedError as e:
        if not asked.myself:
            raise
        hint = f"--as-myself looks as who you are: become somebody of account {ground.account}, as by AWS_PROFILE"
        raise RefusedError(e.message, hint) from e
    shut = [one for one in found.blind if one.call == "AssumeRole"]
    if len(shut) == len(ground.regions):
        raise RestorecheckError(shut[0].reason, kind=shut[0].kind)
    return found


def _looked(account: str, regions: Iterable[str]) -> str:
    return f"account {account} in {', '.join(sorted(regions))}"


# --- into a configuration that is there -------------------------------------------------------------------------------


def merge(asked: Asked, wishes: Wishes, now: datetime, enter: Callable[[Entrance, str], Hand] | None = None) -> Begun:
    """Add checks of what no check tests yet, and return what was found. Raises RestorecheckError."""
    if asked.options != Options():
        raise RestorecheckError(
            "with --merge the accounts are those of config.toml, so no option says other ones",
            f"change {asked.config} by hand",
            kind="config",
        )
    if not asked.config.exists():
        raise RestorecheckError(
            f"there is no {asked.config} to add checks to",
            "--directory says where it is; without --merge a new one is made",
            kind="config",
        )
    loaded = load(asked.config)
    fence = fence_of(loaded)
    directory = tomllib.loads(asked.config.read_text(encoding="utf-8")).get("checks", "checks")
    stems = {file.stem for file in (asked.directory / directory).glob("*.toml")}
    drafts, blind = [], list[Blind]()
    taken = stems | {check.name for check in loaded.checks}
    for ground, entrance in _grounds(loaded, asked):
        found = _survey(asked, ground, partial((enter or fence.surveyor), entrance), sorted(ground.regions))
        drafts.append(propose(found, ground, now, wishes, existing=loaded.checks, taken=taken))
        taken |= {one.name for one in drafts[-1].proposals}
        blind += found.blind

    def act(files: Mapping[str, str]) -> None:
        if not asked.dry_run:
            fresh_files.lay(asked.directory, files, _judge, whole=False)

    draft, files = drafting.sound(_together(drafts), directory, {}, act)
    looked = " and ".join(_looked(one.id, one.regions) for one in loaded.source_accounts)
    return Begun(files, draft, tuple(blind), looked)


def _grounds(loaded: Config, asked: Asked) -> list[tuple[Ground, Entrance]]:
    """Return what each source account has, and how it is entered."""
    labs, scratch = {lab.name: lab for lab in loaded.scratch_accounts}, asked.scratch
    if not scratch and len(labs) > 1:
        raise RestorecheckError(
            f"there are several scratch accounts: {', '.join(sorted(labs))}", "say one, by --scratch", kind="config"
        )
    if scratch and scratch not in labs:
        raise RestorecheckError(
            f"--scratch {scratch} is not one of the scratch accounts: {', '.join(sorted(labs))}", kind="config"
        )
    lab = labs[scratch] if scratch else next(iter(labs.values()))
    return [
        (
            Ground(
                source=one.name,
                account=one.id,
                scratch=lab.name,
                regions=frozenset(one.regions),
                databases=frozenset(place.region for place in lab.placements if place.subnet_group),
                objects=frozenset(place.region for place in lab.placements if place.bucket),
                share_keys=frozenset(one.share_keys),
                classes={place.region: place.instance_class for place in lab.placements},
            ),
            _entrance(asked, one.id, one.role, one.external_id or ""),
        )
        for one in loaded.source_accounts
    ]


def _together(drafts: Sequence[Draft]) -> Draft:
    """Return several drafts as one; what nobody matched was matched by none of them."""
    nowhere = [one for one in drafts[0].unmatched if all(one in draft.unmatched for draft in drafts)] if drafts else []
    return Draft(
        tuple(one for draft in drafts for one in draft.proposals),
        tuple(one for draft in drafts for one in draft.left_out),
        tuple(nowhere),
    )
