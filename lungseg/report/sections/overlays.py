"""The cases to look at: worst, median, best, and where the models disagree most."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lungseg import rle
from lungseg.figures.overlay import panels, side_by_side
from lungseg.report.films import Film, read_films
from lungseg.report.gather import Gathered
from lungseg.report.run import read_masks
from lungseg.report.section import CasePictures, Section, raster

_LONGEST = 300
_EACH = 2

CaseKey = tuple[str, str]
"""Source and case id."""


def overlays(gathered: Gathered) -> Section | None:
    """Film, reference, each model's mask and its errors."""
    wide = gathered.cases.pivot_table(
        index=["source", "case_id"], columns="model", values="dice", observed=True
    )[gathered.models].dropna()
    if wide.empty:
        return None
    chosen = choose(wide)
    films = read_films(gathered.runs, set(chosen))
    masks = {model: _masks(gathered.rows, model, films) for model in gathered.models}
    cases, files = [], []
    scores = wide.to_dict("index")
    for number, (key, kind) in enumerate(chosen.items()):
        if key not in films or not all(key in masks[model] for model in gathered.models):
            continue
        pictures = _pictures(
            films[key], {model: masks[model][key] for model in gathered.models}, gathered
        )
        name = f"case-{number + 1:02d}"
        dice = ", ".join(f"{gathered.titles[m]} {scores[key][m]:.3f}" for m in gathered.models)
        cases.append(_case(f"{kind}: {key[1]}", f"Dice: {dice}", name, pictures))
        files.append(raster(name, f"{kind} case {key[1]}", side_by_side(pictures)))
    if not cases:
        return None
    text = (
        "White: reference. Yellow: the model's mask. Errors: orange was called lung wrongly, "
        "blue is lung that was missed. Chosen by the mean Dice of the models; masks are of each "
        "model's first training."
    )
    return Section("overlays", "Cases to look at", [text], cases=cases, files=files)


def choose(wide: pd.DataFrame, each: int = _EACH) -> dict[CaseKey, str]:
    """Which cases are shown and why, none twice.

    Args:
        wide: Dice by (source, case_id) and model.
        each: how many of a kind.
    """
    ranked = wide.mean(axis=1).sort_values(kind="stable").index
    middle = (len(ranked) - each + 1) // 2
    kinds = {
        "Worst": list(ranked[:each]),
        "Best": list(ranked[::-1][:each]),
        "Median": list(ranked[max(0, middle) : middle + each]),
    }
    if len(ranked) <= 3:
        kinds = {"Worst": [ranked[0]], "Best": [ranked[-1]], "Median": [ranked[len(ranked) // 2]]}
    if wide.shape[1] > 1:
        gaps = (wide.max(axis=1) - wide.min(axis=1)).sort_values(ascending=False, kind="stable")
        taken = {key for keys in kinds.values() for key in keys}
        kinds["Models disagree"] = [key for key in gaps.index if key not in taken][: each + 1]
    chosen: dict[CaseKey, str] = {}
    for kind, keys in kinds.items():
        for key in keys:
            chosen.setdefault(key, kind)
    order = ["Worst", "Median", "Best", "Models disagree"]
    return dict(sorted(chosen.items(), key=lambda item: order.index(item[1])))


def _masks(
    rows: pd.DataFrame, model: str, films: Mapping[CaseKey, Film]
) -> dict[CaseKey, np.ndarray]:
    own = rows[rows["model"] == model].sort_values(["fold", "seed"], kind="stable")
    first = own.drop_duplicates(["source", "case_id"]).set_index(["source", "case_id"])["file"]
    wanted = [key for key in films if key in first.index]
    masks = {}
    for file in sorted({first[key] for key in wanted}):
        texts = read_masks(file, {key[1] for key in wanted if first[key] == file})
        for key in wanted:
            if first[key] == file and key[1] in texts:
                masks[key] = rle.decode(texts[key[1]], films[key].height, films[key].width)
    return masks


def _pictures(
    film: Film, masks: Mapping[str, np.ndarray], gathered: Gathered
) -> dict[str, np.ndarray]:
    reference = rle.decode(film.reference_rle, film.height, film.width)
    titled = {gathered.titles[model]: mask for model, mask in masks.items()}
    # More than three models share the width of the page, and its size in bytes.
    longest = 4 * _LONGEST // max(4, len(masks) + 1)
    return panels(film.pixels, reference, titled, longest)


def _case(title: str, facts: str, name: str, pictures: Mapping[str, np.ndarray]) -> CasePictures:
    shown = [
        (caption, raster(f"{name}-{number}", f"{caption}, {title}", pixels))
        for number, (caption, pixels) in enumerate(pictures.items())
    ]
    return CasePictures(title, facts, [shown[at : at + 2] for at in range(0, len(shown), 2)])
