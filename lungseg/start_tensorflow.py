"""Start TensorFlow and Keras in a process of a job."""

from __future__ import annotations

import sys

_TAKEN_ALONG = ("matplotlib", "sklearn")
"""What Keras imports, if it is there, for pictures and wrappers that no job uses."""


def start_tensorflow(threads: int) -> None:
    """Import TensorFlow and Keras, and bind them to a number of CPU threads.

    Must come before the first operation. Without Matplotlib and scikit-learn the import takes 3 s
    instead of 4; this process can still import both for itself.

    Args:
        threads: that one operation is computed with.
    """
    hidden = [name for name in _TAKEN_ALONG if name not in sys.modules]
    # None in this table is to Python a package that is not installed.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import keras  # noqa: F401
        import tensorflow as tf
    finally:
        for name in hidden:
            del sys.modules[name]
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(min(2, threads))
