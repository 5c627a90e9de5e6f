"""botocore's models, read once for all sessions of this process.

Every `Fence` and every session of boto3 reads the JSON of its services anew: a tenth of a second for EC2 alone, and the
tests make thousands of sessions. What is remembered is what stands in botocore's own directory and never changes;
models of somebody's home directory are read each time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader


@cache
def _read(path: str) -> Any:
    return JSONFileLoader().load_file(path)


class Remembering(JSONFileLoader):  # type: ignore[misc] # botocore has no types
    """botocore's reader of files, with a memory."""

    def load_file(self, file_path: str) -> Any:
        """Return what a file holds, or None where there is none."""
        if file_path.startswith(Loader.BUILTIN_DATA_PATH):
            return _read(file_path)
        return super().load_file(file_path)


def remember() -> None:
    """Let every loader of models in this process read with this one."""
    Loader.FILE_LOADER_CLASS = Remembering
