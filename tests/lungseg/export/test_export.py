"""What is exported does in its own runtime what Keras does, or is not written."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from lungseg import networks, shards, storage
from lungseg.errors import UserError, WorkError
from lungseg.export import FORMATS, formats
from lungseg.export import keras as keras_format
from lungseg.export.films import of_shards
from lungseg.export.write import _films, export, written
from lungseg.images import read
from lungseg.preprocess import preprocess_phantom
from lungseg.segmenter import Segmenter

Folder = Callable[[str], str]
ROOT = Path(__file__).parents[3]

# TensorFlow's own talk on saving, and the converters' on each other.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

REFUSING = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "ray", "lungseg", "jobs", "torch"}:
            raise ImportError(f"{name} is not to be had here")

sys.meta_path.insert(0, Refuse())
"""


def skip_without(name: str, variant: str) -> None:
    for module in (*FORMATS[name].needs, *FORMATS[name].more_needs.get(variant, ())):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        *((model, name) for model in ("unet", "resunet") for name in ("onnx", "openvino", "keras")),
        *(("rngunet", name) for name in FORMATS),
    ],
)
def test_float32_gives_the_masks_of_keras(
    model: str, name: str, model_folder: Folder, tmp_path: Path
) -> None:
    skip_without(name, "float32")
    agreement = export(model_folder(model), str(tmp_path / "out"), name)
    assert agreement.films == "8 phantoms"
    assert agreement.pixels < 0.001
    assert agreement.largest_difference < 1e-4
    about = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert about["agreement_with_keras"]["pixels"] == agreement.pixels
    assert about["use"] == "For research. Not for diagnosis."
    assert (tmp_path / "out" / FORMATS[name].main).exists()


@pytest.mark.parametrize(
    ("name", "variant"),
    [(name, v) for name, kind in FORMATS.items() for v in kind.variants if v != "float32"],
)
def test_coarser_variants_tell_what_they_lose(
    name: str, variant: str, trained_folder: str, tmp_path: Path
) -> None:
    skip_without(name, variant)
    agreement = export(trained_folder, str(tmp_path / "out"), name, variant)
    assert agreement.dice_keras > 0.85
    assert agreement.largest_difference > 1e-4
    assert abs(agreement.dice_lost) < 0.02
    about = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert about["variant"] == variant
    assert about["agreement_with_keras"]["dice_lost"] == agreement.dice_lost


@pytest.mark.parametrize(("name", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_a_file_is_called_as_it_is_asked_for(
    name: str, suffix: str, model_folder: Folder, tmp_path: Path
) -> None:
    skip_without(name, "float32")
    out = tmp_path / f"lungs{suffix}"
    export(model_folder("unet"), str(out), name)
    beside = f"{out.name}.preprocessing.json"
    found = {path.name for path in tmp_path.iterdir()}
    assert {out.name, beside} <= found
    assert found - {out.name, beside} <= {"lungs.bin"}
    assert {Path(path).name for path in written(str(out), name)} == found
    for path in sorted(found):  # one of them is enough to be refused
        if path != out.name:
            out.unlink(missing_ok=True)
        with pytest.raises(UserError, match="is there already: choose another --out"):
            export(model_folder("unet"), str(out), name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (
            "onnx",
            "import onnxruntime\n"
            "session = onnxruntime.InferenceSession('out/model.onnx')\n"
            "found = session.run(['probability'], {'images': films})[0]\n",
        ),
        (
            "openvino",
            "import openvino\n"
            "exact = {'INFERENCE_PRECISION_HINT': 'f32'}\n"
            "model = openvino.Core().compile_model('out/model.xml', 'CPU', exact)\n"
            "found = model(films)['probability']\n",
        ),
        (
            "litert",
            "from ai_edge_litert.interpreter import Interpreter\n"
            "run = Interpreter('out/model.tflite').get_signature_runner('serving_default')\n"
            "found = run(images=films)['probability']\n",
        ),
    ],
)
def test_neither_tensorflow_nor_ray_is_needed_to_run_it(
    name: str, code: str, model_folder: Folder, tmp_path: Path
) -> None:
    skip_without(name, "float32")
    folder = model_folder("rngunet")
    export(folder, str(tmp_path / "out"), name)
    films = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1)).astype(np.uint8)
    np.save(tmp_path / "films.npy", films)
    script = f"{REFUSING}\nimport numpy\nfilms = numpy.load('films.npy')\n{code}"
    script += "numpy.save('found.npy', found)\n"
    script += "assert not {'tensorflow', 'keras', 'ray', 'lungseg'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)
    expected = Segmenter.load(folder, "float32").probabilities(films)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy")[..., 0], expected, atol=1e-4)


