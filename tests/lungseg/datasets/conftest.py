"""Miniature data sets on disk."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Tree = Callable[[Mapping[str, Any]], str]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes files: arrays as images of the name's kind, dicts as JSON, text and bytes as such."""

    def write(files: Mapping[str, Any]) -> str:
        root = tmp_path / "data set"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, np.ndarray):
                stream = io.BytesIO()
                Image.fromarray(content).save(stream, Image.registered_extensions()[path.suffix])
                path.write_bytes(stream.getvalue())
            elif isinstance(content, dict):
                path.write_text(json.dumps(content))
            elif isinstance(content, str):
                path.write_text(content)
            else:
                path.write_bytes(content)
        return str(root)

    return write


@pytest.fixture
def film() -> Callable[..., np.ndarray]:
    """A grey image that no other seed gives."""

    def draw(seed: int, height: int = 60, width: int = 50) -> np.ndarray:
        generator = np.random.default_rng(seed)
        return generator.integers(0, 256, (height, width), dtype=np.uint8)

    return draw


@pytest.fixture
def lung() -> Callable[..., np.ndarray]:
    """A mask 0/255 of the left or right half, clear of the border."""

    def draw(side: str, height: int = 60, width: int = 50) -> np.ndarray:
        mask = np.zeros((height, width), np.uint8)
        columns = slice(3, width // 2 - 2) if side == "left" else slice(width // 2 + 2, width - 3)
        mask[height // 6 : -height // 6, columns] = 255
        return mask

    return draw
