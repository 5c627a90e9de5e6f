"""Extensions that a master user may make without being a superuser, as on RDS: a copy of their files that says so.

RDS lets members of rds_superuser make every extension of its list. Whether it also lets them run what amcheck and
pg_visibility keep from the public, and hand that on, is not documented: here they may. Only PostgreSQL 18 and later can
be pointed at such a copy; with an older one these extensions cannot be made.
"""

from __future__ import annotations

from pathlib import Path

OFFERED = ("amcheck", "pg_visibility")
OLDEST = 18
"""The first release with the setting `extension_control_path`."""

_GRANT = """
DO $$
DECLARE made pg_catalog.regprocedure;
BEGIN
    FOR made IN SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.extname = '{}'
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO rds_superuser WITH GRANT OPTION', made);
    END LOOP;
END $$;
"""


def offered(programs: Path, major: int, home: Path) -> Path | None:
    """Return a directory for `extension_control_path`, made below `home`; None if there is none to be had.

    `programs` is the directory of PostgreSQL's programs, and `major` its release.
    """
    there = programs.parent / "share" / "extension"
    if major < OLDEST or not all((there / f"{name}.control").is_file() for name in OFFERED):
        return None
    target = home / "extensions"
    directory = target / "extension"
    if directory.is_dir():
        return target
    directory.mkdir(parents=True)
    for name in OFFERED:
        control = (there / f"{name}.control").read_text()
        (directory / f"{name}.control").write_text(f"{control}\ntrusted = true\n")
        newest = _default_version(control)
        for script in there.glob(f"{name}--*.sql"):
            last = script.stem.endswith(f"--{newest}")
            (directory / script.name).write_text(script.read_text() + (_GRANT.format(name) if last else ""))
    for path in (target, directory, *directory.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def _default_version(control: str) -> str:
    """Return the version that a control file makes if none is asked for."""
    lines = (line.partition("=") for line in control.splitlines())
    return next(value.strip().strip("'") for key, _, value in lines if key.strip() == "default_version")
