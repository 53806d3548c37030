from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lungseg.comparison import compare, conclusion, training_means
from lungseg.summary import case_means

MODELS = ["unet", "resunet", "rngunet"]
TITLES = {"unet": "U-Net", "resunet": "ResUNet", "rngunet": "RNGU-Net"}


def rows_of(dice: np.ndarray) -> pd.DataFrame:
    """Rows of Dice given as (models, seeds, patients)."""
    models, seeds, patients = (axis.ravel() for axis in np.indices(dice.shape))
    return pd.DataFrame(
        {
            "case_id": [f"c{number}" for number in patients],
            "patient_id": [f"p{number}" for number in patients],
            "source": "s",
            "model": np.array(MODELS)[models],
            "fold": 0,
            "seed": seeds,
            "dice": dice.ravel(),
            "failed": False,
        }
    )


def compared(rows: pd.DataFrame, resamples: int = 500) -> list[dict]:
    order = [name for name in MODELS if name in set(rows["model"])]
    return compare(rows, case_means(rows), order, resamples=resamples, seed=0)


def sentence(rows: pd.DataFrame) -> str:
    models = {}
    for name, own in rows.groupby("model", sort=False):
        mean = {"mean": own["dice"].mean()}
        models[str(name)] = {"dice": mean, "n_trainings": len(training_means(own))}
    return conclusion(models, compared(rows), TITLES)


def noise(seed: int, seeds: int = 1, patients: int = 60, models: int = 3) -> np.ndarray:
    generator = np.random.default_rng(seed)
    case = generator.normal(0.94, 0.02, patients)
    return case + generator.normal(0, 0.01, (models, seeds, patients))


def test_mean_difference_is_of_the_same_patients() -> None:
    dice = np.array([[[0.9, 0.8, 0.7]], [[0.8, 0.75, 0.7]]])
    (pair,) = compared(rows_of(dice))
    assert pair["models"] == ["unet", "resunet"]
    assert pair["n_patients"] == 3
    assert pair["mean_difference"] == pytest.approx(0.05)
    assert pair["effect_size"] == 1
    assert pair["p_trainings"] is None


def test_films_of_a_patient_are_averaged_first() -> None:
    rows = rows_of(np.array([[[0.9, 0.8, 0.6]], [[0.8, 0.8, 0.2]]]))
    rows.loc[rows["case_id"] == "c1", "patient_id"] = "p0"
    (pair,) = compared(rows)
    assert pair["n_patients"] == 2
    assert pair["mean_difference"] == pytest.approx((0.05 + 0.4) / 2)  # by film it were 1/6


def test_clear_difference_is_shown() -> None:
    dice = noise(0)
    dice[2] += 0.03
    pairs = compared(rows_of(dice))
    assert [pair["difference_shown"] for pair in pairs] == [False, True, True]
    text = sentence(rows_of(dice))
    assert text.startswith("Difference in mean Dice shown: RNGU-Net above U-Net by 0.0")
    assert "no difference shown in the other pair." in text


def test_difference_below_that_of_seeds_is_not_shown() -> None:
    dice = noise(1, seeds=2, models=2)
    dice[0, 1] += 0.04  # one seed of the first model is far better, the other is not
    (pair,) = compared(rows_of(dice))
    assert pair["p_holm"] < 0.001
    assert not pair["difference_shown"]
    assert pair["ci95"][0] > 0
    assert sentence(rows_of(dice)).endswith(
        "). Where an interval excludes 0 and no difference is shown, trainings of one model differ "
        "by as much."
    )


def test_trainings_of_a_cross_validation_are_paired_by_fold() -> None:
    dice = noise(4, seeds=5, models=2) + np.array([0.0, 0.03, 0.01, -0.02, 0.04])[:, None]
    rows = rows_of(dice)
    rows["fold"], rows["seed"] = rows["seed"], 0
    (pair,) = compared(rows)
    expected = stats.ttest_rel(*dice.mean(axis=2)).pvalue
    assert pair["p_trainings"] == pytest.approx(expected)


