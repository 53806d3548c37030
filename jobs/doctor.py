"""`lungseg doctor`: what a cluster offers, whether its nodes agree, and what to ask of it."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import Any

from jobs.screen import say
from jobs.sizing import PREDICTION, last_line, measure_rates, propose
from lungseg import machine
from lungseg.errors import WorkError
from lungseg.networks.registry import ARCHITECTURES
from lungseg.settings import Settings

_ANSWER_SECONDS = 60

Facts = dict[str, Any]


def examine(settings: Settings, storage: str = "", *, measure: bool = True) -> Facts:
    """Ask every node of the cluster that we are connected to, and measure on one of them.

    Args:
        settings: whose first model is measured, at its size.
        storage: path or URL to write to, read from and delete from on every node; "" for none.
        measure: do the measurements, which take about a minute.

    Returns:
        here (the driver's versions), nodes, problems (texts), measured, computed, proposal and
        architectures; measured, computed and proposal are empty without a measurement.
    """
    here = _look("", "", "")
    nodes = _ask_nodes(storage)
    problems = [problem for node in nodes for problem in _problems(node, here)]
    measured = measure_rates(nodes, settings) if measure else {}
    if "failed" in measured:
        problems.append(f"not measured: {measured.pop('failed')}")
    return {
        "here": here,
        "nodes": nodes,
        "storage": storage,
        "problems": problems,
        "measured": measured,
        **(propose(nodes, measured) if measured else {"computed": {}, "proposal": {}}),
        "architectures": {name: asdict(one) for name, one in ARCHITECTURES.items()},
    }


def _ask_nodes(storage: str) -> list[Facts]:
    """One entry a living node: what Ray knows of it, and what a task there finds out."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    note = f".lungseg-doctor-{uuid.uuid4().hex[:8]}"
    trouble = _leave_note(storage, note) if storage else ""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    look = ray.remote(num_cpus=0, max_retries=0)(_look)
    answers = [
        look.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote("" if trouble else storage, note, node["NodeID"][:8])
        for node in nodes
    ]
    ray.wait(answers, num_returns=len(answers), timeout=_ANSWER_SECONDS)
    found = []
    for node, answer in zip(nodes, answers, strict=True):
        resources = node["Resources"]
        facts: Facts = {
            "address": node["NodeManagerAddress"],
            "cpus": resources.get("CPU", 0.0),
            "gpus": resources.get("GPU", 0.0),
            "memory_gb": round(resources.get("memory", 0.0) / 1e9, 1),
            "object_store_gb": round(resources.get("object_store_memory", 0.0) / 1e9, 1),
        }
        try:
            facts |= ray.get(answer, timeout=0)
        except Exception as error:  # the node's own: no package there, or no answer
            facts["error"] = last_line(error)
        if trouble:
            facts["storage_error"] = trouble
        found.append(facts | {"id": node["NodeID"]})
    if storage and not trouble:
        _forget_note(storage, note)
    return sorted(found, key=lambda facts: facts["address"])


def _look(storage: str, note: str, name: str) -> Facts:
    """What is to be known of the machine that this runs on."""
    facts: Facts = {
        "versions": machine.versions(),
        "code": machine.code_mark(),
        "hardware": machine.hardware(),
        "free_disk_gb": machine.free_disk_gb(),
    }
    if storage:
        facts["storage_error"] = machine.try_storage(storage, f"{note}-{name}", note, note)
    return facts


def _leave_note(folder: str, note: str) -> str:
    from lungseg import storage

    trouble = machine.try_storage(folder, f"{note}-driver")
    if not trouble:
        storage.write_text(storage.join(folder, note), note)
    return trouble


def _forget_note(folder: str, note: str) -> None:
    from lungseg import storage

    storage.delete(storage.join(folder, note))


def _problems(node: Facts, here: Facts) -> list[str]:
    if "error" in node:
        return [f"{node['address']} does not answer: {node['error']}"]
    found = [
        f"{node['address']} has {name} {version or 'not installed'}, here is {there or 'none'}"
        for name, version in node["versions"].items()
        if version != (there := here["versions"][name])
    ]
    if node["code"] != here["code"]:
        found.append(f"{node['address']} has other code of lungseg than this machine")
    if node.get("storage_error"):
        found.append(f"{node['address']} cannot use the storage: {node['storage_error']}")
    return found


def tell(facts: Facts, *, as_json: bool = False) -> None:
    """Print what was found.

    Raises:
        WorkError: there are problems.
    """
    if as_json:
        say(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _tell_nodes(facts)
        _tell_rates(facts)
    if facts["problems"]:
        number = len(facts["problems"])
        more = f" (and {number - 1} more)" if number > 1 else ""
        raise WorkError(f"the cluster has a problem{more}: {facts['problems'][0]}")


def _tell_nodes(facts: Facts) -> None:
    there = facts["here"]["versions"]
    say("versions " + ", ".join(f"{name} {version or '–'}" for name, version in there.items()))
    for node in facts["nodes"]:
        told = (
            f"node     {node['address']}: {node['cpus']:g} CPUs, {node['gpus']:g} GPUs, memory "
            f"{node['memory_gb']:g} GB, object store {node['object_store_gb']:g} GB"
        )
        if "error" not in node:
            told += (
                f", {node['free_disk_gb']:g} GB of disk free, bfloat16 "
                f"{'yes' if node['hardware']['bfloat16'] else 'no'}"
            )
        say(told)
    if facts["storage"]:
        reached = sum(not node.get("storage_error") for node in facts["nodes"])
        say(f"storage  {facts['storage']}: usable on {reached} of {len(facts['nodes'])} nodes")
    for problem in facts["problems"]:
        say(f"problem  {problem}")


def _tell_rates(facts: Facts) -> None:
    measured, computed, proposal = (facts[key] for key in ("measured", "computed", "proposal"))
    if not measured:
        return
    rates = measured["train"]["images_per_second"]
    told = ", ".join(f"{rate:.1f} at batch {size}" for size, rate in rates.items())
    reads, trains = measured["read_per_core"], "a GPU trains" if measured["gpus"] else "it trains"
    say(
        f"measured on {measured['node']}: a core reads {reads:.0f} films/s (PNG of "
        f"{measured['film_px']} px); {trains} {measured['model']} at {measured['size']} px with "
        f"{told} images/s ({measured['threads']} threads, {measured['train']['precision']})"
    )
    reads, predicts = (computed[f"{verb}_images_per_second"] for verb in ("read", "predict"))
    say(
        f"computed all CPUs read {reads:.0f} films/s; predicting is about {PREDICTION:g} times "
        f"training: {predicts:.0f} images/s"
    )
    per_gpu = proposal["cpus_per_gpu"]
    say(
        f"proposal --workers {proposal['workers']} --batch-size {proposal['batch_size']}, "
        + (f"{per_gpu} CPUs a GPU" if per_gpu else "no GPU to give CPUs to")
    )


if __name__ == "__main__":
    from jobs.command import main

    main("doctor")
