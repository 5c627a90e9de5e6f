"""The configuration of the functions: a file of the package, or a folder in S3 that is read again when it changes.

The files of a folder are taken whole: what changes while it is read is read again, so that no half of an upload is
believed. A configuration that is wrong, or that cannot work on Lambda, changes nothing in a process that has a right
one, and is told each time. Only reads, and writes nothing but its own copy below /tmp.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from restorecheck import logs
from restorecheck.config import Config, load
from restorecheck.errors import AwsError, RestorecheckError, SourceError
from restorecheck.fence import Hand

MOST_FILES = 1000
LONGEST_FILE = 1024 * 1024
"""Bytes of one file. A configuration is a few kilobytes: more is a bucket that was named by mistake."""

LOOKS = 3
"""How often a folder is read that changes while it is read."""

NAME = "config.toml"
_COPY = "config-"


class Folder(Protocol):
    """Files that are read from somewhere else."""

    shown: str

    def listed(self) -> Mapping[str, str]:
        """Return a tag of the content of every file, by its name. Raises RestorecheckError."""

    def read(self, name: str, tag: str) -> bytes | None:
        """Return a file if it still is what was listed, else None. Raises RestorecheckError."""


class _ChangedError(Exception):
    """A file is not any more what was listed."""


class S3Folder:
    """A folder of a bucket of the account that this process is in."""

    def __init__(self, hand: Hand, bucket: str, prefix: str) -> None:
        self._hand, self._bucket, self._prefix = hand, bucket, prefix
        self.shown = f"s3://{bucket}/{prefix}"

    def listed(self) -> Mapping[str, str]:
        """See Folder.listed."""
        found, more = dict[str, str](), dict[str, str]()
        while True:
            page = self._call("ListObjectsV2", Prefix=self._prefix, **more)
            for one in page.get("Contents") or ():
                name = one["Key"].removeprefix(self._prefix)
                if name and not name.endswith("/"):
                    self._fits(name, one["Size"], len(found))
                    found[name] = one["ETag"]
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, name: str, tag: str) -> bytes | None:
        """See Folder.read."""
        try:
            answer = self._call("GetObject", Key=self._prefix + name, IfMatch=tag)
        except _ChangedError:
            return None
        body: bytes = answer["Body"].read(LONGEST_FILE + 1)
        return body

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        place = {"Bucket": self._bucket, "ExpectedBucketOwner": self._hand.account}
        try:
            return self._hand.call("s3", operation, **place, **params)
        except AwsError as e:
            if e.code in {"PreconditionFailed", "NoSuchKey"}:
                raise _ChangedError from e
            raise self._unread(e) from e
        except SourceError as e:
            raise self._unread(e) from e

    def _unread(self, e: SourceError) -> RestorecheckError:
        hint = e.hint or "it must be in a bucket of the functions' own account, which their role may list and read"
        return RestorecheckError(f"the configuration in {self.shown} cannot be read: {e.message}", hint, kind=e.kind)

    def _fits(self, name: str, size: int, count: int) -> None:
        parts = PurePosixPath(name).parts
        if count >= MOST_FILES or size > LONGEST_FILE:
            raise RestorecheckError(
                f"{self.shown} holds more than a configuration: {name} is its file number {count + 1}, of {size} bytes",
                f"put {NAME} and checks/ into a folder of their own",
                kind="config",
            )
        if ".." in parts or name.startswith("/") or "\\" in name or "\0" in name:
            raise RestorecheckError(f"{self.shown} holds {name!r}, which is no name of a file", kind="config")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a call works with. `wrong`: what is there now cannot be used, and this is the one before."""

    config: Config
    at: datetime
    wrong: RestorecheckError | None = None


