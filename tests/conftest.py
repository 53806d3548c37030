"""Shared by all tests: one Ray cluster for the session, the real films, tiny settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

REAL = Path(__file__).parents[2] / "shared" / "data"

# The machine may be busy, and CI must not find by chance what the next run does not.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell that starts the tests in the background makes them ignore Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One local Ray cluster of two CPUs for all tests that need one."""
    from jobs.session import session
    from lungseg.settings import ComputeSettings

    previous = os.environ.pop("RAY_ADDRESS", None)
    with session(ComputeSettings(object_store_mb=500)):
        yield
    if previous is not None:
        os.environ["RAY_ADDRESS"] = previous


@pytest.fixture(scope="session")
def tiny_shards(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Shards of 60 phantoms at 32 px: 42 train, 9 validate, 9 test."""
    from jobs.shard import shard
    from lungseg.resolve import resolve

    options = {"data.size": 32, "data.phantoms": 60, "data.phantom_size": 64}
    folder = str(tmp_path_factory.mktemp("tiny") / "shards")
    shard([], folder, resolve(options=options | {"data.cases_per_shard": 8}).data)
    return folder


@pytest.fixture(scope="session")
def real_cases() -> Path:
    """250 real films with masks."""
    folder = REAL / "cxr-real"
    if not folder.exists():
        pytest.skip("the real films are not beside this checkout (shared/data/cxr-real)")
    return folder


@pytest.fixture(scope="session")
def originals() -> Path:
    """Five films in their original formats."""
    folder = REAL / "originals"
    if not folder.exists():
        pytest.skip("the original films are not beside this checkout (shared/data/originals)")
    return folder
