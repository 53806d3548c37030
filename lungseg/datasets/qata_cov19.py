"""QaTa-COV19: recognised only to be refused, since its masks are not of lungs."""

from __future__ import annotations

from lungseg import storage
from lungseg.datasets.found import Found
from lungseg.datasets.names import base
from lungseg.errors import UserError


def recognise(folder: str) -> bool:
    """Whether it is QaTa-COV19 by the names of its folders."""
    return _is_qata(folder) or any(_is_qata(path) for path in storage.list_folders(folder))


def find(folder: str) -> Found:
    """Refuse.

    Raises:
        UserError: always.
    """
    raise UserError(f"{folder} is QaTa-COV19: its masks are infection, not lungs")


def _is_qata(folder: str) -> bool:
    return base(folder).lower().startswith("qata-cov19") or any(
        base(path).lower() == "ground-truths" for path in storage.list_folders(folder)
    )
