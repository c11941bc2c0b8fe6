"""One Pydantic model per notebook: names, types, ranges and defaults of its parameters.

The defaults are the smoke profile and equal the literals in the notebooks' parameter cells (tests/test_params.py).
"""

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .errors import nearest
from .results import ROOT

Alpha = Annotated[float, Field(gt=0, le=2)]
Resolution = Annotated[int, Field(ge=32, le=224, multiple_of=32)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
IMAGENET_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
Precision = Literal["fp32", "fp16", "dynamic", "int8_ptq"]


class Common(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] = "smoke"
    dataset: Literal["digits", "cifar10", "folder"] = "digits"
    data_dir: str = ""
    seed: Count = 7


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

    @model_validator(mode="after")
    def weights_exist_for_this_width(self):
        if self.weights == "imagenet" and self.alpha not in IMAGENET_WIDTHS:
            raise ValueError(f"Keras has ImageNet weights for the widths {IMAGENET_WIDTHS} only, not for {self.alpha}")
        return self


class Timing(Common):
    threads: Annotated[int, Field(ge=1, le=os.cpu_count() or 1)] = 1
    warm_up_runs: Count = 10
    n_runs: Annotated[int, Field(ge=10)] = 100


class Baseline(Timing, Training):
    pass


class Optimizations(Common):
    retrain: bool = False
    variant_alpha: Alpha = 0.35
    variant_epochs: Positive = 10
    variant_warm_epochs: Count = 0
    variant_learning_rate: Rate = 0.003
    teacher_weight: Share = 0.7
    temperature: Annotated[float, Field(ge=1)] = 4.0


class Quantization(Timing):
    retrain: bool = False
    precisions: Annotated[list[Precision], Field(min_length=1)] = ["fp32", "fp16", "dynamic", "int8_ptq"]
    calibration_images: Positive = 200

    @field_validator("precisions")
    @classmethod
    def precisions_suffice(cls, precisions):
        missing = {"fp32", "dynamic", "int8_ptq"} - set(precisions)
        if missing or len(set(precisions)) < len(precisions):
            raise ValueError("fp32, dynamic and int8_ptq are needed, each precision once")
        return precisions


class Platforms(Common):
    platforms: Annotated[list[str], Field(min_length=1)] = ["apple_m1", "arm_cortex_a78", "arm_cortex_m7", "x86_host"]

    @field_validator("platforms")
    @classmethod
    def platforms_exist(cls, platforms):
        known = sorted(path.stem for path in (ROOT / "params" / "platforms").glob("*.yaml"))
        for platform in platforms:
            if platform not in known:
                raise ValueError(f"{platform!r} is no platform{nearest(platform, known)}")
            if platforms.count(platform) > 1:
                raise ValueError(f"{platform!r} stands there twice")
        return platforms


class Pareto(Platforms):
    pass


class Methodology(Platforms):
    target_platform: str = "arm_cortex_m7"
    objective: Literal["latency", "memory", "energy", "accuracy", "balanced"] = "accuracy"
    max_latency_ms: Annotated[float, Field(gt=0)] = 200.0

    @model_validator(mode="after")
    def target_is_a_platform(self):
        if self.target_platform not in self.platforms:
            raise ValueError(f"target_platform {self.target_platform!r} is none of the platforms {self.platforms}")
        return self


NOTEBOOKS: dict[str, type[Common]] = {
    "01_baseline": Baseline,
    "02_optimizations": Optimizations,
    "03_quantization": Quantization,
    "04_platforms": Platforms,
    "05_pareto": Pareto,
    "06_methodology": Methodology,
}
