"""Several networks as one: the mean of their probabilities, and how much they agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungseg.errors import UserError
from lungseg.network_input import clahe_of
from lungseg.settings import fingerprint

if TYPE_CHECKING:
    from lungseg.segmenter import Segmenter

_GAMMAS = (0.8, 1.25)
_DECISIVE = (
    "architecture",
    "arguments",
    "size",
    "preprocessing",
    "threshold",
    "min_area_fraction",
    "sha256",
)
"""What masks depend on in a `segmenter.json`, the weights by their hash."""


@dataclass(frozen=True)
class Ensemble:
    """Networks of one input size."""

    members: Sequence[Segmenter]
    augment: bool = False
    """Average over a brighter and a darker copy of the film too. (Mirroring would put the heart on
    the wrong side.)"""

    def __call__(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predict a batch.

        Args:
            squares: uint8 (B, size, size).

        Returns:
            Mean lung probability, float32 (B, size, size); and the agreement, float32 (B,): the
            mean Dice coefficient over the pairs of members, NaN for a single one.
        """
        each = [self._predict(member, squares[..., None]) for member in self.members]
        masks = [
            one > member.info["threshold"] for one, member in zip(each, self.members, strict=True)
        ]
        pairs = [_dice(a, b) for a, b in itertools.combinations(masks, 2)]
        agreement = np.stack(pairs).mean(axis=0) if pairs else np.full(len(squares), math.nan)
        return _mean(each), agreement.astype(np.float32)

    def _predict(self, member: Segmenter, images: np.ndarray) -> np.ndarray:
        if not self.augment:
            return member.probabilities(images)
        copies = [images, *(_gamma(images, gamma) for gamma in _GAMMAS)]
        return _mean([member.probabilities(copy) for copy in copies])


@dataclass(frozen=True)
class Finish:
    """How the ensemble's probabilities become masks."""

    size: int
    clahe: float
    threshold: float
    min_area_fraction: float
    fingerprint: str
    """Of all that the members' masks depend on."""


def finish_of(infos: Sequence[dict], names: Sequence[str]) -> Finish:
    """What the `segmenter.json` of the members say together.

    Raises:
        UserError: their input sizes, or the contrast they were trained on, differ, or one network
            is there twice, which would agree with itself.
    """
    first_of: dict[str, str] = {}
    for info, name in zip(infos, names, strict=True):
        if info["size"] != infos[0]["size"]:
            raise UserError(
                f"{names[0]} takes {infos[0]['size']} px and {name} {info['size']} px: an ensemble "
                "needs models of one size"
            )
        if clahe_of(info) != clahe_of(infos[0]):
            raise UserError(
                f"{names[0]} and {name} were trained with different data.clahe: an ensemble needs "
                "models of one preprocessing"
            )
        if info["sha256"] in first_of:
            raise UserError(
                f"{first_of[info['sha256']]} and {name} are the same network: give it once"
            )
        first_of[info["sha256"]] = name
    return Finish(
        size=int(infos[0]["size"]),
        clahe=clahe_of(infos[0]),
        threshold=float(np.mean([info["threshold"] for info in infos])),
        min_area_fraction=max(float(info["min_area_fraction"]) for info in infos),
        fingerprint=fingerprint([{key: info.get(key) for key in _DECISIVE} for info in infos]),
    )


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.stack(arrays).mean(axis=0, dtype=np.float32)


def _gamma(images: np.ndarray, gamma: float) -> np.ndarray:
    table = np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return table[images]


def _dice(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Dice coefficient a film; 1 where both are empty."""
    both = (one & other).sum(axis=(1, 2))
    total = one.sum(axis=(1, 2)) + other.sum(axis=(1, 2))
    return np.where(total == 0, 1.0, 2 * both / np.maximum(total, 1))
