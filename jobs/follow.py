"""Lines on the screen for the epochs of a training, read from its `history.csv`."""

from __future__ import annotations

import threading

from jobs.screen import say
from lungseg import storage
from lungseg.training.history import Row, read_history


class Follow:
    """Print a line for each new epoch of a training for the length of a `with` block.

    The history is read from storage, since workers may be on other machines.
    """

    def __init__(self, model: str, epochs: int, name: str, done: int) -> None:
        self._path = storage.join(model, "history.csv")
        self._epochs, self._name = epochs, name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._printed = done

    def __enter__(self) -> None:
        if self._printed:
            say(f"         {self._name}: going on after epoch {self._printed}")
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._print_new()

    def _rows(self) -> list[Row]:
        return read_history(self._path)

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            self._print_new()

    def _print_new(self) -> None:
        rows = self._rows()
        for row in rows[self._printed :]:
            left = round((self._epochs - row["epoch"]) * row["seconds"])
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
