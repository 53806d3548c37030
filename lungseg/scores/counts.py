"""The four numbers every overlap score is made of."""

from __future__ import annotations

import numpy as np


def count(prediction: np.ndarray, reference: np.ndarray) -> dict[str, int]:
    """Count the pixels of a case.

    Args:
        prediction: bool (H, W).
        reference: bool (H, W).

    Returns:
        `tp`, `fp` (called lung rightly, wrongly), `fn`, `tn` (called background wrongly, rightly).

    Raises:
        ValueError: the masks differ in size.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction {prediction.shape} and reference {reference.shape} differ")
    tp = int(np.count_nonzero(prediction & reference))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(reference)) - tp
    return {"tp": tp, "fp": fp, "fn": fn, "tn": reference.size - tp - fp - fn}
