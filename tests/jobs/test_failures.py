"""One line on a storage that cannot be used."""

from __future__ import annotations

import errno
import os

import pytest

from jobs.failures import storage_line


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EEXIST, errno.ENOTDIR])
def test_a_folder_that_cannot_be_used(number: int) -> None:
    error = OSError(number, os.strerror(number), "/shared/run")
    line = f"cannot use /shared/run: {os.strerror(number)}"
    assert storage_line(error) == line
    # As it stands in the text of a task's error.
    assert storage_line(RuntimeError(f"UDF failed\n{error}")) == line


def test_an_error_of_another_kind_is_not_for_the_user() -> None:
    assert storage_line(OSError(errno.EPIPE, "Broken pipe", "/shared/run")) == ""
    assert storage_line(ValueError("no number")) == ""
