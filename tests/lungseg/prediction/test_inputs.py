"""Which images are found where, each once and under a name that stays below its folder."""

from __future__ import annotations

import uuid
from pathlib import Path

import pandas as pd
import pytest

from lungseg import storage
from lungseg.errors import UserError
from lungseg.prediction.inputs import find_images


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def ids(*paths: str, out: str = "") -> list[str]:
    return [item.image_id for item in find_images(paths, out)]


def test_inputs_are_named_once_each(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "sub/a.png", "sub/b.png", "sub/b.jpg", "notes.txt", ".hidden.png")
    found = ids(str(tmp_path), str(tmp_path / "*.png"))
    assert found == ["a", "sub/a", "sub/b.jpg", "sub/b.png"]
    assert ids(str(tmp_path / "*" / "a.png"), str(tmp_path / "a.png")) == ["a.png", "a.png~2"]


def test_a_uid_is_a_whole_name(tmp_path: Path) -> None:
    write(tmp_path, "1.2.840.11.5", "1.2.840.12.9")
    assert ids(str(tmp_path)) == ["1.2.840.11.5", "1.2.840.12.9"]


@pytest.mark.parametrize("name", ["list.csv", "LIST.CSV", "list.parquet"])
def test_a_list_names_films_anywhere(tmp_path: Path, name: str) -> None:
    write(tmp_path, "img/a.png", "img/b.png", "here/c.png")
    url = "s3://bucket/ward/d.png"
    entries = ["../img/a.png", f"file://{tmp_path}/img/b.png", "./c.png", url]
    table, path = pd.DataFrame({"path": entries}), tmp_path / "here" / name
    table.to_csv(path, index=False) if name.lower().endswith("csv") else table.to_parquet(path)
    found = {item.path: item.image_id for item in find_images([str(path)])}
    assert found == {
        f"{tmp_path}/img/a.png": "img/a",
        f"{tmp_path}/img/b.png": f"{tmp_path}/img/b".lstrip("/"),
        f"{tmp_path}/here/c.png": "c",
        url: "bucket/ward/d",
    }
    assert ids(str(path), str(tmp_path / "img")) == ids(str(path))


def test_a_list_with_names_keeps_them(tmp_path: Path) -> None:
    write(tmp_path, "img/a.png", "img/b.png")
    (tmp_path / "rejected.csv").write_text("image_id,path\nward/7,img/a.png\n,img/b.png\n")
    assert ids(str(tmp_path / "rejected.csv")) == ["ward/7", "img/b"]


@pytest.mark.parametrize("entry", ["../../img/a.png", "..", "/../a.png", "../../../../../a.png"])
def test_no_name_leads_out_of_its_folder(tmp_path: Path, entry: str) -> None:
    (tmp_path / "list.csv").write_text(f"path\n{entry}\n")
    (image_id,) = ids(str(tmp_path / "list.csv"))
    masks = tmp_path / "masks"
    assert masks in (masks / f"{image_id}.png").resolve().parents


def test_the_pictures_of_a_prediction_are_no_inputs(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "masks/b.png", "out/c.png", "out/masks/a.png", "out/seg/d.dcm")
    assert ids(str(tmp_path), out=str(tmp_path / "out")) == ["a", "masks/b", "out/c"]


def test_urls_in_globs_folders_and_lists(tmp_path: Path) -> None:
    root = f"memory://{uuid.uuid4().hex}"
    for name in ("img/a.png", "img/sub/b.png", "img/notes.txt", "lists/list.csv"):
        storage.write_text(f"{root}/{name}", "path\n../img/a.png\n")
    assert ids(f"{root}/img") == ["a", "sub/b"]
    assert ids(f"{root}/img/**/*.png", f"{root}/img/*.png") == ["a", "b"]
    assert ids(f"{root}/img", f"{root}/lists/list.csv", f"{root}/img/a.png") == ["a", "sub/b"]
    (item,) = find_images([f"{root}/lists/list.csv"])
    assert (item.image_id, item.path) == ("img/a", f"{root}/img/a.png")
    assert storage.exists(item.path)


def test_wrong_inputs_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        find_images([str(tmp_path / "nothing")])
    with pytest.raises(UserError, match="no image in"):
        find_images([str(tmp_path)])
    (tmp_path / "list.csv").write_text("film\na.png\n")
    with pytest.raises(UserError, match="needs a column image or path"):
        find_images([str(tmp_path / "list.csv")])
    with pytest.raises(UserError, match="cannot reach nowhere://films"):
        find_images(["nowhere://films"])
