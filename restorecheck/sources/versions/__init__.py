"""Versioned buckets: what was current at a time, and moving objects in bulk. Shared by all sources that read S3.

`history` says what was current, `listing` reads S3's pages, `selection` picks a sample and takes a fingerprint,
`interface` is what is needed of whoever really talks to S3: the fence.
"""
