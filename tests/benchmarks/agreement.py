"""How well the agreement of several models tells their mistakes, and what augmentation gains.

    python tests/benchmarks/agreement.py --data FOLDER --run RUN [--split test] [--json FILE]

RUN is a run of `lungseg run --data FOLDER`, made first if it is not there (preset quick). Its
models predict the films of a split, of which they saw none in training (for "val": the best epoch
and the threshold were chosen on them), alone and together, with and without test-time augmentation.
Reported are the rank correlation (Spearman) of `agreement` with the true Dice coefficient of the
ensemble's masks at original size, its 95 % interval by 10 000 resamples of the films, how many of
the tenth of films with the lowest Dice are in the tenth of the lowest agreement, and mean Dice and
seconds an image of each way.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from lungseg import datasets
from lungseg.case import Case
from lungseg.images import read
from lungseg.masks import read_mask
from lungseg.prediction.ensemble import Ensemble, finish_of
from lungseg.prediction.film import Film, prepare
from lungseg.prediction.inputs import Input
from lungseg.prediction.row import finish_film
from lungseg.segmenter import Segmenter

BATCH, RESAMPLES = 16, 10_000


def load(run: Path, data: str) -> dict[str, Segmenter]:
    """The models of a run, as ARCHITECTURE/seed-S."""
    if not (run / "report").exists():
        command = [sys.executable, "-m", "jobs.command", "run", "--data", data, "--out", str(run)]
        subprocess.run([*command, "--preset", "quick"], check=True)
    folders = sorted(path.parent for path in run.glob("models/*/*/*/segmenter.json"))
    return {"/".join(folder.parts[-3::2]): Segmenter.load(str(folder)) for folder in folders}


def score(
    members: Sequence[Segmenter], augment: bool, films: Sequence[Film], cases: Sequence[Case]
) -> tuple[np.ndarray, np.ndarray, float]:
    """True Dice and agreement a film, and the networks' seconds an image."""
    ensemble = Ensemble(members, augment)
    how = finish_of([dict(member.info) for member in members], [""] * len(members))
    ensemble(np.stack([film.square for film in films[:BATCH]]))
    started = time.perf_counter()
    batches = [
        ensemble(np.stack([film.square for film in films[start : start + BATCH]]))
        for start in range(0, len(films), BATCH)
    ]
    seconds = (time.perf_counter() - started) / len(films)
    probabilities = np.concatenate([probability for probability, _ in batches])
    dice = []
    for film, case, probability in zip(films, cases, probabilities, strict=True):
        mask = finish_film(film, probability, math.nan, how, 0.0)[1]
        reference = read_mask(case, *mask.shape)
        dice.append(2 * (mask & reference).sum() / (mask.sum() + reference.sum()))
    return np.array(dice), np.concatenate([agreement for _, agreement in batches]), seconds


def caught(dice: np.ndarray, agreement: np.ndarray) -> tuple[int, int]:
    """Of the tenth of films with the lowest Dice, how many are in that of the lowest agreement."""
    tenth = max(1, math.ceil(len(dice) / 10))
    worst = set(np.argsort(dice, kind="stable")[:tenth])
    return len(worst & set(np.argsort(agreement, kind="stable")[:tenth])), tenth


def interval(dice: np.ndarray, agreement: np.ndarray) -> list[float]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, len(dice), len(dice))
        found.append(spearmanr(dice[chosen], agreement[chosen]).statistic)
    return [float(value) for value in np.nanpercentile(found, [2.5, 97.5])]


def flagged(model: Segmenter, cases: Sequence[Case], turned: bool) -> int:
    """Films that get a flag of any kind."""
    films = (read(case.image).pixels for case in cases)
    step = -1 if turned else 1
    found = (model.segment(np.ascontiguousarray(film[::step, ::step])) for film in films)
    return sum(bool(one.flags) for one in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="films with masks and split_hint")
    parser.add_argument("--run", required=True, type=Path, help="a run on these films")
    parser.add_argument("--split", default="test", help="test, val or both: test,val")
    parser.add_argument("--json", help="file for the figures")
    arguments = parser.parse_args()
    models = load(arguments.run, arguments.data)
    splits = arguments.split.split(",")
    cases = [
        case for case in datasets.find_cases([arguments.data]).cases if case.split_hint in splits
    ]
    how = finish_of([dict(model.info) for model in models.values()], list(models))
    films = [prepare(Input(case.case_id, case.image), how.size, how.clahe) for case in cases]
    ways = {"ensemble": list(models.values())} | {name: [model] for name, model in models.items()}
    report: dict[str, object] = {"films": len(films), "split": splits}
    for name, members in ways.items():
        plain, agreement, seconds = score(members, False, films, cases)
        augmented, _, longer = score(members, True, films, cases)
        gain = augmented - plain
        report[name] = {
            "dice": float(plain.mean()),
            "dice_augmented": float(augmented.mean()),
            "gain": float(gain.mean()),
            "gain_sd": float(gain.std(ddof=1)),
            "seconds": seconds,
            "times_as_long_augmented": longer / seconds,
        }
        print(
            f"{name:<14} Dice {plain.mean():.4f}, augmented {gain.mean():+.4f} "
            f"(sd {gain.std(ddof=1):.4f}) in {longer / seconds:.1f} times the time"
        )
        if len(members) > 1:
            rank = float(spearmanr(plain, agreement).statistic)
            hits, tenth = caught(plain, agreement)
            ends = interval(plain, agreement)
            report["agreement"] = {
                "spearman": rank,
                "ci95": ends,
                "caught": hits,
                "worst_tenth": tenth,
            }
            print(
                f"agreement: Spearman {rank:.2f} ({ends[0]:.2f} to {ends[1]:.2f}) with the true "
                f"Dice of {len(films)} films; its lowest tenth holds {hits} of the {tenth} worst"
            )
    for name, model in models.items():
        upright, turned = (flagged(model, cases, how) for how in (False, True))
        report[f"flagged_{name}"] = {"upright": upright, "turned": turned}
        print(f"{name:<14} flags {upright} of {len(cases)} films upright, {turned} of them turned")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
