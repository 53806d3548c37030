"""Facts about a patient as data sets write them, brought to one form."""

from __future__ import annotations

import math
import re

_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


def sex(text: str) -> str:
    """ "F", "M", or "" for anything else."""
    return _SEX.get(text.strip().lower(), "")


def age(text: str) -> float:
    """Years of "45", "045Y", "45yrs", "6M" (months), "12D" (days); NaN where it is none of them."""
    match = re.match(r"\s*(\d+(?:\.\d+)?)\s*([a-z]?)", text.lower())
    if match is None:
        return math.nan
    years = float(match[1]) / {"m": 12, "w": 52.18, "d": 365.25}.get(match[2], 1)
    return years if years <= 120 else math.nan
