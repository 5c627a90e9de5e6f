"""The users of a new database, as on RDS: a master user who may much but is no superuser, and his password's rules."""

from __future__ import annotations

from psycopg import sql

from restorecheck.demo.aws.errors import AwsError

SUPERUSER = "rdsadmin"
"""As on RDS: the master user is not a superuser, rdsadmin is."""

RESERVED = frozenset({SUPERUSER, "rds_superuser", "rds_iam", "rds_password"})


def roles(major: int) -> list[str]:
    """Return what a member of rds_superuser may hand on, in a major version."""
    found = ["pg_read_all_data", "pg_write_all_data", "pg_monitor", "pg_signal_backend", "rds_password"]
    if major >= 15:
        found.append("pg_checkpoint")
    if major >= 16:
        found += ["pg_create_subscription", "pg_use_reserved_connections"]
    return found


def made(major: int, user: str, password: str, database: str | None) -> list[sql.SQL | sql.Composed]:
    """Return what makes the roles of RDS, the master user, and the first database if one is asked for."""
    master = sql.Identifier(user)
    statements: list[sql.SQL | sql.Composed] = [
        sql.SQL("create role rds_superuser nologin"),
        sql.SQL("create role rds_iam nologin"),
        sql.SQL("create role rds_password nologin"),
    ]
    grant = sql.SQL("grant {} to rds_superuser with admin option")
    statements += [grant.format(sql.Identifier(role)) for role in roles(major)]
    # CREATEROLE and CREATEDB are attributes, which a member does not inherit.
    create = sql.SQL("create role {} login createdb createrole in role rds_superuser password {}")
    statements.append(create.format(master, sql.Literal(password)))
    statements.append(sql.SQL("alter database postgres owner to {}").format(master))
    if database and database != "postgres":
        statements.append(sql.SQL("create database {} owner {}").format(sql.Identifier(database), master))
    return statements


def new_password(user: str, password: str) -> sql.Composed:
    """Return the statement that changes the master user's password."""
    return sql.SQL("alter role {} password {}").format(sql.Identifier(user), sql.Literal(password))


def check_user(user: str) -> None:
    """Raises InvalidParameterValue for a master user that RDS for PostgreSQL would not make."""
    if user in RESERVED or user.startswith("pg_"):
        message = f"MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        raise AwsError("InvalidParameterValue", message)


def check_password(password: str, longest: int = 128) -> None:
    """Raises InvalidParameterValue for a master password that would not be taken; Aurora takes 41 characters."""
    if not 8 <= len(password) <= longest:
        message = f"The parameter MasterUserPassword is not of 8 to {longest} characters."
        raise AwsError("InvalidParameterValue", message)
    if set(password) & set('/@"') or not all(" " < c <= "~" for c in password):
        message = "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides "
        raise AwsError("InvalidParameterValue", message + "'/', '@', '\"', ' ' may be used.")
