"""What a machine is: versions, processor, free disk, and whether it reaches a storage."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lungseg import storage
from lungseg.precision import cpu_has_bfloat16

_PACKAGES = ("lungseg", "tensorflow", "keras", "ray", "numpy", "opencv-python", "pandas", "pyarrow")


def versions() -> dict[str, str]:
    """Version of Python and of each package that matters, "" where it is not installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def made_with() -> dict[str, str]:
    """Versions, processor and, where it has some, GPUs of the process that trains a network."""
    import tensorflow as tf  # which such a process has loaded

    gpus = [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]
    found = hardware()
    facts = {"cpu": found["cpu"], "cpus": str(found["cpus"]), "gpu": ", ".join(gpus)}
    return {name: text for name, text in (versions() | facts).items() if text}


def code_mark() -> str:
    """8 hex digits that change with any line of this package, whatever its version says."""
    root = Path(__file__).parent
    mark = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        mark.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return mark.hexdigest()[:8]


def hardware() -> dict[str, Any]:
    """Processor's name, number of CPUs, bfloat16 (whether it multiplies them) and system."""
    return {
        "cpu": _cpu_name(),
        "cpus": os.cpu_count(),
        "bfloat16": cpu_has_bfloat16(),
        "system": platform.system(),
    }


def free_disk_gb() -> float:
    """What is left where temporary files go [GB]."""
    return round(shutil.disk_usage(tempfile.gettempdir()).free / 1e9, 1)


def try_storage(folder: str, name: str, note: str = "", text: str = "") -> str:
    """Write, read and delete a small file; what went wrong, or "".

    Args:
        folder: path or URL.
        name: of the file.
        note: name of a file that another machine has written there, "" for none.
        text: what that file says.
    """
    path = storage.join(folder, name)
    try:
        if note and storage.read_text(storage.join(folder, note)) != text:
            return "another machine's file reads differently here"
        storage.write_text(path, name)
        if storage.read_text(path) != name:
            return "a file reads differently from how it was written"
        storage.delete(path)
    except FileNotFoundError:
        return "what another machine wrote is not seen here: the storage is not shared"
    # Each storage has errors of its own: whatever comes is the answer.
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {lines[0]}"
    return ""


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()
