"""The grid of trainings: architectures × folds × seeds, side by side where the cluster has room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from jobs.failures import explain
from jobs.fitting import finished
from jobs.placement import Placement, place
from jobs.screen import say
from jobs.side_by_side import side_by_side
from jobs.train import train
from jobs.train_worker import Training
from lungseg import runfolder, shards
from lungseg.errors import UserError, WorkError
from lungseg.settings import Settings


def grid(run: str, shards_path: str, settings: Settings) -> list[Training]:
    """All trainings of a run."""
    return [
        Training(
            name,
            shards_path,
            runfolder.model_folder(run, name, fold, seed),
            seed,
            fold,
            runfolder.search_folder(run, name),
        )
        for name in settings.models
        for fold in range(settings.data.folds)
        for seed in range(settings.seeds)
    ]


def train_all(trainings: Sequence[Training], settings: Mapping[str, Settings]) -> list[str]:
    """Do all trainings; one that fails does not stop the others.

    Args:
        trainings: of one run.
        settings: of each architecture.

    Returns:
        What went wrong, a line for each training that failed.

    Raises:
        UserError: the cluster is too small, or a folder holds another training.
        WorkError: all of them failed.
    """
    info = shards.read_info(trainings[0].shards)
    # A folder that holds another training is refused before any work is done.
    missing = sum(
        finished(training, settings[training.architecture], info) is None for training in trainings
    )
    placement = place(settings[trainings[0].architecture].compute, max(1, missing))
    if placement.parallel > 1:
        say(f"         {placement.parallel} trainings side by side")
    one = partial(_try, settings=settings, placement=placement)
    failures = [text for text in side_by_side(one, trainings, placement.parallel) if text]
    if len(failures) == len(trainings):
        raise WorkError(failures[0] if len(failures) == 1 else f"all failed: {failures[0]}")
    return failures


def _try(training: Training, *, settings: Mapping[str, Settings], placement: Placement) -> str:
    """What went wrong with a training, in a line; empty where all went well."""
    try:
        train(training, settings[training.architecture], placement)
    except (UserError, WorkError) as error:
        line = str(error)
    except Exception as error:
        line = f"{training.name}: {explain(error, training.out)}"
    else:
        return ""
    say(f"         failed: {line}")
    return line
