"""Whether an exported network does what the network it was made from does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.errors import WorkError
from lungseg.export.films import Films
from lungseg.scores import count, overlap
from lungseg.segmenter import Segmenter

_BATCH = 8
_MOST_PIXELS = 0.001
"""Of float32: what rounding may do at the border of a mask, and more."""
_MOST_DICE = 0.02
"""Of the coarser variants: what may be lost before the file is of no use."""


@dataclass(frozen=True)
class Agreement:
    """Keras and the exported file on the same films, masks at original size."""

    films: str
    largest_difference: float
    """Of a probability."""
    pixels: float
    """Fraction of the pixels whose mask differs, before post-processing, which is not exported."""
    dice_keras: float
    """Mean Dice coefficient with the reference masks, after post-processing."""
    dice: float

    @property
    def dice_lost(self) -> float:
        """By the exported file, of the mean Dice coefficient."""
        return self.dice_keras - self.dice

    def check(self, variant: str) -> None:
        """Refuse what differs by more than its arithmetic explains.

        Raises:
            WorkError: it does.
        """
        if variant == "float32" and self.pixels >= _MOST_PIXELS:
            raise WorkError(
                f"the exported network's masks differ from Keras's in {self.pixels:.2%} of the "
                f"pixels, {_MOST_PIXELS:.1%} is allowed: nothing was written"
            )
        if self.dice_lost > _MOST_DICE:
            raise WorkError(
                f"{variant} loses {self.dice_lost:.4f} Dice on {self.films}, {_MOST_DICE} is "
                "allowed: nothing was written"
            )


def compare(keras_one: Segmenter, exported: Segmenter, films: Films) -> Agreement:
    """Run both on the same films."""
    largest, differing, pixels = 0.0, 0, 0
    dices: list[list[float]] = []
    for start in range(0, len(films.squares), _BATCH):
        batch = films.squares[start : start + _BATCH]
        expected, found = keras_one.probabilities(batch), exported.probabilities(batch)
        largest = max(largest, float(np.abs(expected - found).max()))
        for index in range(len(batch)):
            geometry = films.geometries[start + index]
            reference = films.references[start + index]
            (first, first_raw), (second, second_raw) = (
                one.mask_at_original_size(probability[index], geometry)
                for one, probability in ((keras_one, expected), (exported, found))
            )
            differing += int(np.count_nonzero(first_raw ^ second_raw))
            pixels += reference.size
            dices.append([overlap(**count(mask, reference))["dice"] for mask in (first, second)])
    before, after = np.mean(dices, axis=0).tolist()
    return Agreement(films.source, largest, differing / pixels, before, after)
