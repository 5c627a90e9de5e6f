"""What the first bytes of a dump say, and what is refused by them."""

from __future__ import annotations

from datetime import datetime

import pytest

from restorecheck.dumps.header import Header, outer, recognise
from restorecheck.errors import SourceError


def integer(value: int, size: int = 4) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(size, "little")


def text(value: str | None, size: int = 4) -> bytes:
    return integer(-1, size) if value is None else integer(len(value), size) + value.encode()


def archive(minor: int = 16, *, form: int = 1, compression: int = 1, size: int = 4, month: int = 10) -> bytes:
    packed = bytes([compression]) if minor >= 15 else integer(compression, size)
    date = b"".join(integer(n, size) for n in (5, 4, 3, 21, month, 126, 0))
    names = text("shop", size) + text("17.11 (Debian 17.11-0+deb13u1)", size) + text("18.1", size)
    return b"PGDMP" + bytes([1, minor, 0, size, 8, form]) + packed + date + names


def refused(first: bytes, *, table: bool = False) -> SourceError:
    with pytest.raises(SourceError) as caught:
        recognise(first, table=table)
    return caught.value


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("minor", [12, 13, 14, 15, 16])
def test_the_head_of_an_archive_is_read_in_every_version(minor: int, size: int) -> None:
    header = recognise(archive(minor, size=size))
    assert header == Header(
        "postgresql",
        "custom",
        (1, minor),
        "gzip",
        "shop",
        "17.11 (Debian 17.11-0+deb13u1)",
        "18.1",
        datetime(2026, 11, 21, 3, 4, 5),  # noqa: DTZ001 - a dump does not say its zone
    )
    assert (header.major, header.program_major) == (17, 18)


@pytest.mark.parametrize(("number", "name"), [(0, "none"), (1, "gzip"), (2, "lz4"), (3, "zstd"), (9, "algorithm 9")])
def test_the_compression_is_named(number: int, name: str) -> None:
    assert recognise(archive(compression=number)).compression == name


@pytest.mark.parametrize(("level", "name"), [(0, "none"), (6, "gzip"), (-1, "gzip")])
def test_old_archives_tell_a_level_and_mean_gzip(level: int, name: str) -> None:
    assert recognise(archive(14, compression=level)).compression == name


def test_a_directory_is_known_by_its_table_of_contents() -> None:
    assert recognise(archive(form=3), table=True).format == "directory"
    assert refused(b"something else", table=True).kind == "dump-damaged"


def test_a_date_that_there_is_not_is_no_date() -> None:
    assert recognise(archive(month=13)).created is None


@pytest.mark.parametrize("length", range(5, len(archive())))
def test_a_head_that_is_cut_off_is_damaged(length: int) -> None:
    assert refused(archive()[:length]).kind == "dump-damaged"


@pytest.mark.parametrize(("place", "value"), [(5, 2), (6, 5), (8, 3), (9, 5), (10, 7)])
def test_a_head_with_a_wrong_byte_is_damaged(place: int, value: int) -> None:
    data = bytearray(archive())
    data[place] = value
    assert refused(bytes(data)).kind == "dump-damaged"


# --- tar -------------------------------------------------------------------------------------------------------------


def member(name: bytes, content: bytes) -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000600\0"
    block[124:136] = b"%011o\0" % len(content)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content + bytes(-len(content) % 512)


def test_a_tar_dump_is_known_by_its_first_member() -> None:
    header = recognise(member(b"toc.dat", archive(form=3, compression=0)))
    assert (header.format, header.database) == ("tar", "shop")


@pytest.mark.parametrize("name", [b"holiday.jpg", b"dump/toc.dat"])
def test_any_other_tar_file_is_not_ours_to_restore(name: bytes) -> None:
    assert refused(member(name, archive(form=3))).kind == "environment"


# --- scripts ---------------------------------------------------------------------------------------------------------

PLAIN = b"""--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 15.4
-- Dumped by pg_dump version 16.1

--
-- Name: shop; Type: DATABASE; Schema: -; Owner: postgres
--
"""


def test_a_script_of_postgresql_is_known_by_its_first_lines() -> None:
    header = recognise(b"\n" + PLAIN)
    assert (header.engine, header.format, header.server, header.program) == ("postgresql", "plain", "15.4", "16.1")
    assert (header.database, header.archive, header.major) == ("shop", (0, 0), 15)


def test_a_script_that_names_no_version_has_none() -> None:
    header = recognise(b"--\n-- PostgreSQL database dump\n--\n")
    assert (header.major, header.program_major, header.server) == (0, 0, "")


@pytest.mark.parametrize(
    ("first", "flavour"),
    [
        (b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n", "MySQL"),
        (b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19-11.4.2-MariaDB, for Linux\n", "MariaDB"),
    ],
)
def test_a_script_of_mysql_is_known_by_its_first_lines(first: bytes, flavour: str) -> None:
    rest = b"--\n-- Host: localhost    Database: shop\n-- ------\n-- Server version\t8.0.36-0ubuntu1\n"
    header = recognise(first + rest)
    assert (header.engine, header.flavour, header.database) == ("mysql", flavour, "shop")
    assert header.server == "8.0.36-0ubuntu1"


def test_a_dump_of_a_whole_cluster_is_not_one_of_a_database() -> None:
    error = refused(b"--\n-- PostgreSQL database cluster dump\n--\n")
    assert (error.kind, "pg_dumpall" in error.message) == ("environment", True)


# --- what cannot be restored -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        b"age-encryption.org/v1\n-> X25519 abc\n",
        b"-----BEGIN AGE ENCRYPTED FILE-----\n",
        b"-----BEGIN PGP MESSAGE-----\n\n",
        b"Salted__abcdefgh",
        bytes([0x85]) + bytes(range(256)),
    ],
)
def test_what_is_encrypted_wants_a_command(first: bytes) -> None:
    error = refused(first)
    assert error.kind == "environment"
    assert "decrypt" in error.hint


def test_nothing_at_all_is_damaged() -> None:
    assert refused(b"").message == "the dump is empty: zero bytes"


@pytest.mark.parametrize(
    "first", [b"id,email\n1,somebody@example.org\n", b"\0" * 600, b"PK\3\4", b"\x85 all text " * 60]
)
def test_anything_else_is_damaged_and_none_of_it_is_repeated(first: bytes) -> None:
    error = refused(first)
    assert error.kind == "dump-damaged"
    assert "email" not in str(error)


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"\x50\x2a\x4d\x18\x04", "zstd"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"PGDMP", None),
        (b"", None),
    ],
)
def test_a_compression_is_known_by_its_first_bytes(first: bytes, name: str | None) -> None:
    assert outer(first) == name
