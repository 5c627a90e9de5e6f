"""Versioned buckets: what was current at a time, and objects in bulk. Shared by all sources that read S3.

`history` says what was current, `listing` reads S3's pages, `selection` picks a sample and takes a fingerprint,
`refusals` sorts what went wrong with single objects, `clearing` empties a prefix; `interface` is what is needed of
whoever really talks to S3: the fence.
"""
