"""The working tree as one file to upload: code and nothing else."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

from lungseg.errors import UserError

LARGEST_MB = 100
"""What the dashboard of Ray 2.60 takes in one request, whatever its documents say [MiB]."""

_CODE = ("lungseg", "jobs")
_NEVER = (
    ".*",
    "__pycache__",
    "*.egg-info",
    "*.pyc",
    "*.parquet",
    "*.h5",
    "*.dcm",
    "*.pem",
    "*.key",
)
_NEVER_ON_TOP = ("data", "runs", "venv", "build", "dist")
_MARKS = ("provenance.json", "dataset.json", "segmenter.json", "predict.json", "manifest.csv")
"""A folder with one of these is a run, shards, a model, predictions or a data set."""


def source_tree() -> Path:
    """The folder that holds the packages lungseg and jobs."""
    return Path(__file__).parents[1]


def write_package(tree: Path, target: Path) -> None:
    """Write the tree's code as a zip file, which is the same as long as the code is.

    Args:
        tree: a checkout, or the folder that the packages are installed in.
        target: name of the file, ending in ".zip".

    Raises:
        UserError: it has more than `LARGEST_MB`.
    """
    files = list_code(tree)
    sizes = Counter({path: (tree / path).stat().st_size for path in files})
    if sum(sizes.values()) > LARGEST_MB * 2**20:
        raise UserError(
            f"the working tree {tree} has {_mb(sum(sizes.values()))} to upload, and Ray takes "
            f"{LARGEST_MB} MiB: move away or name in {tree / '.rayignore'} what is no code: "
            f"{_largest(sizes)}"
        )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for path in files:
            entry = zipfile.ZipInfo(path)  # dated 1980, whenever it was written
            entry.external_attr = 0o644 << 16
            package.writestr(entry, (tree / path).read_bytes(), zipfile.ZIP_DEFLATED)


def list_code(tree: Path) -> list[str]:
    """Sorted relative paths of what is uploaded.

    Left out are hidden files, caches, data, runs, keys, and what `.gitignore` and `.rayignore` on
    top of the tree name. Of a tree without `pyproject.toml` (site-packages) only our own packages.
    """
    roots = ["."] if (tree / "pyproject.toml").exists() else [*_CODE]
    patterns = _ignored(tree)
    found = []
    for root in roots:
        for where, folders, names in os.walk(tree / root):
            below = Path(where).relative_to(tree)
            if below.parts and below.parts[0] not in _CODE and set(_MARKS) & set(names):
                folders.clear()
                continue
            folders[:] = [name for name in folders if not _matches(below / name, patterns)]
            found += [str(below / name) for name in names if not _matches(below / name, patterns)]
    return sorted(path for path in found if (tree / path).is_file())


def _ignored(tree: Path) -> list[str]:
    lines: list[str] = []
    for name in (".gitignore", ".rayignore"):
        if (tree / name).exists():
            lines += (tree / name).read_text(encoding="utf-8").splitlines()
    patterns = [line.strip().strip("/") for line in lines if not line.startswith(("#", "!"))]
    return [*_NEVER, *(pattern for pattern in patterns if pattern)]


def _matches(path: Path, patterns: list[str]) -> bool:
    on_top = len(path.parts) == 1 and path.name in _NEVER_ON_TOP
    return on_top or any(fnmatch(path.name, one) or fnmatch(str(path), one) for one in patterns)


def _largest(sizes: Counter[str]) -> str:
    folders: Counter[str] = Counter()
    for path, size in sizes.items():
        folders["/".join(path.split("/")[:2])] += size
    return ", ".join(f"{name} ({_mb(size)})" for name, size in folders.most_common(3))


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
