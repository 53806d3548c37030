from __future__ import annotations

import math

import pytest

from lungseg.datasets import facts


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("45", 45),
        ("61.0", 61),
        ("027Y", 27),
        ("45yrs", 45),
        ("6M", 0.5),
        ("006 months", 0.5),
        ("73D", 0.2),
        ("0", 0),
    ],
)
def test_age_in_years(text: str, years: float) -> None:
    assert facts.age(text) == pytest.approx(years, rel=0.01)


@pytest.mark.parametrize("text", ["", "unknown", "999Y", "-3"])
def test_unknown_age(text: str) -> None:
    assert math.isnan(facts.age(text))


@pytest.mark.parametrize(
    ("text", "sex"), [("F", "F"), (" female ", "F"), ("Male", "M"), ("m", "M"), ("O", ""), ("", "")]
)
def test_sex(text: str, sex: str) -> None:
    assert facts.sex(text) == sex
