"""Keys of rows on their way into evidence: which columns, in which form, and what is said when they cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from restorecheck.databases.interface import Beside
from restorecheck.databases.sampling import Sampling, sampling_of
from restorecheck.errors import RestorecheckError
from restorecheck.model import Answer, Assertion, Cell, Expectation, Samples

Rows = Sequence[Mapping[str, str | None]]
FOUND = Answer("orphans", rows=3, columns=2)


class Keeper:
    """Keeps in memory, or cannot."""

    def __init__(self, error: str = "") -> None:
        self.error, self.kept = error, list[tuple[str, Rows]]()

    def keep(self, assertion: str, rows: Rows) -> int:
        if self.error:
            raise RestorecheckError(self.error)
        self.kept.append((assertion, list(rows)))
        return len(rows)


def sampling(keeper: Keeper, *keys: str, limit: int = 5) -> Sampling:
    return Sampling("orphans", Samples(keys or ("id",), limit), keeper.keep)


def kept(raw: bytes | None) -> str | None:
    keeper = Keeper()
    one = sampling(keeper)
    assert one.find(["id"]) == ""
    one.add([raw])
    one.kept(FOUND)
    [(_, [row])] = keeper.kept
    return row["id"]


def test_the_keys_of_the_first_rows_are_kept_and_no_other_column():
    keeper = Keeper()
    one = sampling(keeper, "n", "id", limit=2)
    assert one.find(["id", "secret", "n"]) == ""
    for row in ([b"1", b"4111", b"a"], [b"2", b"4111", None], [b"3", b"4111", b"c"]):
        one.add(row)
    answer = one.kept(FOUND)
    assert keeper.kept == [("orphans", [{"n": "a", "id": "1"}, {"n": None, "id": "2"}])]
    assert (answer.sampled, answer.unsampled, answer.rows) == (2, "", 3)


@pytest.mark.parametrize(
    ("keys", "columns", "said"),
    [
        (["id"], ["a"], "no column named id"),
        (["id"], [], "no column named id"),
        (["id"], ["id", "id"], "several columns named id"),
        (["id"], ["ID", "Id"], "several columns named id"),
        (["ID"], ["id"], ""),
        (["ID"], ["id", "ID"], ""),
    ],
)
def test_a_key_is_one_column(keys: list[str], columns: list[str], said: str):
    why = sampling(Keeper(), *keys).find(columns)
    assert why == (f"the query answers {said}" if said else "")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (None, None),
        (b"", ""),
        ("Zoë\n".encode(), "Zoë\n"),
        (b"\xff\x00", "0xff00"),
        (b"a\x00b", "0x610062"),
        (b"\x01", "0x01"),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200 + "…"),
        (("🎈" * 300).encode(), "🎈" * 200 + "…"),
        (("ab🎈" * 900).encode(), ("ab🎈" * 900)[:200] + "…"),
        (b"\xff" * 1000, "0x" + "ff" * 99 + "…"),
        (b"\x00" * 99, "0x" + "00" * 99),
    ],
)
def test_a_value_is_its_text_or_hexadecimal_and_short(raw: bytes | None, text: str | None):
    assert kept(raw) == text


def test_evidence_that_cannot_be_kept_changes_nothing_else():
    one = sampling(Keeper("the disk is full"))
    one.find(["id"])
    one.add([b"4711"])
    answer = one.kept(FOUND)
    assert (answer.rows, answer.error, answer.kind) == (3, "", "")
    assert (answer.sampled, answer.unsampled) == (0, "the disk is full")


def test_without_a_place_nothing_is_taken_and_that_is_said():
    one = Sampling("orphans", Samples(("id",)), None)
    assert one.limit == 0
    one.add([b"1"])
    assert one.kept(FOUND).unsampled == "no directory is configured for it"


@pytest.mark.parametrize("answer", [Answer("orphans"), Answer("orphans", error="no", kind="question", rows=1)])
def test_nothing_is_kept_of_no_row_and_of_no_answer(answer: Answer):
    keeper = Keeper()
    one = sampling(keeper)
    assert one.kept(answer) is answer
    assert keeper.kept == []


def test_only_rows_that_should_not_be_there_are_sampled():
    beside = Beside(evidence=Keeper().keep)
    none = Expectation(no_rows=True)
    one = sampling_of(Assertion("a", "select 1", none, samples=Samples(("id",), 7)), beside)
    assert one is not None
    assert one.limit == 7
    assert sampling_of(Assertion("a", "select 1", none), beside) is None
    count = Expectation(at_least=Cell("number", "1"))
    assert sampling_of(Assertion("a", "select 1", count, samples=Samples(("id",))), beside) is None
