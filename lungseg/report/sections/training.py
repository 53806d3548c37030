"""How the trainings went."""

from __future__ import annotations

import pandas as pd

from lungseg.figures.style import palette
from lungseg.figures.training_curves import training_curves, validation_curves
from lungseg.report.gather import Gathered
from lungseg.report.section import Section, Table, draw


def training(gathered: Gathered) -> Section | None:
    """Curves of each model and a table of its trainings."""
    titles = gathered.titles
    colours = palette(list(titles.values()))
    histories = {
        titles[name]: [
            one.history for one in gathered.trainings.get(name, []) if one.history is not None
        ]
        for name in gathered.models
    }
    histories = {title: found for title, found in histories.items() if found}
    if not histories:
        return None
    pictures = [
        draw(
            f"training-{name}",
            f"Loss, Dice and learning rate of {titles[name]} over the epochs",
            training_curves(titles[name], histories[titles[name]], colours[titles[name]]),
        )
        for name in gathered.models
        if titles[name] in histories
    ]
    if len(histories) > 1:
        together = validation_curves(histories, colours)
        pictures.append(
            draw("validation", "Validation Dice of all models over the epochs", together)
        )
    text = (
        "Dice during training is measured at the network's size, on validation films; the weights "
        "kept are those of the epoch with the best validation Dice."
    )
    return Section("training", "Training", [text], [_table(gathered)], pictures)


def _table(gathered: Gathered) -> Table:
    records = []
    for name in gathered.models:
        for one in gathered.trainings.get(name, []):
            facts = one.info.get("training", {})
            records.append(
                {
                    "model": name,
                    "fold": one.fold,
                    "seed": one.seed,
                    "epochs": len(one.history) if one.history is not None else None,
                    "best_epoch": facts.get("best_epoch"),
                    "val_dice": one.info.get("scores", {}).get("val_dice"),
                    "seconds": facts.get("seconds"),
                    "images_per_second": facts.get("images_per_second"),
                    "precision": facts.get("precision"),
                }
            )
    frame = pd.DataFrame(records)
    rows = [
        [gathered.titles[row["model"]], str(row["fold"]), str(row["seed"])]
        + [_text(row[key], form) for key, form in _FORMS.items()]
        for row in records
    ]
    header = ["Model", "Fold", "Seed", *_HEADER]
    return Table("training", "Trainings", frame, header, rows)


_HEADER = ("Epochs", "Best epoch", "Validation Dice", "Seconds", "Films/s", "Arithmetic")
_FORMS = {
    "epochs": "{:.0f}",
    "best_epoch": "{:.0f}",
    "val_dice": "{:.4f}",
    "seconds": "{:,.0f}",
    "images_per_second": "{:.1f}",
    "precision": "{}",
}


def _text(value: object, form: str) -> str:
    return "–" if value is None else form.format(value)
