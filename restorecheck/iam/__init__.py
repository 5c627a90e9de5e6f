"""The policies that AWS should hold our roles to, made from the fence's table of calls. Pure: it makes documents.

`estate` says where everything is, `declared` takes that from a configuration, `documents` makes every document of it;
`source`, `scratch`, `scratch_objects`, `beside`, `service`, `trust`, `keys`, `buckets` and `organization` make one kind
each, `never` what is forbidden. Nothing here asks AWS, and nothing grants an action that no row of the table needs, but
for the dependents that `conditions` names.
"""

from restorecheck.iam.declared import estate_of
from restorecheck.iam.document import Document, Kind, Statement, parts
from restorecheck.iam.documents import documents
from restorecheck.iam.estate import Bucket, Estate, Place, Scratch, Service, Snapshots, Source

__all__ = [
    "Bucket",
    "Document",
    "Estate",
    "Kind",
    "Place",
    "Scratch",
    "Service",
    "Snapshots",
    "Source",
    "Statement",
    "documents",
    "estate_of",
    "parts",
]
