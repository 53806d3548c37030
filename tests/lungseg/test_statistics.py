from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lungseg.statistics import bootstrap_means, holm, interval, paired_test, trainings_test


def test_bootstrap_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).beta(20, 2, size=120)
    ours = interval(bootstrap_means(values[:, None], resamples=20_000, seed=0)[:, 0])
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)


def test_bootstrap_draws_the_same_patients_in_every_column() -> None:
    values = np.random.default_rng(2).normal(size=(40, 1))
    values = np.hstack([values, values + 0.25])
    means = bootstrap_means(values, resamples=300, seed=3)
    assert means.shape == (300, 2)
    assert means[:, 1] - means[:, 0] == pytest.approx(np.full(300, 0.25))
    assert means[:, 0].std() > 0
    assert (means == bootstrap_means(values, resamples=300, seed=3)).all()


def test_interval_by_hand() -> None:
    # 0…100: the 2.5th and 97.5th percentile.
    assert interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))


@pytest.mark.parametrize("patients", [3, 20, 200])
def test_wilcoxon_agrees_with_scipy(patients: int) -> None:
    generator = np.random.default_rng(patients)
    first, second = generator.normal(0.1, 1, patients), generator.normal(0, 1, patients)
    expected = stats.wilcoxon(first, second).pvalue
    assert paired_test(first - second).p == pytest.approx(expected, rel=1e-9)


def test_wilcoxon_by_hand() -> None:
    # Ranks 1, 2, 3, all in favour: 2 of the 2³ signs are as extreme.
    assert paired_test(np.array([0.1, 0.2, 0.3])).p == pytest.approx(2 / 8)


def test_effect_size_by_hand() -> None:
    # Zero is left out; ranks of 1, -2, 3, 4: favour 1 + 3 + 4 = 8, against 2, of 10.
    assert paired_test(np.array([1.0, 0.0, -2.0, 3.0, 4.0])).effect_size == pytest.approx(0.6)
    # Ties share a rank: 1, -1 at 1.5 each, 2 at 3.
    assert paired_test(np.array([1.0, -1.0, 2.0])).effect_size == pytest.approx((4.5 - 1.5) / 6)


def test_no_difference_at_all() -> None:
    outcome = paired_test(np.zeros(12))
    assert (outcome.p, outcome.effect_size) == (1, 0)


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1 = 0.03, 0.06, 0.04 → 0.06 (never falls).
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_holm_agrees_with_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="a second opinion")
    generator = np.random.default_rng(5)
    for size in (1, 2, 3, 6, 10):
        p_values = (generator.random(size) ** 3).tolist()
        expected = multitest.multipletests(p_values, method="holm")[1]
        assert holm(p_values) == pytest.approx(expected.tolist(), abs=1e-12)


def test_trainings_of_one_fold_agree_with_scipy() -> None:
    first, second = np.array([0.91, 0.92, 0.93]), np.array([0.94, 0.95, 0.97, 0.99])
    expected = stats.ttest_ind(first, second).pvalue
    assert trainings_test(first, second, folds=1) == pytest.approx(expected)


def test_trainings_of_a_cross_validation_agree_with_scipy() -> None:
    scores = np.array([[0.91, 0.95, 0.88, 0.93, 0.90], [0.92, 0.95, 0.90, 0.94, 0.93]])
    expected = stats.ttest_rel(*scores).pvalue
    assert trainings_test(*_centred(scores[..., None]), folds=5) == pytest.approx(expected)


def test_trainings_by_hand() -> None:
    # Two folds of two seeds, without their folds' means: squares 2 × 4 of 7 − 2 = 5 degrees of
    # freedom, t = 4 / √(8 / 5 × (1 / 4 + 1 / 4)).
    first, second = np.array([3.0, 1.0, 3.0, 1.0]), np.array([-3.0, -1.0, -3.0, -1.0])
    expected = 2 * stats.t.sf(4 / np.sqrt(0.8), 5)
    assert trainings_test(first, second, folds=2) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_models_differ_in_one_cross_validation_of_twenty(seeds: int) -> None:
    draws = np.random.default_rng(6).normal(size=(3000, 2, 5, seeds))
    p_values = [trainings_test(*_centred(scores), folds=5) for scores in draws]
    shown = sum(p is not None and p < 0.05 for p in p_values)
    print(f"difference shown in {shown} of 3000")
    assert 0.04 < shown / 3000 < 0.06


def _centred(scores: np.ndarray) -> np.ndarray:
    """(2, trainings) less their fold's mean, of scores given as (2, folds, seeds)."""
    return (scores - scores.mean(axis=(0, 2), keepdims=True)).reshape(2, -1)


def test_nothing_is_known_without_a_spread_of_trainings() -> None:
    first, second = np.array([0.91, 0.92, 0.93]), np.array([0.94, 0.95, 0.97])
    assert trainings_test(first, second[:1], folds=1) is None
    assert trainings_test(first[:2], second[:2], folds=3) is None
    assert trainings_test(first[:0], second[:0], folds=0) is None
    assert trainings_test(np.full(3, 0.9), np.full(2, 0.9) + 1e-16, folds=1) is None
    assert trainings_test(np.full(3, 0.9), np.array([0.8, 0.8 + 1e-16]), folds=1) is None
