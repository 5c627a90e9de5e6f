"""The questions to restored objects: what is brought here, under which names, and what can never be brought."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_buckets import aws_error, crc
from objects_lab import LONG, RUN, Lab, back, restored
from workflow.scripted import NOW

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import Answer, Assertion, Cell, Expectation, FileView, Portion
from restorecheck.sources.s3_objects import asking
from restorecheck.sources.s3_objects.matching import paired, pattern
from restorecheck.sources.versions.refusals import Named, amount
from restorecheck.workplace import MARK

SOME = Expectation(at_least=Cell("number", "1"))


def question(name: str, sql: str, *files: FileView) -> Assertion:
    return Assertion(name, sql, SOME, files=files)


@dataclass
class Scribe:
    """An asker that notes what it was given, and answers."""

    error: RestorecheckError | None = None
    silent: bool = False
    files: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] | None = None
    within: timedelta = timedelta(0)

    def ask(
        self,
        assertions: Sequence[Assertion],
        files: Mapping[str, Mapping[str, tuple[Path, ...]]],
        objects: Path | None,
        salt: str,
        within: timedelta,
        *,
        names: Mapping[Path, str],
        tell: Callable[[str], object],
    ) -> tuple[Answer, ...]:
        if self.error:
            raise self.error
        self.files = {n: {v: [p.read_bytes() for p in paths] for v, paths in vs.items()} for n, vs in files.items()}
        self.names = {path.name: key for path, key in names.items()}
        self.rows = [json.loads(line) for line in objects.read_text().splitlines()] if objects else None
        self.within = within
        tell("the view was read to its end")
        return () if self.silent else tuple(Answer(a.name, rows=1) for a in assertions)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    keys = ("orders/1.csv.gz", "orders/2.CSV", "orders/old/3.csv", "../../etc/passwd", "empty.json", LONG)
    made = Lab(keys=keys, workplace=tmp_path / "work" / "run", asker=Scribe())
    made.backup.put("data/empty.json", b"", NOW - timedelta(hours=2))
    return made


def asked(lab: Lab, *assertions: Assertion, **changes: Any) -> dict[str, Answer]:
    lab.assertions = assertions
    source, point = restored(lab, **changes)
    answers = source.examine(point)
    assert [a.name for a in answers.answers] == [a.name for a in assertions]
    assert not lab.workplace.exists()
    return {a.name: a for a in answers.answers}


def test_a_view_gets_the_restored_objects_of_its_pattern_under_numbers(lab: Lab) -> None:
    one = question("one", "select 1 from v", FileView("v", "orders/*.csv*"))
    all_ = question("all", "select 1 from v", FileView("v", "**"), FileView("e", "none/*", may_be_empty=True))
    answers = asked(lab, one, all_)
    assert all(a.rows == 1 for a in answers.values())
    assert lab.asker.files["one"] == {"v": [b"body of orders/1.csv.gz"]}
    assert len(lab.asker.files["all"]["v"]) == 6
    assert b"" in lab.asker.files["all"]["v"]
    assert lab.asker.files["all"]["e"] == []
    assert all("/" not in name and ".." not in name for name in lab.asker.names)
    assert {name[8:]: key for name, key in lab.asker.names.items() if key.startswith("data/orders")} == {
        ".csv.gz": "data/orders/1.csv.gz",
        ".csv": "data/orders/old/3.csv",
    } or {".csv.gz", ".csv"} <= {name[8:] for name in lab.asker.names}
    assert lab.asker.rows is None
    assert timedelta(0) < lab.asker.within <= timedelta(hours=1)


def test_what_was_read_to_its_end_is_told_with_the_proof(lab: Lab) -> None:
    lab.assertions = (question("q", "select 1"),)
    source, point = restored(lab)
    assert "the view was read to its end" in source.examine(point).proven


def test_nothing_is_brought_here_when_nothing_is_asked(tmp_path: Path) -> None:
    lab = Lab(workplace=tmp_path / "never")
    source, point = restored(lab)
    assert source.examine(point).answers == ()
    assert not lab.workplace.exists()


def test_a_pattern_that_no_object_of_a_sample_fits_blames_no_backup(lab: Lab) -> None:
    answers = asked(lab, question("lost", "select 1", FileView("v", "gone/*")), restore=Portion(count=2))
    assert (answers["lost"].kind, answers["lost"].error) == (
        "question",
        "no restored object fits 'gone/*', of which v is made, of a sample of 2 out of 6: restore all",
    )


def test_a_pattern_that_no_object_fits_is_a_missing_object_and_the_other_questions_are_asked(lab: Lab) -> None:
    answers = asked(lab, question("lost", "select 1", FileView("v", "gone/*")), question("other", "select 1"))
    assert answers["lost"].kind == "missing-object"
    assert "sample" not in answers["lost"].error
    assert "gone/*" in answers["lost"].error
    assert answers["other"].rows == 1


def test_the_table_of_objects_is_what_the_backup_lists(lab: Lab) -> None:
    lab.backup.keys["data/orders/2.CSV"][0].checksums = crc(b"x")
    answers = asked(lab, question("q", "select count(*) from objects"))
    assert answers["q"].rows == 1
    rows = {row["key"]: row for row in lab.asker.rows or ()}
    assert set(rows) == set(lab.backup.keys)
    row = rows["data/orders/2.CSV"]
    assert row["size"] == len(b"body of orders/2.CSV")
    assert row["version"] == "v2"
    assert row["storage_class"] == "STANDARD"
    assert row["last_modified"] == "2026-11-20T03:00:00+00:00"
    assert row["encryption"] is row["checksum"] is row["checksum_algorithm"] is None


def test_columns_that_cost_a_look_are_filled_when_a_question_names_them(lab: Lab) -> None:
    lab.backup.keys["data/orders/2.CSV"][0].checksums = crc(b"x")
    asked(lab, question("q", "select count(*) from objects where encryption is null or checksum is null"))
    rows = {row["key"]: row for row in lab.asker.rows or ()}
    assert {row["encryption"] for row in rows.values()} == {"AES256"}
    assert rows["data/orders/2.CSV"]["checksum_algorithm"] == "CRC64NVME"
    assert rows["data/orders/2.CSV"]["checksum"] == crc(b"x").values["CRC64NVME"]


def test_a_table_of_objects_that_is_not_complete_is_not_asked(lab: Lab) -> None:
    lab.s3.trouble = lambda what, place: (
        aws_error("AccessDenied") if what == "scratch head" and place.key == "data/orders/2.CSV" else None
    )
    answers = asked(lab, question("q", "select encryption from OBJECTS"), question("other", "select 1"))
    assert answers["q"].kind == "unknown-answer"
    assert answers["other"].rows == 1


def test_a_file_that_cannot_be_read_fails_the_questions_that_need_it_alone(lab: Lab) -> None:
    def trouble(what: str, place: Any) -> RestorecheckError | None:
        bad = what == "scratch read" and place.bucket == "scratch" and place.key.endswith("1.csv.gz")
        return aws_error("AccessDenied") if bad else None

    lab.s3.trouble = trouble
    answers = asked(
        lab,
        question("needs", "select 1", FileView("v", "orders/*.gz")),
        question("other", "select 1", FileView("v", "orders/*.CSV")),
    )
    assert answers["needs"].kind == "permission"
    assert answers["other"].rows == 1


@pytest.mark.parametrize(
    ("error", "kind"), [(RestorecheckError("no DuckDB here", kind="environment"), "environment"), (None, "internal")]
)
def test_an_asker_that_cannot_or_does_not_answer_hides_nothing_that_is_known(
    lab: Lab, error: RestorecheckError | None, kind: str
) -> None:
    lab.asker = Scribe(error, silent=True)
    answers = asked(lab, question("lost", "select 1", FileView("v", "gone/*")), question("other", "select 1"))
    assert answers["lost"].kind == "missing-object"
    assert answers["other"].kind == kind


def test_more_bytes_than_may_be_brought_here_are_not(lab: Lab) -> None:
    lab.assertions = (question("q", "select 1", FileView("v", "**")),)
    source, point = restored(lab)
    reach = source._reach
    reach.world = replace(reach.world, room=10)
    [answer] = asking.ask(reach, point, 10.0)
    assert answer.kind == "limit"
    assert not lab.workplace.exists()


def test_a_disk_that_has_no_room_is_said_before_it_is_full(lab: Lab) -> None:
    lab.assertions = (question("q", "select 1", FileView("v", "**")),)
    source, point = restored(lab)
    reach = source._reach
    reach.world = replace(reach.world, free=lambda _path: 10)
    [answer] = asking.ask(reach, point, 10.0)
    assert answer.kind == "scratch-full"


def test_a_place_that_cannot_be_written_is_a_finding_and_not_a_crash(lab: Lab) -> None:
    lab.workplace.parent.parent.mkdir(exist_ok=True)
    lab.workplace.parent.write_text("a file where a directory should be")
    lab.assertions = (question("q", "select 1"),)
    source, point = restored(lab)
    [answer] = source.examine(point).answers
    assert answer.kind == "scratch-full"


def test_too_many_files_are_not_brought_here(lab: Lab) -> None:
    lab.assertions = (question("q", "select 1", FileView("v", "**")),)
    source, point = restored(lab)
    reach = source._reach
    reach.world = replace(reach.world, files=3)
    [answer] = asking.ask(reach, point, 10.0)
    assert answer.kind == "limit"


@pytest.mark.parametrize("sql", ["select 1 from v", "select count(*) from objects"])
def test_questions_for_which_no_time_is_left_are_not_asked(lab: Lab, sql: str) -> None:
    lab.assertions = (question("q", sql, FileView("v", "**")),)
    source, point = restored(lab)
    lab.time = 100.0
    [answer] = asking.ask(source._reach, point, 99.0)
    assert answer.kind == "deadline"


def test_what_a_process_that_died_left_here_is_wiped(lab: Lab) -> None:
    def leave() -> None:
        lab.workplace.mkdir(parents=True)
        (lab.workplace / MARK).write_text(RUN)
        (lab.workplace / "00000001.csv").write_text("left behind")

    leave()
    assert asked(lab, question("q", "select 1"))["q"].rows == 1
    leave()
    source, point = restored(lab)
    assert back(source, point) == "gone"
    assert not lab.workplace.exists()


def test_a_directory_of_this_name_that_no_run_made_is_left_alone_and_nothing_is_asked(lab: Lab) -> None:
    lab.workplace.mkdir(parents=True)
    (lab.workplace / "thesis.txt").write_text("somebody's only copy")
    lab.assertions = (question("q", "select 1"),)
    source, point = restored(lab)
    (answer,) = source.examine(point).answers
    assert (answer.kind, answer.rows) == ("taken", 0)
    with pytest.raises(SourceError, match="not made by this run"):
        source.teardown(point)[0].begin()
    assert [left.arn for left in source.leftovers()][:1] == [f"file://{lab.workplace}"]
    assert (lab.workplace / "thesis.txt").exists()


def test_only_what_was_restored_is_asked(lab: Lab) -> None:
    asked(lab, question("q", "select 1 from objects"), restore=Portion(count=2))
    assert len(lab.asker.rows or ()) == 2


# --- patterns and pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "fits"),
    [
        ("orders/*.csv", "orders/1.csv", True),
        ("orders/*.csv", "orders/old/1.csv", False),
        ("orders/**.csv", "orders/old/1.csv", True),
        ("orders/**/1.csv", "orders/1.csv", True),
        ("orders/**/1.csv", "orders/a/b/1.csv", True),
        ("**/1.csv", "1.csv", True),
        ("**", "a/b\nc", True),
        ("a?[b]", "a?[b]", True),
        ("a?[b]", "axb", False),
        ("a.csv", "aXcsv", False),
    ],
)
def test_a_pattern_means_what_it_says(text: str, key: str, fits: bool) -> None:
    assert pattern(text)(key) is fits


def test_listings_out_of_order_are_refused() -> None:
    lab = Lab()
    version = next(iter(lab.life()._reach.standing()))
    with pytest.raises(RestorecheckError):
        list(paired([version, version], []))


def test_numbers_are_said_as_people_say_them() -> None:
    assert [amount(n) for n in (0, 1023, 1024, 5 << 30, 3 << 60)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "5.0 GiB",
        "3072.0 PiB",
    ]
    assert str(Named(3)) == "none of them by name"
