"""From a configuration to its estate, and what `restorecheck iam` makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from iam_cases import BASE, REGION, SERVICE

from restorecheck.cli import app
from restorecheck.config import Config, load
from restorecheck.config.resolved import StateBucket
from restorecheck.errors import RestorecheckError
from restorecheck.iam import Bucket, Snapshots, documents, estate_of, keys, parts
from restorecheck.iam.declared import SERVICE as NOBODY
from restorecheck.iam.declared import literal
from restorecheck.model import AuroraSource, RdsSource, Reference, S3DumpSource, S3ObjectsSource, SnapshotKind

ROOT = Path(__file__).parents[2]
SHARE_KEY = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return load(files(tmp_path_factory.mktemp("iam")))


def files(home: Path) -> Path:
    """Lay out the example configuration with its one check of an instance."""
    (home / "config.toml").write_text((ROOT / "config.example.toml").read_text())
    (home / "checks").mkdir()
    (home / "checks" / "orders-db.toml").write_text((ROOT / "checks" / "orders-db.toml").read_text())
    return home / "config.toml"


def with_sources(config: Config, *sources: RdsSource | AuroraSource | S3ObjectsSource | S3DumpSource) -> Config:
    [check] = config.checks
    return replace(config, checks=tuple(replace(check, source=source) for source in sources))


def instance(name: str, *kinds: SnapshotKind, share_key: str | None = None) -> RdsSource:
    return RdsSource("111111111111", REGION, name, "db", snapshots=kinds, share_key=share_key)


# --- the estate -------------------------------------------------------------------------------------------------------


def test_accounts_roles_groups_and_topics_are_those_of_the_configuration(config: Config):
    estate = estate_of(config, SERVICE)
    [source], [scratch] = estate.sources, estate.scratches
    assert (source.account, source.role) == ("111111111111", "arn:aws:iam::111111111111:role/restorecheck-source")
    assert (source.external_id, source.regions, estate.partition) == ("restorecheck-4f1c2e", (REGION,), "aws")
    [place] = scratch.places
    assert (place.subnet_groups, place.bucket) == (("restorecheck",), "restorecheck-lab-222222222222")
    assert place.keys == ("arn:aws:kms:eu-central-1:222222222222:key/0987dcba-09fe-87dc-65ba-ab0987654321",)
    assert "restorecheck-postgres17" in place.parameter_groups
    assert scratch.sources == ("production",)
    assert estate.service.topics == ("arn:aws:sns:eu-central-1:333333333333:backups",)
    assert (estate.service.role, estate.service.account) == (SERVICE, BASE)


@pytest.mark.parametrize(
    ("kinds", "share_key", "found"),
    [
        ((SnapshotKind.AUTOMATED,), None, Snapshots(("rds:orders-*",))),
        ((SnapshotKind.AUTOMATED, SnapshotKind.MANUAL), None, Snapshots(("rds:orders-*",), ("*",))),
        ((SnapshotKind.AUTOMATED, SnapshotKind.MANUAL), SHARE_KEY, Snapshots(("*",), ("*",))),
        ((SnapshotKind.AWSBACKUP,), None, Snapshots(("awsbackup:*",))),
        ((SnapshotKind.SHARED,), None, Snapshots(shared=("*",))),
    ],
)
def test_only_the_snapshots_that_a_check_takes_may_be_copied_or_lent(
    config: Config, kinds: tuple[SnapshotKind, ...], share_key: str | None, found: Snapshots
):
    one = with_sources(config, instance("orders", *kinds, share_key=share_key))
    [source] = estate_of(one).sources
    assert source.instances == found
    assert source.clusters == Snapshots()


def test_checks_of_several_kinds_are_put_together(config: Config):
    cluster = AuroraSource("111111111111", REGION, "shop", snapshots=(SnapshotKind.AUTOMATED,))
    objects = S3ObjectsSource("111111111111", REGION, "exports", "a*b/")
    streamed = replace(objects, prefix="s/", transfer="stream")
    dump = S3DumpSource("111111111111", REGION, "dumps", "nightly/crm/toc.dat", "crm", form="directory")
    both = (instance("a", SnapshotKind.AUTOMATED), instance("b", SnapshotKind.AUTOMATED))
    [source] = estate_of(with_sources(config, *both, cluster, objects, streamed, dump)).sources
    assert source.instances.copied == ("rds:a-*", "rds:b-*")
    assert source.clusters.copied == ("rds:shop-*",)
    assert source.buckets == (
        Bucket("exports", "a${*}b/", read=False, copied=True),
        Bucket("exports", "s/", read=True, copied=False),
        Bucket("dumps", "nightly/crm"),  # beside the directory lies its checksum
    )


def test_references_are_read_and_written_where_they_lie(config: Config):
    [check] = config.checks
    reference = Reference("nightly", "111111111111", REGION, "references", "orders/*.json")
    elsewhere = replace(reference, name="other", account="999999999999")
    one = replace(config, checks=(replace(check, references=(reference, elsewhere)),))
    [source] = estate_of(one).sources
    assert source.manifests == (Bucket("references", "orders/"),)
    assert Bucket("references", "orders/") in source.buckets
    made = {document.name for document in documents(estate_of(one))}
    assert "recorder" in made
    assert "recorder" not in {document.name for document in documents(estate_of(config))}


def test_where_there_are_no_databases_keys_are_used_through_s3_alone_and_the_other_way_round(config: Config):
    estate = estate_of(with_sources(config, S3ObjectsSource("111111111111", REGION, "exports", prefix="a/")), SERVICE)
    [source], [scratch] = estate.sources, estate.scratches
    [place] = scratch.places
    both = [(bucket, groups) for bucket in ("", place.bucket) for groups in ((), place.subnet_groups)]
    made = {
        (bool(bucket), bool(groups)): str([one.as_json() for one in keys.of_scratch(estate, offering)])
        for bucket, groups in both
        for offering in [replace(scratch, places=(replace(place, bucket=bucket, subnet_groups=groups),))]
    }
    said = {what: ("'s3." in text, "'rds." in text) for what, text in made.items()}
    assert said == {(bucket, rds): (bucket, rds) for bucket in (False, True) for rds in (False, True)}
    of_source = str([one.as_json() for one in keys.of_source(estate, source)])
    assert ("'s3." in of_source, "'rds." in of_source) == (True, False)
    assert list(keys.of_source(estate, replace(source, buckets=(), manifests=()))) == []


def test_a_state_in_a_bucket_is_the_services_own(config: Config):
    kept = replace(config.state, directory=None, bucket=StateBucket("the-state", "prod/", REGION, None))
    service = estate_of(replace(config, state=kept), SERVICE).service
    assert (service.state, service.region) == (Bucket("the-state", "prod/"), REGION)


def test_what_iam_would_take_for_a_pattern_is_taken_for_itself():
    assert literal("a*b?c$d") == "a${*}b${?}c${$}d"


# --- the command ------------------------------------------------------------------------------------------------------


def iam(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(["iam", "--config", str(config), *arguments], prog_name="restorecheck")
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_one_document_alone_is_what_can_be_piped_on(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    code, out, err = iam(capsys, files(tmp_path), "--only", "source.trust", "--service", SERVICE)
    assert code == 0
    assert json.loads(out)["Statement"][0]["Principal"] == {"AWS": [SERVICE]}
    assert "trust policy of the role arn:aws:iam::111111111111:role/restorecheck-source" in err
    assert "note:" not in err


def test_who_is_trusted_is_a_placeholder_that_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    code, out, err = iam(capsys, files(tmp_path), "--only", "scratch")
    assert code == 0
    assert NOBODY in out
    assert "give --service the ARN" in err
    assert [line for line in err.splitlines() if line.startswith("==")] != []


def test_the_object_for_programs_says_why_of_every_statement(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    code, out, _ = iam(capsys, files(tmp_path), "--json", "--service", SERVICE)
    made = json.loads(out)["documents"]
    assert code == 0
    assert {"service", "source", "source.trust", "scratch.key", "scratch.scp", "surveyor"} <= {d["name"] for d in made}
    for document in made:
        assert set(document["why"]) == {s["Sid"] for s in document["document"]["Statement"]}
        assert document["characters"] == len(json.dumps(document["document"], separators=(",", ":")))


def test_files_are_written_over_earlier_ones_and_over_nothing_else(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    config, into = files(tmp_path), tmp_path / "policies"
    assert iam(capsys, config, "--directory", str(into))[0] == 0
    code, out, err = iam(capsys, config, "--directory", str(into), "--service", SERVICE)
    assert (code, out) == (0, f"wrote {len(list(into.iterdir()))} documents to {into}\n")
    assert err == ""
    assert SERVICE in (into / "scratch.trust.json").read_text()
    (into / "source-9.json").write_text((into / "source.json").read_text())
    assert "source-9.json" in iam(capsys, config, "--directory", str(into))[2]  # of an earlier configuration
    (into / "source.json").write_text("{}")
    code, _, err = iam(capsys, config, "--directory", str(into))
    assert code == 2
    assert "source.json is not a policy" in err
    assert (into / "source.json").read_text() == "{}"


def test_of_many_files_none_is_written_if_one_cannot_be(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    config, into = files(tmp_path), tmp_path / "policies"
    into.mkdir()
    (into / "surveyor.json").write_text("mine")
    assert iam(capsys, config, "--directory", str(into))[0] == 2
    assert [path.name for path in into.iterdir()] == ["surveyor.json"]
    (into / "surveyor.json").unlink()
    (into / "surveyor.json").mkdir()
    assert "surveyor.json cannot be written: Is a directory" in iam(capsys, config, "--directory", str(into))[2]
    assert [path.name for path in into.iterdir()] == ["surveyor.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "nobody"), "there is no document nobody"),
        (("--service", "restorecheck"), "--service 'restorecheck' is not the ARN of a role or a user"),
        (("--function", "arn:aws:lambda:eu-central-1:333333333333:function:run"), "with a version or an alias"),
        (("--runs-on", "a laptop"), "say one of: ecs-tasks.amazonaws.com"),
        (("--service", "arn:aws:sts::333333333333:assumed-role/x/y"), "the role itself, not a session of it"),
        (("--service", "arn:aws:iam::111111111111:role/restorecheck-source"), "is the role of the account production"),
        (("--directory", "/dev/null/x"), "cannot be written"),
        (("--directory", "/dev/null"), "/dev/null is no directory"),
    ],
)
def test_what_is_wrong_is_one_line_with_a_hint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], said: str
):
    code, out, err = iam(capsys, files(tmp_path), *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "hint: " in err
    assert "check-config" not in err


def test_what_runs_on_aws_says_who_may_run_as_it(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    function = f"arn:aws:lambda:{REGION}:{BASE}:function:restorecheck-run:live"
    asked = ("--only", "service", "--service", SERVICE, "--function", function, "--runs-on", "lambda.amazonaws.com")
    _, out, _ = iam(capsys, files(tmp_path), *asked)
    assert f'"{function}"' in out
    assert '"Service": "lambda.amazonaws.com"' in out


def test_a_document_that_is_too_large_says_so(config: Config):
    many = [instance(f"a-database-with-a-name-that-is-long-{n}", SnapshotKind.AUTOMATED) for n in range(900)]
    [document] = [d for d in documents(estate_of(with_sources(config, *many))) if d.name == "source"]
    with pytest.raises(RestorecheckError, match="managed policies"):
        parts(document)
