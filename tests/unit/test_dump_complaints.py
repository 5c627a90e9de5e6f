"""What pg_restore and psql complain of, in their own words (PostgreSQL 15 and 18), and what it means."""

from __future__ import annotations

import pytest

from restorecheck import failures
from restorecheck.dumps.complaints import Complaint, Sort, classified, judged
from restorecheck.dumps.readers import RestoreReader, ScriptReader, entry
from restorecheck.model import Verdict

SECRET = "4111-1111"  # stands for a row value
SERVER = {
    'role "app" does not exist': Sort.ROLE,
    'extension "postgis" is not available': Sort.LACK,
    'could not open extension control file "/usr/share/postgresql/15/extension/x.control": No such file': Sort.LACK,
    'could not access file "$libdir/plpython3": No such file or directory': Sort.LACK,
    'language "plpython3u" does not exist': Sort.LACK,
    'tablespace "fast" does not exist': Sort.LACK,
    'access method "bloom" does not exist': Sort.LACK,
    "ICU is not supported in this build": Sort.LACK,
    'collation "de-x-icu" for encoding "UTF8" does not exist': Sort.LACK,
    'could not create locale "xx_XX": No such file or directory': Sort.LACK,
    'unrecognized configuration parameter "transaction_timeout"': Sort.LACK,
    'permission denied to create event trigger "t"': Sort.LACK,
    "must be superuser to create a base type": Sort.LACK,
    "compression method lz4 not supported": Sort.LACK,
    'could not extend file "base/5/16400": No space left on device': Sort.FULL,
    "server closed the connection unexpectedly": Sort.TROUBLE,
    "terminating connection due to administrator command": Sort.TROUBLE,
    "out of shared memory": Sort.TROUBLE,
    'schema "public" already exists': Sort.HARMLESS,
    'insert or update on table "orders" violates foreign key constraint "orders_u_fkey"': Sort.REFERENCE,
    'new row for relation "users" violates check constraint "users_n_check"': Sort.ORDER,
    'no partition of relation "events" found for row': Sort.ORDER,
    'could not create unique index "users_email_key"': Sort.DATA,
    'duplicate key value violates unique constraint "users_pkey"': Sort.DATA,
    'invalid byte sequence for encoding "UTF8": 0xff': Sort.DATA,
    f'invalid input syntax for type integer: "{SECRET}"': Sort.DATA,
    'missing data for column "email"': Sort.DATA,
    "extra data after last expected column": Sort.DATA,
    f'value "{SECRET}" is out of range for type integer': Sort.DATA,
    'column "id" of relation "x" contains null values': Sort.DATA,
    'syntax error at or near "TABL"': Sort.DATA,
    "unterminated quoted string at or near": Sort.DATA,
    'relation "public.users" does not exist': Sort.FOLLOWS,
    'type "public.citext" does not exist': Sort.FOLLOWS,
    'schema "app" does not exist': Sort.FOLLOWS,
    'there is no unique constraint matching given keys for referenced table "users"': Sort.FOLLOWS,
    "something that nobody has seen": Sort.UNKNOWN,
}
ARCHIVE = {
    "could not read from input file: end of file": Sort.DAMAGE,
    "unexpected end of file": Sort.DAMAGE,
    "could not uncompress data: incorrect data check": Sort.DAMAGE,
    "could not uncompress data: (null)": Sort.DAMAGE,
    "did not find magic string in file header": Sort.DAMAGE,
    "input file does not appear to be a valid archive": Sort.DAMAGE,
    "could not find block ID 3530 in archive -- possibly corrupt archive": Sort.DAMAGE,
    "found unexpected block ID (0) when reading data -- expected 3530": Sort.DAMAGE,
    "unrecognized data block type (7) while searching archive": Sort.DAMAGE,
    "entry ID -5 out of range -- perhaps a corrupt TOC": Sort.DAMAGE,
    'could not open input file "3530.dat": No such file or directory': Sort.DAMAGE,
    "unsupported version (1.16) in file header": Sort.LACK,
    "archive is compressed, but this installation does not support compression (zstd) -- no data will be available": (
        Sort.LACK
    ),
}


@pytest.mark.parametrize(("message", "sort"), [*SERVER.items(), *ARCHIVE.items()])
def test_every_message_has_its_meaning(message: str, sort: Sort) -> None:
    assert judged(message).sort is sort


