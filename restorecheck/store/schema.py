"""Brings the tables of a store to the form that this code knows, or refuses.

A store that is up to date is recognised by one query; only another one costs the import of Alembic. Never changes a
store of a newer release, and never anything outside our own tables.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from restorecheck.errors import RestorecheckError
from restorecheck.store.database import SCHEMA, Database, Lock
from restorecheck.store.translate import MEND, is_damaged, reason, translate

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""All that there are, oldest first; the last is what `tables` describes. A test compares them with the scripts."""

FIRST, HEAD = REVISIONS[0], REVISIONS[-1]
POOLER = "connect to the server itself, or to a pooler that passes the startup parameter `options` on"
SCRIPTS = Path(__file__).parent / "migrations"


def bring_up_to_date(database: Database) -> None:
    """Make or migrate the tables. Two who do so at once both succeed.

    Raises RestorecheckError `config` for what no waiting mends (damaged, newer, not allowed), else StoreError.
    """
    with translate(database.masked):
        try:
            with database.engine.connect() as connection:
                if not database.sqlite and connection.exec_driver_sql("SHOW search_path").scalar_one() != SCHEMA:
                    raise _unusable(database, "is behind a pooler that drops `options`", POOLER)
                found = _revision(connection)
            if found != HEAD:
                _migrate(database)
        except sa.exc.DBAPIError as e:
            if is_damaged(e):
                hint = MEND
            elif getattr(e.orig, "sqlstate", None) == "42501":  # insufficient_privilege
                hint = f"let the user create the schema {SCHEMA} in this database, or make it and give it to the user"
            else:
                raise
            raise _unusable(database, f"cannot be opened: {reason(e)}", hint) from None
        except ValueError:  # a script could not read what is in a row
            raise _unusable(database, "cannot be migrated: a proof in it is damaged", MEND) from None


def _migrate(database: Database) -> None:
    with database.transaction(Lock.MIGRATION) as connection:
        found = _revision(connection)  # again: another process may have done it meanwhile
        if found == HEAD:
            return
        if found not in {None, *REVISIONS}:
            newer = f"was written by a newer restorecheck: its schema is {found}, this one knows {HEAD}"
            raise _unusable(database, newer, "run the newer restorecheck, or give this one a store of its own")
        if not database.sqlite and not sa.inspect(connection).has_schema(SCHEMA):
            connection.execute(sa.schema.CreateSchema(SCHEMA))
        # the first release made its table without Alembic
        of_first_release = found is None and sa.inspect(connection).has_table("runs")
        from alembic import command  # noqa: PLC0415 - costs a quarter of a second, and is hardly ever needed
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
        config.attributes["connection"] = connection
        if of_first_release:
            command.stamp(config, FIRST)
        command.upgrade(config, HEAD)


def _unusable(database: Database, why: str, hint: str) -> RestorecheckError:
    return RestorecheckError(f"the store {database.masked} {why}", hint, kind="config")


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
