"""The parameters of the notebooks that train, convert and measure (01 to 03)."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from .schema_types import (
    IMAGENET_WIDTHS,
    Alpha,
    Architecture,
    Common,
    Count,
    Cut,
    Kept,
    Positive,
    Precision,
    Rate,
    Resolution,
    Share,
    Timing,
)


class Training(Common):
    retrain: bool = False
    alpha: Alpha = 0.5
    resolution: Resolution = 32
    weights: str = "none"
    head_epochs: Count = 5
    warm_resolution: Resolution = 32
    warm_epochs: Count = 0
    epochs: Positive = 15
    learning_rate: Rate = 0.003
    weight_decay: Share = 0.02
    batch_size: Positive = 32
    first_resolution: Annotated[int, Field(ge=0, le=224, multiple_of=32)] = 0
    polish_epochs: Count = 2
    polish_learning_rate: Rate = 0.001

    @model_validator(mode="after")
    def weights_exist_for_this_width(self):
        if self.weights == "imagenet" and self.alpha not in IMAGENET_WIDTHS:
            raise ValueError(f"Keras has ImageNet weights for the widths {IMAGENET_WIDTHS} only, not for {self.alpha}")
        return self


class Baseline(Timing, Training):
    pass


class Optimizations(Common):
    retrain: bool = False
    latency_resolution: Resolution = 32
    latency_expansion: Kept = 0.5
    latency_stream: Kept = 0.75
    latency_head: Kept = 0.5
    latency_epochs: Positive = 4
    latency_learning_rate: Rate = 0.002
    memory_resolution: Resolution = 32
    memory_expansion: Kept = 0.5
    memory_stream: Kept = 0.5
    memory_head: Kept = 0.25
    memory_epochs: Positive = 6
    memory_learning_rate: Rate = 0.002
    energy_resolution: Resolution = 32
    energy_expansion: Kept = 0.75
    energy_stream: Kept = 1.0
    energy_head: Kept = 1.0
    energy_epochs: Positive = 4
    energy_learning_rate: Rate = 0.002
    teacher_weight: Share = 0.7
    temperature: Annotated[float, Field(ge=1)] = 4.0
    sweep_shares: Annotated[list[Kept], Field(min_length=2)] = [1.0, 0.5]
    distilled: Annotated[list[Cut], Field(min_length=1)] = ["memory"]
    ablation_images: Positive = 1000
    ablation_epochs: Positive = 1
    exit_block: Annotated[int, Field(ge=1, le=16)] = 6
    exit_width: Positive = 32
    exit_epochs: Positive = 10
    exit_images: Count = 0
    held_back_images: Positive = 200
    exit_points: Annotated[float, Field(ge=0)] = 0.5


class Memory(Timing):
    retrain: bool = False
    calibration_images: Positive = 200
    memory_batches: Annotated[list[Positive], Field(min_length=1)] = [32]
    memory_steps: Positive = 3
    memory_limit_mib: Positive = 10
    activation_images: Positive = 100
    segments: Annotated[list[Positive], Field(min_length=2)] = [1, 2, 3, 4]
    memory_repeats: Positive = 1
    sparsity: Rate = 0.5
    clusters: Annotated[int, Field(ge=2)] = 16
    sparsity_steps: Positive = 20


class Quantization(Timing):
    retrain: bool = False
    precisions: Annotated[list[Precision], Field(min_length=1)] = ["fp32", "fp16", "dynamic", "int8_ptq", "int8_qat", "mixed"]
    calibration_images: Positive = 200
    qat_architectures: Annotated[list[Architecture], Field(min_length=1)] = ["baseline"]
    qat_images: Positive = 400
    qat_epochs: Positive = 1
    qat_learning_rate: Rate = 0.00003
    probe_images: Positive = 100

    @field_validator("precisions")
    @classmethod
    def precisions_suffice(cls, precisions):
        missing = {"fp32", "dynamic", "int8_ptq", "int8_qat"} - set(precisions)
        if missing or len(set(precisions)) < len(precisions):
            raise ValueError("fp32, dynamic, int8_ptq and int8_qat are needed, each precision once")
        return precisions

    @field_validator("qat_architectures")
    @classmethod
    def baseline_is_trained_on(cls, architectures):
        if "baseline" not in architectures or len(set(architectures)) < len(architectures):
            raise ValueError("baseline is needed, each architecture once")
        return architectures


class Failures(Common):
    calibration_images: Positive = 200
    failure_images: Positive = 200


class Toolchains(Common):
    retrain: bool = False
    calibration_images: Positive = 200
    exported: Annotated[list[Architecture], Field(min_length=1)] = ["memory"]
    toolchain_images: Positive = 200
    warm_up_runs: Count = 10
    n_runs: Annotated[int, Field(ge=10)] = 100

    @field_validator("exported")
    @classmethod
    def exported_once(cls, exported):
        if len(set(exported)) < len(exported):
            raise ValueError("each architecture once")
        return exported


class Aspects(Common):
    retrain: bool = False
    calibration_images: Positive = 200
    failure_images: Positive = 200
    exit_block: Annotated[int, Field(ge=1, le=16)] = 6
    warm_up_runs: Count = 10
    n_runs: Annotated[int, Field(ge=10)] = 100