@pytest.mark.parametrize("message", SERVER)
def test_no_row_value_is_repeated(message: str) -> None:
    assert SECRET not in judged(message, where="TABLE DATA public users").sentence


def test_an_unknown_error_over_rows_is_one_of_the_data() -> None:
    assert judged("something that nobody has seen", rows=True).sort is Sort.DATA


def test_the_name_of_what_is_missing_is_kept() -> None:
    assert judged('role "app" does not exist').name == "app"
    assert judged('extension "postgis" is not available').name == "postgis"
    assert "transaction_timeout" in judged('unrecognized configuration parameter "transaction_timeout"').sentence


# --- what it comes to ------------------------------------------------------------------------------------------------


def of(*sorts: Sort) -> list[Complaint]:
    return [Complaint(sort, f"a sentence about {sort}", f"name-{sort}") for sort in sorts]


@pytest.mark.parametrize(
    ("sorts", "kind"),
    [
        ((), ""),
        ((Sort.HARMLESS,), ""),
        ((Sort.ROLE,), "environment"),
        ((Sort.LACK, Sort.ROLE), "environment"),
        ((Sort.UNKNOWN,), "unknown-answer"),
        ((Sort.TROUBLE, Sort.FOLLOWS), "database-unreachable"),
        ((Sort.FULL, Sort.REFERENCE, Sort.UNKNOWN), "scratch-full"),
        ((Sort.DATA,), "dump-errors"),
        ((Sort.REFERENCE,), "dump-errors"),
        ((Sort.ORDER,), "dump-errors"),
        ((Sort.FOLLOWS,), "dump-errors"),
        ((Sort.DAMAGE,), "dump-damaged"),
        # broken outranks what makes a run unproven, and damage outranks content
        ((Sort.ROLE, Sort.DATA), "dump-errors"),
        ((Sort.LACK, Sort.DATA), "dump-errors"),
        ((Sort.TROUBLE, Sort.DAMAGE), "dump-damaged"),
        ((Sort.DATA, Sort.DAMAGE), "dump-damaged"),
        # but not what may only follow from what is missing here
        ((Sort.LACK, Sort.FOLLOWS, Sort.FOLLOWS), "environment"),
        ((Sort.LACK, Sort.FOLLOWS, Sort.REFERENCE), "environment"),
        # a missing role takes no row with it
        ((Sort.ROLE, Sort.REFERENCE), "dump-errors"),
        ((Sort.ROLE, Sort.REFERENCE, Sort.FOLLOWS), "dump-errors"),
        ((Sort.ROLE, Sort.FOLLOWS), "environment"),
    ],
)
def test_all_complaints_come_to_one_kind(sorts: tuple[Sort, ...], kind: str) -> None:
    observation = classified(of(*sorts))
    assert observation.kind == kind
    assert (observation.message == "") == (kind == "")
    if kind:
        assert kind in failures.KINDS


@pytest.mark.parametrize(
    ("sorts", "partial"),
    [
        ((), False),
        ((Sort.ROLE,), False),  # a role takes grants with it, and no row
        ((Sort.ROLE, Sort.FOLLOWS), True),
        ((Sort.LACK,), True),
        ((Sort.FULL, Sort.FOLLOWS), True),
        ((Sort.TROUBLE,), True),
        ((Sort.UNKNOWN,), True),
        ((Sort.LACK, Sort.DATA), False),  # the backup is to blame as well, and nothing is excused
        ((Sort.DAMAGE,), False),
    ],
)
def test_what_is_missing_here_leaves_a_part_out(sorts: tuple[Sort, ...], partial: bool) -> None:
    assert classified(of(*sorts)).partial is partial


def test_a_name_or_a_value_in_quotes_says_nothing_of_what_went_wrong() -> None:
    """A table `subscriptions` counted as something that this machine lacks, and excused all that followed."""
    said = {
        'duplicate key value violates unique constraint "subscriptions_pkey"': Sort.DATA,
        'insert or update on table "subscriptions" violates foreign key constraint "x"': Sort.REFERENCE,
        'relation "subscriptions" does not exist': Sort.FOLLOWS,
        'invalid input syntax for type integer: "permission denied"': Sort.DATA,
        'null value in column "corrupt" of relation "x" violates not-null constraint': Sort.DATA,
        'role "corrupt" does not exist': Sort.ROLE,
        'extension "inconsistent" is not available': Sort.LACK,
    }
    assert {message: judged(message).sort for message in said} == said


