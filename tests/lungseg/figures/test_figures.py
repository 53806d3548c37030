"""What the figures show, at the points where it can be read off."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lungseg.figures import (
    agreement,
    calibration,
    confusion,
    distributions,
    forest,
    overlay,
    style,
    training_curves,
)
from lungseg.figures.contact_sheet import contact_sheet
from lungseg.figures.search import search_figures

FILM = np.full((20, 10), 100, np.uint8)


def _square(top: int, bottom: int) -> np.ndarray:
    mask = np.zeros(FILM.shape, bool)
    mask[top:bottom, 2:8] = True
    return mask


def test_errors_have_their_colours() -> None:
    picture = overlay.errors(FILM, prediction=_square(6, 16), reference=_square(3, 13))
    assert tuple(picture[14, 5]) == overlay.FALSE_POSITIVE
    assert tuple(picture[4, 5]) == overlay.FALSE_NEGATIVE
    assert tuple(picture[3, 5]) == overlay.REFERENCE
    assert tuple(picture[8, 5]) == (60, 60, 60)
    assert tuple(picture[0, 0]) == (60, 60, 60)


def test_outline_leaves_the_inside() -> None:
    picture = overlay.outline(FILM, _square(5, 15), overlay.PREDICTION)
    assert tuple(picture[5, 5]) == overlay.PREDICTION
    assert tuple(picture[10, 5]) == (100, 100, 100)


def test_panels_come_in_pairs_at_the_wanted_size() -> None:
    masks = {"U-Net": _square(4, 14), "other": np.zeros(FILM.shape, bool)}
    pictures = overlay.panels(FILM, _square(5, 15), masks, longest=40)
    assert list(pictures) == [
        "Film", "Reference", "U-Net mask", "U-Net errors", "other mask", "other errors",
    ]  # fmt: skip
    assert {picture.shape for picture in pictures.values()} == {(40, 20, 3)}
    assert overlay.side_by_side(pictures).shape == (80, 60, 3)


def test_contact_sheet_has_a_tile_a_film() -> None:
    sheet = contact_sheet([(FILM, _square(5, 15))] * 4, columns=3, tile=50)
    assert sheet.shape == (100, 150, 3)
    assert (sheet[50:, 50:] == 255).all()


def test_confusion_rates_are_of_the_reference() -> None:
    figure = confusion.confusion_matrix("m", {"tp": 90, "fn": 10, "fp": 50, "tn": 1950})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["90.00 %\n90 px", "10.00 %\n10 px", "2.50 %\n50 px", "97.50 %\n1.95 kpx"]


def test_bland_altman_limits() -> None:
    x, y = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.8, 0.8])
    (panel,) = agreement.bland_altman("a", "b", x, y, "Dice").axes
    lines = [line.get_ydata()[0] for line in panel.lines]
    assert lines == pytest.approx([0, 0, -0.196, 0.196])


def test_threshold_curve_ignores_the_ends() -> None:
    table = pd.DataFrame({"threshold": np.arange(64) / 64, "mean_dice": 0.9})
    table.loc[0, "mean_dice"] = 0.3
    (panel,) = calibration.threshold_curve({"m": table}, {"m": 0.4}, {"m": "red"}).axes
    assert panel.get_ylim() == pytest.approx((0.895, 0.905))


def test_trials_that_ended_early_look_different() -> None:
    trials = pd.DataFrame(
        {
            "trial": [0, 1, 2],
            "train.learning_rate": [1e-3, 1e-1, 1e-5],
            "best_val_dice": [0.9, np.nan, 0.4],
            "ended": ["all epochs", "failed", "stopped early"],
        }
    )
    figures = search_figures("m", trials, None, "red")
    assert list(figures) == ["learning_rate"]
    (panel,) = figures["learning_rate"][1].axes
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert labels == ["ran to its end", "failed", "stopped early", "best", "without a search"]
    assert panel.get_xscale() == "log"


def test_a_failed_trial_is_not_the_best_one() -> None:
    trials = pd.DataFrame(
        {
            "trial": [0, 1],
            "train.learning_rate": [1e-3, 1e-1],
            "best_val_dice": [0.91, 0.93],
            "ended": ["all epochs", "failed"],
        }
    )
    curves = pd.DataFrame({"trial": [0, 0, 1], "epoch": [1, 2, 1], "val_dice": [0.9, 0.91, 0.93]})
    figures = search_figures("m", trials, curves, "red")
    assert all(alt.endswith("best 0.9100") for alt, _ in figures.values())
    (panel,) = figures["curves"][1].axes
    (best,) = [line for line in panel.lines if line.get_label() == "best trial"]
    assert list(best.get_ydata()) == [0.9, 0.91]
    (panel,) = figures["learning_rate"][1].axes
    (ring,) = [points for points in panel.collections if points.get_label() == "best"]
    assert ring.get_offsets().tolist() == [[1e-3, 0.91]]


@pytest.mark.parametrize(
    ("rates", "shown"),
    [
        ([1e-3], ["0.001"]),
        ([1e-3, 5e-4, 5e-4, 2.5e-4], ["0.001", "0.0005", "0.00025"]),
        (list(np.geomspace(1e-2, 1e-6, 41)), ["0.01", "0.001", "0.0001", "1e-05", "1e-06"]),
    ],
)
def test_learning_rates_are_labelled_apart(rates: list[float], shown: list[str]) -> None:
    history = pd.DataFrame({"epoch": range(1, len(rates) + 1), "learning_rate": rates})
    history = history.assign(loss=0.5, val_loss=0.5, dice=0.5, val_dice=0.5)
    panel = training_curves.training_curves("m", [history], "red").axes[2]
    assert [label.get_text() for label in panel.get_yticklabels()] == shown


def test_dollar_signs_are_no_formula() -> None:
    title = "$\\frac{$"
    figure = distributions.distributions({title: np.array([0.1, 0.9])}, "Dice", {title: "red"})
    assert style.png(figure)
    group = forest.Group(title, 3, {title: (0.5, 0.4, 0.6)}, small=False)
    assert style.svg(forest.forest("Finding", [group, group], "Dice", {title: "red"}, (0, 1)))


def test_single_case_can_be_drawn() -> None:
    one = np.array([0.9])
    assert style.png(distributions.distributions({"a": one}, "Dice", {"a": "red"}))
    assert style.png(agreement.paired_scatter("a", "b", one, one, "Dice"))
    assert style.png(agreement.bland_altman("a", "b", one, one, "Dice"))


def test_models_keep_their_colour_and_differ() -> None:
    colours = style.palette([str(number) for number in range(7)])
    assert len(set(colours.values())) == 7
