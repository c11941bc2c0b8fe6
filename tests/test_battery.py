"""Battery life: worked by hand, within its physical bounds, and never promised where the device cannot keep up."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.battery import (
    PARTS,
    Load,
    Supply,
    battery_life_s,
    capacity_j,
    crossover_per_s,
    inferences_on,
    peak_current_ma,
    power_parts_w,
    rates_per_s,
)

watts = st.floats(1e-6, 5.0)
loads = st.builds(
    Load,
    latency_ms=st.floats(0.1, 1000),
    energy_mj=st.floats(0.01, 500),
    awake_ms=st.floats(0, 1000),
    awake_power_w=watts,
    sleep_power_w=st.floats(0, 0.01),
    base_power_w=st.floats(0, 3),
)
supplies = st.builds(
    Supply,
    voltage_v=st.floats(1, 12),
    capacity_mah=st.floats(10, 5000),
    usable_share=st.floats(0.5, 1),
    efficiency=st.floats(0.5, 1),
    self_discharge_per_month=st.floats(0, 0.1),
)
shares = st.floats(0.001, 1)


def rate_at(load, share):
    """A rate that keeps the device awake for this share of the time."""
    return load.max_per_s * share * (1 - 1e-9)


class TestWorkedByHand:
    def test_a_cell_of_1000_mah_at_3_7_v_feeds_380_thousand_inferences_of_35_mj(self):
        assert capacity_j(3.7, 1000) == pytest.approx(13_320)
        assert inferences_on(capacity_j(3.7, 1000), 35) == pytest.approx(380_571, abs=1)

    def test_a_duty_cycle(self):
        # 10 ms at 0.1 W every second and 1 mW asleep for the other 990 ms: 1 mJ + 0.99 mJ a second from 3.6 J
        load = Load(latency_ms=10, energy_mj=1.0, sleep_power_w=1e-3)
        assert battery_life_s(load, Supply(voltage_v=1, capacity_mah=1), per_s=1) == pytest.approx(3.6 / 1.99e-3)

    def test_awake_before_and_after_the_inference_counts(self):
        # The same with 40 ms more awake at 0.1 W: 1 + 4 mJ, asleep for 950 ms
        load = Load(10, 1.0, awake_ms=40, awake_power_w=0.1, sleep_power_w=1e-3)
        assert sum(power_parts_w(load, 1).values()) == pytest.approx(5.95e-3)

    def test_what_is_always_on_is_on_while_inferring_too(self):
        assert power_parts_w(Load(500, 10, base_power_w=2), 2)["base"] == 2

    def test_a_regulator_of_80_percent_takes_a_quarter_more(self):
        parts = power_parts_w(Load(10, 8.0), 1, efficiency=0.8)
        assert parts["regulator"] == pytest.approx(parts["inference"] / 4)

    def test_an_unused_cell_empties_by_itself(self):
        # 10 % a month of the full cell, 1e-9 W asleep: ten months, whatever the regulator does
        supply = Supply(3.7, 1000, efficiency=0.5, self_discharge_per_month=0.1)
        life_s = battery_life_s(Load(1, 1e-9, sleep_power_w=1e-12), supply, per_s=1e-6)
        assert life_s / (86400 * 365.25 / 12) == pytest.approx(10, rel=1e-6)

    def test_peak_current(self):
        assert peak_current_ma(0.18, Supply(3.0, 225, efficiency=0.9)) == pytest.approx(66.7, abs=0.1)


class TestBounds:
    @given(loads, supplies, shares)
    def test_the_parts_add_up_to_the_energy_of_the_cell(self, load, supply, share):
        rate = rate_at(load, share)
        parts = power_parts_w(load, rate, supply.efficiency, supply.self_discharge_w)
        assert set(parts) == set(PARTS) and min(parts.values()) >= 0
        assert sum(parts.values()) * battery_life_s(load, supply, rate) == pytest.approx(supply.usable_j)

    @given(loads, supplies, shares)
    def test_no_more_inferences_than_the_energy_allows(self, load, supply, share):
        rate = rate_at(load, share)
        done = battery_life_s(load, supply, rate) * rate
        assert done <= inferences_on(supply.usable_j * supply.efficiency, load.energy_mj) * (1 + 1e-9)

    @given(loads, supplies, shares, shares)
    def test_inferring_more_often_never_lengthens_the_life(self, load, supply, one, other):
        assume(load.energy_mj / load.latency_ms >= load.sleep_power_w and load.awake_power_w >= load.sleep_power_w)
        seldom, often = sorted((one, other))
        lives = [battery_life_s(load, supply, rate_at(load, share)) for share in (seldom, often)]
        assert lives[1] <= lives[0] * (1 + 1e-9)

    @given(loads, supplies)
    def test_at_the_crossover_inferring_takes_as_much_as_the_rest(self, load, supply):
        rate = crossover_per_s(load, supply)
        assume(0 < rate <= load.max_per_s * (1 - 1e-9))
        parts = power_parts_w(load, rate, supply.efficiency, supply.self_discharge_w)
        rest = parts["sleep"] + parts["base"] + parts["self_discharge"] * supply.efficiency
        assert parts["inference"] + parts["awake"] == pytest.approx(rest)


class TestRefusals:
    @given(loads, st.floats(1.001, 1e6))
    def test_a_device_that_cannot_keep_up_gets_no_life(self, load, times):
        with pytest.raises(UserError, match=r"longer than the period.*duty"):
            battery_life_s(load, Supply(3.7, 1000), load.max_per_s * times)

    @pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
    def test_a_rate_that_is_none(self, rate):
        with pytest.raises(UserError, match="is no rate"):
            power_parts_w(Load(1, 1), rate)

    @given(loads)
    def test_the_rates_of_a_sweep_can_be_kept(self, load):
        rates = rates_per_s(load, points=7)
        assert np.all(np.diff(rates) > 0) and all(load.duty(rate) <= 1 for rate in rates)