class Configuration:
    """The configuration of this process, as it is now. One for each process; asked at the beginning of every call."""

    def __init__(
        self,
        where: Path | Folder,
        home: Path,
        now: Callable[[], datetime],
        fits: Callable[[Config], None],
    ) -> None:
        """`home` is a directory of ours below /tmp. `fits` raises RestorecheckError for what cannot work on Lambda."""
        self._where, self._home, self._now, self._fits = where, home, now, fits
        self._loaded: Loaded | None = None
        self._tags: Mapping[str, str] | None = None

    def current(self) -> Loaded:
        """Return the configuration. Raises RestorecheckError if it is wrong and there is none before it."""
        try:
            self._renew()
        except RestorecheckError as e:
            if self._loaded is None:
                raise
            self._loaded = replace(self._loaded, wrong=e)
        assert self._loaded is not None  # noqa: S101 - _renew loads one or raises
        return self._loaded

    def _renew(self) -> None:
        if isinstance(self._where, Path):
            if self._loaded is None:  # a package does not change
                self._load(self._where)
            return
        tags = self._where.listed()
        if self._loaded is not None and tags == self._tags:
            self._loaded = replace(self._loaded, wrong=None)
            return
        copy, tags = self._copied(self._where, tags)
        try:
            self._load(copy / NAME)
        except RestorecheckError as e:  # nobody knows our copy
            if self._loaded is None or self._loaded.config.path.parent != copy:
                shutil.rmtree(copy, ignore_errors=True)  # it is read again by the next call, and /tmp is small
            said = e.message.replace(str(copy), self._where.shown.rstrip("/"))
            raise RestorecheckError(said, e.hint, kind=e.kind) from None
        self._tags = tags
        for old in self._home.glob(f"{_COPY}*"):
            if old != copy:
                shutil.rmtree(old, ignore_errors=True)

    def _copied(self, folder: Folder, tags: Mapping[str, str]) -> tuple[Path, Mapping[str, str]]:
        """Copy a folder that does not change meanwhile; return where to, and the tags of just what was copied."""
        for _ in range(LOOKS):
            if NAME not in tags:
                raise RestorecheckError(
                    f"{folder.shown} holds no {NAME}",
                    f"upload it, and checks/: aws s3 sync . {folder.shown}",
                    kind="config",
                )
            files = {name: folder.read(name, tag) for name, tag in tags.items()}
            again = folder.listed()
            if again == tags and None not in files.values():
                return self._written({name: body for name, body in files.items() if body is not None}, tags), tags
            tags = again
        raise RestorecheckError(
            f"{folder.shown} changes again and again while it is read", "is somebody writing it?", kind="config"
        )

    def _written(self, files: Mapping[str, bytes], tags: Mapping[str, str]) -> Path:
        digest = hashlib.sha256(repr(sorted(tags.items())).encode()).hexdigest()[:16]
        directory = self._home / f"{_COPY}{digest}"
        shutil.rmtree(directory, ignore_errors=True)
        try:
            directory.mkdir(parents=True, mode=0o700)
            for name, body in files.items():
                path = directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(0o600)  # a key may be among them
                path.write_bytes(body)
        except OSError as e:  # the disk is full, or one name is a file here and a directory there
            shutil.rmtree(directory, ignore_errors=True)
            raise RestorecheckError(
                f"the configuration cannot be copied to {self._home}: {e.strerror}",
                "give the function more ephemeral storage, or put less into the folder",
                kind="config",
            ) from None
        return directory

    def _load(self, path: Path) -> None:
        config = load(path)
        self._fits(config)
        _hide(config)
        config = replace(config, own_workplace=self._home / "work")  # what the package lies in cannot be written
        self._loaded = Loaded(config, self._now())


def _hide(config: Config) -> None:
    """See to it that no line of the log repeats what must not be in one."""
    ids = [a.external_id for a in config.source_accounts] + [a.external_id for a in config.scratch_accounts]
    logs.hide(*(external_id for external_id in ids if external_id))
    if config.state.url and (password := urlsplit(config.state.url).password):
        logs.hide(password, unquote(password))
