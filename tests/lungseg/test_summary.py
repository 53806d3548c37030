from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from lungseg.errors import WorkError
from lungseg.summary import case_means, describe, summarise
from lungseg.summary import test_rows as rows_of_test


def row(case: str, dice: float, **other: object) -> dict[str, object]:
    return {
        "case_id": case, "patient_id": case, "source": "s", "model": "unet", "fold": 0, "seed": 0,
        "split": "test", "dice": dice, "failed": False,
    } | other  # fmt: skip


def summary(*rows: dict[str, object]) -> dict:
    return summarise(pd.DataFrame(rows), resamples=200, seed=0)


def test_description_by_hand() -> None:
    found = describe(np.array([1.0, 2.0, 3.0, 6.0]), np.arange(101.0))
    assert found["mean"] == 3
    assert found["sd"] == pytest.approx(math.sqrt(14 / 3))
    assert found["median"] == 2.5
    assert found["p5"] == pytest.approx(1.15)
    assert found["ci95"] == pytest.approx([2.5, 97.5])


def test_patients_are_averaged_over_their_films_first() -> None:
    model = summary(row("a", 0.9, patient_id="p"), row("b", 0.7, patient_id="p"), row("c", 0.6))[
        "models"
    ]["unet"]
    assert (model["n_cases"], model["n_patients"]) == (3, 2)
    assert model["dice"]["mean"] == pytest.approx(0.7)  # of 0.8 and 0.6


def test_seeds_are_averaged_first_and_their_spread_kept_apart() -> None:
    model = summary(row("a", 0.8), row("b", 0.6), row("a", 0.9, seed=1), row("b", 0.7, seed=1))[
        "models"
    ]["unet"]
    assert (model["n_cases"], model["n_trainings"]) == (2, 2)
    assert model["dice"]["mean"] == pytest.approx(0.75)
    assert model["dice"]["sd"] == pytest.approx(np.std([0.85, 0.65], ddof=1))
    assert model["seed_sd"] == pytest.approx(np.std([0.7, 0.8], ddof=1))
    assert model["fold_sd"] is None


def test_spread_of_folds() -> None:
    model = summary(row("a", 0.8), row("b", 0.6, fold=1))["models"]["unet"]
    assert model["fold_sd"] == pytest.approx(np.std([0.8, 0.6], ddof=1))
    assert model["seed_sd"] is None


def test_case_failed_in_one_training_counts_once() -> None:
    model = summary(row("a", 0.0, failed=True), row("a", 0.9, seed=1), row("b", 0.9))["models"]
    assert model["unet"]["n_failed"] == 1


def test_missing_score_is_refused_with_its_case() -> None:
    with pytest.raises(WorkError, match=r"unet: no dice for case 'b' \(1 rows"):
        summary(row("a", 0.9), row("b", math.nan))


def test_score_that_some_cases_lack_tells_how_many_have_it() -> None:
    model = summary(row("a", 0.9, left_dice=0.8), row("b", 0.9, left_dice=math.nan))["models"]
    assert model["unet"]["left_dice"]["mean"] == 0.8
    assert model["unet"]["left_dice"]["n_cases"] == 1
    assert "n_cases" not in model["unet"]["dice"]


def test_millimetres_and_pixels_are_not_averaged() -> None:
    boundary = {"assd": 1.0, "nsd_2mm": 0.5, "nsd_5mm": 0.9}
    model = summary(
        row("a", 0.9, hd95=3.0, boundary_unit="mm", **boundary),
        row("b", 0.9, hd95=5.0, boundary_unit="mm", **boundary),
        row("c", 0.9, hd95=90.0, boundary_unit="px", **boundary),
    )["models"]["unet"]
    assert model["boundary_unit"] == "mm"
    assert model["boundary_units"] == {"mm": 2, "px": 1}
    assert (model["hd95"]["mean"], model["hd95"]["n_cases"]) == (4, 2)


def test_patient_without_id_is_its_case() -> None:
    cases = case_means(pd.DataFrame([row("a", 0.9, patient_id=""), row("b", 0.9, patient_id=None)]))
    assert cases["patient_id"].tolist() == ["a", "b"]


def test_only_the_test_split_counts_where_there_is_one() -> None:
    frame = pd.DataFrame(
        [row("a", 0.9), row("b", 0.1, split="val"), row("c", 0.8, model="other", split="train")]
    )
    assert rows_of_test(frame)["case_id"].tolist() == ["a", "c"]
