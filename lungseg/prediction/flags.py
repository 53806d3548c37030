"""What makes a predicted mask implausible: the film is no frontal chest, or the network failed.

A flag calls for a look; it rejects nothing. The bounds lie outside of what true masks of frontal
films show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FLAGS: dict[str, str] = {
    "no-lung": "the mask is empty",
    "small": "both lungs together cover less than 8 % of the film",
    "large": "both lungs together cover more than 60 % of the film",
    "one-lung": "there is only one lung",
    "lungs-touch": "the lungs are joined",
    "unequal": "one lung has less than 30 % of the other's area",
    "stray": "post-processing changed more than 10 % of the mask",
    "uncertain": "the mean probability inside the mask is below 0.85",
    "disagreement": "the models disagree",
    "colour": "the file shows colours: no film does",
    "not-a-chest": "the lungs are not darker than what surrounds them",
    "not-frontal": "the lungs do not lie side by side",
    "upside-down": "the lungs' lower ends lie nearer to the middle than their upper ends",
    "lateral": "the file says that the view is a lateral one",
}
"""Every flag and its meaning."""


def flags(facts: Mapping[str, Any], low_agreement: float) -> list[str]:
    """Flags of a film.

    Args:
        facts: area_fraction_left, area_fraction_right, parts, changed (of the mask),
            probability_inside, agreement, coloured, contrast (grey levels by which the surroundings
            are brighter), lateral, overlap_rows and spread (see `lungseg.prediction.orientation`).
        low_agreement: Dice coefficient.
    """
    left, right = facts["area_fraction_left"], facts["area_fraction_right"]
    small, large = sorted((left, right))
    two = small > 0
    hold = {
        "no-lung": large == 0,
        "small": 0 < left + right < 0.08,
        "large": left + right > 0.60,
        "one-lung": large > 0 and not two,
        "lungs-touch": two and facts["parts"] == 1,
        "unequal": two and small < 0.3 * large,
        "stray": facts["changed"] > 0.10,
        "uncertain": facts["probability_inside"] < 0.85,
        "disagreement": facts["agreement"] < low_agreement,
        "colour": facts["coloured"],
        "not-a-chest": large > 0 and facts["contrast"] < 10,
        "not-frontal": two and facts["overlap_rows"] < 0.6,
        "upside-down": two and facts["spread"] < 0,
        "lateral": facts["lateral"],
    }
    return [name for name in FLAGS if hold[name]]
