"""What the parameters of all notebooks have in common: types with their ranges, and the parameters that each one takes."""

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Alpha = Annotated[float, Field(gt=0, le=2)]
Resolution = Annotated[int, Field(ge=32, le=224, multiple_of=32)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Kept = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
IMAGENET_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
Cut = Literal["latency", "memory", "energy"]  # the architectures that notebook 02 cuts from the baseline
Architecture = Literal["baseline", Cut]
Precision = Literal["fp32", "fp16", "dynamic", "int8_ptq", "int8_qat", "mixed"]


class Common(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] = "smoke"
    dataset: Literal["digits", "cifar10", "folder"] = "digits"
    data_dir: str = ""
    seed: Count = 7


class Timing(Common):
    threads: Annotated[int, Field(ge=1, le=os.cpu_count() or 1)] = 1
    warm_up_runs: Count = 10
    n_runs: Annotated[int, Field(ge=10)] = 100
