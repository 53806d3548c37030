"""`lungseg predict`: masks for any number of films, with Ray Data.

The inputs are cut into fixed, numbered chunks; each becomes one part file, written atomically when
its chunk is through. A part that is there is done, so a killed job goes on with those that are
missing, and every image is in exactly one part by construction. (Ray Data's own checkpointing was
left aside: it is beta, deletes its state on success, and would need the inputs' ids in a store of
its own beside the files that already tell.)
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from posixpath import basename
from typing import Any

from jobs.ahead import submit_ahead
from jobs.failures import explain
from jobs.metrics import PredictionMetrics
from jobs.pool import TASK_CPUS, pool_of
from jobs.predict_worker import Network, finish_chunk, prepare_chunk
from jobs.screen import progress, say
from jobs.session import machines, resources, silence
from lungseg import storage
from lungseg.errors import WorkError
from lungseg.model_folder import read_info, read_weights
from lungseg.prediction.claim import claim
from lungseg.prediction.ensemble import Finish, finish_of
from lungseg.prediction.inputs import Input, find_images
from lungseg.prediction.parts import (
    list_parts,
    part_path,
    read_flags,
    write_rejected,
)
from lungseg.settings import PredictSettings

_AHEAD = 2
"""Chunks for each CPU that are prepared, or are to be, before the network takes them; as many are
in it or wait to be finished, and as many are finished. More than are worked on at once, so that the
next one always waits; and no more, for they take memory."""
_TABLES: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}
"""How Ray Data gives a chunk to its function: as it came, uncopied."""


@dataclass(frozen=True)
class Job:
    """A prediction that can be done, and what is missing of it."""

    models: Sequence[str]
    out: str
    settings: PredictSettings
    how: Finish
    chunks: list[dict[str, Any]]
    missing: list[dict[str, Any]]


def predict(
    models: Sequence[str], images: Sequence[str], out: str, settings: PredictSettings
) -> dict[str, Any]:
    """Predict the masks of all images: `plan`, and `work` on it."""
    return work(plan(models, images, out, settings))


def plan(models: Sequence[str], images: Sequence[str], out: str, settings: PredictSettings) -> Job:
    """Find models and images, and note in `out` what it is for; needs no Ray.

    Args:
        models: model folders; several make an ensemble.
        images: folders, globs, lists or files (see `lungseg.prediction.inputs`).
        out: folder of the predictions.
        settings: of the prediction.

    Raises:
        UserError: no image or model, or `out` holds predictions of others.
    """
    if settings.dicom_seg:
        from lungseg.prediction.dicom_seg import check_installed  # pydicom is slow to import

        check_installed()
    how = _read_models(models)
    inputs = find_images(images, out)
    say(f"         {len(inputs)} images, {len(models)} model{'s' * (len(models) > 1)}")
    claim(out, how, inputs, models, settings)
    chunks = _chunks(inputs, settings.images_per_part)
    # By name: a listing of "s3a://…" tells "s3://…".
    there = set(map(basename, list_parts(out)))
    missing = [chunk for chunk in chunks if basename(part_path(out, chunk["chunk"])) not in there]
    return Job(models, out, settings, how, chunks, missing)


def work(job: Job) -> dict[str, Any]:
    """Bring the missing chunks through, on Ray if there are any.

    Returns:
        The summary: images, done, rejected, flagged, flags, seconds, images_per_second (of this
        call), network_mb and task_mb (most memory of a process of each kind).

    Raises:
        WorkError: the work failed, or ended with chunks missing.
    """
    started = time.monotonic()
    worked = _work(job) if job.missing else {}
    return _summarise(job.out, job.chunks, worked, time.monotonic() - started)


def _read_models(models: Sequence[str]) -> Finish:
    infos = []
    for model in models:
        info = read_info(model)
        # Told now, in one line, and not by each network process.
        read_weights(model, info)
        infos.append(info)
    return finish_of(infos, models)


def _chunks(inputs: Sequence[Input], size: int) -> list[dict[str, Any]]:
    return [
        {
            "chunk": index,
            "images": json.dumps([asdict(i) for i in inputs[index * size : (index + 1) * size]]),
        }
        for index in range(math.ceil(len(inputs) / size))
    ]


def _work(job: Job) -> dict[str, int]:
    """Images done, and most memory a kind of process."""
    import ray.data

    settings, how = job.settings, job.how
    each = [machine["CPU"] for machine in machines() if machine.get("CPU")] or [1.0]
    gpus = int(resources().get("GPU", 0))
    pool = pool_of(settings, each, gpus)
    # Where more network processes are allowed than have a place, the cluster will grow.
    growth = max(1.0, pool.largest / (gpus or len(each)))
    ahead = math.ceil(_AHEAD * sum(each) * growth)
    peaks: Counter[str] = Counter()
    total, todo = _count(job.chunks), _count(job.missing)
    data = (
        submit_ahead(ray.data.from_items(job.missing, override_num_blocks=len(job.missing)), ahead)
        .map_batches(
            prepare_chunk,
            fn_kwargs={"size": how.size, "clahe": how.clahe},
            num_cpus=TASK_CPUS,
            **_TABLES,
        )
        .map_batches(
            Network,
            fn_constructor_args=(tuple(job.models), pool.threads, settings),
            fn_kwargs={"size": how.size},
            compute=ray.data.ActorPoolStrategy(min_size=pool.smallest, max_size=pool.largest),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus or None,
            **_TABLES,
        )
        .map_batches(
            finish_chunk,
            fn_kwargs={"out": job.out, "how": how, "settings": settings},
            num_cpus=TASK_CPUS,
            **_TABLES,
        )
    )
    metrics = PredictionMetrics()
    with silence(), progress("images", total, done=total - todo, rate=True) as advance:
        try:
            for row in data.iter_rows():
                advance(int(row["images"]))
                metrics.add(int(row["images"]) - int(row["rejected"]), int(row["rejected"]))
                peaks["images"] += int(row["images"])
                for name in ("network_mb", "task_mb"):
                    peaks[name] = max(peaks[name], int(row[name]))
        except Exception as error:
            raise WorkError(explain(error, job.out)) from error
    return dict(peaks)


def _count(chunks: Sequence[dict[str, Any]]) -> int:
    """Images in some chunks."""
    return sum(len(json.loads(chunk["images"])) for chunk in chunks)


def _summarise(
    out: str,
    chunks: Sequence[dict[str, Any]],
    worked: dict[str, int],
    seconds: float,
) -> dict[str, Any]:
    rejected: list[dict[str, str]] = []
    flags: Counter[str] = Counter()
    done = flagged = 0
    for chunk in chunks:
        path = part_path(out, chunk["chunk"])
        if not storage.exists(path):
            raise WorkError(f"{path} was not written: the same command goes on from here")
        each, reasons = read_flags(path)
        rejected += reasons
        done += len(each)
        flagged += sum(len(one) > 0 for one in each)
        flags.update(flag for one in each for flag in one)
    write_rejected(storage.join(out, "rejected.csv"), rejected)
    return {
        "images": done + len(rejected),
        "done": done,
        "rejected": len(rejected),
        "flagged": flagged,
        "flags": dict(flags.most_common()),
        "seconds": seconds,
        "images_per_second": worked.get("images", 0) / max(seconds, 1e-9),
        "network_mb": worked.get("network_mb", 0),
        "task_mb": worked.get("task_mb", 0),
    }


def tell(summary: dict[str, Any]) -> None:
    """Print the summary."""
    say(
        f"         {summary['done']} done, {summary['rejected']} rejected, "
        f"{summary['flagged']} flagged"
    )
    if summary["flags"]:
        say("         " + ", ".join(f"{count} {name}" for name, count in summary["flags"].items()))
    if summary["network_mb"]:
        say(
            f"         {summary['images_per_second']:.1f} images/s; most memory: network process "
            f"{summary['network_mb']} MiB, task {summary['task_mb']} MiB"
        )
    else:
        say("         predicted before")


if __name__ == "__main__":
    from jobs.command import main

    main("predict")
