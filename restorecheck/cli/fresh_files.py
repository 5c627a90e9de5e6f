"""Files of `restorecheck init`: all of them or none, and over nothing that is there.

They are made whole in a directory beside, judged there by what reads them, and then given their names one by one; a
name that is taken in between takes those back that were given.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from restorecheck.errors import ConfigError, RestorecheckError


def writable(home: Path) -> None:
    """Raise RestorecheckError if files cannot be laid into a directory, as far as one can tell without trying."""
    there = next(path for path in (home, *home.absolute().parents) if path.exists())
    if not there.is_dir():
        why = f"{there} is no directory"
    elif not os.access(there, os.W_OK | os.X_OK):
        why = f"{there} is not writable for this user"
    else:
        return
    raise RestorecheckError(f"{home} cannot be written: {why}", "choose another --directory", kind="config")


def lay(home: Path, files: Mapping[str, str], judge: Callable[[Path], None], *, whole: bool) -> None:
    """Write files, by their names below `home`. Raises RestorecheckError, and then none of them is there.

    `judge` raises ConfigError if what lies in a directory is not right. Where the files are the `whole` configuration
    it is asked before anything gets its name; else, because it needs what is there already, after.
    """
    made = not home.exists()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with aside(files, home) as beside:
            if whole:
                tried(beside, home, judge)
            with _named(home, beside, files):
                if not whole:
                    judge(home)
    except OSError as e:
        why = e.strerror or type(e).__name__
        message = f"{home} cannot be written: {why}"
        raise RestorecheckError(message, "choose another --directory", kind="config") from e
    finally:
        if made:
            _remove_empty(home)


def tried(beside: Path, home: Path, judge: Callable[[Path], None]) -> None:
    """Judge what lies aside, and complain as if it lay at home already."""
    try:
        judge(beside)
    except ConfigError as e:
        there = [
            replace(one, path=_at(home, one.path, beside), message=one.message.replace(str(beside), str(home)))
            for one in e.problems
        ]
        raise ConfigError(
            there, "nothing was written; correct what was answered, or take fewer by --only and --skip"
        ) from e


def _at(home: Path, path: str, beside: Path) -> str:
    return str(home / Path(path).relative_to(beside)) if Path(path).is_relative_to(beside) else path


@contextmanager
def aside(files: Mapping[str, str], home: Path | None = None) -> Iterator[Path]:
    """Make files in a directory of their own, below `home` or anywhere, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".restorecheck-init-", dir=home) as name:
        beside = Path(name)
        (beside / "checks").mkdir()
        for file, text in files.items():
            (beside / file).parent.mkdir(parents=True, exist_ok=True)
            (beside / file).write_text(text, encoding="utf-8")
        yield beside


@contextmanager
def _named(home: Path, beside: Path, files: Mapping[str, str]) -> Iterator[None]:
    """Give every file its name, and take all back if anything goes wrong in what follows."""
    given: list[Path] = []
    directories: list[Path] = []
    try:
        for name in files:
            target = home / name
            if not target.parent.exists():
                target.parent.mkdir(parents=True)
                directories.append(target.parent)
            _named_once(beside / name, target)
            given.append(target)
        yield
    except BaseException:
        for path in given:
            path.unlink(missing_ok=True)
        for directory in directories:
            _remove_empty(directory)
        raise


def _named_once(made: Path, target: Path) -> None:
    """Move a file; never over another. Raises RestorecheckError."""
    try:
        os.link(made, target)  # unlike a rename, it fails where something is
    except FileExistsError as e:
        raise RestorecheckError(f"{target} is there already", "nothing was written", kind="config") from e
    except OSError:  # a file system without links
        with target.open("x", encoding="utf-8") as file:
            file.write(made.read_text(encoding="utf-8"))


def _remove_empty(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