@pytest.mark.parametrize(
    ("message", "sort"),
    [
        ('could not close file "base/5/16400": No space left on device', Sort.FULL),
        ('could not open file "base/5/16400": Too many open files', Sort.TROUBLE),
        ("could not read from input file: Input/output error", Sort.TROUBLE),
        ('could not open input file "/var/lib/dump": Permission denied', Sort.LACK),
        ('could not open file "3530.dat.gz": No such file or directory', Sort.DAMAGE),
    ],
)
def test_what_the_system_refuses_is_no_damage_of_the_dump(message: str, sort: Sort) -> None:
    assert judged(message).sort is sort


def test_what_follows_from_another_order_of_texts_is_excused_with_it() -> None:
    """A row that fits no partition here takes all rows of its table with it, and others point to them."""
    for follows in (Sort.FOLLOWS, Sort.REFERENCE):
        assert classified(of(Sort.ORDER, follows), other_locale=True).kind == "environment"
        assert classified(of(follows), other_locale=True).kind == "dump-errors"
    assert classified(of(Sort.ORDER), other_locale=True).partial
    assert classified(of(Sort.ORDER), other_locale=True).message.endswith(
        "; texts may sort otherwise here than where it was dumped"
    )
    assert "sort" not in classified(of(Sort.ORDER)).message


def test_rules_on_values_are_excused_where_texts_sort_otherwise() -> None:
    assert classified(of(Sort.ORDER)).kind == "dump-errors"
    assert classified(of(Sort.ORDER), other_locale=True).kind == "environment"
    assert classified(of(Sort.ORDER, Sort.DATA), other_locale=True).kind == "dump-errors"


@pytest.mark.parametrize("sort", [s for s in Sort if s is not Sort.HARMLESS])
def test_nothing_but_what_is_harmless_is_green(sort: Sort) -> None:
    for other_locale in (False, True):
        kind = classified(of(sort), other_locale=other_locale).kind
        assert kind
        assert failures.kind(kind).verdict is not Verdict.PASSED


def test_missing_roles_are_all_named_with_what_to_do() -> None:
    found = [judged('role "b" does not exist'), judged('role "a" does not exist'), judged('role "b" does not exist')]
    message = classified(found).message
    assert message == "roles that the dump speaks of are missing: a, b; declare them in `roles`"


def test_a_long_list_is_cut() -> None:
    found = [Complaint(Sort.DATA, f"sentence {n}") for n in range(30)]
    observation = classified(found)
    assert observation.observed == "30 errors"
    assert observation.message.endswith("; and 25 more")


def test_what_else_is_missing_is_told_with_the_roles() -> None:
    found = [judged('extension "postgis" is not available'), judged('role "app" does not exist')]
    message = classified(found).message
    assert "postgis" in message
    assert message.endswith("also these roles are missing: app")


# --- pg_restore ------------------------------------------------------------------------------------------------------

RESTORE = f"""\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 219; 1259 16492 TABLE users app
pg_restore: error: could not execute query: ERROR:  role "app" does not exist
Command was: ALTER TABLE public.users OWNER TO app;


pg_restore: from TOC entry 3530; 0 16492 TABLE DATA public users app
pg_restore: error: COPY failed for table "users": ERROR:  invalid input syntax for type integer: "{SECRET}"
CONTEXT:  COPY users, line 3, column n: "{SECRET}"
pg_restore: warning: errors ignored on restore: 2
"""


def restored(text: str) -> RestoreReader:
    reader = RestoreReader()
    for line in text.splitlines():
        reader.line(line)
    return reader


def test_what_pg_restore_says_is_read() -> None:
    reader = restored(RESTORE)
    assert [c.sort for c in reader.complaints] == [Sort.ROLE, Sort.DATA]
    assert reader.announced == 2
    assert reader.complaints[1].sentence.startswith("TABLE DATA users: invalid input")
    assert SECRET not in classified(reader.complaints).message


def test_a_fatal_error_of_pg_restore_is_read_without_an_entry() -> None:
    reader = restored("pg_restore: error: could not read from input file: end of file")
    assert [c.sort for c in reader.complaints] == [Sort.DAMAGE]