@pytest.mark.parametrize("size", [32, 96])
def test_a_keras_file_needs_nothing_of_lungseg(size: int, tmp_path: Path) -> None:
    """Of 96 px the non-local block has so many positions that it pools them."""
    keras.utils.set_random_seed(4)
    network = networks.build("rngunet", size=size, widths=(4, 8))
    (block,) = (layer for layer in network.layers if hasattr(layer, "back"))
    block.back.kernel.assign(keras.random.normal(block.back.kernel.shape))
    keras_format.write(network, str(tmp_path / "lungs.keras"), "float32", np.zeros(0))
    films = np.random.default_rng(0).integers(0, 256, (3, size, size, 1)).astype(np.uint8)
    np.save(tmp_path / "films.npy", films)
    script = REFUSING.replace('"tensorflow", "keras", ', "") + "\nimport keras, numpy\n"
    script += "model = keras.saving.load_model('lungs.keras')\n"
    script += "numpy.save('found.npy', model(numpy.load('films.npy')))\n"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)
    expected = np.asarray(network(films / np.float32(255)))
    assert expected.std() > 0.01
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-4)


def test_the_readme_shows_how_to_run_it(model_folder: Folder, tmp_path: Path, film: str) -> None:
    skip_without("onnx", "float32")
    blocks = (ROOT / "README.md").read_text().split("```python\n")[1:]
    (code,) = [block.split("```")[0] for block in blocks if "onnxruntime" in block]
    folder = model_folder("unet")
    export(folder, str(tmp_path / "lungs.onnx"), "onnx")
    script = f"{REFUSING}\n{code}\ncv2.imwrite('mask.png', mask * np.uint8(255))\n"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)
    raw = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_GRAYSCALE) > 0
    one = Segmenter.load(folder, "float32").segment(read(film).pixels)
    assert raw.shape == one.mask.shape
    expected = one.probability > Segmenter.load(folder, "float32").info["threshold"]
    assert (raw != expected).mean() < 0.001


def test_wrong_requests(
    model_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(UserError, match="no format 'caffe': take one of onnx, openvino"):
        export(model_folder("unet"), out, "caffe")
    with pytest.raises(UserError, match="keras has no variant 'int8': take one of float32"):
        export(model_folder("unet"), out, "keras", "int8")
    with pytest.raises(UserError, match="holds no trained model"):
        export(str(tmp_path / "nothing"), out, "keras")
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs onnx, tf2onnx, .*pip install 'lungseg\[onnx\]'"):
        export(model_folder("unet"), out, "onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_finished_is_taken_away(
    model_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the second file comes."""
    write, out = storage.write_bytes, str(tmp_path / "out" / "lungs.keras")

    def full(path: str, data: bytes) -> None:
        if path == out:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            export(model_folder("unet"), out, "keras")
    assert not list((tmp_path / "out").iterdir())
    export(model_folder("unet"), out, "keras")


def test_films_of_shards(
    trained_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards for a test alone will do, but for int8."""
    rows = [preprocess_phantom(i, seed=0, drawn_size=64, size=32) for i in range(9)]
    for part in (0, 1):
        table = shards.to_table([row | {"split": "test"} for row in rows[part::2]])
        shards.write_table(str(tmp_path / f"test/part-{part}.parquet"), table)
    facts = {"size": 32, "settings": {"clahe": 0.0}, "counts": {"test": 9, "train": 0}}
    facts["format"] = shards.FORMAT
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    films = of_shards(str(tmp_path), "test", 4, {"size": 32})
    np.testing.assert_array_equal(films.squares[..., 0], [row["image"] for row in rows[:4]])
    agreement = export(trained_folder, str(tmp_path / "a.keras"), "keras", shards=str(tmp_path))
    assert agreement.films == "9 test cases"
    with pytest.raises(UserError, match="have no train cases"):
        _films({"size": 32}, "int8", str(tmp_path))


def test_a_file_that_disagrees_is_not_written(
    model_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("lungseg.export.keras")
    monkeypatch.setattr(module, "load", lambda path: lambda films: 1 - films[..., 0] / 255)
    with pytest.raises(WorkError, match=r"differ from Keras's in .*% of the pixels.*nothing"):
        export(model_folder("unet"), str(tmp_path / "out"), "keras")
    assert not list(tmp_path.iterdir())
