"""The parameters of the notebooks that model, simulate and decide (04 to 06)."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from .errors import nearest
from .results import ROOT
from .schema_types import Architecture, Common, Count, Positive, Rate, Resolution, Share


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


class Simulators(Platforms):
    simulators: list[Literal["cortex_m7", "cortex_a78", "browser", "ethos_u", "renode", "x86_host"]] = ["cortex_m7"]
    simulated: Annotated[list[Architecture], Field(min_length=1)] = ["baseline", "memory"]
    simulated_inputs: Positive = 4
    simulate_live: bool = False


class Pareto(Platforms):
    pass


class Targeted(Platforms):
    target_platform: str = "arm_cortex_m7"

    @model_validator(mode="after")
    def target_is_a_platform(self):
        if self.target_platform not in self.platforms:
            raise ValueError(f"target_platform {self.target_platform!r} is none of the platforms {self.platforms}")
        return self


class Exploration(Targeted):
    retrain: bool = False
    explore_points: Count = 1
    explore_resolutions: Annotated[list[Resolution], Field(min_length=1)] = [32]
    explore_epochs: Positive = 1
    explore_images: Positive = 300
    explore_learning_rate: Rate = 0.002
    teacher_weight: Share = 0.7
    temperature: Annotated[float, Field(gt=0)] = 4.0
    candidates: Annotated[list[list[float]], Field(min_length=1)] = [[0.6, 1.0, 0.5, 32]]
    candidate_epochs: Positive = 2
    candidate_learning_rate: Rate = 0.002
    calibration_images: Positive = 200
    explore_trials: Annotated[int, Field(ge=4)] = 40
    scaling_trials: Annotated[int, Field(ge=16)] = 16

    @field_validator("candidates")
    @classmethod
    def candidates_are_points(cls, candidates):
        for row in candidates:
            if len(row) != 4 or not all(0 < share <= 1 for share in row[:3]) or row[3] not in range(32, 225, 32):
                raise ValueError(f"{row} is no network: give [expansion, stream, head, resolution], shares over 0 and up to 1")
        return candidates


class Methodology(Targeted):
    objective: Literal["latency", "memory", "energy", "accuracy", "balanced"] = "accuracy"
    max_latency_ms: Annotated[float, Field(gt=0)] = 200.0


class Applications(Common):
    pass


class Updates(Common):
    retrain: bool = False
    updated: Annotated[list[Architecture], Field(min_length=1)] = ["memory"]
    update_corruption: Literal["noise", "blur", "brightness", "contrast"] = "contrast"
    update_severity: Annotated[int, Field(ge=1, le=5)] = 5
    update_images: Annotated[int, Field(ge=2)] = 800
    update_steps: Positive = 40
    update_learning_rate: Rate = 0.0003
    calibration_images: Positive = 200
    test_images: Annotated[int, Field(ge=16)] = 480
    drift_severities: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)] = [5]
    drift_window: Annotated[int, Field(ge=2)] = 60
    false_alarm_rate: Rate = 0.01

    @model_validator(mode="after")
    def windows_fit(self):
        if 8 * self.drift_window > self.test_images:
            raise ValueError(f"drift_window {self.drift_window} must be at most an eighth of test_images {self.test_images}")
        if self.calibration_images > self.update_images:
            raise ValueError(f"calibration_images {self.calibration_images} must not exceed update_images {self.update_images}")
        return self
