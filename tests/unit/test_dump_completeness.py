"""Whether all of a dump is there: the ends that pg_restore and psql do not look for."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from restorecheck.dumps.completeness import check, script_end, tar_members, unprovable
from restorecheck.dumps.header import Header
from restorecheck.dumps.script import Script, encoding
from restorecheck.dumps.unpacking import Layer
from restorecheck.errors import SourceError

ROWS = b"1\tone\n2\ttwo\n\\.\n\n\n"
LISTING = """\
; Archive created at 2026-11-21
219; 1259 16492 TABLE public users app
3530; 0 16492 TABLE DATA public users app
3532; 0 16504 TABLE DATA public orders app
3534; 0 0 BLOBS - 16523 postgres
"""


def heed() -> None:
    """Nobody is in a hurry."""


def broken(form: str, path: Path, listing: str = LISTING) -> str:
    with pytest.raises(SourceError) as caught:
        check(form, path, listing, heed)  # type: ignore[arg-type]
    assert caught.value.kind == "dump-damaged"
    return caught.value.message


# --- scripts ---------------------------------------------------------------------------------------------------------

END = b"--\n-- PostgreSQL database dump complete\n--\n\n"


@pytest.mark.parametrize("tail", [END, END + b"\\unrestrict abc\n\n", b"rows\n" + END.rstrip()])
def test_a_script_with_its_last_words_is_whole(tail: bytes) -> None:
    script_end("postgresql", tail)


@pytest.mark.parametrize("tail", [b"", b"1\tone\n", END[:20], END + b"DROP TABLE x;\n", b"'" + END[3:]])
def test_a_script_without_its_last_words_is_cut_off(tail: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        script_end("postgresql", tail)
    assert caught.value.kind == "dump-damaged"


def test_a_script_of_mysql_has_words_of_its_own() -> None:
    script_end("mysql", b"/*!40111 SET x */;\n\n-- Dump completed on 2026-11-21  3:00:01\n")
    script_end("mysql", b"-- Dump completed\n")
    with pytest.raises(SourceError, match="cut off") as caught:
        script_end("mysql", END)
    assert "--skip-comments" in caught.value.hint


def fed(text: bytes, size: int = 1 << 20) -> tuple[bytes, Script]:
    script = Script((text[at : at + size] for at in range(0, len(text), size)), "key")
    return b"".join(script.fed()), script


HEAD = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET client_encoding = 'LATIN1';\n"


@pytest.mark.parametrize("size", [100, 4096, 1 << 22])
def test_a_script_is_fed_whole_under_a_restriction_of_ours(size: int) -> None:
    rows = b"COPY public.users (id) FROM stdin;\n" + b"\\restrict abc\n" * 100_000 + b"\\.\n"
    got, script = fed(HEAD + rows + END + b"\\unrestrict abc\n", size)
    assert got.startswith(b"\\restrict key\n--\n")
    assert got.count(b"\\restrict abc\n") == 100_000  # these are rows
    assert b"\\unrestrict" not in got
    assert got.endswith(b"\nSELECT '" + script.end_mark + b"';\n")


def test_a_script_that_is_cut_off_does_not_get_its_end() -> None:
    script = Script(iter([HEAD, b"1\n" * 9000]), "key")
    with pytest.raises(SourceError, match="cut off"):
        list(script.fed())


def test_the_making_of_the_database_is_left_to_us_and_lines_keep_their_numbers() -> None:
    made = b"CREATE DATABASE shop WITH TEMPLATE = template0;\n\\unrestrict abc\n\\connect shop\n\\restrict abc\n"
    text = HEAD + made + b"DROP TABLE public.users;\nCREATE TABLE public.users ();\n" + END
    got, script = fed(text)
    assert b"CREATE DATABASE" not in got
    assert b"\\connect" not in got
    lines = got.split(b"\n")
    assert [lines[number - 1] for number in script.dropping] == [b"DROP TABLE public.users;"]
    assert (
        lines.index(b"CREATE TABLE public.users ();") == text.split(b"\n").index(b"CREATE TABLE public.users ();") + 1
    )


def test_an_encoding_is_read_from_a_script() -> None:
    assert encoding(HEAD) == "LATIN1"
    assert encoding(b"--") == "UTF8"


# --- tar -------------------------------------------------------------------------------------------------------------


def tar(path: Path, members: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


WHOLE = {"toc.dat": b"PGDMP", "3530.dat": ROWS, "3532.dat": ROWS, "blobs_3534.toc": b""}


def test_a_whole_tar_file_is_whole(tmp_path: Path) -> None:
    path = tar(tmp_path / "t", WHOLE)
    assert list(tar_members(path)) == list(WHOLE)
    check("tar", path, LISTING, heed)


def test_a_tar_file_that_is_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    data = tar(tmp_path / "t", WHOLE).read_bytes()
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512
    for size in (*range(0, end + 1023, 100), end + 512):
        (tmp_path / "cut").write_bytes(data[:size])
        assert "tar file" in broken("tar", tmp_path / "cut"), size


def test_a_tar_file_of_another_kind_of_byte_is_damaged(tmp_path: Path) -> None:
    data = bytearray(tar(tmp_path / "t", WHOLE).read_bytes())
    data[1024] ^= 1  # the name of the second member
    (tmp_path / "t").write_bytes(data)
    assert "no member begins there" in broken("tar", tmp_path / "t")


@pytest.mark.parametrize("size", [b"\xff" * 12, b"garbage!garb"])
def test_a_size_that_cannot_be_is_damaged(tmp_path: Path, size: bytes) -> None:
    data = bytearray(tar(tmp_path / "t", WHOLE).read_bytes())
    data[124:136] = size
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    (tmp_path / "t").write_bytes(data)
    assert "cut off within the member" in broken("tar", tmp_path / "t")


def test_what_follows_the_end_mark_is_damage(tmp_path: Path) -> None:
    path = tar(tmp_path / "t", WHOLE)
    path.write_bytes(path.read_bytes() + b"x")
    assert "after the end mark" in broken("tar", path)


def test_a_table_whose_rows_are_not_in_the_tar_file_is_damage(tmp_path: Path) -> None:
    path = tar(tmp_path / "t", {k: v for k, v in WHOLE.items() if k != "3532.dat"})
    assert "3532.dat" in broken("tar", path)
    assert "3530.dat" in broken("tar", tar(tmp_path / "u", {**WHOLE, "3530.dat": ROWS[:9]}))


# --- directories -----------------------------------------------------------------------------------------------------


def directory(path: Path, **files: bytes) -> Path:
    path.mkdir()
    whole = {
        "toc.dat": b"PGDMP",
        "3530.dat.gz": gzip.compress(ROWS),
        "3532.dat": ROWS,
        "blobs_3534.toc": b"16523 blob_16523.dat\n",
        "blob_16523.dat.gz": gzip.compress(b"abc"),
        "notes.txt": b"not ours",
    }
    for name, content in whole.items():
        (path / name).write_bytes(files.get(name.replace(".", "_"), content))
    return path


def test_a_whole_directory_is_whole(tmp_path: Path) -> None:
    check("directory", directory(tmp_path / "d"), LISTING, heed)
    check("custom", tmp_path, LISTING, heed)  # what can be looked for there, pg_restore looks for


@pytest.mark.parametrize("name", ["3530.dat.gz", "3532.dat", "blobs_3534.toc", "blob_16523.dat.gz"])
def test_a_file_that_is_missing_or_empty_is_damage(tmp_path: Path, name: str) -> None:
    path = directory(tmp_path / "d")
    (path / name).write_bytes(b"")
    broken("directory", path)
    (path / name).unlink()
    broken("directory", path)


@pytest.mark.parametrize("size", [1, 6, 12, len(ROWS) - 1])
def test_rows_without_their_end_mark_are_damage(tmp_path: Path, size: int) -> None:
    assert "3532.dat" in broken("directory", directory(tmp_path / "d", **{"3532_dat": ROWS[:size]}))
    assert "3530.dat.gz" in broken(
        "directory", directory(tmp_path / "e", **{"3530_dat_gz": gzip.compress(ROWS[:size])})
    )


def test_a_compressed_file_that_is_cut_off_is_damage_and_named(tmp_path: Path) -> None:
    path = directory(tmp_path / "d", **{"3530_dat_gz": gzip.compress(ROWS)[:-9]})
    assert broken("directory", path).startswith("3530.dat.gz: the gzip")


def test_a_list_of_large_objects_that_is_cut_off_is_damage(tmp_path: Path) -> None:
    path = directory(tmp_path / "d", blobs_3534_toc=b"16523 blob_16523.dat\n16524 blob_")
    assert "list of large objects" in broken("directory", path)
    path = directory(tmp_path / "e", blobs_3534_toc=b"16523 blob_16523.dat\n16524 blob_16524.dat\n")
    assert "blob_16524.dat" in broken("directory", path)


def test_rows_as_inserts_and_empty_tables_are_whole(tmp_path: Path) -> None:
    files = {"3530_dat_gz": gzip.compress(b"INSERT INTO x VALUES (1);\n\n\n"), "3532_dat": b"\n\n"}
    check("directory", directory(tmp_path / "d", **files), LISTING, heed)


def test_a_long_look_can_be_stopped(tmp_path: Path) -> None:
    def stop() -> None:
        raise SourceError("stopped", kind="cancelled")

    with pytest.raises(SourceError, match="stopped"):
        check("directory", directory(tmp_path / "d"), LISTING, stop)


# --- how far the proof goes ------------------------------------------------------------------------------------------

NOT_SEEN = "only the object's checksum shows it"


@pytest.mark.parametrize(
    ("compression", "outer", "seen"),
    [
        ("none", (), False),
        ("zstd", (), False),
        ("lz4", (), False),
        ("gzip", (), True),
        ("none", (Layer("gzip", checked=True),), True),
        ("none", (Layer("zstd", checked=False),), False),
        ("none", (Layer("lz4", checked=False), Layer("xz", checked=True)), True),
    ],
)
def test_the_level_of_proof_is_told(compression: str, outer: tuple[Layer, ...], seen: bool) -> None:
    (sentence,) = unprovable(Header("postgresql", "custom", compression=compression), outer)
    assert (NOT_SEEN not in sentence) == seen
