"""The one table, held against the API models of AWS themselves."""

import botocore.session
import pytest

from restorecheck.errors import AwsError, ConfigError, QueryError, RefusedError, RestorecheckError, SourceError
from restorecheck.failures import (
    AWS_ERRORS,
    CONNECTABLE_STATUSES,
    INSTANCE_STATUSES,
    KINDS,
    RETRYABLE_KINDS,
    kind,
    of_aws_error,
)
from restorecheck.fence import TABLE
from restorecheck.model import Verdict


def codes_of(service: str, operation: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    return {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}


@pytest.mark.parametrize(
    ("service", "operation"),
    sorted({(s, o) for role in TABLE.values() for s, ops in role.items() for o in ops if s == "rds"}),
)
def test_every_error_that_aws_documents_for_a_call_of_ours_is_in_the_table(service: str, operation: str):
    missing = codes_of(service, operation) - set(AWS_ERRORS)
    assert missing == set()


def test_an_unknown_code_is_unproven_and_never_retried_for_ever():
    assert of_aws_error("NobodyKnows") == "unknown-answer"
    assert kind("unknown-answer").verdict is Verdict.UNPROVEN
    assert kind("a kind that is in no table").verdict is Verdict.UNPROVEN


def test_every_code_and_status_leads_to_a_kind_with_a_meaning_and_a_hint():
    for name in {*AWS_ERRORS.values(), *INSTANCE_STATUSES.values(), *RETRYABLE_KINDS}:
        assert name in KINDS
    for entry in KINDS.values():
        assert entry.meaning
        assert entry.hint
        assert entry.verdict is not Verdict.PASSED


def test_every_error_class_has_a_kind_of_the_table():
    for cls in (ConfigError, QueryError, RefusedError, RestorecheckError, SourceError, AwsError):
        assert cls.kind in KINDS


@pytest.mark.parametrize(
    "name", ["quota", "capacity", "throttled", "permission", "placement", "key-access", "deadline"]
)
def test_infrastructure_never_blames_the_backup(name: str):
    assert KINDS[name].verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    "name", ["assertion-failed", "stale", "no-recovery-point", "incompatible-restore", "data-damaged"]
)
def test_a_bad_backup_is_never_only_unproven(name: str):
    assert KINDS[name].verdict is Verdict.BROKEN


def test_a_connectable_status_is_not_terminal():
    assert not CONNECTABLE_STATUSES & set(INSTANCE_STATUSES)
    assert "backing-up" not in CONNECTABLE_STATUSES
