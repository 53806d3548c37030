"""Sharding on real Ray Data: what is written, what is rejected, what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from jobs import shard as module
from jobs.shard import shard
from jobs.shard_worker import Note
from jobs.train import _conventions
from lungseg import rle, shards
from lungseg.errors import UserError
from lungseg.folds import fold_counts, fold_part
from lungseg.network_input import network_input
from lungseg.resolve import resolve
from lungseg.settings import DataSettings
from lungseg.split import TEST_FOLD, Place

pytestmark = pytest.mark.usefixtures("cluster")
SETTINGS = DataSettings(size=64, cases_per_shard=4, phantoms=12, phantom_size=96)


def film(index: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(index)
    image = random.integers(0, 255, (80 + index, 96)).astype(np.uint8)
    mask = np.zeros_like(image)
    mask[20:60, 10:40] = mask[20:60, 55:85] = 255
    return image, mask


def write_dicom(path: Path, pixels: np.ndarray, *, patient: str, truncated: bool = False) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.PhotometricInterpretation = "DX", "MONOCHROME2"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", patient
    dataset.ViewPosition = "PA"
    dataset.PatientBirthDate, dataset.InstitutionName = "19700101", "Mercy Hospital"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    dataset.save_as(path, enforce_file_format=True)
    if truncated:
        path.write_bytes(path.read_bytes()[:-4000])


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Ten good cases in `images/` and `masks/`."""
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for index in range(10):
        image, mask = film(index)
        cv2.imwrite(str(folder / "images" / f"c{index}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"c{index}.png"), mask)
    return folder


def rejected(out: Path) -> dict[str, str]:
    with (out / "rejected.csv").open() as lines:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(lines)}


def test_every_case_is_in_one_part_with_all_it_needs(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    info = shard([str(pairs)], str(out), SETTINGS)
    assert sum(info["counts"].values()) == 10
    table = shards.read_table(str(out), "all")
    assert table["case_id"].tolist() == [f"c{i}" for i in range(10)]
    for index, row in table.iterrows():
        image, mask = film(int(index))
        assert (row["height"], row["width"]) == image.shape
        assert row["image"].shape == row["mask"].shape == (64, 64, 1)
        assert set(np.unique(row["mask"])) == {0, 1}
        decoded = rle.decode(row["reference_rle"], row["height"], row["width"])
        np.testing.assert_array_equal(decoded, mask > 0)
    for split, count in info["counts"].items():
        assert (shards.read_table(str(out), split, ["split"])["split"] == split).all()
        assert len(shards.read_table(str(out), split, ["split"])) == count
    assert json.loads((out / "dataset.json").read_text()) == info
    assert not (out / "staging").exists()


def test_unusable_cases_are_listed_and_the_rest_is_kept(pairs: Path, tmp_path: Path) -> None:
    images, masks = pairs / "images", pairs / "masks"
    cv2.imwrite(str(masks / "c0.png"), np.zeros((80, 96), np.uint8))
    cv2.imwrite(str(masks / "c1.png"), film(5)[1])
    whole = (images / "c2.png").read_bytes()
    (images / "c2.png").write_bytes(whole[: len(whole) // 2])
    (masks / "c3.png").unlink()
    (images / "c4.png").rename(images / "=c4.png")
    (masks / "c4.png").rename(masks / "=c4.png")
    (images / "=c4.png").write_text("not a picture")
    shutil.copy(images / "c5.png", images / "c6.jpg")
    (images / "c6.jpg").write_bytes(cv2.imencode(".jpg", film(6)[0])[1].tobytes())
    out = tmp_path / "shards"
    info = shard([str(pairs)], str(out), SETTINGS)
    reasons = rejected(out)
    assert info["rejected"] == len(reasons) == 6
    assert sum(info["counts"].values()) == 5
    assert "empty" in reasons["c0.png"]
    assert "96×85" in reasons["c1.png"] or "85" in reasons["c1.png"]
    assert "truncated" in reasons["c2.png"] or "cut short" in reasons["c2.png"]
    assert "mask" in reasons["c3.png"]
    assert reasons["=c4.png"]
    assert ",'" not in (out / "rejected.csv").read_text()
    assert "\n'=c4," in (out / "rejected.csv").read_text()
    assert "c6" in "".join(reasons)


def test_the_same_shards_for_any_chunking_order_and_on_a_second_call(
    pairs: Path, tmp_path: Path
) -> None:
    first = shard([str(pairs)], str(tmp_path / "a"), SETTINGS)
    other = SETTINGS.model_copy(update={"cases_per_shard": 3})
    second = shard([str(pairs)], str(tmp_path / "b"), other)
    assert first["counts"] == second["counts"]
    assert first["fingerprint"] == second["fingerprint"]
    assert first["inputs"] != second["inputs"]
    tables = [shards.read_table(str(tmp_path / name), "all") for name in "ab"]
    assert tables[0]["split"].tolist() == tables[1]["split"].tolist()
    for ours, theirs in zip(tables[0]["image"], tables[1]["image"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    files = sorted((tmp_path / "a").rglob("*.parquet"))
    before = [file.stat().st_mtime_ns for file in files]
    assert shard([str(pairs)], str(tmp_path / "a"), SETTINGS) == first
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_killed_job_goes_on_with_the_missing_chunks(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "shards"

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_distribute", die)
        with pytest.raises(KeyboardInterrupt):
            shard([str(pairs)], str(out), SETTINGS)
    assert not (out / "dataset.json").exists()
    with pytest.raises(UserError, match="no complete shards"):
        shards.read_info(str(out))
    staged = sorted((out / "staging").rglob("*.arrow"))
    assert len(staged) == 3
    staged[0].unlink()
    staged[0].with_suffix(".json").unlink()
    kept = staged[1].with_suffix(".json")
    kept.write_text(kept.read_text().replace("unknown", "kept"))
    info = shard([str(pairs)], str(out), SETTINGS)
    assert sum(info["counts"].values()) == 10
    assert set(info["sources"]["data"]["mask_conventions"]) == {"unknown", "kept"}


def test_conventions_of_a_training_leave_the_test_out() -> None:
    names = {"a": ("train", "heart-excluded"), "b": ("test", "retrocardiac-included")}
    notes = [Note(case, case, "S", "", "", name, 0) for case, (_, name) in names.items()]
    places = {case: Place(split, 0) for case, (split, _) in names.items()}
    info = module._info(notes, places, 0, SETTINGS, "")
    assert _conventions(info) == ["heart-excluded"]
    assert info["sources"]["S"]["mask_conventions"] == ["heart-excluded", "retrocardiac-included"]
    del info["trained_conventions"]  # as shards of earlier versions
    assert _conventions(info) == ["heart-excluded", "retrocardiac-included"]


@pytest.mark.slow
def test_a_job_killed_on_two_workers_is_finished_by_one(tmp_path: Path) -> None:
    import ray

    out, undisturbed = tmp_path / "shards", tmp_path / "undisturbed"
    options = {"data.size": 64, "data.phantoms": 60, "data.cases_per_shard": 1}
    command = [sys.executable, "-m", "jobs.command", "shard", "--out", str(out)]
    command += ["--address", ray.get_runtime_context().gcs_address]
    command += [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    job = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(list(out.rglob("part-*.json"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    while ray.available_resources().get("CPU", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert 5 <= len(list(out.rglob("part-*.json"))) < 60
    with pytest.raises(UserError, match="no complete shards"):
        shards.read_info(str(out))
    other = ray.remote(num_cpus=1)(OtherWork).remote()
    ray.get(other.started.remote())
    settings = resolve(options=options).data
    info = shard([], str(out), settings)
    ray.kill(other)
    assert info == shard([], str(undisturbed), settings)
    assert contents(out) == contents(undisturbed)


class OtherWork:
    """Holds a CPU of the cluster."""

    def started(self) -> bool:
        return True


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_films_changed_in_place_are_noticed(pairs: Path, tmp_path: Path) -> None:
    before = shard([str(pairs)], str(tmp_path / "a"), SETTINGS)
    cv2.imwrite(str(pairs / "images" / "c3.png"), 255 - film(3)[0])
    with pytest.raises(UserError, match="films changed since"):
        shard([str(pairs)], str(tmp_path / "a"), SETTINGS)
    after = shard([str(pairs)], str(tmp_path / "b"), SETTINGS)
    assert after["fingerprint"] != before["fingerprint"]
    moved = tmp_path / "elsewhere" / "data"
    shutil.copytree(pairs, moved)
    assert shard([str(moved)], str(tmp_path / "c"), SETTINGS)["fingerprint"] == after["fingerprint"]


def test_what_is_found_is_said_before_and_films_alike_are_listed(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(pairs, other)
    for part in ("images", "masks"):
        for index in range(2, 10):
            (other / part / f"c{index}.png").unlink()
        (other / part / "c0.png").rename(other / part / "twin.png")
        shutil.copy(other / part / "c1.png", other / part / "c10.png")
        shutil.copy(pairs / part / "c8.png", pairs / part / "c11.png")
    (other / "masks" / "c10.png").unlink()
    out = tmp_path / "shards"
    shard([str(pairs), str(other)], str(out), SETTINGS)
    said = capsys.readouterr().out
    assert f"pairs: 11 cases of 11 patients, 11 masks, 0 unmatched files in {pairs}" in said
    assert f"pairs: 2 cases of 2 patients, 2 masks, 1 unmatched files in {other}" in said
    assert "together 13 cases of 13 patients, 1 unmatched files" in said
    assert "6 films are nearly the same as another, in 3 groups: 2 between sources" in said
    with (out / "duplicates.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["group"], set()).add(row["case_id"])
        assert row["across"] == ("" if row["case_id"] in ("c8", "c11") else "sources")
    assert sorted(map(sorted, groups.values())) == [
        ["c0", "twin"],
        ["c11", "c8"],
        ["data/c1", "other/c1"],
    ]
    table = shards.read_table(str(out), "all", ["case_id", "split", "image_hash"])
    assert table.groupby("image_hash")["split"].nunique().max() == 1


def test_clahe_is_recorded_and_seen_in_the_films(pairs: Path, tmp_path: Path) -> None:
    plain = shard([str(pairs)], str(tmp_path / "a"), SETTINGS)
    info = shard([str(pairs)], str(tmp_path / "b"), SETTINGS.model_copy(update={"clahe": 2.0}))
    assert (plain["settings"]["clahe"], info["settings"]["clahe"]) == (0.0, 2.0)
    assert plain["fingerprint"] != info["fingerprint"]
    square = shards.read_table(str(tmp_path / "b"), "all")["image"][3][..., 0]
    np.testing.assert_array_equal(square, network_input(film(3)[0], 64, 2.0)[0])


def test_names_in_dicom_files_reach_nothing_that_is_written(pairs: Path, tmp_path: Path) -> None:
    for index in range(10):
        (pairs / "images" / f"c{index}.png").unlink()
        name = pairs / "images" / f"c{index}.dcm"
        write_dicom(name, film(index)[0], patient=f"PID-{index // 2}", truncated=index == 9)
    out = tmp_path / "shards"
    info = shard([str(pairs)], str(out), SETTINGS)
    assert sum(info["counts"].values()) == 9
    table = shards.read_table(str(out), "all").set_index("case_id")
    patients = table["patient_id"]
    assert patients.str.fullmatch("[0-9a-f]{16}").all()
    assert patients["c0"] == patients["c1"] != patients["c2"]
    assert set(table["view"]) == {"PA"}
    assert table.groupby("patient_id")["split"].nunique().max() == 1
    written = table.drop(columns=["image", "mask"]).to_csv()
    written += "".join(path.read_text() for path in out.iterdir() if path.is_file())
    for secret in ("Doe", "Jane", "PID-", "19700101", "Mercy"):
        assert secret not in written
    again = shard([str(pairs)], str(tmp_path / "again"), SETTINGS)
    assert again["fingerprint"] == info["fingerprint"]
    other = tmp_path / "elsewhere"
    for part in ("images", "masks"):
        (other / part).mkdir(parents=True)
    for index in range(6):
        image, mask = film(20 + index)
        write_dicom(other / "images" / f"d{index}.dcm", image, patient=f"PID-{index % 3}")
        cv2.imwrite(str(other / "masks" / f"d{index}.png"), mask)
    info = shard([str(pairs), str(other)], str(tmp_path / "both"), SETTINGS)
    assert info["patients"] == 5
    table = shards.read_table(str(tmp_path / "both"), "all").set_index("case_id")
    assert table["patient_id"]["c0"] == table["patient_id"]["d0"]
    assert table.groupby("patient_id")["split"].nunique().max() == 1


def test_phantoms_are_drawn_without_files(tmp_path: Path) -> None:
    out = tmp_path / "shards"
    info = shard([], str(out), SETTINGS)
    assert sum(info["counts"].values()) == 12
    assert info["rejected"] == 0
    table = shards.read_table(str(out), "all", ["patient_id", "split"])
    assert table.groupby("patient_id")["split"].nunique().max() == 1


def test_hints_of_a_manifest_are_honoured_or_drawn(pairs: Path, tmp_path: Path) -> None:
    parts = ["train"] * 5 + ["val"] * 2 + ["test"] * 3
    rows = [f"c{i},images/c{i}.png,masks/c{i}.png,{part}" for i, part in enumerate(parts)]
    (pairs / "manifest.csv").write_text("\n".join(["case_id,image,mask,split_hint", *rows]))
    info = shard([str(pairs)], str(tmp_path / "a"), SETTINGS)
    assert info["counts"] == {"train": 5, "val": 2, "test": 3}
    drawn = SETTINGS.model_copy(update={"split": "drawn"})
    info = shard([str(pairs)], str(tmp_path / "b"), drawn)
    assert info["counts"] == {"train": 7, "val": 1, "test": 2}
    assert (info["folds"], info["fold_counts"]) == (1, [1])


def test_folds_replace_the_validation_part(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    info = shard([str(pairs)], str(out), SETTINGS.model_copy(update={"folds": 4}))
    assert info["counts"] == {"train": 8, "val": 0, "test": 2}
    assert (info["folds"], info["fold_counts"]) == (4, [2, 2, 2, 2])
    assert not (out / "val").exists()
    table = shards.read_table(str(out), "all", ["case_id", "split", "fold"])
    assert len(table) == 10
    assert set(table["fold"][table["split"] == "test"]) == {TEST_FOLD}
    for fold in range(4):
        counts = fold_counts(info, fold)
        for part in ("train", "val"):
            split, folds = fold_part(info, part, fold)
            here = table[(table["split"] == split) & table["fold"].isin(folds)]
            assert len(here) == counts[part]
    with pytest.raises(UserError, match="too few for 12 folds"):
        shard([str(pairs)], str(tmp_path / "b"), SETTINGS.model_copy(update={"folds": 12}))


def test_wrong_requests_are_one_line(pairs: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "shards")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match="images"):
        shard([str(tmp_path / "nothing")], out, SETTINGS)
    with pytest.raises(UserError, match="is not there"):
        shard([str(tmp_path / "missing")], out, SETTINGS)
    shard([str(pairs)], out, SETTINGS)
    with pytest.raises(UserError, match="shards of other data or settings"):
        shard([str(pairs)], out, SETTINGS.model_copy(update={"size": 32}))
    for mask in (pairs / "masks").iterdir():
        mask.unlink()
    with pytest.raises(UserError, match="mask"):
        shard([str(pairs)], str(tmp_path / "other"), SETTINGS)


def test_one_patient_cannot_be_split(pairs: Path, tmp_path: Path) -> None:
    rows = [f"c{i},images/c{i}.png,masks/c{i}.png,one" for i in range(10)]
    (pairs / "manifest.csv").write_text("\n".join(["case_id,image,mask,patient_id", *rows]))
    with pytest.raises(UserError, match=r"10 usable cases of 1 patients.*at least 3 patients"):
        shard([str(pairs)], str(tmp_path / "shards"), SETTINGS)
