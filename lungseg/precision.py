"""Which arithmetic a network trains and predicts in."""

from __future__ import annotations

from pathlib import Path

from lungseg.errors import UserError
from lungseg.settings import Precision

_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}
_POLICIES = {
    "float64": "float64",
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def dtype_policy(precision: Precision) -> str:
    """Name of the Keras dtype policy for a precision.

    "auto" is bfloat16 on a CPU with AMX or AVX512-BF16 and on GPUs from Ampere on (compute
    capability 8.0), float16 on older GPUs, float32 elsewhere.

    Raises:
        UserError: there is no such precision.
    """
    if precision not in ("auto", *_POLICIES):
        known = ", ".join(("auto", *_POLICIES))
        raise UserError(f"there is no precision {precision!r}: take one of {known}")
    return _POLICIES[_best() if precision == "auto" else precision]


def _best() -> str:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if devices:
        details = [tf.config.experimental.get_device_details(device) for device in devices]
        oldest = min(detail.get("compute_capability", (0, 0)) for detail in details)
        return "bfloat16" if oldest >= (8, 0) else "float16"
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Whether this machine's CPU multiplies bfloat16 (Linux only: read from /proc/cpuinfo)."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    with info.open(encoding="utf-8") as lines:
        flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_CPU_FLAGS & set(flags.split()))