def test_a_warning_of_pg_restore_is_not_ignored() -> None:
    reader = restored("pg_restore: warning: something that nobody has seen")
    assert [c.sort for c in reader.complaints] == [Sort.UNKNOWN]


END, BLOCK, DIED = (
    "could not read from input file: end of file",
    "could not find block ID 2587 in archive -- possibly corrupt archive",
    "a worker process died unexpectedly",
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param(f"pg_restore: pg_restore: error: error: {END}\n{BLOCK}\n", [END, BLOCK], id="both at once"),
        pytest.param(f"pg_restore: error: pg_restore: {END}\nerror: {BLOCK}\n", [END, BLOCK], id="one after the other"),
        pytest.param(f"pg_restore:pg_restore:  error: {END}\n error: {BLOCK}\n", [END, BLOCK], id="within a head"),
        pytest.param(f"pg_restore:pg_restore: error: {DIED}\n", [DIED], id="one that was killed before it spoke"),
        pytest.param(
            f"pg_restore: error: pg_restore: from TOC entry 3530; 0 16492 TABLE DATA public users app\n{END}\n",
            [END],
            id="around the name of an entry",
        ),
    ],
)
def test_no_error_is_lost_where_two_processes_write_at_once(text: str, sentences: list[str]) -> None:
    """In the first of these cases both lines were lost, and what was left was that a process died (seen in CI)."""
    text += f"pg_restore: error: {DIED}\npg_restore: warning: errors ignored on restore: 3\n"
    reader = restored(text)
    assert [c.sort for c in reader.complaints] == [judged(s).sort for s in (*sentences, DIED)]
    assert reader.announced == 3


def test_a_process_that_died_without_a_word_is_not_the_backup_s_fault() -> None:
    assert classified([judged(DIED)]).kind == "unknown-answer"
    assert classified([judged(DIED), judged(END)]).kind == "dump-damaged"


def test_the_text_of_a_statement_is_no_error() -> None:
    text = (
        'pg_restore: error: could not execute query: ERROR:  extension "x" is not available\n'
        "Command was: CREATE FUNCTION f() RETURNS void AS $$\n"
        "error: corrupt\n"
        "$$;\n"
    )
    assert [c.sort for c in restored(text).complaints] == [Sort.LACK]


def test_a_warning_of_the_server_is_no_error() -> None:
    assert restored("WARNING:  there is no transaction in progress").complaints == []


def test_an_entry_is_named_without_its_owner() -> None:
    assert entry("TABLE DATA public users app") == "TABLE DATA public users"
    assert entry("FK CONSTRAINT public orders orders_u_fkey postgres") == "FK CONSTRAINT public orders orders_u_fkey"
    assert entry("???") == "an object"


# --- psql ------------------------------------------------------------------------------------------------------------


def scripted(text: str, dropping: frozenset[int] = frozenset()) -> list[Complaint]:
    reader = ScriptReader(dropping)
    for line in text.splitlines():
        reader.line(line)
    return reader.complaints


def test_what_psql_says_is_read() -> None:
    found = scripted(
        'psql:<stdin>:52: ERROR:  42704: role "app" does not exist\n'
        "LOCATION:  get_role_oid, acl.c:5521\n"
        'psql:<stdin>:80: ERROR:  23505: duplicate key value violates unique constraint "users_pkey"\n'
        f"DETAIL:  Key (id)=({SECRET}) already exists.\n"
        "psql:<stdin>:90: error: invalid command \\N\n"
        "psql:<stdin>:95: error: connection to server was lost\n"
    )
    assert [c.sort for c in found] == [Sort.ROLE, Sort.DATA, Sort.DATA, Sort.TROUBLE]
    assert found[1].sqlstate == "23505"
    assert not any(SECRET in c.sentence for c in found)


def test_a_connection_that_psql_could_not_make_is_trouble() -> None:
    assert scripted("psql: error: connection to server at 127.0.0.1 failed")[0].sort is Sort.TROUBLE


def test_dropping_what_is_not_there_is_harmless_and_only_there() -> None:
    line = 'psql:<stdin>:7: ERROR:  42P01: relation "public.users" does not exist'
    assert scripted(line, frozenset({7}))[0].sort is Sort.HARMLESS
    assert scripted(line, frozenset({8}))[0].sort is Sort.FOLLOWS
