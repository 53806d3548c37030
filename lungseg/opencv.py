"""OpenCV, imported in this one place so that a missing system library is told in one line."""

from lungseg.errors import WorkError

try:
    import cv2
except ImportError as error:
    raise WorkError(
        f"OpenCV cannot be loaded ({error}): apt-get install libgl1 libglib2.0-0, "
        "or pip install opencv-python-headless, which gives the same cv2"
    ) from error

__all__ = ["cv2"]
