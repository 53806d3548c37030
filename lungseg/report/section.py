"""What the page is made of: sections with texts, tables and pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lungseg.figures import overlay, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_NUMBER = re.compile(r"[-+−–]?\s*$|[-+−<]?\s?[\d.,]+([\n×].*)?$", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A figure as its files and as the page shows it."""

    name: str
    """Of the files `figures/NAME.png` and `.svg`."""
    alt: str
    """What it shows, for those who cannot see it."""
    png: bytes
    svg: bytes
    width: int
    """As shown, in CSS px."""
    height: int

    @property
    def uri(self) -> str:
        """The PNG inside a `data:` address, so that the page needs no other file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def draw(name: str, alt: str, figure: Figure) -> Picture:
    """A matplotlib figure as a picture."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(name, alt, style.png(figure), style.svg(figure), width, height)


def raster(name: str, alt: str, pixels: np.ndarray) -> Picture:
    """Pixels, uint8 (h, w) or (h, w, 3) RGB, as a picture; its SVG holds the same pixels."""
    height, width = pixels.shape[:2]
    data = overlay.png(pixels)
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" '
        f'href="data:image/png;base64,{base64.b64encode(data).decode()}"/></svg>'
    )
    return Picture(name, alt, data, frame.encode(), width, height)


@dataclass(frozen=True)
class Table:
    """A table of the page, and whole as a CSV file."""

    name: str
    """Of the file `NAME.csv`."""
    caption: str
    frame: pd.DataFrame
    """As written to the file."""
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    """As shown: texts, the first of a row names it. May be fewer than the file has."""
    dimmed: frozenset[int] = frozenset()
    """Rows shown in grey."""
    sortable: bool = False
    """Whether the page offers to sort and filter it."""
    folded: bool = False
    """Whether it is shown on request only."""

    @property
    def words(self) -> frozenset[int]:
        """Columns that hold words, and are read from the left; numbers stand at the right."""
        return frozenset(
            column
            for column in range(len(self.header))
            if column == 0 or not all(_NUMBER.match(row[column]) for row in self.rows)
        )


@dataclass(frozen=True)
class CasePictures:
    """The pictures of one case; each pair stands one above the other."""

    title: str
    facts: str
    pairs: Sequence[Sequence[tuple[str, Picture]]]
    """(caption, picture)."""


@dataclass(frozen=True)
class Section:
    """A part of the page with its own heading and anchor."""

    anchor: str
    title: str
    texts: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    cases: Sequence[CasePictures] = ()
    files: Sequence[Picture] = field(default=(), repr=False)
    """Pictures written as files only."""
