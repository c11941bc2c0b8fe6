"""The parameters of the notebooks that model, simulate and decide (04 to 06)."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from .errors import nearest
from .results import ROOT
from .schema_types import Common, Positive


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
    simulated: Annotated[list[str], Field(min_length=1)] = ["baseline", "memory"]
    simulated_inputs: Positive = 4
    simulate_live: bool = False


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
