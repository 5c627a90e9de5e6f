"""The HTTP surface of the service: is it alive, can it work, its figures, the runbooks, read the configuration again.

No backup's data.
"""
