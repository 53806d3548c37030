"""How models, scores and facts are called in the report."""

from __future__ import annotations

from collections.abc import Iterable

MODELS = {"unet": "U-Net", "resunet": "ResUNet", "rngunet": "RNGU-Net"}
"""In the order of the comparison; other models follow under their own names."""

SCORES = {
    "dice": "Dice",
    "iou": "IoU",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "specificity": "Specificity",
    "hd95": "HD95",
    "assd": "ASSD",
    "nsd_2mm": "NSD 2",
    "nsd_5mm": "NSD 5",
    "hd95_percent": "HD95 [% diagonal]",
    "assd_percent": "ASSD [% diagonal]",
    "left_dice": "Dice, left lung",
    "right_dice": "Dice, right lung",
    "raw_dice": "Dice before post-processing",
}

FACTS = {
    "source": "Source",
    "mask_convention": "Mask convention",
    "sex": "Sex",
    "age_band": "Age",
    "finding": "Finding",
    "view": "View",
    "image_size": "Image size",
}


def order(names: Iterable[str]) -> list[str]:
    """Models in the order they are shown."""
    present = set(names)
    known = [name for name in MODELS if name in present]
    return known + sorted(present - set(known))


def model_title(name: str) -> str:
    """U-Net for unet; "unet (run A)" keeps its addition."""
    base, separator, rest = name.partition(" ")
    return MODELS.get(base, base) + separator + rest


def score_title(name: str, unit: str) -> str:
    """The score with the unit of its distances, "mm" or "px"."""
    title = SCORES[name]
    if name in ("hd95", "assd"):
        return f"{title} [{unit}]"
    return f"{title} {unit}" if name.startswith("nsd_") else title
