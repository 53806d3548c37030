"""The content of a film's file, over networks that fail now and then."""

from __future__ import annotations

import errno
import time

from lungseg.errors import RejectedCase, UserError
from lungseg.images.decode import read_limited

_WAITS = (1.0, 5.0)
"""Seconds before the second and the third attempt."""
ATTEMPTS = 1 + len(_WAITS)
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_NO_FILE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
"""Of names that name nothing, and of pipes and devices."""


def read_film(path: str) -> bytes:
    """Read a file; what may pass (an object store or NFS that times out) is tried three times.

    Raises:
        RejectedCase: the file will never be read: it is not there, too large, somebody else's, …
        OSError: it could not be read now.
    """
    for wait in (*_WAITS, None):
        try:
            return read_limited(path)
        except (UserError, ValueError) as error:
            raise RejectedCase(f"the file cannot be read ({error})") from error
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            if isinstance(error, _LASTING) or error.errno in _NO_FILE:
                raise RejectedCase(f"the file cannot be read ({reason})") from error
            if wait is None:
                raise OSError(error.errno or errno.EIO, reason, path) from error
        time.sleep(wait)
    raise AssertionError  # the last attempt returns or raises
