"""The layout that the README shows as an example works when it is added."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lungseg.datasets import LAYOUTS, find_cases

README = Path(__file__).parents[3] / "README.md"
Build = Callable[..., Any]


def test_the_example_of_the_readme(
    tree: Build, film: Build, lung: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = README.read_text().split("```python\n")[1:]
    code = next(block for block in blocks if block.startswith('"""lungseg/datasets/clinic.py'))
    clinic: Any = ModuleType("clinic")
    exec(code.split("```")[0], vars(clinic))
    monkeypatch.setitem(LAYOUTS, "clinic", clinic)
    root = tree(
        {
            "films/1.png": film(1),
            "films/2.png": film(2),
            "films/3.png": film(3),
            "lungs/1.png": lung("left"),
            "lungs/3.png": lung("right"),
        }
    )
    found = find_cases([root])
    assert found.layouts == ("clinic",)
    assert [case.case_id for case in found.cases] == ["1", "3"]
    assert found.unmatched == ((f"{root}/films/2.png", "no mask of this name in lungs/"),)
