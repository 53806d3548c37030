"""Lines on the screen for a training: its epochs, and its workers where they come late or anew."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque

from jobs.screen import say
from jobs.starts import read_starts
from jobs.waiting import PATIENCE, say_waiting
from lungseg import storage
from lungseg.training.history import read_history

_EPOCHS_TIMED = 5


class Follow:
    """Print what happens to a training for the length of a `with` block.

    History and starts are read from storage, since workers may be on other machines.
    """

    def __init__(self, model: str, epochs: int, name: str, done: int, wanted: str) -> None:
        """Follow a training.

        Args:
            model: the model folder.
            epochs: of the whole training.
            name: of the training.
            done: epochs of earlier calls.
            wanted: the workers it asks the cluster for, in words.
        """
        self._model, self._epochs, self._name, self._wanted = model, epochs, name, wanted
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._printed = done
        self._starts_before = self._starts = len(read_starts(model))
        self._seen: deque[tuple[float, int]] = deque(maxlen=_EPOCHS_TIMED + 1)
        """When which epoch was over."""

    def __enter__(self) -> None:
        if self._printed:
            say(f"         {self._name}: going on after epoch {self._printed}")
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._print_epochs()

    def _watch(self) -> None:
        patience = time.monotonic() + PATIENCE
        while not self._ended.wait(1.0):
            # What cannot be read now may be there the next time.
            with contextlib.suppress(OSError):
                self._print_starts()
                self._print_epochs()
            if self._starts == self._starts_before and time.monotonic() > patience:
                say_waiting(self._name, self._wanted)
                patience = float("inf")

    def _print_starts(self) -> None:
        starts = read_starts(self._model)
        for number in range(self._starts, len(starts)):
            self._seen.clear()
            self._seen.append((time.monotonic(), self._printed))
            if number > self._starts_before:
                more = starts[number] > starts[number - 1]
                why = "there is room for more workers" if more else "workers were lost"
                say(f"         {self._name}: {why}, going on with {starts[number]}")
        self._starts = len(starts)

    def _print_epochs(self) -> None:
        rows = read_history(storage.join(self._model, "history.csv"))
        if len(rows) <= self._printed:
            return
        self._seen.append((time.monotonic(), len(rows)))
        (begun, first), (now, last) = self._seen[0], self._seen[-1]
        for row in rows[self._printed :]:
            # Validation, checkpoint and all else between two epochs counts.
            each = (now - begun) / (last - first) if last > first else row["seconds"]
            left = round((self._epochs - row["epoch"]) * each)
            say(
                f"         {self._name}: epoch {row['epoch']:>3}/{self._epochs}  "
                f"loss {row['loss']:.4f}  val Dice {row['val_dice']:.4f}  "
                f"rate {row['learning_rate']:.1e}  {row['images_per_second']:.0f} images/s  "
                f"at most {left // 60}:{left % 60:02} left",
                rank=0,
                training=self._name,
                **row,
            )
        self._printed = len(rows)
