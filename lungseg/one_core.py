"""Set up a process that shares its machine with others like it, one a core."""

from __future__ import annotations

import ctypes

from lungseg.opencv import cv2

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 32 * 2**20
_KEPT = 256 * 2**20


def use_one_core() -> None:
    """Let OpenCV use one thread, and keep up to 256 MB of freed memory for the next film.

    glibc would hand the pixels of every film back to the system, and they would come anew, page by
    page and zeroed: for films of 4 megapixels 10 % of the time. (mallopt(3); 32 MB is the largest
    threshold that it takes. Other C libraries are left alone.)
    """
    cv2.setNumThreads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
