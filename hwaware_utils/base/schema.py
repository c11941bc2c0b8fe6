"""One Pydantic model per notebook: names, types, ranges and defaults of its parameters.

The defaults are the smoke profile and equal the literals in the notebooks' parameter cells (tests/test_params.py).
"""

from .schema_decide import Applications, Exploration, Methodology, Pareto, Platforms, Simulators, Updates
from .schema_study import Aspects, Baseline, Failures, Memory, Optimizations, Quantization, Toolchains
from .schema_types import Common

NOTEBOOKS: dict[str, type[Common]] = {
    "01_baseline": Baseline,
    "02_optimizations": Optimizations,
    "02b_memory": Memory,
    "03_quantization": Quantization,
    "03b_int8_failures": Failures,
    "03c_toolchains": Toolchains,
    "04_platforms": Platforms,
    "04b_memory_energy": Platforms,
    "04c_simulators": Simulators,
    "04d_utilization": Platforms,
    "05_pareto": Pareto,
    "05b_exploration": Exploration,
    "06_methodology": Methodology,
    "06b_applications": Applications,
    "06c_updates": Updates,
    "06d_decide": Methodology,
    "08_aspects": Aspects,
    "07_claims_audit": Common,
}
