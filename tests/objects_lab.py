"""One run of a check of objects over buckets in memory, as many processes of it as a test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_buckets import REGION, SCRATCH, SOURCE, Bucket, FakeS3
from workflow.scripted import NOW, check

from restorecheck.errors import SourceError
from restorecheck.model import Answers, Observation, Placement, Plan, RecoveryPoint, S3ObjectsSource
from restorecheck.passwords import Passwords
from restorecheck.sources.s3_objects import S3Objects, World

RUN = "orders-db-20261121t0300z"
PREFIX = f"restorecheck-{RUN}/"
DAY = timedelta(days=1)
LONG = "x/" + "é" * 505  # legal in the backup, too long below the prefix of a run


class Silent:
    """An asker that nobody should need."""

    def ask(self, *_: Any) -> tuple[Any, ...]:
        raise AssertionError("nothing was to be asked")


@dataclass
class Lab:
    """A source bucket, a scratch bucket, a run."""

    source: S3ObjectsSource = field(default_factory=lambda: S3ObjectsSource(SOURCE, REGION, "backups", "data/"))
    keys: tuple[str, ...] = ("a", "b", "c/d")
    time: float = 0.0
    workplace: Path = Path("/nonexistent/restorecheck")
    asker: Any = field(default_factory=Silent)
    assertions: tuple[Any, ...] = ()
    slice: float = 20.0

    def __post_init__(self) -> None:
        self.s3 = FakeS3(lambda: NOW)
        self.backup = self.s3.buckets["backups"] = Bucket(SOURCE)
        self.scratch = self.s3.buckets["scratch"] = Bucket(SCRATCH, versioning="")
        for key in self.keys:
            self.backup.put(self.source.prefix + key, f"body of {key}".encode(), NOW - DAY)

    def life(self, **changes: Any) -> S3Objects:
        """One process's source of the run."""
        placement = Placement(SCRATCH, REGION, bucket="scratch")
        made = check(
            source=replace(self.source, **changes),
            placement=placement,
            assertions=self.assertions,
            restores=not self.assertions,
        )
        world = World(
            self.s3,
            self.asker,
            Passwords(b"k" * 32),
            lambda: NOW,
            lambda: self.time,
            lambda _run: self.workplace,
            slice=self.slice,
        )
        return S3Objects(Plan(RUN, made, NOW), world)


def there(source: S3Objects, point: RecoveryPoint) -> None:
    for stage in source.stages(point):
        stage.begin()
        for _ in range(100):
            if stage.look().done:
                break
        else:
            raise AssertionError(f"{stage.name} does not end")


def back(source: S3Objects, point: RecoveryPoint) -> str:
    [stage] = source.teardown(point)
    stage.begin()
    for _ in range(100):
        look = stage.look()
        if look.done or not look.again:
            return look.status
    raise AssertionError("the teardown does not end")


def restored(lab: Lab, **changes: Any) -> tuple[S3Objects, RecoveryPoint]:
    source = lab.life(**changes)
    point = source.find()
    there(source, point)
    return source, point


def seen(answers: Answers, name: str) -> Observation:
    return next(o for o in answers.observations if o.name == name)


def kinds(lab: Lab, **changes: Any) -> tuple[str, str]:
    source, point = restored(lab, **changes)
    answers = source.examine(point)
    return seen(answers, "objects-compared").kind, seen(answers, "objects-read").kind


def fails(what: Callable[[], Any]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        what()
    return caught.value
