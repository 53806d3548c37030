"""One line on what went wrong in Ray's hands, where it lies below layers of its own errors."""

from __future__ import annotations

import os
import re

from lungseg import storage

_TOLD = re.compile(r"\[Errno (\d+)\] (.+?): (['\"])(.+?)\3")
"""An `OSError` as Python writes it."""


def last_line(error: BaseException) -> str:
    """The last line of the error at the bottom, that of the first worker where several failed."""
    failures = list(getattr(error, "worker_failures", {}).values())
    inner: BaseException = failures[0] if failures else error
    # Ray Data puts an error without a word below those that are not of the user's code.
    while inner.__cause__ is not None and str(inner.__cause__).strip():
        inner = inner.__cause__
    lines = str(inner).strip().splitlines() or [type(inner).__name__]
    return re.sub(r"^lungseg\.errors\.\w+: ", "", lines[-1].strip())


def storage_line(error: BaseException) -> str:
    """One line for the user where a storage is the reason, here or in a task; empty for others."""
    # A task's error is of the class of its cause too, without its number and file name.
    if isinstance(error, OSError) and error.errno is not None:
        where = str(error.filename or "a temporary file, or the output")
        number, reason = error.errno, error.strerror
    elif found := _TOLD.search(str(error)):
        # They stand in the text of its traceback.
        number, reason, where = int(found[1]), found[2], found[4]
    else:
        return ""
    if storage.is_url(where):
        return (
            f"cannot use {where} ({reason}): check that the bucket exists, and that the "
            "credentials in the environment of every machine may read and write there"
        )
    return f"cannot use {where}: {reason}" if number in storage.UNWRITABLE else ""


def explain(error: BaseException, where: str) -> str:
    """One line for the user on an error of any kind.

    Args:
        error: as it was caught.
        where: the folder that was written to; a storage that is full or read-only is told with it.
    """
    line = last_line(error)
    number = re.search(r"\[Errno (\d+)\]", line)
    if number and int(number[1]) in storage.UNWRITABLE:
        return (
            f"{os.strerror(int(number[1]))}, at {where} or in a worker's temporary folder; what is "
            "complete stays: mend that, then the same command goes on from there"
        )
    return line
