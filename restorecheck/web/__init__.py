"""The HTTP surface of the service: is it alive, can it work, read the configuration again. No backup's data."""
