"""Taking off compression and encryption: every stream must come to its end, and say so when it does not."""

from __future__ import annotations

import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from restorecheck.dumps import unpacking
from restorecheck.dumps.header import Outer
from restorecheck.dumps.unpacking import checked, decompressed, decrypted, environment, layers, peeked, read, recognised
from restorecheck.errors import SourceError

CONTENT = b"".join(b"%d\trow\n" % n for n in range(60_000))
PACK: dict[Outer, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lambda data: lz4.frame.compress(data, content_checksum=True),
}
EVERY = pytest.mark.parametrize("name", PACK)


def blocks(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def damage(name: Outer, data: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        b"".join(decompressed(name, blocks(data)))
    assert caught.value.kind == "dump-damaged"
    return caught.value


@EVERY
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_a_whole_stream_is_taken_off_however_it_comes(name: Outer, size: int) -> None:
    short = CONTENT[:5000] if size < 1000 else CONTENT
    assert b"".join(decompressed(name, blocks(PACK[name](short), size))) == short


@EVERY
def test_several_streams_in_one_file_are_one_content(name: Outer) -> None:
    data = PACK[name](CONTENT) + PACK[name](b"") + PACK[name](b"more")
    assert b"".join(decompressed(name, blocks(data))) == CONTENT + b"more"


@EVERY
def test_zeros_at_the_end_are_padding(name: Outer) -> None:
    assert b"".join(decompressed(name, blocks(PACK[name](CONTENT) + bytes(1024)))) == CONTENT


@EVERY
@pytest.mark.parametrize("part", [0.1, 0.3, 0.6, 0.9, 0.99])
def test_a_stream_that_is_cut_off_is_damaged(name: Outer, part: float) -> None:
    data = PACK[name](CONTENT)
    assert "cut off" in damage(name, data[: int(len(data) * part)]).message


@EVERY
def test_the_last_byte_is_needed(name: Outer) -> None:
    damage(name, PACK[name](CONTENT)[:-1])


@EVERY
def test_a_second_stream_that_is_cut_off_is_damaged(name: Outer) -> None:
    damage(name, PACK[name](CONTENT) + PACK[name](CONTENT)[:-5])


@EVERY
def test_what_follows_and_is_something_else_is_damaged(name: Outer) -> None:
    assert "after its end" in damage(name, PACK[name](CONTENT) + b"something else").message


@EVERY
def test_nothing_is_damaged(name: Outer) -> None:
    damage(name, b"")


@EVERY
def test_a_flipped_byte_is_noticed_where_there_is_a_checksum(name: Outer) -> None:
    data = bytearray(PACK[name](CONTENT))
    data[len(data) // 2] ^= 4
    damage(name, bytes(data))


@pytest.mark.parametrize("name", ["gzip", "xz", "lz4"])
def test_what_is_handed_on_at_once_is_bounded(name: Outer) -> None:
    assert max(len(piece) for piece in decompressed(name, iter([PACK[name](bytes(16 << 20))]))) <= unpacking.BLOCK


def test_layers_are_taken_off_one_by_one() -> None:
    found, first, content = layers(blocks(PACK["xz"](PACK["gzip"](CONTENT))))
    assert [layer.name for layer in found] == ["xz", "gzip"]
    assert first.startswith(b"0\trow\n")
    assert b"".join(content) == CONTENT


def test_too_many_layers_are_no_dump() -> None:
    data = CONTENT
    for _ in range(5):
        data = gzip.compress(data)
    with pytest.raises(SourceError, match="more than 4 times"):
        layers(blocks(data))


@pytest.mark.parametrize(
    ("name", "data", "has"),
    [
        ("gzip", gzip.compress(b"x"), True),
        ("xz", lzma.compress(b"x"), True),
        ("xz", lzma.compress(b"x", check=lzma.CHECK_NONE), False),
        ("zstd", zstandard.ZstdCompressor(write_checksum=True).compress(b"x"), True),
        ("zstd", zstandard.ZstdCompressor().compress(b"x"), False),
        ("lz4", lz4.frame.compress(b"x", content_checksum=True), True),
        ("lz4", lz4.frame.compress(b"x", block_checksum=True), True),
        ("lz4", lz4.frame.compress(b"x"), False),
    ],
    # Not the bytes themselves: gzip writes the time of day into them, and workers must collect the same tests.
    ids=["gzip", "xz", "xz-none", "zstd", "zstd-none", "lz4", "lz4-blocks", "lz4-none"],
)
def test_whether_there_is_a_checksum_is_read_and_not_assumed(name: Outer, data: bytes, has: bool) -> None:
    assert checked(name, data) is has


def test_a_library_that_is_not_there_is_the_environments_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(SourceError, match="not installed here") as caught:
        b"".join(decompressed("zstd", blocks(b"\x28\xb5\x2f\xfd")))
    assert caught.value.kind == "environment"
    assert b"".join(decompressed("gzip", blocks(PACK["gzip"](CONTENT)))) == CONTENT


def test_files_are_read_one_after_another(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name * 3)
    assert b"".join(read((tmp_path / "a", tmp_path / "b"))) == b"aaabbb"


def test_peeking_takes_nothing_away() -> None:
    first, again = peeked(blocks(CONTENT, 10), 25)
    assert (first, b"".join(again)) == (CONTENT[:25], CONTENT)


# --- a declared command ----------------------------------------------------------------------------------------------


def run(
    *program: str, feed: Iterator[bytes] | None = None, left: float = 30.0, stop: Callable[[], bool] = lambda: False
) -> bytes:
    command = (sys.executable, "-c", *program)
    return b"".join(decrypted(command, feed or blocks(CONTENT), deadline=lambda: left, stop=stop))


def failed(*program: str, **how: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        run(*program, **how)  # type: ignore[arg-type]
    return caught.value


COPY = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


def test_a_command_gets_the_object_and_gives_the_dump() -> None:
    assert run(COPY) == CONTENT


def test_a_command_that_fails_is_no_accusation_of_the_backup() -> None:
    error = failed("import sys; print('no key', file=sys.stderr); print('x' * 9, file=sys.stderr); sys.exit(3)")
    assert (error.kind, error.message) == ("environment", "`decrypt` ended with 3: no key")


@pytest.mark.parametrize(("code", "kind"), [(1, "environment"), (0, "dump-damaged")])
def test_a_command_that_notices_the_wrong_key_at_its_end_is_heard(code: int, kind: str) -> None:
    program = f"import sys; sys.stdin.buffer.read(); sys.stdout.write('?' * 200000); sys.exit({code})"
    stream = decrypted((sys.executable, "-c", program), blocks(CONTENT), deadline=lambda: 9.0)
    _, first, rest = layers(stream)
    with pytest.raises(SourceError) as caught:
        recognised(first, rest, by_command=True)
    assert caught.value.kind == kind


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match="could not be started: /nowhere/age") as caught:
        b"".join(decrypted(("/nowhere/age",), blocks(CONTENT), deadline=lambda: 9.0))
    assert caught.value.kind == "environment"


def test_a_command_that_hangs_is_ended_at_its_deadline() -> None:
    assert failed("import time; time.sleep(600)", left=0.0).kind == "deadline"


def test_a_command_that_nobody_wants_any_more_is_ended() -> None:
    assert failed("import time; time.sleep(600)", stop=lambda: True).kind == "cancelled"


def test_a_command_that_reads_only_the_beginning_is_believed() -> None:
    assert run("import sys; sys.stdout.write(sys.stdin.buffer.read(5).decode())") == CONTENT[:5]


def test_what_breaks_under_the_command_is_raised() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise SourceError("the gzip is damaged", kind="dump-damaged")

    assert failed(COPY, feed=broken()).kind == "dump-damaged"


def test_a_command_is_ended_when_nobody_reads_on() -> None:
    stream = decrypted((sys.executable, "-c", "while True: print('x' * 1000)"), blocks(b""), deadline=lambda: 30.0)
    assert next(stream)
    stream.close()  # type: ignore[attr-defined]  # would wait for ever if the command were left alone


def test_no_credentials_of_ours_reach_the_command() -> None:
    kept = environment({"AWS_SECRET_ACCESS_KEY": "s", "PGPASSWORD": "s", "RESTORECHECK_KEY": "s", "GNUPGHOME": "/g"})
    assert kept == {"GNUPGHOME": "/g"}


def test_zlib_without_a_header_is_not_gzip() -> None:
    damage("gzip", zlib.compress(CONTENT))
