"""What a model folder says of itself, read without loading the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lungseg import storage
from lungseg.errors import UserError

FORMAT = 1
INFO = "segmenter.json"
WEIGHTS = "model.weights.h5"

_NEEDED: dict[str, type | tuple[type, ...]] = {
    "architecture": str,
    "arguments": dict,
    "size": int,
    "threshold": (float, int),
    "min_area_fraction": (float, int),
    "sha256": str,
}


def read_info(path: str) -> dict[str, Any]:
    """`segmenter.json` of a model folder.

    Raises:
        UserError: there is none, or it is damaged or of another format.
    """
    address = storage.join(path, INFO)
    if not storage.exists(address):
        raise UserError(f"{path} holds no trained model (no {INFO}): train one with lungseg train")
    try:
        info = json.loads(storage.read_text(address))
    except ValueError as error:
        raise UserError(f"{address} is damaged ({error}): copy it again") from error
    except IsADirectoryError as error:
        raise UserError(f"{address} is a folder: {path} holds no trained model") from error
    if not isinstance(info, dict):
        raise UserError(f"{address} is damaged (it holds no object): copy it again")
    if info.get("format") != FORMAT:
        raise UserError(f"{address} has format {info.get('format')}, this version reads {FORMAT}")
    for name, kind in _NEEDED.items():
        if not isinstance(info.get(name), kind):
            raise UserError(f"{address} is damaged (no usable {name}): copy it again")
    return info


def read_weights(path: str, info: Mapping[str, Any]) -> bytes:
    """The weights of a model folder, seen to be those that its `segmenter.json` describes.

    Raises:
        UserError: they are not there, or others.
    """
    address = storage.join(path, WEIGHTS)
    if not storage.exists(address):
        raise UserError(f"{path} has no {WEIGHTS}: copy it again")
    weights = storage.read_bytes(address)
    if hashlib.sha256(weights).hexdigest() != info["sha256"]:
        raise UserError(f"{path}/{WEIGHTS} is not the file that {INFO} describes: copy it again")
    return weights
