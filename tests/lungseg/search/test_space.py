"""What the trials of a search are given."""

from __future__ import annotations

from typing import Any

import pytest

from lungseg.errors import UserError
from lungseg.resolve import given_names, resolve
from lungseg.search import space
from lungseg.settings import Settings


def settings(searched: dict[str, Any], **tune: Any) -> Settings:
    options = {f"tune.{name}": value for name, value in tune.items()}
    return resolve(options={"tune.space": searched} | options)


RATE = {"train.learning_rate": {"low": 1e-5, "high": 1e-1}}


def test_the_first_trial_has_the_usual_values() -> None:
    drawn = space.draw(settings(RATE, trials=5))
    assert len(drawn) == 5
    assert drawn[0] == {"train.learning_rate": 2e-3}
    assert all(1e-5 <= values["train.learning_rate"] <= 1e-1 for values in drawn)


def test_a_longer_search_begins_like_the_shorter_one() -> None:
    assert space.draw(settings(RATE, trials=9))[:5] == space.draw(settings(RATE, trials=5))
    assert space.draw(settings(RATE, trials=5, seed=1)) != space.draw(settings(RATE, trials=5))


def test_rates_are_even_in_their_logarithm() -> None:
    drawn = space.draw(settings(RATE, trials=2001))[1:]
    below = sum(values["train.learning_rate"] < 1e-3 for values in drawn)
    assert below == pytest.approx(1000, abs=70)


def test_what_cannot_be_drawn_is_told_by_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="needs 3 trials at least"):
        space.check(settings(RATE, trials=2, sampler="grid"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs Optuna"):
        space.check(settings(RATE, sampler="tpe"))


def test_a_grid_has_all_points_once() -> None:
    searched = RATE | {"train.batch_size": {"choices": [4, 8]}}
    drawn = space.draw(settings(searched, trials=11, sampler="grid"))
    rates = sorted({values["train.learning_rate"] for values in drawn[1:]})
    assert rates == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert len({tuple(values.values()) for values in drawn[1:]}) == 10
    with pytest.raises(UserError, match="needs 5 trials at least"):
        space.draw(settings(searched, trials=4, sampler="grid"))


def test_a_point_of_a_grid_that_is_the_usual_one_is_tried_once() -> None:
    searched = {"train.learning_rate": {"choices": [2e-5, 2e-3, 0.2]}}
    drawn = space.draw(settings(searched, trials=3, sampler="grid"))
    assert [values["train.learning_rate"] for values in drawn] == [2e-3, 2e-5, 0.2]
    with pytest.raises(UserError, match="needs 3 trials at least"):
        space.draw(settings(searched, trials=2, sampler="grid"))


def test_whole_numbers_stay_whole() -> None:
    searched = {"train.batch_size": {"low": 2, "high": 9, "log": False}}
    drawn = space.draw(settings(searched, trials=20))
    assert {type(values["train.batch_size"]) for values in drawn} == {int}


@pytest.mark.parametrize(
    ("searched", "message"),
    [
        ({"train.learning_rat": {"low": 1, "high": 2}}, "nearest one is train.learning_rate"),
        ({"learning_rate": {"low": 1, "high": 2}}, "nearest one is train.learning_rate"),
        ({"data.size": {"choices": [64, 128]}}, "data.size is no setting that can be searched"),
        ({"train.learning_rate": {"low": 0.1, "high": 0.1}}, r"low \(0.1\) must be below high"),
        ({"train.learning_rate": {"low": 0, "high": 0.1}}, "must be above 0 where log is true"),
        ({"train.learning_rate": {"low": 0.1}}, r"low \(0.1\) must be below high \(None\)"),
        ({"train.learning_rate": {}}, "give either low and high, or choices"),
        ({"train.loss": {"choices": ["dice", "dise"]}}, "train.loss cannot be 'dise'"),
        ({"train.batch_size": {"low": 0, "high": 8, "log": False}}, "train.batch_size cannot be 0"),
    ],
)
def test_a_wrong_space_is_refused_in_one_line(searched: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        space.check(settings(searched))
    assert "\n" not in str(caught.value)


def test_given_values_are_told_from_found_ones() -> None:
    found = {"train.learning_rate": 0.3, "train.batch_size": 2}
    taken = resolve(found=found, assignments=["train.batch_size=4"])
    assert (taken.train.learning_rate, taken.train.batch_size) == (0.3, 4)
    names = given_names(None, ["train.batch_size=4"], {"models": "unet", "seeds": None})
    assert names == {"train.batch_size", "models"}
