"""The lumped thermal model against its hand-worked solution and the laws of physics."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.platforms.specs import list_platforms, load_platform
from hwaware_utils.platforms.thermal import (
    CONSTANTS,
    estimate_thermal,
    steady_c,
    sustained_share,
    temperature_c,
    time_to_throttle_s,
)

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")

devices = {
    "power_w": st.floats(0.01, 100),
    "resistance_k_w": st.floats(0.1, 100),
    "capacity_j_k": st.floats(0.1, 1000),
    "ambient_c": st.floats(0, 50),
}


def test_a_phone_by_hand():
    # 4 W, 10 K/W, 100 J/K, 25 degC: steady 65 degC, time constant 1000 s, half way after 1000 ln 2 seconds.
    assert steady_c(4, 10, 25) == 65
    assert temperature_c(1000 * math.log(2), 4, 10, 100, 25) == pytest.approx(45)
    assert temperature_c(1000, 4, 10, 100, 25) == pytest.approx(65 - 40 / math.e)
    assert time_to_throttle_s(4, 10, 100, 25, 45) == pytest.approx(1000 * math.log(2))
    assert sustained_share(4, 10, 25, 45) == pytest.approx(0.5)  # 2 W hold 45 degC
    assert temperature_c(1000, 0, 10, 100, 25, start_c=65) == pytest.approx(25 + 40 / math.e)  # cooling down


def test_limits_that_are_never_or_always_reached():
    assert time_to_throttle_s(2, 10, 100, 25, 45) == math.inf  # the steady temperature is the limit itself
    assert sustained_share(2, 10, 25, 45) == 1 and sustained_share(0, 10, 25, 45) == 1
    assert time_to_throttle_s(2, 10, 100, 50, 45) == 0 and sustained_share(2, 10, 50, 45) == 0


@given(**devices)
def test_temperature_rises_and_never_exceeds_the_steady_state(power_w, resistance_k_w, capacity_j_k, ambient_c):
    times = np.geomspace(1e-3, 1e6, 50)
    course = temperature_c(times, power_w, resistance_k_w, capacity_j_k, ambient_c)
    assert (np.diff(course) >= -1e-9).all()
    assert course.min() >= ambient_c and course.max() <= steady_c(power_w, resistance_k_w, ambient_c) + 1e-9


@given(**devices)
def test_heat_in_is_heat_stored_and_heat_shed(power_w, resistance_k_w, capacity_j_k, ambient_c):
    end_s = 3 * resistance_k_w * capacity_j_k
    times = np.linspace(0, end_s, 20001)
    course = temperature_c(times, power_w, resistance_k_w, capacity_j_k, ambient_c)
    shed_j = np.trapezoid((course - ambient_c) / resistance_k_w, times)
    stored_j = capacity_j_k * (course[-1] - ambient_c)
    assert shed_j + stored_j == pytest.approx(power_w * end_s, rel=1e-4)


@given(**devices, headroom_k=st.floats(1, 100))
def test_the_limit_is_met_at_the_time_that_was_told(power_w, resistance_k_w, capacity_j_k, ambient_c, headroom_k):
    limit = ambient_c + headroom_k
    seconds = time_to_throttle_s(power_w, resistance_k_w, capacity_j_k, ambient_c, limit)
    share = sustained_share(power_w, resistance_k_w, ambient_c, limit)
    if math.isinf(seconds):
        assert steady_c(power_w, resistance_k_w, ambient_c) <= limit and share == pytest.approx(1)
    else:
        assert temperature_c(seconds, power_w, resistance_k_w, capacity_j_k, ambient_c) == pytest.approx(limit)
        # What is kept up settles at the limit
        assert steady_c(share * power_w, resistance_k_w, ambient_c) == pytest.approx(limit)


@pytest.mark.parametrize("platform", list_platforms())
def test_every_platform_has_a_thermal_model(platform):
    table = estimate_thermal(platform, 1.0, power_w_low=0.5, power_w_high=2.0)
    check_evidence(table, platform)
    assert (table["temperature_c_low"] <= table["temperature_c"]).all()
    assert (table["temperature_c"] <= table["temperature_c_high"]).all()
    assert (table["temperature_c"] <= table["limit_c"]).all() and table["time_s"].is_monotonic_increasing
    assert table["sustained_share_low"].le(table["sustained_share"]).all() and table["sustained_share"].between(0, 1).all()


def test_a_throttled_device_holds_its_limit_and_slows_down():
    spec = load_platform("arm_cortex_a78")
    resistance, _, limit, ambient = (spec.value(name) for name in CONSTANTS)
    table = estimate_thermal(spec, 10.0, seconds=7200)
    last, first = table.iloc[-1], table.iloc[0]
    assert last["throttled"] and last["temperature_c"] == limit
    assert last["throughput_share"] == pytest.approx((limit - ambient) / resistance / 10)
    assert not first["throttled"] and first["throughput_share"] == 1
    assert not estimate_thermal(spec, 0.5)["throttled"].any()


def test_bad_input_is_told():
    for power in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="power"):
            estimate_thermal("arm_cortex_a78", power)
    with pytest.raises(UserError, match="range"):
        estimate_thermal("arm_cortex_a78", 2.0, power_w_low=3.0)
    with pytest.raises(UserError, match="course of time"):
        estimate_thermal("arm_cortex_a78", 2.0, seconds=0)
