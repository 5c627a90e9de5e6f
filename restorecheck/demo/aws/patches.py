"""Every place where moto is changed, and the check that it is the moto that we know. moto is pinned for this reason.

Four places: the response classes behind the addresses of RDS and S3, the methods of S3's backend that s3_backend.py
replaces, the manager of KMS's default keys, and KMS calls that fail when a key is named by its ARN. What else is used
of moto is listed in `POINTS`, and a test asserts that it exists.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Callable
from typing import Any

VERSION = "5.2.5"

POINTS = (
    "moto.rds.urls:url_paths",
    "moto.rds.responses:RDSResponse.dispatch",
    "moto.rds.responses:RDSResponse.call_action",
    "moto.rds.models:rds_backends",
    "moto.kms.models:KmsBackend._generate_default_keys",
    "moto.kms.models:KmsBackend.any_id_to_key_id",
    "moto.kms.models:KmsBackend.disable_key",
    "moto.kms.models:KmsBackend.enable_key",
    "moto.kms.models:KmsBackend.schedule_key_deletion",
    "moto.kms.models:KmsBackend.cancel_key_deletion",
    "moto.ec2.models:ec2_backends",
    "moto.ec2.models:EC2Backend.get_security_group_from_id",
    "moto.iam.models:IAMBackend.get_role_by_arn",
    "moto.sts.models:STSBackend.get_assumed_role_from_access_key",
    "moto.s3.urls:S3Response",
    "moto.s3.models:S3Backend._url_module",
    "moto.s3.responses:S3Response.bucket_response",
    "moto.s3.responses:S3Response.copy_object",
    "moto.s3.responses:S3Response.get_object",
    "moto.s3.responses:S3Response.head_object",
    "moto.s3.responses:S3Response.key_response",
    "moto.s3.responses:S3Response.list_multipart_uploads",
    "moto.s3.responses:S3Response.list_object_versions",
    "moto.s3.responses:S3Response.put_object",
    "moto.s3.responses:S3Response.upload_part_copy",
    "moto.s3.responses:S3Response._get_checksum",
    "moto.s3.responses:S3Response._get_key",
    "moto.s3.responses:S3Response._key_response_post",
    "moto.s3.models:S3Backend.complete_multipart_upload",
    "moto.s3.models:S3Backend.copy_object",
    "moto.s3.models:S3Backend.create_multipart_upload",
    "moto.s3.models:S3Backend.delete_object",
    "moto.s3.models:S3Backend.delete_objects",
    "moto.s3.models:S3Backend.put_object",
    "moto.s3.models:S3Backend.upload_part",
    "moto.s3.models:S3Backend.upload_part_copy",
    "moto.s3.models:FakeBucket.get_permission",
    "moto.s3.models:compute_checksum",
    "moto.s3.responses:compute_checksum",
    "moto.s3.models:s3_backends.bucket_accounts",
    "moto.core.base_backend:BackendDict.reset",
    "moto.core.responses:ActionResult",
    "moto.core.responses:BaseResponse.serialized",
)


def missing() -> list[str]:
    """Return what of POINTS this moto lacks."""
    lacking = []
    for point in POINTS:
        module, _, path = point.partition(":")
        try:
            functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except (ImportError, AttributeError):
            lacking.append(point)
    return lacking


def check() -> None:
    """Raises RuntimeError if this is another moto than the one that is patched here."""
    version = importlib.metadata.version("moto")
    if version != VERSION or missing():
        raise RuntimeError(
            f"the demo AWS needs moto {VERSION}, this is {version}: pip install 'restorecheck[demo]'"
            + "".join(f"\nmissing: {point}" for point in missing())
        )


KEY_CALLS = ("disable_key", "enable_key", "schedule_key_deletion", "cancel_key_deletion")
"""Methods of moto's KMS that know keys by their id only; AWS also takes ARNs."""


def install(rds: Any) -> None:
    """Put our response classes behind RDS and S3, before the first call, and mend KMS."""
    from moto.kms.models import KmsBackend  # noqa: PLC0415 - slow to import, and only after check()
    from moto.rds import urls  # noqa: PLC0415
    from moto.s3 import responses  # noqa: PLC0415

    from restorecheck.demo.aws import s3, s3_backend  # noqa: PLC0415

    urls.url_paths["{0}/$"] = rds.dispatch
    # moto loads S3's addresses anew for each application, and takes the class from here.
    setattr(responses, "S3Response", s3.S3Api)  # noqa: B010 - mypy refuses to assign to a class
    s3_backend.install()
    made = KmsBackend._generate_default_keys

    @functools.wraps(made)
    def of_aws(self: Any, alias_name: str) -> str | None:
        key_id = made(self, alias_name)
        if key_id is not None:
            self.keys[key_id].key_manager = "AWS"
        return key_id

    setattr(KmsBackend, "_generate_default_keys", of_aws)  # noqa: B010 - mypy refuses to assign to a method
    for name in KEY_CALLS:
        setattr(KmsBackend, name, _by_any_id(getattr(KmsBackend, name)))


def _by_any_id(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, key_id: str, *more: Any, **named: Any) -> Any:
        return method(self, self.any_id_to_key_id(key_id), *more, **named)

    return call


def reset() -> None:
    """Empty every account of every service of moto."""
    from moto.core.base_backend import BackendDict  # noqa: PLC0415 - as above
    from moto.core.model_instances import reset_model_data  # noqa: PLC0415

    BackendDict.reset()
    reset_model_data()
