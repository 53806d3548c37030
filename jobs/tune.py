"""`lungseg tune`: a search for good settings of one architecture, with Ray Tune."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs import films
from jobs.fitting import fitting_info
from jobs.follow_trials import FollowTrials
from jobs.placement import place
from jobs.screen import say
from jobs.session import silence
from jobs.side_by_side import side_by_side
from jobs.train import worker_config
from jobs.train_worker import CHECKPOINTS, Training, config_to_dict
from jobs.trial import METRIC, run_trial
from lungseg import storage
from lungseg.errors import UserError, WorkError
from lungseg.search import space, trials
from lungseg.search.pictures import write_figures
from lungseg.search.space import Values
from lungseg.settings import Settings, fingerprint
from lungseg.training.plan import difference, make_plan

_PLAN = "search.json"
_STATE = "tune"
"""Ray Tune's own folder; nothing in it is ever read again."""
_FREE = {"trials"}
_DRIVER = {"CPU": 0.01}
"""What a trial of several workers needs for itself: its workers have places of their own."""


def tune(architecture: str, shards_path: str, out: str, settings: Settings) -> Values:
    """Search, or go on with a search that was cut short, or do nothing if it is done.

    Args:
        architecture: a key of `lungseg.networks.ARCHITECTURES`.
        shards_path: folder of shards; the test split is never read.
        out: folder of searches; this one's is below it, named after the architecture.
        settings: of the run; `settings.tune` says what is searched.

    Returns:
        The settings found, by dotted name.

    Raises:
        UserError: the search cannot be done as asked, or `out` holds another one.
        WorkError: all trials failed.
    """
    space.check(settings)
    info = fitting_info(shards_path, settings)
    search = storage.join(out, architecture)
    names = list(settings.tune.space)
    _claim(search, architecture, settings, info)
    wanted = settings.tune.trials if settings.tune.sampler == "tpe" else len(space.draw(settings))
    ended = sum(bool(trial.ended) for trial in trials.read_trials(search))
    whole = ended >= wanted
    if not whole:
        if ended:
            say(f"         {architecture}: going on, {ended} of {wanted} trials have ended")
        _search(architecture, shards_path, search, settings, info)
    table = trials.write_tables(search)
    if trials.best_of(table) is None:
        reasons = [reason for reason in table["reason"] if reason]
        raise WorkError(f"all {len(table)} trials of {architecture} failed: {reasons[0]}")
    found = trials.write_best(search, architecture, table, names)
    _delete_checkpoints(search, but=trials.best_of(table))
    before = ", searched before" if whole else ""
    dice = trials.best_dice(table)
    say(f"         {architecture}: best of {len(table)}{before}: {space.named(found)} ({dice:.4f})")
    write_figures(search, architecture)
    return found


def _claim(search: str, architecture: str, settings: Settings, info: dict[str, Any]) -> None:
    """Keep what is searched, unless the folder holds another search."""
    plan = make_plan(
        settings,
        architecture,
        seed=settings.tune.seed,
        fold=0,
        data_fingerprint=info["fingerprint"],
    )
    plan["tune"] = json.loads(settings.tune.model_dump_json(exclude=_FREE))
    plan["fingerprint"] = fingerprint({k: v for k, v in plan.items() if k != "fingerprint"})
    path = storage.join(search, _PLAN)
    if storage.exists(path):
        before = json.loads(storage.read_text(path))
        if before["fingerprint"] != plan["fingerprint"]:
            raise UserError(
                f"{search} holds a search of another configuration ({difference(before, plan)}): "
                "choose another folder, or delete it"
            )
    storage.write_text(path, json.dumps(plan, indent=2))


