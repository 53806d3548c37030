"""Connect to a Ray cluster, or start one on this machine, and keep Ray's own talk low."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from jobs.ray_messages import keep_short
from jobs.screen import log_as
from lungseg.errors import UserError
from lungseg.settings import ComputeSettings

# Ray Data would start 32 processes for each reading of shards; one reads 128 files at a time.
_READERS = {"RAY_DATA_PARQUET_FOOTER_NUM_ACTORS": "1"}
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Memory in pages of 2 MiB instead of 4 KiB, with which networks are a tenth faster on a CPU. The C
library reads it when a process starts."""
CONNECTIONS = {
    "RAY_grpc_keepalive_timeout_ms": "60000",
    "RAY_grpc_client_keepalive_time_ms": "60000",
    "RAY_grpc_client_keepalive_timeout_ms": "20000",
}
"""How long Ray's connections outlive a cut in the network. By its own values a server closes one
after 20 s without an answer; where that was in the cut, the client waits on for 300 + 120 s. Ray's
servers take no more than one sign of life a minute from a client."""
# Quiet TensorFlow in the workers.
_WORKER_ENVIRONMENT = {
    **_READERS,
    **CONNECTIONS,
    **LARGE_PAGES,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # How long a trial that was stopped may take to leave its process to the next one.
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
    # Trials are given absolute paths.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
_DRIVER_ENVIRONMENT = {
    **_READERS,
    **CONNECTIONS,
    # Ray asks the workers of a training so often what is new [s]: each question interrupts them.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # What still runs in a thread after Ctrl-C would start a cluster anew.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # After the loss of a machine Ray counts on it for up to 20 s, and waits for it so long [s].
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "10",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_DEDUP_LOGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ray Tune is silent at verbosity 0 with its old output only.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# For a Ray of this machine alone, whose helpers take their time from the trainings.
_LOCAL_ENVIRONMENT = {
    # Nobody takes this machine back after a warning.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # New log files are looked for twice a second instead of ten times: nobody reads them here.
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
    # Processes without work end after 10 s, where Ray keeps as many as there are CPUs.
    "RAY_num_workers_soft_limit": "0",
    "RAY_idle_worker_killing_time_threshold_ms": "10000",
}

_LOCK = threading.Lock()
_LOUD_AGAIN = contextlib.ExitStack()
_silent = 0
"""Blocks of `silence` that are open."""


@contextlib.contextmanager
def session(compute: ComputeSettings, *, state_api: bool = False) -> Iterator[None]:
    """Be connected to Ray for the length of a `with` block; joins a connection that is there.

    Args:
        compute: the cluster's address.
        state_api: start a local cluster with the dashboard, whose state API some work needs.

    Raises:
        UserError: nothing answers at the address, or it refuses the token.
    """
    log_as(compute.log_format)
    for name, value in _DRIVER_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        _quiet()
        yield
        return
    address = compute.address or os.environ.get("RAY_ADDRESS") or "local"
    if address.startswith(("http://", "https://")):
        raise UserError(
            f"{address} is a dashboard, which takes `lungseg submit VERB … --address {address}`"
        )
    local: dict[str, Any] = {}
    if address == "local":
        for name, value in _LOCAL_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        local["include_dashboard"] = state_api
        local["object_store_memory"] = compute.object_store_mb * 2**20
    from ray.exceptions import AuthenticationError

    with silence():
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": _WORKER_ENVIRONMENT},
                **local,
            )
        except (AuthenticationError, ConnectionError, RuntimeError, ValueError) as error:
            # Ray tells a wrong token in the text of what an error comes from.
            if isinstance(error, AuthenticationError) or "InvalidAuth" in str(error.__cause__):
                raise UserError(
                    f"the Ray cluster at {address} asks for another token: set RAY_AUTH_MODE=token "
                    f"and RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file that holds it"
                ) from error
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"no Ray cluster answers at {address}: {reason}") from error
    _quiet()
    keep_short()
    try:
        with _ended_like_ctrl_c():
            yield
    finally:
        ray.shutdown()
        _end_silence()


def _quiet() -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray", "ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM (`kill`, Kubernetes, Slurm, `lungseg jobs stop`) do what Ctrl-C does.

    The handler that Ray has set prints where in its library each thread is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    of_ray = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, of_ray or signal.SIG_DFL)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what native libraries write to standard error off the screen.

    TensorFlow announces itself there while it is imported, before any log level holds. Threads may
    overlap: the first one in takes standard error away, the last one out gives it back.
    """
    global _silent
    with _LOCK:
        if not _silent:
            _LOUD_AGAIN.enter_context(_no_standard_error())
        _silent += 1
    try:
        yield
    finally:
        with _LOCK:
            _silent = max(0, _silent - 1)
            if not _silent:
                _LOUD_AGAIN.close()


def _end_silence() -> None:
    """Give standard error back, also where a thread that Ctrl-C left behind still keeps it away."""
    global _silent
    with _LOCK:
        _silent = 0
        _LOUD_AGAIN.close()


@contextlib.contextmanager
def _no_standard_error() -> Iterator[None]:
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def resources() -> dict[str, float]:
    """What the cluster has in all: CPU, GPU, memory and object_store_memory (bytes)."""
    import ray

    return {name: float(value) for name, value in ray.cluster_resources().items()}


def machines() -> list[dict[str, float]]:
    """What each living machine of the cluster has, named as in `resources`."""
    import ray

    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [{name: float(value) for name, value in each.items()} for each in alive]
