"""Where the progress of a training is shown besides `history.csv`: TensorBoard and MLflow."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from lungseg import storage
from lungseg.settings import Settings
from lungseg.training.history import COLUMNS, Row

FOLDER = "tensorboard"
_SCALARS = [name for name in COLUMNS if name != "epoch"]


@contextmanager
def track(
    model: str, name: str, settings: Settings, done: int, *, active: bool
) -> Iterator[Callable[[Row], None]]:
    """A function that takes note of each row of the history, for the length of a `with` block.

    Args:
        model: the model folder, local or by URL; TensorBoard's events go to `tensorboard/` in it.
        name: of the training.
        settings: of the run; they name the MLflow server, if any.
        done: epochs of earlier starts, which are shown already.
        active: False on all workers but one, where nothing is noted.
    """
    if not active:
        yield lambda row: None
        return
    with ExitStack() as stack:
        functions = [stack.enter_context(_tensorboard(model, done))]
        if settings.train.mlflow:
            functions.append(stack.enter_context(_mlflow(name, settings)))

        def note(row: Row) -> None:
            for function in functions:
                function(row)

        yield note


@contextmanager
def _tensorboard(model: str, done: int) -> Iterator[Callable[[Row], None]]:
    """Each start of a training writes a file of its own; TensorBoard joins those of a folder.

    Events are TFRecords of `Event` messages: TensorBoard itself is not needed to write them.
    """
    name = f"events.out.tfevents.{int(time.time())}.after-epoch-{done}"
    target = storage.join(model, FOLDER, name)
    with tempfile.TemporaryDirectory() as scratch:
        remote = storage.is_url(model)
        path = os.path.join(scratch, name) if remote else storage.local(target)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tf.io.TFRecordWriter(path) as writer:

            def add(**content: Any) -> None:
                event = tf.compat.v1.Event(wall_time=time.time(), **content)
                writer.write(event.SerializeToString())
                writer.flush()

            def note(row: Row) -> None:
                value = tf.compat.v1.Summary.Value
                values = [value(tag=name, simple_value=row[name]) for name in _SCALARS]
                add(step=row["epoch"], summary=tf.compat.v1.Summary(value=values))
                if remote:
                    with open(path, "rb") as events:
                        storage.write_bytes(target, events.read())

            add(file_version="brain.Event:2")
            yield note


@contextmanager
def _mlflow(name: str, settings: Settings) -> Iterator[Callable[[Row], None]]:
    import mlflow

    mlflow.set_tracking_uri(settings.train.mlflow)
    mlflow.set_experiment("lungseg")
    with mlflow.start_run(run_name=name):
        for section in ("data", "network", "train", "augmentation"):
            values = getattr(settings, section).model_dump(mode="json")
            mlflow.log_params({f"{section}.{key}": value for key, value in values.items()})
        yield lambda row: mlflow.log_metrics(
            {scalar: row[scalar] for scalar in _SCALARS}, step=row["epoch"]
        )