def _search(
    architecture: str, shards_path: str, search: str, settings: Settings, info: dict[str, Any]
) -> None:
    with silence():
        from ray import tune as ray_tune
        from ray.tune import FailureConfig, RunConfig, TuneConfig, Tuner
    placement = place(settings.compute, settings.tune.trials)
    training = Training(architecture, shards_path, search, seed=settings.tune.seed)
    config = worker_config(training, settings, info, placement)
    alone = placement.workers == (1, 1)
    if not alone:
        _see_state_api()
    algorithm, parameters, samples = _sampler(search, settings)
    state = storage.join(search, _STATE)
    storage.delete(state)
    trainable = ray_tune.with_parameters(
        run_trial,
        search=search,
        plain=config_to_dict(config),
        placement=placement,
        cases=films.read(training, info) if alone else None,
    )
    tuner = Tuner(
        ray_tune.with_resources(trainable, placement.resources if alone else _DRIVER),
        param_space=parameters,
        tune_config=TuneConfig(
            metric=METRIC,
            mode="max",
            search_alg=algorithm,
            scheduler=_scheduler(settings),
            num_samples=samples,
            max_concurrent_trials=placement.parallel,
            # One that waits for a run of Ray Train is ended, or that run would go on below it.
            reuse_actors=alone,
        ),
        run_config=RunConfig(
            name=_STATE,
            storage_path=storage.absolute(search),
            failure_config=FailureConfig(max_failures=settings.train.max_failures),
            callbacks=[FollowTrials(search, settings, placement.parallel)],
            verbose=0,
        ),
    )
    with silence():
        side_by_side(Tuner.fit, [tuner], 1)
    storage.delete(state)


def _delete_checkpoints(search: str, *, but: int | None) -> None:
    """Delete hundreds of MB a trial, now that nothing writes there any more.

    Args:
        search: its folder, all trials ended.
        but: number of the best trial, from which a training goes on.
    """
    for trial in trials.read_trials(search):
        if trial.number != but:
            storage.delete(storage.join(trials.folder_of(search, trial.number), CHECKPOINTS))


def _see_state_api() -> None:
    """Refuse a search that would never end.

    A trial of several workers that is stopped early leaves its Ray Train run to be cleaned up by
    Ray, which asks its dashboard what still lives (ray issues 54305, 65443).

    Raises:
        UserError: the dashboard does not answer.
    """
    from ray.util.state import list_actors

    try:
        with silence():
            list_actors(limit=1, timeout=10)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"trials of several workers need Ray's dashboard, which does not answer ({reason}): "
            "start the cluster with it, one cluster a machine, or search with --workers 1"
        ) from error


def _scheduler(settings: Settings) -> Any:
    from ray.tune import schedulers

    tune, epochs = settings.tune, settings.train.epochs
    if tune.scheduler == "asha":
        return schedulers.ASHAScheduler(
            time_attr="epoch",
            max_t=epochs,
            grace_period=min(tune.grace_epochs, epochs),
            reduction_factor=tune.reduction,
        )
    if tune.scheduler == "median":
        return schedulers.MedianStoppingRule(
            time_attr="epoch", grace_period=tune.grace_epochs, min_samples_required=3
        )
    return schedulers.FIFOScheduler()


def _sampler(search: str, settings: Settings) -> tuple[Any, dict[str, Any], int]:
    """Ray Tune's search algorithm, its parameter space, and how many samples to take of it."""
    from ray import tune as ray_tune

    begun = {trial.number: trial.values for trial in trials.read_trials(search)}
    if settings.tune.sampler == "tpe":
        from jobs.tpe import NumberedTpe

        points = {0: space.usual(settings)} | begun
        return NumberedTpe(settings.tune, METRIC, points), {}, settings.tune.trials
    drawn = space.draw(settings)
    if settings.tune.sampler == "grid":
        _see_same_grid(search, drawn, begun)
    listed = [
        {"number": number, "values": begun.get(number, values)}
        for number, values in enumerate(drawn)
    ]
    return None, {"trial": ray_tune.grid_search(listed)}, 1


def _see_same_grid(search: str, drawn: Sequence[Values], begun: Mapping[int, Values]) -> None:
    """Refuse a grid of other points than those that have begun: it would leave holes.

    Raises:
        UserError: it is one.
    """
    plain: list[Values] = json.loads(json.dumps(drawn))
    if any(number < len(plain) and values != plain[number] for number, values in begun.items()):
        raise UserError(
            f"{search} holds another grid, of which {len(begun)} points have begun: give as many "
            "trials as before, or another folder"
        )


if __name__ == "__main__":
    from jobs.command import main

    main("tune")
