"""The facts of a card."""

from __future__ import annotations

from typing import Any

import pytest

from lungseg.report.model_card import card_facts, model_card

INFO = {
    "architecture": "unet",
    "threshold": 0.45,
    "training": {"best_epoch": 18, "precision": "bfloat16"},
    "scores": {"val_dice": 0.91},
}
OF_EACH = {"Threshold": "0.450, chosen on validation", "Best epoch": "18"}
OF_EACH |= {"Validation Dice": "0.9100"}


def _facts(test: dict[str, Any] | None) -> dict[str, str]:
    return card_facts(model_card("U-Net", INFO, test=test))


def _test(trainings: int) -> dict[str, Any]:
    counts = {"n_cases": 9, "n_patients": 8, "n_failed": 0, "n_trainings": trainings}
    return counts | {"sources": ["Shenzhen"]}


@pytest.mark.parametrize("test", [None, _test(1)])
def test_card_of_one_training_tells_what_it_has_of_its_own(test: dict[str, Any] | None) -> None:
    assert OF_EACH.items() <= _facts(test).items()


def test_card_of_several_trainings_tells_what_they_share() -> None:
    facts = _facts(_test(3))
    assert not OF_EACH.keys() & facts.keys()
    assert (facts["Trainings"], facts["Arithmetic"]) == ("3", "bfloat16")
    assert facts["Test cases"] == "9 of 8 patients (Shenzhen)"
