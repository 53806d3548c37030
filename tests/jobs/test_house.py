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
