"""Parts of the report by hand-worked numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lungseg import shards
from lungseg.report.duplicates import near_duplicates, similar_hashes
from lungseg.report.labels import model_title, order, score_title
from lungseg.report.markdown import cell, table
from lungseg.report.run import read_masks, read_run
from lungseg.report.section import Table
from lungseg.report.sections.calibration import coarse_bins, expected_error
from lungseg.report.sections.overlays import choose
from lungseg.report.sections.subgroups import group_facts

WriteRun = Callable[..., str]


def _calibration(pixels: np.ndarray, positives: np.ndarray) -> pd.DataFrame:
    """`calibration.csv` as training writes it."""
    low = np.arange(64) / 64
    columns = {"threshold": low, "upper": low + 1 / 64, "pixels": pixels, "positives": positives}
    return pd.DataFrame(columns | {"mean_dice": 0.9})


def test_calibration_error_of_two_bins_by_hand() -> None:
    pixels, positives = np.zeros(64), np.zeros(64)
    pixels[0], positives[0] = 3.0, 0.3  # centre 1/128, a tenth is lung
    pixels[63], positives[63] = 1.0, 0.5  # centre 127/128, half is lung
    bins = coarse_bins(_calibration(pixels, positives))
    assert bins["probability"].tolist() == pytest.approx([1 / 128, 127 / 128])
    assert bins["fraction"].tolist() == pytest.approx([0.1, 0.5])
    assert bins["weight"].tolist() == pytest.approx([0.75, 0.25])
    by_hand = 0.75 * (0.1 - 1 / 128) + 0.25 * (127 / 128 - 0.5)
    assert expected_error(bins) == pytest.approx(by_hand)


def test_four_fine_bins_make_a_coarse_one() -> None:
    pixels, positives = np.zeros(64), np.zeros(64)
    pixels[4:8], positives[4:8] = [1.0, 1.0, 1.0, 5.0], [0.0, 0.0, 0.0, 4.0]
    bins = coarse_bins(_calibration(pixels, positives))
    centres = (4.5 + 5.5 + 6.5 + 5 * 7.5) / 64 / 8
    assert bins["probability"].tolist() == pytest.approx([centres])
    assert bins["fraction"].tolist() == pytest.approx([0.5])


def test_calibrated_probabilities_have_no_error() -> None:
    pixels = np.linspace(1, 2, 64)
    centres = (np.arange(64) + 0.5) / 64
    bins = coarse_bins(_calibration(pixels, pixels * centres))
    assert len(bins) == 16
    assert expected_error(bins) == pytest.approx(0, abs=1e-12)


def test_cases_to_look_at() -> None:
    keys = [("s", name) for name in "abcdefghij"]
    index = pd.MultiIndex.from_tuples(keys, names=["source", "case_id"])
    first = np.array([0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95])
    second = first.copy()
    second[2] += 0.08
    second[7] += 0.03
    second[6] += 0.02
    chosen = choose(pd.DataFrame({"m": first, "n": second}, index=index))
    by_kind: dict[str, list[str]] = {}
    for (_, name), kind in chosen.items():
        by_kind.setdefault(kind, []).append(name)
    assert list(by_kind) == ["Worst", "Median", "Best", "Models disagree"]
    assert by_kind["Worst"] == ["a", "b"]
    assert by_kind["Best"] == ["j", "i"]
    assert by_kind["Median"] == ["e", "f"]
    assert by_kind["Models disagree"] == ["c", "h", "g"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_cases_are_shown_once_each(count: int) -> None:
    index = pd.MultiIndex.from_tuples([("s", str(number)) for number in range(count)])
    values = np.linspace(0.5, 0.9, count)
    chosen = choose(pd.DataFrame({"m": values, "n": values + 0.01}, index=index))
    assert len(chosen) == count
    assert chosen[("s", "0")] == "Worst"


def test_facts_become_groups() -> None:
    index = pd.MultiIndex.from_tuples([("A", str(number)) for number in range(6)])
    index.names = ["source", "case_id"]
    facts = pd.DataFrame(
        {
            "sex": ["F", "M", "", None, "F", "M"],
            "age": [17.9, 18.0, 39.0, 40.0, np.nan, 80.0],
            "height": [512, 513, 1024, 1025, 2048, 2049],
            "width": [100, 100, 100, 100, 100, 4000],
        },
        index=index,
    )
    groups = group_facts(facts)
    assert groups["sex"].tolist() == ["F", "M", "not stated", "not stated", "F", "M"]
    assert groups["age_band"].tolist() == [
        "under 18", "18 to 39", "18 to 39", "40 to 59", "not stated", "80 and over",
    ]  # fmt: skip
    assert groups["image_size"].tolist() == [
        "up to 512 px", "513 to 1024 px", "513 to 1024 px", "1025 to 2048 px", "1025 to 2048 px",
        "over 2048 px",
    ]  # fmt: skip


def test_rare_findings_are_joined() -> None:
    findings = [f"finding {number}" for number in range(12) for _ in range(12 - number)]
    index = pd.MultiIndex.from_tuples([("A", str(number)) for number in range(len(findings))])
    index.names = ["source", "case_id"]
    groups = group_facts(pd.DataFrame({"finding": findings}, index=index))["finding"]
    assert groups.nunique() == 8
    assert (groups == "others").sum() == 5 + 4 + 3 + 2 + 1


def test_hashes_are_compared_across_splits_and_sources_only() -> None:
    rows = [
        ("a", "A", "train", "0000000000000000"),
        ("b", "A", "train", "0000000000000001"),  # same split and source as a
        ("c", "A", "test", "0000000000000003"),  # 2 bits from a, 1 from b
        ("d", "B", "train", "00000000000000ff"),  # 8 bits from a, 7 from b, 6 from c
        ("e", "B", "test", "ffffffffffffffff"),
        ("f", "B", "test", ""),
    ]
    cases = pd.DataFrame(rows, columns=["case_id", "source", "split", "image_hash"])
    assert similar_hashes(cases, 6) == [(1, 2, 1), (0, 2, 2), (2, 3, 6)]


def test_copy_across_splits_is_found(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", cases=4, models=("unet",))
    columns = ["case_id", "source", "split", "image_hash"]
    cases = pd.concat(
        [shards.read_table(f"{run}/shards", split, columns) for split in ("train", "test")],
        ignore_index=True,
    )
    (found,) = near_duplicates([read_run(run)], cases)
    assert {found.first[1], found.second[1]} == {"copy of case 0", "case-0000"}
    assert found.bits == 0
    assert found.correlation == pytest.approx(1)


def test_masks_of_single_cases_are_read(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", cases=4, models=("unet",))
    file = f"{run}/scores/unet/fold-0_seed-0.parquet"
    whole = pd.read_parquet(file).set_index("case_id")["prediction_rle"]
    assert read_masks(file, {"case-0002"}) == {"case-0002": whole["case-0002"]}


def test_columns_of_words_and_of_numbers() -> None:
    rows = [
        ["a", "0.958\n[0.951, 0.964]", "+0.01", "< 0.001", "512×424", "–", "PA", "1,234"],
        ["b", "–", "-0.20", "0.003", "7×9", "61", "–", "2"],
    ]
    shown = Table("t", "", pd.DataFrame(), list("abcdefgh"), rows)
    assert shown.words == {0, 6}


def test_markdown_keeps_texts_as_texts() -> None:
    assert cell("a|b\n<i> `x` *y* _z_ [l] #") == (
        r"a\|b \<i\> \`x\` \*y\* \_z\_ \[l\] \#"
    )  # fmt: skip
    assert table(["A", "B|"], [["1", "x|y"]]) == "| A | B\\| |\n| --- | --- |\n| 1 | x\\|y |"


def test_names_and_order() -> None:
    assert order(["zeta", "rngunet", "alpha", "unet"]) == ["unet", "rngunet", "alpha", "zeta"]
    assert model_title("resunet (run a)") == "ResUNet (run a)"
    assert model_title("other") == "other"
    assert [score_title(name, "mm") for name in ("hd95", "nsd_2mm", "dice")] == [
        "HD95 [mm]", "NSD 2 mm", "Dice",
    ]  # fmt: skip
