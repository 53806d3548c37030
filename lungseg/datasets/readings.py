"""`ClinicalReadings/NAME.txt` of the Montgomery and Shenzhen sets: sex and age.

Montgomery writes "Patient's Sex: F" and "Patient's Age: 027Y", Shenzhen "male 45yrs"; the text of
the radiologist follows. The finding is taken from the last digit of the image's name instead, which
both sets define as 0 normal, 1 tuberculosis (Jaeger et al. 2014, Quant Imaging Med Surg 4:475).
"""

from __future__ import annotations

import math
import re

from lungseg import storage
from lungseg.datasets import facts
from lungseg.datasets.names import base, stem
from lungseg.errors import RejectedCase
from lungseg.images.decode import read_limited

_SEX = re.compile(r"\b(female|male)\b|\bsex:?\s*([fm])\b", re.IGNORECASE)
_AGE = re.compile(r"(?:\bage:?\s*|\b)(\d+\s*(?:y|m|d|w)\w*)", re.IGNORECASE)
_MOST_BYTES = 100_000
_FINDINGS = {"0": "normal", "1": "tuberculosis"}


def index_readings(folder: str) -> dict[str, str]:
    """Path of the reading of each case id."""
    return {stem(path): path for path in storage.list_files(folder, ".txt")}


def read_reading(path: str | None) -> tuple[str, float]:
    """Sex ("F", "M" or "") and age in years (NaN unknown) of a reading; None has neither."""
    if path is None:
        return "", math.nan
    try:
        text = read_limited(path, _MOST_BYTES).decode("utf-8", "replace")
    except (OSError, RejectedCase):
        return "", math.nan
    sex, age = _SEX.search(text), _AGE.search(text)
    return (
        facts.sex(sex[1] or sex[2]) if sex else "",
        facts.age(age[1]) if age else math.nan,
    )


def finding(case_id: str) -> str:
    """What the last digit of a name such as CHNCXR_0001_0 says."""
    return _FINDINGS.get(base(case_id)[-1:], "")