def test_folds_of_one_model_alone_tell_no_difference_of_trainings() -> None:
    rows = rows_of(noise(5, seeds=6, models=2))
    rows["fold"], rows["seed"] = rows["seed"] // 2, rows["seed"] % 2
    both = rows[rows["fold"] < 2]
    alone = rows[(rows["fold"] == 2) & (rows["model"] == "unet")]
    (expected,) = compared(both)
    (pair,) = compared(pd.concat([both, alone]))
    assert pair["p_trainings"] == pytest.approx(expected["p_trainings"])
    of_first, of_second = both[both["model"] == "unet"], both[both["model"] == "resunet"]
    (pair,) = compared(pd.concat([of_first, of_second.assign(fold=of_second["fold"] + 7)]))
    assert pair["p_trainings"] is None


def test_same_training_twice_does_not_show_a_difference_of_trainings() -> None:
    dice = np.repeat(noise(6, models=2), 2, axis=1)
    (pair,) = compared(rows_of(dice))
    assert pair["p_trainings"] is None
    assert "p_trainings_holm" not in pair


def test_conclusion_says_no_difference_shown() -> None:
    text = sentence(rows_of(np.repeat(noise(2, models=1), 3, axis=0)))
    assert text == (
        "No difference shown between U-Net, ResUNet and RNGU-Net in mean Dice: largest gap 0.0000 "
        "(95 % CI 0.0000 to 0.0000). "
        "With a single training of a model, the effect of another seed is not known."
    )


def _on_other_films(rows: pd.DataFrame, *models: str) -> pd.DataFrame:
    return rows.assign(source=rows["source"].where(~rows["model"].isin(models), "elsewhere"))


def test_conclusion_names_models_without_common_films() -> None:
    rows = rows_of(np.repeat(noise(2, models=1), 3, axis=0))
    assert sentence(_on_other_films(rows, "rngunet")) == (
        "No difference shown between U-Net and ResUNet in mean Dice: largest gap 0.0000 "
        "(95 % CI 0.0000 to 0.0000). "
        "Not compared, for there are no common films: U-Net and ResUNet with RNGU-Net. "
        "With a single training of a model, the effect of another seed is not known."
    )


def test_conclusion_of_two_pairs_apart_speaks_of_no_other_pair() -> None:
    rows = rows_of(np.repeat(noise(2, models=1), 3, axis=0))
    fourth = rows[rows["model"] == "rngunet"].assign(model="peer")
    rows = _on_other_films(pd.concat([rows, fourth]), "rngunet", "peer")
    names = [*MODELS, "peer"]
    pairs = compare(rows, case_means(rows), names, resamples=100, seed=0)
    models = {name: {"n_trainings": 2} for name in names}
    assert conclusion(models, pairs, TITLES | {"peer": "peer"}) == (
        "No difference shown in mean Dice in any of the 2 pairs compared: largest gap 0.0000 "
        "(95 % CI 0.0000 to 0.0000). Not compared, for there are no common films: "
        "U-Net and ResUNet with RNGU-Net and peer."
    )


def test_conclusion_names_each_pair_without_common_films_once() -> None:
    """A shares films with B and C, which share none."""
    pairs = [
        {"models": [first, second], "difference_shown": True, "mean_difference": 0.02}
        | {"ci95": [0.01, 0.03], "p_holm": 0.01}
        for first, second in (("unet", "resunet"), ("unet", "rngunet"))
    ]
    models = {name: {"n_trainings": 2} for name in MODELS}
    assert conclusion(models, pairs, TITLES) == (
        "Difference in mean Dice shown: "
        "U-Net above ResUNet by 0.0200 (95 % CI 0.0100 to 0.0300, Holm p = 0.010); "
        "U-Net above RNGU-Net by 0.0200 (95 % CI 0.0100 to 0.0300, Holm p = 0.010). "
        "Not compared, for there are no common films: ResUNet with RNGU-Net."
    )


def test_one_model_is_not_compared() -> None:
    assert sentence(rows_of(noise(3, models=1))).startswith("Nothing to compare")


@pytest.mark.slow
def test_models_without_difference_are_seldom_told_apart() -> None:
    shown = 0
    for number in range(500):
        pairs = compared(rows_of(noise(number, patients=40)), resamples=200)
        shown += any(pair["difference_shown"] for pair in pairs)
    print(f"difference shown in {shown} of 500")
    assert shown <= 0.07 * 500
