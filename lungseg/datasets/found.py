"""What a layout finds in a folder, and what a layout is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from lungseg.case import Case


@dataclass(frozen=True, slots=True)
class DataSet:
    """What was found at one place."""

    path: str
    layout: str
    cases: int
    patients: int
    """As far as names and lists tell them; DICOM files tell theirs when they are read."""
    masks: int
    """Mask files, or run-length masks, of these cases."""
    unmatched: int


@dataclass(frozen=True, slots=True)
class Found:
    """Cases of a data set and the files that belong to none."""

    cases: tuple[Case, ...]
    unmatched: tuple[tuple[str, str], ...] = ()
    """(path, reason) of images without mask, masks without image, and the like."""
    sets: tuple[DataSet, ...] = ()
    """The places they were found at."""

    @property
    def layouts(self) -> tuple[str, ...]:
        """Names of the layouts they were found by."""
        return tuple(dict.fromkeys(place.layout for place in self.sets))

    def at(self, path: str, layout: str) -> Found:
        """The same, with the place where it was found."""
        place = DataSet(
            path,
            layout,
            cases=len(self.cases),
            patients=len({case.patient for case in self.cases}),
            masks=sum(len(case.masks) + len(case.mask_rle) for case in self.cases),
            unmatched=len(self.unmatched),
        )
        return replace(self, sets=(place,))


class Layout(Protocol):
    """A module that knows one way in which a data set lies on disk."""

    def recognise(self, folder: str, /) -> bool:
        """Whether the folder (or list file) is of this layout; reads no image."""

    def find(self, folder: str, /) -> Found:
        """Its cases; raises UserError where it cannot be used as a whole."""
