"""Overlap and pixel scores: pure functions of the four counts.

Rule for empties, here for all of them: a score whose denominator is 0 is 0. The reference is
never empty, so this concerns the empty prediction only (precision 0/0; Dice, IoU, F1 and recall
are 0/n). The one exception is specificity, 1 where the film has no background to be wrong about.
"""

from __future__ import annotations

from typing import Any

import numpy as np

OVERLAP_SCORES = ("dice", "iou", "accuracy", "precision", "recall", "f1", "specificity")


def overlap(tp: Any, fp: Any, fn: Any, tn: Any) -> dict[str, Any]:
    """Overlap and pixel scores of one case, or of many at once.

    Definitions after Taha and Hanbury 2015, BMC Medical Imaging 15:29, section "Overlap based".
    Per case Dice = F1, and IoU = Dice / (2 − Dice).

    Args:
        tp, fp, fn, tn: counts of pixels as int, numpy array or pandas Series.

    Returns:
        `OVERLAP_SCORES`, each 0…1, in the form of the input (float, array or Series).
    """
    dice = _ratio(2 * tp, 2 * tp + fp + fn)
    return {
        "dice": dice,
        "iou": _ratio(tp, tp + fp + fn),
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "f1": dice,
        "specificity": 1.0 - _ratio(fp, tn + fp),
    }


def _ratio(part: Any, whole: Any) -> Any:
    if np.ndim(whole) == 0:
        return float(part / whole) if whole else 0.0
    return part / (whole + (whole == 0))  # part is 0 wherever whole is
