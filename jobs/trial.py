"""What a trial of a search runs: the training code of `lungseg train`, told to Ray Tune.

A trial keeps all of its state in a folder of its own: its record, its history, its checkpoints. A
search that is started again gives each trial the same folder, where it first tells the epochs that
are there and then goes on, or ends as it did before. So Ray Tune needs no memory of its own.

With one worker the training runs in the trial's own process, which Ray Tune gives to the next
trial: TensorFlow is imported once. With several it is a run of Ray Train.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from jobs.fitting import plan_of
from jobs.placement import Placement
from jobs.train import run_trainer
from jobs.train_worker import CHECKPOINTS, WorkerConfig, config_from_dict, feed, fit_and_record
from lungseg import shards, storage
from lungseg.errors import WorkError
from lungseg.resolve import with_values
from lungseg.search import trials
from lungseg.search.trials import Trial
from lungseg.training import checkpoint
from lungseg.training.history import Row, read_history

METRIC = "val_dice"
"""What the search maximises."""


_NOTHING: Row = {"epoch": 0, METRIC: 0.0, "loss": 1.0}
"""What Ray Tune, which wants to hear of every trial, is told of one without an epoch."""


@dataclass
class _Clock:
    """When the first step of a training was done."""

    first_step: float | None = None

    def watch(self, batches: Any) -> Iterator[Any]:
        """Pass batches on; who asks for the second one has done the first step."""
        for number, batch in enumerate(batches):
            if number == 1 and self.first_step is None:
                self.first_step = time.time()
            yield batch


def run_trial(
    config: dict[str, Any],
    *,
    search: str,
    plain: dict[str, Any],
    placement: Placement,
    cases: Any = None,
) -> None:
    """Run one trial, or what is missing of it.

    Args:
        config: Ray Tune's, with the `trial`'s number and values.
        search: folder of the search.
        plain: `WorkerConfig` with the usual settings, as a dictionary.
        placement: the trial's share of the cluster.
        cases: "train" and "val" as `jobs.films.read` gives them, for a trial of one worker.
    """
    number, values = config["trial"]["number"], config["trial"]["values"]
    trial = trials.read_trial(search, number) or Trial(number, values)
    base = config_from_dict(plain)
    training = replace(base.training, out=trials.folder_of(search, number))
    own = replace(base, training=training, settings=with_values(base.settings, trial.values))
    plan = plan_of(training, own.settings, own.data_fingerprint)
    trial = replace(trial, fingerprint=plan["fingerprint"])
    for row in _rows_before(trial, training.out):
        _tell(row)
    if trial.ended:
        return
    trials.write_trial(search, trial)
    try:
        if cases is None:
            trial, epochs = _train_group(own, trial, placement)
        else:
            trial, epochs = _train_here(own, search, trial, cases)
    except WorkError as error:
        trial = trials.read_trial(search, number) or trial
        ended, reason = trials.FAILED, str(error)
        if not storage.exists(storage.join(training.out, "history.csv")):
            _tell(_NOTHING)
    else:
        ended = trials.ALL_EPOCHS if epochs >= own.settings.train.epochs else trials.NO_GAIN
        reason = ""
    told = trials.read_trial(search, number)
    if told is None or not told.ended:
        # Else the search has ended it meanwhile, and what it ran into is what that left behind.
        trials.write_trial(search, replace(trial, ended=ended, reason=reason))


def _rows_before(trial: Trial, folder: str) -> list[Row]:
    """The epochs of earlier starts; at least one row for a trial that has ended."""
    if trial.ended:
        return read_history(storage.join(folder, "history.csv")) or [_NOTHING]
    found = checkpoint.newest_complete(storage.join(folder, CHECKPOINTS))
    return checkpoint.read_history(found) if found else []


def _tell(row: Row) -> None:
    import ray.tune

    ray.tune.report({name: row[name] for name in ("epoch", METRIC, "loss")})


def _train_group(config: WorkerConfig, trial: Trial, placement: Placement) -> tuple[Trial, int]:
    """Train with several workers: a run of Ray Train below this process."""
    from ray.tune.integration.ray_train import TuneReportCallback

    training, started = config.training, time.time()
    info = shards.read_info(training.shards)
    run_trainer(training, config.settings, info, placement, [TuneReportCallback()])
    epochs = len(read_history(storage.join(training.out, "history.csv")))
    return replace(trial, seconds=trial.seconds + time.time() - started), epochs


def _train_here(config: WorkerConfig, search: str, trial: Trial, cases: Any) -> tuple[Trial, int]:
    """Train in this very process, which may have run other trials before."""
    from lungseg.start_tensorflow import start_tensorflow

    start_tensorflow(config.threads)
    from lungseg.training import replicas

    replicas.forget()
    started, before, clock = time.time(), trial.seconds, _Clock()
    source = feed(config, 0, 1, cases)
    timed = replace(source, train=lambda epoch, size: clock.watch(source.train(epoch, size)))
    folder = storage.join(config.training.out, CHECKPOINTS)

    def keep(row: Row, local: str) -> None:
        checkpoint.store(local, folder, row["epoch"])

    def then(row: Row) -> None:
        nonlocal trial
        first = trial.first_step_at or clock.first_step
        trial = replace(trial, seconds=before + time.time() - started, first_step_at=first)
        trials.write_trial(search, trial)
        _tell(row)

    trained = fit_and_record(config, 0, timed, keep, then)
    return trial, len(trained.history)
