"""A folder on the local disk for the files of a process, deleted also for one that was killed."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator

_PREFIX = "lungseg-training-"
_LOCK = "lock"


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """A new folder for the length of a `with` block.

    Those of killed processes are deleted first, which would hold a checkpoint each, some 100 MB:
    the system gives up a process's lock with the process, in other containers too.
    """
    for folder in glob.glob(os.path.join(tempfile.gettempdir(), f"{_PREFIX}*")):
        _delete_if_left(folder)
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    made = os.path.join(folder, "new")
    try:
        with open(made, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(made, os.path.join(folder, _LOCK))  # never to be seen without its lock
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _delete_if_left(folder: str) -> None:
    with contextlib.suppress(OSError), open(os.path.join(folder, _LOCK), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
