from __future__ import annotations

import subprocess
import sys


def test_a_missing_system_library_is_told_in_one_line() -> None:
    code = """
import sys
sys.modules["cv2"] = None
from lungseg.errors import WorkError
try:
    import lungseg.opencv
except WorkError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OpenCV cannot be loaded (")
    assert "apt-get install libgl1 libglib2.0-0, or pip install opencv-" in done.stdout
    assert done.stdout.count("\n") == 1


def test_reading_images_loads_neither_dicom_nor_tables() -> None:
    code = """
import sys
import lungseg.images, lungseg.masks, lungseg.datasets, lungseg.perceptual_hash
print([name for name in ("pydicom", "pandas", "pyarrow", "scipy", "keras") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
