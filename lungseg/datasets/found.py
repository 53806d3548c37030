"""What a layout finds in a folder, and what a layout is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lungseg.case import Case


@dataclass(frozen=True, slots=True)
class Found:
    """Cases of a data set and the files that belong to none."""

    cases: tuple[Case, ...]
    unmatched: tuple[tuple[str, str], ...] = ()
    """(path, reason) of images without mask, masks without image, and the like."""
    layouts: tuple[str, ...] = ()
    """Names of the layouts they were found by."""


class Layout(Protocol):
    """A module that knows one way in which a data set lies on disk."""

    def recognise(self, folder: str, /) -> bool:
        """Whether the folder (or list file) is of this layout; reads no image."""

    def find(self, folder: str, /) -> Found:
        """Its cases; raises UserError where it cannot be used as a whole."""
