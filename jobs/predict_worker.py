"""What the processes of `lungseg predict` do with a chunk of images: prepare, predict, finish.

A chunk travels as one row, so that Ray Data can neither split nor join chunks on their way: its
films pickled, once, and its probabilities as their plain bytes, which are four times as much.
"""

from __future__ import annotations

import json
import pickle
import resource
from collections.abc import Sequence
from typing import Any

import numpy as np

from lungseg import storage
from lungseg.errors import RejectedCase, WorkError
from lungseg.one_core import use_one_core
from lungseg.prediction import parts
from lungseg.prediction.ensemble import Ensemble, Finish
from lungseg.prediction.film import Film, prepare
from lungseg.prediction.inputs import Input
from lungseg.prediction.reading import ATTEMPTS
from lungseg.settings import PredictSettings

Row = dict[str, Any]

_AWAY = 8
"""Films in a row that cannot be read: their storage is away. So are all of a smaller chunk."""


def prepare_chunk(item: Row, *, size: int, clahe: float) -> Row:
    """One task: read, decode and letterbox the images of a chunk.

    Raises:
        WorkError: so many films in a row cannot be read that their storage must be away.
    """
    use_one_core()
    films, rejected, unread = [], [], 0
    images = json.loads(item["images"])
    away = min(_AWAY, max(2, len(images)))
    for fields in images:
        try:
            films.append(prepare(Input(**fields), size, clahe))
        except RejectedCase as error:
            rejected.append(fields | {"reason": str(error)})
        except OSError as error:
            unread += 1
            if unread == away:
                raise WorkError(
                    f"{away} films in a row could not be read, the last one {fields['path']} "
                    f"({error.strerror}): once their storage answers, the same command goes on"
                ) from error
            reason = f"the file could not be read, tried {ATTEMPTS} times ({error.strerror})"
            rejected.append(fields | {"reason": reason})
            continue
        unread = 0
    content = pickle.dumps({"films": films, "rejected": rejected}, protocol=5)
    return {"chunk": int(item["chunk"]), "content": content}


class Network:
    """An actor that holds the networks; one at a time per GPU or CPU share."""

    def __init__(self, models: Sequence[str], threads: int, settings: PredictSettings) -> None:
        from lungseg.start_tensorflow import start_tensorflow

        start_tensorflow(threads)
        from lungseg.segmenter import Segmenter

        members = [Segmenter.load(model, settings.precision) for model in models]
        self._ensemble = Ensemble(members, settings.augment)
        self._batch_size = settings.batch_size

    def __call__(self, item: Row) -> Row:
        films: list[Film] = pickle.loads(item["content"])["films"]
        results = [
            self._ensemble(
                np.stack([film.square for film in films[start : start + self._batch_size]])
            )
            for start in range(0, len(films), self._batch_size)
        ]
        return item | {
            "probabilities": b"".join(probabilities.data for probabilities, _ in results),
            "agreements": b"".join(agreements.data for _, agreements in results),
            "network_mb": _peak_mb(),
        }


def finish_chunk(item: Row, *, out: str, how: Finish, settings: PredictSettings) -> Row:
    """One task: masks at original size, pictures as asked for and, last, the chunk's part."""
    from lungseg.prediction.pictures import write_mask, write_overlay
    from lungseg.prediction.row import finish_film

    use_one_core()
    content = pickle.loads(item["content"])
    chunk, rows = int(item["chunk"]), []
    drawn = chunk * settings.images_per_part
    probabilities = np.frombuffer(item["probabilities"], np.float32)
    agreements = np.frombuffer(item["agreements"], np.float32)
    for film, probability, agreement in zip(
        content["films"], probabilities.reshape(-1, how.size, how.size), agreements, strict=True
    ):
        row, mask = finish_film(film, probability, float(agreement), how, settings.low_agreement)
        rows.append(row)
        if settings.masks:
            write_mask(storage.join(out, parts.MASKS), film.image_id, mask)
        if settings.dicom_seg:
            from lungseg.prediction.dicom_seg import write_segmentation

            write_segmentation(
                storage.join(out, parts.SEGMENTATIONS), film.image_id, film.path, mask
            )
        if drawn + len(rows) <= settings.overlays:
            write_overlay(storage.join(out, parts.OVERLAYS), film, mask, row["flags"])
    if settings.chexmask:
        parts.write_chexmask(storage.join(out, "chexmask"), chunk, rows)
    parts.write_part(parts.part_path(out, chunk), rows, content["rejected"])
    return {
        "chunk": chunk,
        "images": len(rows) + len(content["rejected"]),
        "rejected": len(content["rejected"]),
        "network_mb": item["network_mb"],
        "task_mb": _peak_mb(),
    }


def _peak_mb() -> int:
    """Most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
