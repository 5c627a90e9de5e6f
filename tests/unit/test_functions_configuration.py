"""The configuration of functions: read whole, read again when it changes, and never half."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from lambda_world import configured
from store_places import AT

from restorecheck import logs
from restorecheck.config import Config
from restorecheck.errors import AwsError, RestorecheckError, SourceError
from restorecheck.functions.configuration import LONGEST_FILE, Configuration, S3Folder


class Folder:
    """A folder in memory; `before` is called before each read."""

    shown = "s3://bucket/config/"

    def __init__(self, home: Path) -> None:
        path = configured(home)
        self.files = {str(f.relative_to(path.parent)): f.read_bytes() for f in path.parent.rglob("*.toml")}
        self.before: Callable[[str], None] = lambda name: None
        self.reads = 0

    def listed(self) -> Mapping[str, str]:
        return {name: hashlib.md5(body, usedforsecurity=False).hexdigest() for name, body in self.files.items()}

    def read(self, name: str, tag: str) -> bytes | None:
        self.before(name)
        self.reads += 1
        return self.files[name] if name in self.files and self.listed()[name] == tag else None


def fits(config: Config) -> None:
    if config.state.directory is not None:
        raise RestorecheckError("a directory", kind="config")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "theirs")


@pytest.fixture
def configuration(folder: Folder, tmp_path: Path) -> Configuration:
    return Configuration(folder, tmp_path / "home", lambda: AT, fits)


def names(configuration: Configuration) -> list[str]:
    return [check.name for check in configuration.current().config.checks]


def test_a_folder_is_read_once_and_again_when_it_changes(folder: Folder, configuration: Configuration, tmp_path: Path):
    assert names(configuration) == names(configuration) == ["orders-db"]
    assert folder.reads == 2
    check = folder.files["checks/orders-db.toml"]
    folder.files["checks/users-db.toml"] = check.replace(b'"orders-db"', b'"users-db"')
    assert names(configuration) == ["orders-db", "users-db"]
    del folder.files["checks/orders-db.toml"]
    assert names(configuration) == ["users-db"]
    assert len(list((tmp_path / "home").glob("config-*"))) == 1


def test_its_copy_is_for_nobody_else_and_work_goes_below_our_own_directory(
    configuration: Configuration, tmp_path: Path
):
    config = configuration.current().config
    assert config.workplace == tmp_path / "home" / "work"
    assert stat.S_IMODE(config.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.path.parent.stat().st_mode) == 0o700


def test_what_is_wrong_leaves_the_last_one_and_is_told_until_it_is_right(folder: Folder, configuration: Configuration):
    assert configuration.current().wrong is None
    whole = folder.files["checks/orders-db.toml"]
    folder.files["checks/orders-db.toml"] = whole[:40]
    for _ in range(2):
        loaded = configuration.current()
        assert [check.name for check in loaded.config.checks] == ["orders-db"]
        assert loaded.wrong is not None
        assert loaded.config.path.exists()
    folder.files["checks/orders-db.toml"] = whole
    assert configuration.current().wrong is None


def test_a_first_one_that_is_wrong_is_an_error(folder: Folder, configuration: Configuration):
    folder.files["config.toml"] = b"state ="
    with pytest.raises(RestorecheckError):
        configuration.current()


def test_what_cannot_work_on_lambda_is_refused(folder: Folder, configuration: Configuration):
    folder.files["config.toml"] = folder.files["config.toml"].partition(b"\n")[2]
    with pytest.raises(RestorecheckError, match="a directory"):
        configuration.current()


def test_what_changes_while_it_is_read_is_read_again(folder: Folder, configuration: Configuration):
    def change(name: str) -> None:
        if name.startswith("checks/") and folder.reads < 3:
            folder.files["config.toml"] += b"# later\n"

    folder.before = change
    assert configuration.current().config.path.read_text().endswith("# later\n")


def test_what_was_read_in_the_end_is_what_counts_as_read(folder: Folder, configuration: Configuration):
    """A folder that changes while it is read, and later is again what it was when that began."""
    first = dict(folder.files)

    def change(name: str) -> None:
        folder.files["config.toml"] = first["config.toml"] + b"# later\n"

    folder.before = change
    assert configuration.current().config.path.read_text().endswith("# later\n")
    folder.before = lambda name: None
    folder.files = dict(first)
    assert not configuration.current().config.path.read_text().endswith("# later\n")


def test_a_folder_that_loses_its_configuration_while_it_is_read_is_refused(
    folder: Folder, configuration: Configuration
):
    folder.before = lambda name: folder.files.pop("config.toml", None) and None
    with pytest.raises(RestorecheckError, match=r"holds no config\.toml"):
        configuration.current()


def test_copies_of_what_is_wrong_are_not_left(folder: Folder, configuration: Configuration, tmp_path: Path):
    right = configuration.current().config.path.parent
    for number in range(3):
        folder.files["config.toml"] = b"state =" + b"#" * number
        assert configuration.current().wrong is not None
    assert list((tmp_path / "home").glob("config-*")) == [right]


def test_a_name_that_is_a_file_and_a_directory_is_refused(folder: Folder, configuration: Configuration, tmp_path: Path):
    folder.files["checks/orders-db.toml/more"] = b""
    with pytest.raises(RestorecheckError, match="cannot be copied to"):
        configuration.current()
    assert list((tmp_path / "home").glob("config-*")) == []


def test_the_password_of_the_state_is_in_no_line_of_the_log(folder: Folder, configuration: Configuration):
    state, _, rest = folder.files["config.toml"].partition(b"\n")
    assert state.startswith(b"state")
    folder.files["config.toml"] = (
        b'state = "postgresql://rc:hunter%402@db.internal/rc"\nservice_key = "service.key"\n' + rest
    )
    configuration.current()
    book, undo = io.StringIO(), None
    try:
        undo = logs.configure(book, "json")
        logs.get("lambda").info("said", why="hunter@2 and hunter%402")
    finally:
        if undo is not None:
            undo()
    assert "hunter" not in book.getvalue()


def test_a_folder_that_is_never_still_is_not_believed(folder: Folder, configuration: Configuration):
    def change(name: str) -> None:
        folder.files["config.toml"] += b"#\n"

    folder.before = change
    with pytest.raises(RestorecheckError, match="again and again"):
        configuration.current()


def test_a_file_of_the_package_is_read_once(tmp_path: Path):
    path = configured(tmp_path / "package")
    made = Configuration(path, tmp_path / "home", lambda: AT, fits)
    assert names(made) == ["orders-db"]
    path.unlink()
    assert names(made) == ["orders-db"]


# --- S3 --------------------------------------------------------------------------------------------------------------


class Hand:
    """Answers as S3 does, a page of two at a time."""

    account = "333333333333"

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects, self.calls = objects, list[tuple[str, dict[str, Any]]]()

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.calls.append((operation, params))
        assert params["ExpectedBucketOwner"] == self.account
        if operation == "ListObjectsV2":
            keys = sorted(key for key in self.objects if key.startswith(params["Prefix"]))
            begin = int(params.get("ContinuationToken", 0))
            page = [{"Key": k, "Size": len(self.objects[k]), "ETag": str(len(k))} for k in keys[begin : begin + 2]]
            more = begin + 2 < len(keys)
            return {"Contents": page, "IsTruncated": more} | ({"NextContinuationToken": str(begin + 2)} if more else {})
        if params["IfMatch"] != str(len(params["Key"])):
            raise AwsError("PreconditionFailed", "another", kind="snapshot-state", retryable=False)
        return {"Body": io.BytesIO(self.objects[params["Key"]])}


def s3(*names: str, size: int = 3) -> S3Folder:
    return S3Folder(Hand({f"c/{name}": b"x" * size for name in names}), "bucket", "c/")  # type: ignore[arg-type]


def test_a_folder_of_s3_is_listed_to_its_end_without_its_own_markers():
    folder = s3("config.toml", "checks/a.toml", "checks/b.toml", "checks/")
    listed = folder.listed()
    assert sorted(listed) == ["checks/a.toml", "checks/b.toml", "config.toml"]
    assert folder.read("config.toml", listed["config.toml"]) == b"xxx"
    assert folder.read("config.toml", "another") is None


@pytest.mark.parametrize(
    "error",
    [
        AwsError("AccessDenied", "it is denied", kind="permission", retryable=False),
        SourceError("nobody answers", kind="network"),
    ],
)
def test_a_folder_that_cannot_be_read_is_named(error: SourceError):
    class Shut(Hand):
        def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            raise error

    with pytest.raises(RestorecheckError, match="the configuration in s3://bucket/c/ cannot be read") as found:
        S3Folder(Shut({}), "bucket", "c/").listed()  # type: ignore[arg-type]
    assert found.value.kind == error.kind


@pytest.mark.parametrize("name", ["../x.toml", "checks/../../x.toml", "/etc/x.toml", "a\\b.toml"])
def test_names_that_lead_elsewhere_are_refused(name: str):
    with pytest.raises(RestorecheckError, match="no name of a file"):
        s3(name).listed()


def test_a_bucket_that_was_named_by_mistake_is_refused():
    with pytest.raises(RestorecheckError, match="more than a configuration"):
        s3("backup.dump", size=LONGEST_FILE + 1).listed()
    with pytest.raises(RestorecheckError, match="more than a configuration"):
        s3(*(f"{n}.toml" for n in range(1001))).listed()
