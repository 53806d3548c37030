"""What the processes of `lungseg predict` do with a chunk of images: prepare, predict, finish.

A chunk travels as an Arrow table of one row, so that Ray Data can neither split nor join chunks on
their way. Its films' pixels and its probabilities, four times as many bytes, have columns of their
own and are read where Ray has put them, by each process that needs them, without a copy.
"""

from __future__ import annotations

import json
import pickle
import resource
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lungseg import storage
from lungseg.errors import RejectedCase, WorkError
from lungseg.one_core import use_one_core
from lungseg.prediction import parts
from lungseg.prediction.ensemble import Ensemble, Finish
from lungseg.prediction.film import Film, prepare
from lungseg.prediction.inputs import Input
from lungseg.prediction.reading import ATTEMPTS
from lungseg.settings import PredictSettings

_AWAY = 8
"""Films in a row that cannot be read: their storage is away. So are all of a smaller chunk."""


def prepare_chunk(chunk: pa.Table, *, size: int, clahe: float) -> pa.Table:
    """One task: read, decode and letterbox the images of a chunk.

    Args:
        chunk: its number as `chunk`, and its images (`Input` each) as JSON in `images`.
        size: of the network's input in px.
        clahe: the contrast that the network was trained on.

    Raises:
        WorkError: so many films in a row cannot be read that their storage must be away.
    """
    use_one_core()
    films, rejected, unread = [], [], 0
    images = json.loads(chunk["images"][0].as_py())
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
    squares: list[pickle.PickleBuffer] = []
    facts = pickle.dumps((films, rejected), protocol=5, buffer_callback=squares.append)
    columns = {"films": _cell(facts), "squares": _cell(b"".join(squares))}
    return pa.table({"chunk": chunk["chunk"]} | columns)


def _cell(content: Any) -> pa.Array:
    """A column with one value, which is any buffer and is not copied."""
    buffer = pa.py_buffer(content)
    ends = pa.py_buffer(np.array([0, buffer.size], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, buffer])


def _read(chunk: pa.Table, name: str, dtype: type, size: int = 0) -> np.ndarray:
    """The value of such a column, where it is: (N,), or (N, size, size)."""
    values: np.ndarray = np.frombuffer(chunk[name][0].as_buffer(), dtype)
    return values.reshape(-1, size, size) if size else values


class Network:
    """An actor that holds the networks; one at a time per GPU or CPU share."""

    def __init__(self, models: Sequence[str], threads: int, settings: PredictSettings) -> None:
        from lungseg.start_tensorflow import start_tensorflow

        start_tensorflow(threads)
        from lungseg.segmenter import Segmenter

        members = [Segmenter.load(model, settings.precision) for model in models]
        self._ensemble = Ensemble(members, settings.augment)
        self._batch_size = settings.batch_size

    def __call__(self, chunk: pa.Table, *, size: int) -> pa.Table:
        squares = _read(chunk, "squares", np.uint8, size)
        probabilities = np.empty(squares.shape, np.float32)
        agreements = np.empty(len(squares), np.float32)
        for start in range(0, len(squares), self._batch_size):
            some = slice(start, start + self._batch_size)
            probabilities[some], agreements[some] = self._ensemble(squares[some])
        return (
            chunk.append_column("probabilities", _cell(probabilities))
            .append_column("agreements", _cell(agreements))
            .append_column("network_mb", pa.array([_peak_mb()]))
        )


def finish_chunk(chunk: pa.Table, *, out: str, how: Finish, settings: PredictSettings) -> pa.Table:
    """One task: masks at original size, pictures as asked for and, last, the chunk's part."""
    from lungseg.prediction.pictures import write_mask, write_overlay
    from lungseg.prediction.row import finish_film

    use_one_core()
    squares = _read(chunk, "squares", np.uint8, how.size)
    films: list[Film]
    films, rejected = pickle.loads(_read(chunk, "films", np.uint8).data, buffers=squares)
    number, rows = chunk["chunk"][0].as_py(), []
    drawn = number * settings.images_per_part
    probabilities = _read(chunk, "probabilities", np.float32, how.size)
    agreements = _read(chunk, "agreements", np.float32)
    for film, probability, agreement in zip(films, probabilities, agreements, strict=True):
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
        parts.write_chexmask(storage.join(out, "chexmask"), number, rows)
    parts.write_part(parts.part_path(out, number), rows, rejected)
    facts = {
        "images": len(rows) + len(rejected),
        "rejected": len(rejected),
        "network_mb": chunk["network_mb"][0].as_py(),
        "task_mb": _peak_mb(),
    }
    return pa.table({name: [fact] for name, fact in facts.items()})


def _peak_mb() -> int:
    """Most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
