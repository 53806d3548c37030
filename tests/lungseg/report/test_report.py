"""The written report: its files, its numbers, and what it makes of odd runs and hostile texts."""

from __future__ import annotations

import io
import itertools
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lungseg.errors import UserError
from lungseg.report import write_report

WriteRun = Callable[..., str]
ScoreTable = Callable[..., pd.DataFrame]
HOSTILE = '<script>alert("1")</script>\n\'; $\\frac{$ | `x` *y* <b>'


class Outline(HTMLParser):
    """Tags with their attributes, and the texts outside of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within not in ("style", "script"):
            self.texts.append(data)

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for attributes in self.of("section")]


def report(*runs: str | Path, out: Path) -> tuple[Outline, dict[str, Any]]:
    """Write a report; its page and its summary."""
    page = write_report([str(run) for run in runs], str(out), resamples=200)
    text = Path(page).read_text()
    return Outline(text), json.loads((out / "summary.json").read_text())


def save(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, write_run: WriteRun) -> Path:
    """Report of three models, two folds of two seeds, after a search."""
    folder = tmp_path_factory.mktemp("whole")
    run = write_run(folder / "run", folds=2, seeds=2, search=True)
    write_report([run], str(folder / "report"), resamples=500)
    return folder / "report"


@pytest.fixture(scope="module")
def page(whole: Path) -> Outline:
    return Outline((whole / "index.html").read_text())


def test_every_promised_file_is_there(whole: Path) -> None:
    tables = {path.stem for path in whole.glob("*.csv")}
    assert tables == {
        "calibration", "cases", "confusion", "cost", "data-counts", "model-cards", "models",
        "near-duplicates", "pairs", "provenance", "rejected", "rejected-reasons", "subgroups",
        "training", "trainings", "search-unet", "search-resunet", "search-rngunet",
    }  # fmt: skip
    assert {path.name for path in (whole / "model-cards").iterdir()} == {
        "unet.md", "resunet.md", "rngunet.md",
    }  # fmt: skip
    figures = {path.stem for path in (whole / "figures").glob("*.png")}
    assert figures == {path.stem for path in (whole / "figures").glob("*.svg")}
    assert figures >= {
        "cases-dice", "cases-hd95", "scatter-unet-resunet", "bland-altman-unet-resunet", "case-01",
        "confusion-unet", "cost-parameters", "cost-gflops", "cost-seconds", "validation",
        "cost-images_per_second", "training-unet", "calibration", "threshold", "search-unet-curves",
        "search-unet-learning_rate", "search-unet-loss", "search-unet-together",
        "subgroups-source", "subgroups-mask_convention",
        "subgroups-sex", "subgroups-age_band", "subgroups-finding", "image-sizes",
        "contact-sheet",
    }  # fmt: skip


def test_every_figure_is_whole(whole: Path) -> None:
    for path in (whole / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 50, path
    for path in (whole / "figures").glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_tables_equal_the_summary(whole: Path) -> None:
    summary = json.loads((whole / "summary.json").read_text())
    models = pd.read_csv(whole / "models.csv").set_index(["model", "score"])
    for name, model in summary["models"].items():
        for score in ("dice", "iou", "precision", "hd95", "nsd_2mm"):
            row, entry = models.loc[(name, score)], model[score]
            for statistic in ("mean", "sd", "median", "p5"):
                assert row[statistic] == pytest.approx(entry[statistic])
            assert [row["ci95_low"], row["ci95_high"]] == pytest.approx(entry["ci95"])
    pairs = pd.read_csv(whole / "pairs.csv")
    assert [[row["first"], row["second"]] for row in pairs.to_dict("records")] == [
        pair["models"] for pair in summary["pairs"]
    ]
    expected = [pair["mean_difference"] for pair in summary["pairs"]]
    assert pairs["mean_difference"].tolist() == pytest.approx(expected)
    cases = pd.read_csv(whole / "cases.csv")
    assert len(cases) == 24 * 3 * 4
    needed = {"case_id", "model", "fold", "seed", "source", "tp", "fp", "fn", "tn", "dice", "iou"}
    assert needed <= set(cases.columns)
    assert "file" not in cases
    by_patient = cases.groupby(["model", "source", "patient_id", "case_id"])["dice"].mean()
    means = by_patient.groupby(["model", "source", "patient_id"]).mean().groupby("model").mean()
    for name, model in summary["models"].items():
        assert means[name] == pytest.approx(model["dice"]["mean"])


def test_page_shows_the_numbers_of_the_summary(whole: Path, page: Outline) -> None:
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["conclusion"] in page.texts
    for model in summary["models"].values():
        low, high = model["dice"]["ci95"]
        assert f"{model['dice']['mean']:.3f}\n[{low:.3f}, {high:.3f}]" in page.texts
    for pair in summary["pairs"]:
        low, high = pair["ci95"]
        assert f"{pair['mean_difference']:+.4f}\n[{low:+.4f}, {high:+.4f}]" in page.texts


def test_page_has_every_section_in_order(page: Outline) -> None:
    assert page.sections == [
        "comparison", "distributions", "agreement", "overlays", "subgroups", "confusion", "cost",
        "training", "calibration", "search", "cases", "data", "models", "methods",
    ]  # fmt: skip


def test_page_needs_nothing_but_itself(whole: Path, page: Outline) -> None:
    text = (whole / "index.html").read_text()
    assert len(text) < 20e6
    assert "https:" not in text
    assert "http:" not in text
    assert "@import" not in text
    assert "url(" not in text
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (name, value)
    policies = [own["content"] for own in page.of("meta") if "content" in own]
    assert any("default-src 'none'" in str(content) for content in policies)


def test_page_can_be_read_by_all(page: Outline) -> None:
    images = page.of("img")
    assert len(images) > 50
    assert all(len(str(image["alt"])) > 8 for image in images)
    assert len({image["alt"] for image in images}) == len(images)
    assert all(image["width"] and image["height"] for image in images)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in itertools.pairwise(levels))
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [link["href"] for link in page.of("a")]
    assert {f"#{name}" for name in page.sections} <= set(links)
    assert {str(link)[1:] for link in links} <= set(names)
    assert page.of("html") == [{"lang": "en"}]


def test_short_report_fits_into_a_pull_request(whole: Path) -> None:
    text = (whole / "report.md").read_text()
    assert len(text.splitlines()) < 30
    assert len(text) < 4000
    summary = json.loads((whole / "summary.json").read_text())
    for model in summary["models"].values():
        assert f"{model['dice']['mean']:.3f}" in text
    for title in ("U-Net", "ResUNet", "RNGU-Net"):
        assert title in text


def test_model_card_tells_what_a_user_has_to_know(whole: Path) -> None:
    card = (whole / "model-cards" / "resunet.md").read_text()
    assert card.startswith("# ResUNet\n")
    for words in ("arXiv 1711.10684", "7,600,000", "64×64 px", "heart-excluded", "Not a medical",
                  "## Worst cases", "## Limits", "| Trainings | 4 |"):  # fmt: skip
        assert words in card


def test_subgroups_too_small_to_speak_of_are_grey(whole: Path, page: Outline) -> None:
    table = pd.read_csv(whole / "subgroups.csv")
    assert (table["small"] == (table["n_patients"] < 10)).all()
    groups = table.drop_duplicates(["fact", "group"])
    assert len([row for row in page.of("tr") if row.get("class") == "dimmed"]) == sum(
        groups["small"]
    )


@pytest.mark.parametrize("count", [1, 2])
def test_few_models_and_three_cases(write_run: WriteRun, tmp_path: Path, count: int) -> None:
    names = ("unet", "resunet", "rngunet")[:count]
    run = write_run(tmp_path / "run", cases=3, models=names)
    page, summary = report(run, out=tmp_path / "report")
    assert list(summary["models"]) == list(names)
    assert ("agreement" in page.sections) == (count > 1)
    assert "search" not in page.sections
    assert "overlays" in page.sections


def test_run_without_shards(write_run: WriteRun, tmp_path: Path) -> None:
    run = Path(write_run(tmp_path / "run", cases=6, models=("unet",)))
    (run / "shards").rename(tmp_path / "elsewhere")
    page, _ = report(run, out=tmp_path / "report")
    assert not {"overlays", "data"} & set(page.sections)
    assert {"comparison", "cases", "training"} <= set(page.sections)


def test_masks_made_elsewhere(score_table: ScoreTable, tmp_path: Path) -> None:
    frame = score_table(5, "my $tool$ <b>")
    save(frame, tmp_path / "scores" / "my tool" / "fold-0_seed-0.parquet")
    page, summary = report(tmp_path / "scores", out=tmp_path / "report")
    assert list(summary["models"]) == ["my $tool$ <b>"]
    assert summary["models"]["my $tool$ <b>"]["parameters"] is None
    assert page.sections == [
        "comparison", "distributions", "subgroups", "confusion", "cases", "models", "methods",
    ]  # fmt: skip
    assert "my $tool$ <b>" in page.texts
    assert (tmp_path / "report" / "model-cards" / "my-tool-b.md").exists()


def test_folder_of_an_external_test(
    write_run: WriteRun, score_table: ScoreTable, tmp_path: Path
) -> None:
    """`lungseg evaluate --data … --out` leaves shards of the data beside the tables."""
    run = Path(write_run(tmp_path / "run", cases=5, models=("unet",)))
    scores = tmp_path / "external"
    scores.mkdir()
    (run / "shards").rename(scores / "shards-64")
    save(score_table(5, "unet"), scores / "unet" / "fold-0_seed-0.parquet")
    page, summary = report(scores, out=tmp_path / "report")
    assert {"overlays", "data"} <= set(page.sections)
    assert summary["models"]["unet"]["n_cases"] == 5


def test_peer_joins_the_table_of_a_run(
    write_run: WriteRun, score_table: ScoreTable, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", cases=8, models=("unet",))
    save(score_table(8, "peer", 0.7), tmp_path / "peer" / "peer" / "fold-0_seed-0.parquet")
    page, summary = report(run, tmp_path / "peer", out=tmp_path / "report")
    assert list(summary["models"]) == ["unet", "peer"]
    assert len(summary["pairs"]) == 1
    assert {"cost", "overlays"} <= set(page.sections)


def test_runs_of_the_same_networks_are_one_model_trained_more_often(
    write_run: WriteRun, tmp_path: Path
) -> None:
    runs = [write_run(tmp_path / name, cases=6, models=("unet",)) for name in "ab"]
    _, summary = report(*runs, out=tmp_path / "report")
    assert list(summary["models"]) == ["unet"]
    assert summary["models"]["unet"]["n_trainings"] == 2
    assert summary["models"]["unet"]["n_cases"] == 6
    assert set(summary["run"]) == set(runs)


def test_runs_of_other_networks_stay_apart(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, cases=6, models=("unet",)) for name in "ab"]
    path = tmp_path / "b" / "models" / "unet" / "fold-0" / "seed-0" / "segmenter.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"size": 128}))
    page, summary = report(*runs, out=tmp_path / "report")
    assert list(summary["models"]) == ["unet (a)", "unet (b)"]
    assert "U-Net (a)" in page.texts
    assert {path.name for path in (tmp_path / "report" / "model-cards").iterdir()} == {
        "unet-a.md", "unet-b.md",
    }  # fmt: skip


def test_external_test_beside_its_run(write_run: WriteRun, tmp_path: Path) -> None:
    """No film is in both, and the spacing is known of the external ones only."""
    names = ("unet", "resunet")
    here = {index: {"spacing_row": np.nan, "spacing_column": np.nan} for index in range(4)}
    there = {
        index: {"source": "elsewhere", "spacing_row": 0.5, "spacing_column": 0.5}
        for index in range(3)
    }
    run = write_run(tmp_path / "run", cases=4, models=names, facts=here)
    external = write_run(tmp_path / "ext", cases=3, models=names, facts=there)
    (tmp_path / "ext" / "models").rename(tmp_path / "elsewhere")
    page, summary = report(run, external, out=tmp_path / "report")
    told = (
        "No difference shown in mean Dice in any of the 2 pairs compared",
        "Not compared, for there are no common films: "
        "ResUNet (ext) and U-Net (ext) with ResUNet (run) and U-Net (run).",
    )
    short = (tmp_path / "report" / "report.md").read_text()
    assert summary["conclusion"] in page.texts
    for text in told:
        assert text in summary["conclusion"]
        assert text in short
    assert {"HD95", "ASSD", "NSD 2", "HD95 [px]", "HD95 [mm]"} <= set(page.texts)
    assert "U-Net (run)\ndistances in px" in page.texts
    assert "U-Net (ext)\ndistances in mm" in page.texts
    rows = [line.strip("| ").split(" | ") for line in short.splitlines() if line.startswith("| ")]
    assert rows[0][5:] == ["HD95", "ASSD", "NSD 2", "Unit of distances", "Empty"]
    assert {row[0]: row[-2] for row in rows if row[0].endswith(")") and len(row) > 6} == {
        "U-Net (run)": "px", "ResUNet (run)": "px", "U-Net (ext)": "mm", "ResUNet (ext)": "mm",
    }  # fmt: skip
    assert "U-Net (ext): 3 test cases of 3 patients" in short
    assert "U-Net (run): 4 test cases of 4 patients" in short


def test_hostile_texts_stay_texts(write_run: WriteRun, tmp_path: Path) -> None:
    facts = {
        index: {"case_id": f"{index} {HOSTILE}", "finding": HOSTILE, "source": HOSTILE}
        for index in range(12)
    }
    run = write_run(tmp_path / "run", cases=12, models=("unet", "resunet"), facts=facts)
    page, _ = report(run, out=tmp_path / "report")
    assert len(page.of("script")) == 1
    assert len(page.of("b")) == 2  # one a tile
    assert HOSTILE in page.texts
    assert any(f"3 {HOSTILE}" in text for text in page.texts)
    images = [str(image["alt"]) for image in page.of("img")]
    assert any(HOSTILE in alt for alt in images)
    assert HOSTILE in set(pd.read_csv(tmp_path / "report" / "cases.csv")["finding"])
    for path in (tmp_path / "report").rglob("*.md"):
        text = path.read_text()
        assert "<b>" not in text.replace("\\<b", "")
        assert not re.search(r"(?<!\\)<script", text)
        tables = [line for line in text.splitlines() if line.startswith("|")]
        assert all(line.endswith("|") for line in tables)


def test_findings_in_another_script(write_run: WriteRun, tmp_path: Path) -> None:
    """The font lacks them: no warning, which is an error in these tests."""
    facts = {index: {"finding": "肺结核"} for index in range(6)}
    run = write_run(tmp_path / "run", cases=12, models=("unet",), facts=facts)
    page, _ = report(run, out=tmp_path / "report")
    assert "肺结核" in page.texts


def test_empty_predictions_are_counted(score_table: ScoreTable, tmp_path: Path) -> None:
    frame = score_table(6, "unet")
    counts = {"tp": 0, "fp": 0, "dice": 0.0, "iou": 0.0, "failed": True, "prediction_rle": ""}
    frame.loc[2, list(counts)] = list(counts.values())
    save(frame, tmp_path / "s" / "unet" / "fold-0_seed-0.parquet")
    _, summary = report(tmp_path / "s", out=tmp_path / "report")
    assert summary["models"]["unet"]["n_failed"] == 1
    assert summary["models"]["unet"]["n_cases"] == 6


def test_tables_with_the_least_columns(tmp_path: Path) -> None:
    counts = {"tp": 50, "fp": 10, "fn": 5, "tn": 100, "dice": 100 / 115, "iou": 50 / 65}
    rows = [{"case_id": f"c{index}", "model": "other", **counts} for index in range(4)]
    save(pd.DataFrame(rows), tmp_path / "s" / "other" / "a.parquet")
    page, summary = report(tmp_path / "s", out=tmp_path / "report")
    assert summary["models"]["other"]["dice"]["mean"] == pytest.approx(100 / 115)
    assert "cases" in page.sections


def test_folder_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no scores to report: run lungseg evaluate"):
        write_report([str(tmp_path)], str(tmp_path / "report"))


def test_table_that_is_none_of_scores_is_refused(tmp_path: Path) -> None:
    save(pd.DataFrame({"case_id": ["a"]}), tmp_path / "s" / "m" / "a.parquet")
    with pytest.raises(UserError, match="is no table of scores: it lacks dice, fn"):
        write_report([str(tmp_path / "s")], str(tmp_path / "report"))


def test_same_run_gives_the_same_report(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", cases=4, models=("unet",))
    for name in "ab":
        write_report([run], str(tmp_path / name), resamples=100)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_csv_reads_back(whole: Path) -> None:
    for path in whole.glob("*.csv"):
        assert len(pd.read_csv(io.StringIO(path.read_text()))) > 0, path
