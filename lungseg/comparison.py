"""Which of the models is better, and how sure that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lungseg.statistics import bootstrap_means, holm, interval, paired_test, trainings_test

if TYPE_CHECKING:
    import pandas as pd

PRIMARY = "dice"
"""The score that models are compared by."""

ALPHA = 0.05


def compare(
    rows: pd.DataFrame, cases: pd.DataFrame, order: Sequence[str], *, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """Compare every two models by Dice on the patients both have scored.

    A difference counts as shown if the Wilcoxon test (Holm-corrected over the pairs) and the
    bootstrap interval of the mean difference agree on it and, where both models were trained
    several times, the trainings differ as well (t-test, Holm-corrected).

    Returns:
        One entry a pair; differences are the first model minus the second.
    """
    pairs = [
        _pair(rows, cases, *names, resamples, seed) for names in itertools.combinations(order, 2)
    ]
    pairs = [pair for pair in pairs if pair]
    adjusted = holm([pair["p"] for pair in pairs])
    repeated = [pair for pair in pairs if pair["p_trainings"] is not None]
    for pair, p in zip(repeated, holm([pair["p_trainings"] for pair in repeated]), strict=True):
        pair["p_trainings_holm"] = p
    for pair, p in zip(pairs, adjusted, strict=True):
        pair["p_holm"] = p
        pair["difference_shown"] = _films_differ(pair) and not _trainings_overlap(pair)
    return pairs


def _films_differ(pair: Mapping[str, Any]) -> bool:
    low, high = pair["ci95"]
    return bool(pair["p_holm"] < ALPHA and (low > 0 or high < 0))


def _trainings_overlap(pair: Mapping[str, Any]) -> bool:
    return bool(pair.get("p_trainings_holm", 0.0) >= ALPHA)


def _pair(
    rows: pd.DataFrame, cases: pd.DataFrame, first: str, second: str, resamples: int, seed: int
) -> dict[str, Any]:
    values = _shared_patients(cases, first, second)
    if values.empty:
        return {}
    differences = (values[first] - values[second]).to_numpy()
    means = bootstrap_means(differences[:, None], resamples=resamples, seed=seed)
    outcome = paired_test(differences)
    return {
        "models": [first, second],
        "score": PRIMARY,
        "n_patients": len(differences),
        "mean_difference": float(differences.mean()),
        "ci95": list(interval(means[:, 0])),
        "p": outcome.p,
        "effect_size": outcome.effect_size,
        "p_trainings": _p_trainings(rows, first, second),
    }


def _shared_patients(cases: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Mean Dice a patient (rows) and model (columns) over the films that both have scored."""
    both = cases[cases["model"].isin([first, second])]
    films = both.pivot_table(
        index=["source", "patient_id", "case_id"], columns="model", values=PRIMARY, observed=True
    )
    return films.reindex(columns=[first, second]).dropna().groupby(["source", "patient_id"]).mean()


def _p_trainings(rows: pd.DataFrame, first: str, second: str) -> float | None:
    """Of the trainings in the folds that both models have; a fold of one tells no difference."""
    means = {name: training_means(rows[rows["model"] == name]) for name in (first, second)}
    by_fold = {name: own.groupby("fold").mean() for name, own in means.items()}
    fold_effect = ((by_fold[first] + by_fold[second]) / 2).dropna()
    centred = {
        name: (own - fold_effect.reindex(own.index, level="fold")).dropna().to_numpy()
        for name, own in means.items()
    }
    return trainings_test(centred[first], centred[second], len(fold_effect))


def training_means(rows: pd.DataFrame) -> pd.Series:
    """Mean Dice of each training, by (fold, seed)."""
    return rows.groupby(["fold", "seed"])[PRIMARY].mean()


def conclusion(
    models: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> str:
    """What the numbers allow to say, and no more.

    Args:
        models: statistics of each model, as in `summary.json`.
        pairs: outcome of `compare`.
        titles: how the models are called in the text.
    """
    if not pairs:
        scored = (f"{titles[name]} {model[PRIMARY]['mean']:.3f}" for name, model in models.items())
        return f"Nothing to compare on the same cases (mean Dice: {', '.join(scored)})."
    parts = [_differences(models, pairs, titles)]
    apart = _not_compared(list(models), pairs, titles)
    if apart:
        parts.append(f"Not compared, for there are no common films: {'; '.join(apart)}.")
    if any(model["n_trainings"] < 2 for model in models.values()):
        parts.append("With a single training of a model, the effect of another seed is not known.")
    if any(_films_differ(pair) and _trainings_overlap(pair) for pair in pairs):
        parts.append(
            "Where an interval excludes 0 and no difference is shown, trainings of one model "
            "differ by as much."
        )
    return " ".join(parts)


def _differences(
    models: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> str:
    shown = [pair for pair in pairs if pair["difference_shown"]]
    if not shown:
        widest = max(pairs, key=lambda pair: abs(pair["mean_difference"]))
        return (
            f"No difference shown {_whereabouts(models, pairs, titles)}: "
            f"largest gap {abs(widest['mean_difference']):.4f} ({_interval_text(widest)})."
        )
    parts = []
    for pair in shown:
        better, worse = pair["models"] if pair["mean_difference"] > 0 else pair["models"][::-1]
        parts.append(
            f"{titles[better]} above {titles[worse]} by {abs(pair['mean_difference']):.4f} "
            f"({_interval_text(pair)}, Holm p {_p_text(pair['p_holm'])})"
        )
    rest = len(pairs) - len(shown)
    others = f"; no difference shown in the other {'pair' if rest == 1 else f'{rest} pairs'}"
    return f"Difference in mean Dice shown: {'; '.join(parts)}{others if rest else ''}."


def _whereabouts(
    models: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> str:
    """Which models were compared, in words that hold for no others."""
    if len(pairs) == math.comb(len(models), 2):
        return f"between {_listed(models, titles)} in mean Dice"
    if len(pairs) == 1:
        return f"between {_listed(pairs[0]['models'], titles)} in mean Dice"
    return f"in mean Dice in any of the {len(pairs)} pairs compared"


def _not_compared(
    names: Sequence[str], pairs: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> list[str]:
    """The pairs without a comparison, those of a kind in one: "A and B with C and D"."""
    compared = {frozenset(pair["models"]) for pair in pairs}
    apart = {frozenset(pair) for pair in itertools.combinations(names, 2)} - compared
    texts = []
    for name in names:
        others = [other for other in names if frozenset((name, other)) in apart]
        alike = [one for one in names if all(frozenset((one, other)) in apart for other in others)]
        if others:
            texts.append(f"{_listed(alike, titles)} with {_listed(others, titles)}")
            apart -= {frozenset(pair) for pair in itertools.product(alike, others)}
    return texts


def _listed(names: Iterable[str], titles: Mapping[str, str]) -> str:
    *first, last = (titles[name] for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _interval_text(pair: Mapping[str, Any]) -> str:
    bounds = [bound if pair["mean_difference"] >= 0 else -bound for bound in pair["ci95"]]
    return f"95 % CI {min(bounds):.4f} to {max(bounds):.4f}"


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
