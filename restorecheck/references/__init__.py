"""References: what a check's questions came to at the source when its backup was made, kept as a manifest in a bucket.

`manifest` is the format, `questions` says what is recorded and as which question, `naming` where a manifest lies,
`recording` asks the source, `reading` finds the manifest of a recovery point. No row value is in a manifest.
"""
