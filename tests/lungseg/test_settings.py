from __future__ import annotations

from pathlib import Path

import pytest

from lungseg.errors import UserError
from lungseg.resolve import describe, resolve
from lungseg.search import space
from lungseg.settings import Settings, fingerprint, network_arguments


def test_later_sources_win(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("preset: full\ntrain:\n  epochs: 7\n  batch_size: 3\n")
    settings = resolve(
        config=str(config),
        assignments=["train.batch_size=4", "models=unet"],
        options={"train.learning_rate": 0.5, "train.epochs": None},
    )
    assert settings.preset == "full"
    assert settings.data.size == 256
    assert (settings.train.epochs, settings.train.batch_size) == (7, 4)
    assert settings.train.learning_rate == 0.5
    assert settings.models == ("unet",)


def test_settings_round_trip_through_yaml(tmp_path: Path) -> None:
    settings = resolve(preset="literature", assignments=["seeds=3"])
    config = tmp_path / "config.yaml"
    config.write_text(settings.to_yaml())
    assert resolve(config=str(config)) == settings


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.learning_rat=1", "unknown setting train.learning_rat; .*train.learning_rate"),
        ("epochs=3", "unknown setting epochs; .*train.epochs"),
        ("train.epochs=0", "setting train.epochs cannot be 0: .*greater than or equal to 1"),
        ("train.learning_rate=-1", "train.learning_rate cannot be -1"),
        ("models=unet,vnet", "models.* cannot be 'vnet'"),
        ("models=unet,unet", "a model is named twice"),
        ("train.epochs", "--set takes key=value"),
        ("train.mlflow=http://[host", "is no address"),
        ("network.widths=[4,8", "the value is not YAML"),
    ],
)
def test_wrong_settings_are_one_clear_line(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        resolve(assignments=[assignment])
    assert "\n" not in str(caught.value)


def test_no_password_goes_into_the_settings() -> None:
    with pytest.raises(UserError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        resolve(assignments=["train.mlflow=https://me:swordfish@host"])
    assert "swordfish" not in str(caught.value)
    assert resolve(assignments=["train.mlflow=https://me@host:5000"]).train.mlflow


def test_unknown_preset_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="quick, full, literature"):
        resolve(preset="fast")
    with pytest.raises(UserError, match="No such file"):
        resolve(config=str(tmp_path / "none.yaml"))


def test_config_files_as_people_write_them(tmp_path: Path) -> None:
    """Names as `--help` lists them, numbers without a point, another encoding."""
    path = tmp_path / "my.yaml"
    path.write_text(
        "train.epochs: 20\ntrain: {batch_size: 4}\ntune.space:\n"
        "  train.learning_rate: {choices: [1e-3, 2e-3]}\n  train.loss: {choices: [dice]}\n"
    )
    settings = resolve(config=str(path))
    assert (settings.train.epochs, settings.train.batch_size) == (20, 4)
    assert settings.tune.space["train.learning_rate"].choices == (0.001, 0.002)
    assert settings.tune.space["train.loss"].choices == ("dice",)
    path.write_text("compute: {workers: 2:8}\npredict: {actors: 1:4}\ndata: {split_seed: 010}\n")
    settings = resolve(config=str(path))
    assert (settings.compute.workers, settings.predict.actors) == ((2, 8), "1:4")
    assert settings.data.split_seed == 10
    assert resolve(assignments=["compute.workers=2:8"]).compute.workers == (2, 8)
    assert resolve(assignments=["train.learning_rate=1e-4"]).train.learning_rate == 1e-4
    with pytest.raises(UserError, match=r"predict\.actors cannot be '4:2': give MIN:MAX"):
        resolve(options={"predict.actors": "4:2"})
    path.write_bytes("train: {epochs: 3}  # für".encode("latin-1"))
    with pytest.raises(UserError, match=r"my\.yaml is not YAML: 'utf-8' codec"):
        resolve(config=str(path))


def test_every_setting_has_a_sentence_and_a_default() -> None:
    described = dict(describe())
    assert len(described) > 30
    for name, field in described.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert not field.is_required(), name


def test_fingerprint_follows_content() -> None:
    assert fingerprint(Settings()) == fingerprint(resolve(preset=None) and Settings())
    assert fingerprint(resolve()) != fingerprint(resolve(assignments=["train.epochs=3"]))


def test_an_ablation_is_a_matter_of_settings() -> None:
    config = str(Path(__file__).parents[2] / "jobs" / "ablation.yaml")
    steps = resolve(config=config)
    assert steps.models == ("unet", "resunet", "rngunet")
    assert "gates" not in network_arguments(steps, "unet")
    assert network_arguments(steps, "rngunet")["gates"] is False
    last = resolve(config=config, assignments=["network.gates=true"])
    assert network_arguments(last, "rngunet")["gates"] is True
    usual = network_arguments(resolve(), "rngunet")
    assert not {"attention", "gates"} & set(usual)


def test_the_comparison_searches_the_usual_learning_rate_and_two_more() -> None:
    settings = resolve(config=str(Path(__file__).parents[2] / "jobs" / "comparison.yaml"))
    assert settings.models == ("unet", "resunet", "rngunet")
    rates = [values["train.learning_rate"] for values in space.draw(settings)]
    assert rates == [0.001, 0.0003, 0.003]
