"""The rules of the house: who imports whom, and what start-up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "lungseg").rglob("*.py")
)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_lungseg_never_imports_ray_nor_jobs() -> None:
    for path in (ROOT / "lungseg").rglob("*.py"):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & {"ray", "jobs", "tf_keras"}, path


def test_jobs_touch_neither_pixels_nor_layers() -> None:
    for path in (ROOT / "jobs").rglob("*.py"):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & {"cv2", "keras", "tensorflow", "PIL", "pydicom"}, path


def test_every_module_works_without_ray() -> None:
    code = (
        "import sys, importlib\n"
        "sys.modules['ray'] = None\n"
        f"for name in {MODULES!r}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd="/")


@pytest.mark.parametrize(
    "code",
    ["import lungseg", "from jobs.command import _status; _status(['--help'])"],
)
def test_start_up_loads_neither_tensorflow_nor_ray(code: str) -> None:
    check = f"{code}\nimport sys\nassert not {{'tensorflow', 'keras', 'ray'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, cwd="/")


def test_ray_train_loads_no_tensorflow_where_nothing_computes() -> None:
    check = (
        "from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer\n"
        "import jobs.tensorflow_group, jobs.train_worker, sys\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, cwd="/")


def test_starting_tensorflow_leaves_other_packages_to_be_imported() -> None:
    check = (
        "from lungseg.start_tensorflow import start_tensorflow; start_tensorflow(1)\n"
        "import sys; assert not {'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "import lungseg.training.fit, lungseg.segmenter, matplotlib.pyplot, sklearn.metrics"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, cwd="/")
