"""Export a model folder: convert, run what came out, and only then put it where it belongs."""

from __future__ import annotations

import contextlib
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
from lungseg.export.formats import FORMATS, Format, check
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
            stands `preprocessing.json` (`FILE.preprocessing.json` beside a file).
        name: a key of `lungseg.export.FORMATS`.
        variant: one of the format's.
        shards: films to compare and score on (test), and for int8 to take ranges from (train);
            without them phantoms are drawn.

    Returns:
        How the file agrees with Keras.

    Raises:
        UserError: no such format, variant or model, a package is missing, or `out` is taken.
        WorkError: the network cannot be converted, or the file does not agree with Keras.
    """
    kind = check(name, variant)
    for path in written(out, name):
        raise UserError(f"{path} is there already: choose another --out")
    info = read_info(model)
    films, calibration = _films(info, variant, shards)
    network = load_network(model, info, "mixed_bfloat16" if variant == "bfloat16" else "float32")
    exact = network if variant != "bfloat16" else load_network(model, info, "float32")
    module = importlib.import_module(f"lungseg.export.{name}")
    with tempfile.TemporaryDirectory(prefix="lungseg-") as folder:
        main = _names(kind, out)[0]
        path = folder if not kind.suffix else os.path.join(folder, main)
        try:
            module.write(network, path, variant, calibration)
            run = module.load(path)
            agreement = compare(
                Segmenter(exact, info, _by_keras(exact)), Segmenter(exact, info, run), films
            )
        except OSError:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise WorkError(f"{kind.title} does not take this network: {lines[0]}") from error
        agreement.check(variant)
        told = describe(info, main if kind.suffix else ".", name, variant, agreement)
        _put(folder, out, kind, json.dumps(told, indent=2, ensure_ascii=False))
    return agreement


def written(out: str, name: str) -> list[str]:
    """The files of an export that are there.

    Args:
        out: path of the file, or of the folder, as for `export`.
        name: of the format.
    """
    kind = FORMATS[name]
    if _is_file(kind, out):
        paths = [storage.join(_folder(kind, out), one) for one in _names(kind, out)]
        return [path for path in paths if storage.exists(path)]
    return _below(out) if storage.is_folder(out) or not storage.exists(out) else [out]


def _below(folder: str) -> list[str]:
    return storage.list_files(folder, recursive=True)


def _films(info: Mapping[str, Any], variant: str, shards: str | None) -> tuple[Films, np.ndarray]:
    """Films to compare on, and those from which int8 takes its ranges."""
    if shards is None:
        coarse = variant == "int8"
        films = drawn(0, 3 * _CHECKED if coarse else _CHECKED, info)
        others = drawn(len(films.squares), _CALIBRATED // 2 if coarse else 1, info)
        return films, others.squares
    films = of_shards(shards, "test", _SCORED, info)
    if variant != "int8":
        return films, films.squares[:1]
    return films, of_shards(shards, "train", _CALIBRATED, info).squares


def _by_keras(model: keras.Model) -> Predict:
    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(model(images / np.float32(255), training=False))[..., 0]

    return run


def _names(kind: Format, out: str) -> tuple[str, ...]:
    """Of the main file, the description, and what else is beside; in the folder of `_folder`."""
    if not _is_file(kind, out):
        return kind.main, _DESCRIPTION
    main = out.rsplit("/", 1)[-1]
    more = (main.removesuffix(kind.suffix) + kind.beside,) if kind.beside else ()
    return main, f"{main}.{_DESCRIPTION}", *more


def _is_file(kind: Format, out: str) -> bool:
    return bool(kind.suffix) and out.endswith(kind.suffix)


def _folder(kind: Format, out: str) -> str:
    return out.rpartition("/")[0] or "." if _is_file(kind, out) else out


def _put(folder: str, out: str, kind: Format, description: str) -> None:
    """Copy what was exported to its place, each file whole or not at all, the main one last.

    What cannot be finished is taken away again.
    """
    target, (main, beside, *_) = _folder(kind, out), _names(kind, out)
    storage.write_text(os.path.join(folder, beside), description)
    put: list[str] = []
    try:
        for path in sorted(_below(folder), key=lambda path: path.endswith(f"/{main}")):
            put.append(storage.join(target, os.path.relpath(path, folder)))
            storage.write_bytes(put[-1], storage.read_bytes(path))
    except BaseException:
        with contextlib.suppress(OSError):
            for path in put:
                storage.delete(path)
        raise
