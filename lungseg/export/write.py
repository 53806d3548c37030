"""Export a model folder: convert, run what came out, and only then put it where it belongs."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from lungseg import storage
from lungseg.errors import UserError, WorkError
from lungseg.export.check import Agreement, compare
from lungseg.export.description import describe
from lungseg.export.films import Films, drawn, of_shards
from lungseg.export.formats import Format, check
from lungseg.frozen import Predict
from lungseg.model_folder import read_info
from lungseg.segmenter import Segmenter, load_network

_CHECKED = 8
_SCORED = 200
_CALIBRATED = 64
_DESCRIPTION = "preprocessing.json"


def export(
    model: str, out: str, name: str, variant: str = "float32", shards: str | None = None
) -> Agreement:
    """Export a trained network.

    >>> export("RUN/models/unet/fold-0/seed-0", "lungs.keras", "keras").pixels < 0.001
    True

    Args:
        model: its folder.
        out: path of the file, or, without the ending of the format, of a folder for it. Beside it
            stands `preprocessing.json` (`STEM.preprocessing.json` beside a file).
        name: a key of `lungseg.export.FORMATS`.
        variant: one of the format's.
        shards: films to compare and score on (test), and to take ranges from (train); without
            them phantoms are drawn.

    Returns:
        How the file agrees with Keras.

    Raises:
        UserError: no such format, variant or model, a package is missing, or `out` is taken.
        WorkError: the network cannot be converted, or the file does not agree with Keras.
    """
    kind = check(name, variant)
    if storage.exists(out) and (not storage.is_folder(out) or storage.list_files(out)):
        raise UserError(f"{out} is there already: choose another --out")
    info = read_info(model)
    films, calibration = _films(info, variant, shards)
    network = load_network(model, info, "mixed_bfloat16" if variant == "bfloat16" else "float32")
    exact = network if variant != "bfloat16" else load_network(model, info, "float32")
    module = importlib.import_module(f"lungseg.export.{name}")
    with tempfile.TemporaryDirectory(prefix="lungseg-") as folder:
        main, description = _names(kind, out)
        path = folder if not kind.suffix else os.path.join(folder, main)
        try:
            module.write(network, path, variant, calibration)
            run = module.load(path)
            agreement = compare(
                Segmenter(exact, info, _by_keras(exact)), Segmenter(exact, info, run), films
            )
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise WorkError(f"{kind.title} does not take this network: {lines[0]}") from error
        agreement.check(variant)
        told = describe(info, main if kind.suffix else ".", name, variant, agreement)
        _put(folder, out, kind, {description: told})
    return agreement


def _films(info: Mapping[str, Any], variant: str, shards: str | None) -> tuple[Films, np.ndarray]:
    """Films to compare on, and those from which int8 takes its ranges."""
    if shards is None:
        coarse = variant == "int8"
        films = drawn(0, 3 * _CHECKED if coarse else _CHECKED, info)
        others = drawn(len(films.squares), _CALIBRATED // 2 if coarse else 1, info)
        return films, others.squares
    films = of_shards(shards, "test", _SCORED, info)
    return films, of_shards(shards, "train", _CALIBRATED, info).squares


def _by_keras(model: keras.Model) -> Predict:
    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(model(images / np.float32(255), training=False))[..., 0]

    return run


def _names(kind: Format, out: str) -> tuple[str, str]:
    """Of the main file and the description; both stand in the folder `out`, or beside its name."""
    if not _is_file(kind, out):
        return kind.main, _DESCRIPTION
    main = out.rsplit("/", 1)[-1]
    return main, f"{main.removesuffix(kind.suffix)}.{_DESCRIPTION}"


def _is_file(kind: Format, out: str) -> bool:
    return bool(kind.suffix) and out.endswith(kind.suffix)


def _put(folder: str, out: str, kind: Format, texts: Mapping[str, Any]) -> None:
    """Copy what was exported to its place, each file whole or not at all, the main one last."""
    target = out.rpartition("/")[0] or "." if _is_file(kind, out) else out
    main = _names(kind, out)[0]
    for name, content in texts.items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        storage.write_text(storage.join(target, name), text)
    files = storage.list_files(folder, recursive=True)
    for path in sorted(files, key=lambda path: path.endswith(f"/{main}")):
        name = os.path.relpath(path, folder)
        storage.write_bytes(storage.join(target, name), storage.read_bytes(path))
