"""Every document of an estate, by name: of the service, of each source and scratch account, of their keys and buckets.

Of several accounts of a kind each has its own name in the names of its documents: `scratch.lab`, `scratch.lab.trust`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from restorecheck.iam import beside, buckets, keys, organization, scratch, source, trust
from restorecheck.iam import service as own
from restorecheck.iam.document import Document, Kind, Statement
from restorecheck.iam.estate import Estate, Scratch, Source


def documents(estate: Estate) -> tuple[Document, ...]:
    """Return every document, without those that would say nothing."""
    return tuple(document for document in _documents(estate) if document.statements)


def _documents(estate: Estate) -> Iterator[Document]:
    service = estate.service
    yield _document("service", "identity", own.statements(estate), service.role, "put it on whom restorecheck runs as")
    about = "who may run as the service; in place of the trust policy that its role has"
    yield _document("service.trust", "trust", trust.of_service(service), service.role, about)
    for one in estate.sources:
        yield from _of_source(estate, one, _name("source", one.name, len(estate.sources)))
    for each in estate.scratches:
        yield from _of_scratch(estate, each, _name("scratch", each.name, len(estate.scratches)))
    about = "put it on whom `restorecheck record` runs as, and not on the source role"
    yield _document("recorder", "identity", beside.recorder(estate), about=about)
    about = "put it on whom `restorecheck init` looks as; it reads, and can be taken off on the second day"
    yield _document("surveyor", "identity", beside.surveyor(estate), about=about)


def _of_source(estate: Estate, one: Source, name: str) -> Iterator[Document]:
    where = f"in source account {one.account}"
    yield _document(name, "identity", source.statements(estate, one), one.role, f"put it on the role {where}")
    yield _document(f"{name}.trust", "trust", trust.of_account(one, estate.service), one.role, f"who enters it {where}")
    about = f"add it to the policy of each key {where} that backups, or copies that are shared, are under"
    yield _document(f"{name}.key", "key", keys.of_source(estate, one), " ".join(one.keys), about)
    copied = buckets.copied(one)
    for bucket, held in copied.items():
        suffix = f".{bucket}" if len(copied) > 1 else ""
        about = f"add it to the policy of the bucket {bucket} {where}"
        yield _document(f"{name}.bucket{suffix}", "bucket", buckets.of_source(estate, one, held), bucket, about)


def _of_scratch(estate: Estate, each: Scratch, name: str) -> Iterator[Document]:
    where = f"in scratch account {each.account}"
    every = " ".join(dict.fromkeys(key for place in each.places for key in place.keys))
    yield _document(name, "identity", scratch.statements(estate, each), each.role, f"put it on the role {where}")
    yield _document(
        f"{name}.trust", "trust", trust.of_account(each, estate.service), each.role, f"who enters it {where}"
    )
    about = f"add it to the policy of the key {where}"
    yield _document(f"{name}.key", "key", keys.of_scratch(estate, each) if every else (), every, about)
    about = f"attach it, in your organization, to account {each.account}: it takes away, and grants nothing"
    yield _document(f"{name}.scp", "scp", organization.statements(estate, each), each.account, about)


def _name(kind: str, name: str, of: int) -> str:
    return kind if of == 1 else f"{kind}.{name}"


def _document(name: str, kind: Kind, statements: Iterable[Statement], on: str = "", about: str = "") -> Document:
    """Return a document; a statement is left out if no row of the table needs it, or it would be about nothing."""
    said = tuple(one for one in statements if (one.actions or one.but) and (one.resources or kind == "trust"))
    return Document(name, kind, said, on, about)
