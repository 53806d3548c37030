"""Every setting of lungseg: its type, default, unit and a sentence. No default lives elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from lungseg.networks.registry import ARCHITECTURES


def _parse_workers(value: object) -> object:
    """ "2", 2 and "2:8" to (2, 2) and (2, 8)."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    low, _, high = str(value).partition(":")
    try:
        return int(low), int(high or low)
    except ValueError as error:
        raise ValueError("give a number of workers, or MIN:MAX") from error


def _check_workers(value: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= value[0] <= value[1]:
        raise ValueError("give MIN:MAX with 1 ≤ MIN ≤ MAX")
    return value


Workers = Annotated[
    tuple[int, int], BeforeValidator(_parse_workers), AfterValidator(_check_workers)
]
ModelName = Literal["unet", "resunet", "rngunet"]
Precision = Literal["auto", "float64", "float32", "bfloat16", "float16"]


class Section(BaseModel):
    """Settings that belong together; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class DataSettings(Section):
    """Which films there are and how they become shards."""

    size: int = Field(256, ge=32, le=4096, description="Side of the network's square input [px].")
    layout: str = Field("auto", description="Layout of the data folders; auto recognises it.")
    split: Literal["hint", "drawn", "none"] = Field(
        "hint",
        description="hint honours a manifest's split_hint column, drawn draws our own, none makes "
        "all cases test cases.",
    )
    val_fraction: float = Field(
        0.15, gt=0, lt=0.5, description="Part of the patients for validation, when drawn."
    )
    test_fraction: float = Field(
        0.15, gt=0, lt=0.5, description="Part of the patients for the test, when drawn."
    )
    split_seed: int = Field(0, ge=0, description="Seed of the drawn split and of the folds.")
    folds: int = Field(
        1,
        ge=1,
        le=20,
        description="Folds of the cross-validation; 1: one validation part of val_fraction.",
    )
    clahe: float = Field(
        0,
        ge=0,
        le=100,
        description="Clip limit of contrast-limited histogram equalisation; 0: none.",
    )
    cases_per_shard: int = Field(32, ge=1, description="Cases in one Parquet file.")
    phantoms: int = Field(120, ge=8, description="Phantoms drawn where no data is given [cases].")
    phantom_size: int = Field(320, ge=64, description="Longer side of a drawn phantom [px].")
    phantom_seed: int = Field(0, ge=0, description="Seed of the phantoms.")


class NetworkSettings(Section):
    """Form of the networks; the three share it, so that their budgets are equal."""

    widths: tuple[int, ...] = Field(
        (32, 64, 128, 256, 512),
        min_length=2,
        description="Feature maps a level, the last one is the bottleneck.",
    )
    batch_norm: Literal["fused", "synchronized", "none"] = Field(
        "fused", description="fused is fast and per replica, synchronized spans all replicas."
    )
    upsampling: Literal["nearest", "transpose"] = Field(
        "transpose",
        description="Way up of the U-Net's decoder: transposed convolution, or repeated pixels and "
        "a 2×2 convolution (as many parameters, a fifth slower).",
    )
    attention: bool | None = Field(
        None,
        description="Non-local block at the bottleneck of the residual networks; empty: of rngunet "
        "alone.",
    )
    gates: bool | None = Field(
        None,
        description="Attention gates on the skip connections of the residual networks; empty: of "
        "rngunet alone.",
    )


class AugmentationSettings(Section):
    """Random changes of the training films; mask and film get the same geometry."""

    rotation: float = Field(8.0, ge=0, le=180, description="Largest rotation either way [degrees].")
    zoom: float = Field(0.1, ge=0, lt=1, description="Largest change of scale [fraction].")
    shift: float = Field(0.06, ge=0, lt=1, description="Largest shift [fraction of the side].")
    brightness: float = Field(0.1, ge=0, le=1, description="Largest added brightness [of 0…1].")
    contrast: float = Field(0.2, ge=0, lt=1, description="Largest change of contrast [fraction].")
    gamma: float = Field(0.2, ge=0, lt=1, description="Largest change of log2 gamma.")
    noise: float = Field(0.02, ge=0, le=1, description="Largest noise sd [of 0…1].")
    flip: bool = Field(
        False, description="Mirror left and right (puts the heart on the wrong side)."
    )


class TrainSettings(Section):
    """How a network is trained."""

    epochs: int = Field(60, ge=1, description="Passes over the training cases, at most.")
    batch_size: int = Field(8, ge=1, description="Cases a worker and step.")
    learning_rate: float = Field(
        1e-3,
        gt=0,
        description="Initial learning rate of Adam; of MAX workers where their number is MIN:MAX, "
        "fewer take √(workers / MAX) of it.",
    )
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay (AdamW).")
    clip_norm: float = Field(
        0.0, ge=0, description="Largest norm of the gradient of all variables together; 0: any."
    )
    loss: Literal["dice", "dice_bce", "tversky"] = Field(
        "dice",
        description="dice is 1 − Dice coefficient a film, dice_bce adds binary cross-entropy, "
        "tversky weighs missed pixels against extra ones.",
    )
    tversky_missed: float = Field(
        0.7, gt=0, lt=1, description="Weight of missed pixels in tversky; extra ones get the rest."
    )
    precision: Precision = Field(
        "auto", description="Arithmetic; auto takes bfloat16 where the hardware has it."
    )
    schedule: Literal["plateau", "cosine"] = Field(
        "plateau",
        description="plateau lowers the rate when validation stands still, cosine brings it to 0.",
    )
    warmup_epochs: int = Field(
        0, ge=0, description="First epochs, over which the cosine schedule's rate rises."
    )
    plateau_patience: int = Field(
        5, ge=1, description="Epochs without a better validation Dice before the rate falls."
    )
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="Factor of that fall.")
    stop_patience: int = Field(
        15, ge=1, description="Epochs without a better validation Dice before training ends."
    )
    shuffle_buffer: int = Field(512, ge=1, description="Cases shuffled at a time, a worker.")
    augment: bool = Field(True, description="Change training films at random (see augmentation).")
    deterministic: bool = Field(
        False, description="Only deterministic operations: repeatable to the bit, but slower."
    )
    max_failures: int = Field(
        3, ge=-1, description="Restarts after lost workers, or what leads them; -1: no limit."
    )
    hang_seconds: float = Field(
        900, ge=0, description="A worker that does no step for so long is restarted [s]; 0: never."
    )
    mlflow: str = Field(
        "", description="Address of an MLflow tracking server; empty for none (extra: mlflow)."
    )


class Range(Section):
    """Values that a search may give one setting: an interval, or a list of choices."""

    low: float | None = Field(None, description="Smallest value.")
    high: float | None = Field(None, description="Largest value.")
    log: bool = Field(True, description="Draw the logarithm evenly; false: the value itself.")
    choices: tuple[Any, ...] = Field((), description="The values, instead of an interval.")

    @model_validator(mode="after")
    def _check(self) -> Range:
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ValueError("give either low and high, or choices")
        if self.choices:
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"low ({self.low}) must be above 0 where log is true")
        return self

    def holds(self, value: float) -> bool:
        """Whether a value lies within the interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


class TuneSettings(Section):
    """The search for good settings, by validation Dice."""

    trials: int = Field(
        12, ge=1, description="Trials of each architecture; the first one has the usual settings."
    )
    space: dict[str, Range] = Field(
        {"train.learning_rate": Range(low=1e-5, high=1e-1)},  # type: ignore[call-arg]
        min_length=1,
        description="What is searched: setting names (of train, network or augmentation), each "
        "with low and high (log: false for even spacing) or with choices.",
    )
    sampler: Literal["random", "grid", "tpe"] = Field(
        "random", description="How settings are drawn; tpe is Optuna's (extra: optuna)."
    )
    scheduler: Literal["asha", "median", "none"] = Field(
        "asha",
        description="Which trials end early: asha keeps the best at each rung, median ends those "
        "below the others' median, none ends none.",
    )
    grace_epochs: int = Field(2, ge=1, description="Epochs that each trial gets, at least.")
    reduction: float = Field(
        3.0, gt=1, description="asha: one trial in so many goes on at each rung."
    )
    seed: int = Field(0, ge=0, description="Seed of what is drawn, and of all trials' trainings.")


class EvaluateSettings(Section):
    """From the network's output to a mask at original size."""

    min_area_fraction: float = Field(
        0.005, ge=0, lt=0.5, description="Smaller parts of a mask are dropped [of the film]."
    )
    batch_size: int = Field(16, ge=1, description="Cases the network sees at a time.")


class PredictSettings(Section):
    """Masks for films without reference."""

    precision: Precision = Field("auto", description="Arithmetic of the networks.")
    batch_size: int = Field(16, ge=1, description="Films the network sees at a time.")
    images_per_part: int = Field(64, ge=1, description="Images of one Parquet file.")
    augment: bool = Field(
        False, description="Average over a brighter and a darker copy too (three times the work)."
    )
    masks: bool = Field(False, description="Write each mask as a PNG of the film's size.")
    overlays: int = Field(0, ge=0, description="Films drawn with their outline, the first ones.")
    chexmask: bool = Field(False, description="Write the masks as tables of CheXmask's columns.")
    dicom_seg: bool = Field(
        False, description="Write a DICOM SEG for each film that is DICOM (extra: dicom-seg)."
    )
    low_agreement: float = Field(
        0.9, ge=0, le=1, description="Films on which the models agree less are flagged [Dice]."
    )
    actors: str = Field(
        "",
        pattern=r"^(|[1-9]\d*(:[1-9]\d*)?)$",
        description="Network processes, MIN:MAX; empty: from 1 to one a GPU, or a machine.",
    )
    threads: int = Field(
        0, ge=0, description="Threads of a network process; 0: its share of its machine's CPUs."
    )

    @field_validator("actors")
    @classmethod
    def _check_actors(cls, value: str) -> str:
        low, _, high = value.partition(":")
        if high and int(low) > int(high):
            raise ValueError("give MIN:MAX with MIN ≤ MAX")
        return value

    def fingerprint_fields(self) -> dict[str, Any]:
        """What the output depends on; a job may go on with other processes."""
        return self.model_dump(mode="json", exclude={"actors", "threads"})


class ReportSettings(Section):
    """Statistics of the comparison."""

    resamples: int = Field(10_000, ge=100, description="Bootstrap resamples over patients.")
    seed: int = Field(0, ge=0, description="Seed of the bootstrap.")


class ComputeSettings(Section):
    """What the work runs on; changes nothing in what is computed, so a run may change it."""

    address: str = Field(
        "", description="Ray cluster; empty: RAY_ADDRESS if set, else a local one is started."
    )
    workers: Workers = Field(
        (1, 1),
        description="Training workers (processes), N, or MIN:MAX as the cluster has room.",
    )
    cpus_per_worker: float = Field(
        0, ge=0, description="CPUs of a training worker; 0 shares out what the cluster has."
    )
    gpus_per_worker: float = Field(
        -1, ge=-1, description="GPUs of a training worker; -1: one where the cluster has them."
    )
    resize_seconds: float = Field(
        60,
        ge=1,
        description="How often a training with MIN:MAX workers looks for room for more [s].",
    )
    parallel: int = Field(
        0, ge=0, description="Trainings side by side; 0: as many as the cluster has room for."
    )
    object_store_mb: int = Field(
        1024, ge=100, description="Ray's shared memory on a local cluster [MiB]."
    )
    log_format: Literal["plain", "json"] = Field(
        "plain",
        description="Lines on the screen; json: an object each with time, run, stage, rank.",
    )


class Settings(Section):
    """All settings of a run."""

    preset: Literal["quick", "full", "literature"] = Field(
        "quick", description="Set of defaults the others are laid over."
    )
    models: tuple[ModelName, ...] = Field(
        ("unet", "resunet", "rngunet"), min_length=1, description="Architectures to compare."
    )
    seeds: int = Field(1, ge=1, description="Repeated trainings of each model, seeds 0…N-1.")
    data: DataSettings = DataSettings()  # type: ignore[call-arg]
    network: NetworkSettings = NetworkSettings()  # type: ignore[call-arg]
    train: TrainSettings = TrainSettings()  # type: ignore[call-arg]
    augmentation: AugmentationSettings = AugmentationSettings()  # type: ignore[call-arg]
    tune: TuneSettings = TuneSettings()  # type: ignore[call-arg]
    evaluate: EvaluateSettings = EvaluateSettings()  # type: ignore[call-arg]
    predict: PredictSettings = PredictSettings()  # type: ignore[call-arg]
    report: ReportSettings = ReportSettings()  # type: ignore[call-arg]
    compute: ComputeSettings = ComputeSettings()  # type: ignore[call-arg]

    @field_validator("models", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        if isinstance(names, Sequence) and len(set(names)) < len(names):
            raise ValueError("a model is named twice")
        return names

    @model_validator(mode="after")
    def _check_size(self) -> Settings:
        for model in self.models:
            step = 2 ** (len(network_arguments(self, model)["widths"]) - 1)
            if self.data.size % step:
                raise ValueError(
                    f"data.size {self.data.size} is no multiple of {step}, which the levels of "
                    f"{model} need: take {max(step, round(self.data.size / step) * step)}"
                )
        return self

    def to_yaml(self) -> str:
        """The settings as YAML text that `resolve` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


PRESETS: dict[str, dict[str, Any]] = {
    # 128 px and small widths: minutes on a laptop.
    "quick": {
        "data": {"size": 128},
        "network": {"widths": (16, 32, 64, 128, 256)},
        "train": {
            "epochs": 30,
            "learning_rate": 2e-3,
            "plateau_patience": 3,
            "stop_patience": 10,
        },
    },
    # The 8 M trio at 256 px: a fair comparison at equal budgets.
    "full": {"data": {"size": 256}, "train": {"epochs": 100}},
    # The published sizes, each architecture with its own widths.
    "literature": {"data": {"size": 256}, "train": {"epochs": 100, "batch_size": 4}},
}


def literature_arguments(model: str) -> dict[str, Any]:
    """The published arguments of an architecture, which the preset `literature` trains."""
    return dict(ARCHITECTURES[model].literature)


def network_arguments(settings: Settings, model: str) -> dict[str, Any]:
    """Keyword arguments of `lungseg.networks.build` for one of the models of a run."""
    arguments: dict[str, Any] = {
        "widths": settings.network.widths,
        "batch_norm": settings.network.batch_norm,
    }
    if model == "unet":
        arguments["upsampling"] = settings.network.upsampling
    else:
        parts = {"attention": settings.network.attention, "gates": settings.network.gates}
        arguments |= {name: wanted for name, wanted in parts.items() if wanted is not None}
    if settings.preset == "literature":
        arguments |= literature_arguments(model)
    return arguments


def fingerprint(*parts: Any) -> str:
    """16 hex digits that change with any of the parts (anything JSON can hold, or settings)."""
    plain = [
        part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts
    ]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
