"""Uncertainty of a mean and comparison of two models on the same patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

_CELLS = 4_000_000  # numbers drawn at a time, which bounds the memory
_ROUNDING = 1e-12  # means of the same numbers differ by this much for their order of adding up


def bootstrap_means(values: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
    """Means of resampled patients (Efron 1979, Annals of Statistics 7:1).

    All columns see the same resamples, so that the difference of two of them is the resampled
    mean difference of the same patients.

    Args:
        values: float (patients, columns), no NaN.
        resamples: how many times as many patients are drawn with replacement.
        seed: of the draws.

    Returns:
        float64 (resamples, columns).
    """
    patients = len(values)
    generator = np.random.default_rng(seed)
    chunk = max(1, _CELLS // patients)
    means = []
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = generator.integers(patients, size=(rows, patients))
        drawn += np.arange(rows)[:, None] * patients
        weights = np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients)
        means.append(weights.astype(np.float64) @ values / patients)
    return np.concatenate(means)


def interval(means: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap means (Efron and Tibshirani 1993, chapter 13)."""
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Paired:
    """Outcome of the Wilcoxon signed-rank test on paired differences."""

    p: float
    """Two-sided; 1 where all differences are 0."""
    effect_size: float
    """Matched-pairs rank-biserial correlation, -1…1 (Kerby 2014, Comprehensive Psychology 3:1)."""


def paired_test(differences: np.ndarray) -> Paired:
    """Wilcoxon signed-rank test (Wilcoxon 1945, Biometrics Bulletin 1:80); zeros are left out.

    Args:
        differences: float (patients,), one model's score minus the other's.
    """
    nonzero = differences[differences != 0]
    if not nonzero.size:
        return Paired(1.0, 0.0)
    ranks = stats.rankdata(np.abs(nonzero))
    favour = float(ranks[nonzero > 0].sum() / ranks.sum())
    return Paired(float(stats.wilcoxon(nonzero).pvalue), 2 * favour - 1)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted.tolist()


def trainings_test(first: np.ndarray, second: np.ndarray, folds: int) -> float | None:
    """Two-sided p of a t-test between the mean scores of repeated trainings.

    A gap between two networks says little of their architectures if another seed moves it as far.
    Each fold's own mean takes a degree of freedom: with one seed a fold this is the paired t-test,
    with one fold that of independent samples.

    Args:
        first, second: float (trainings,), the mean score of each training, less what its fold does
            to both models.
        folds: how many folds they come from.

    Returns:
        None where nothing is known of the spread of trainings: a model was trained only once, or
        they do not differ but by their folds.
    """
    freedom = len(first) + len(second) - 1 - folds
    if min(len(first), len(second)) < 2 or freedom < 1:
        return None
    squares = sum(float(((own - own.mean()) ** 2).sum()) for own in (first, second))
    error = math.sqrt(squares / freedom * (1 / len(first) + 1 / len(second)))
    if error < _ROUNDING:
        return None
    return float(2 * stats.t.sf(abs(first.mean() - second.mean()) / error, freedom))
