"""How long a battery feeds an application that infers now and then: where its energy goes, and what rules that.

Between two inferences the device sleeps; for each it is awake for the inference and for `awake_ms` more (waking up, sensor,
pre-processing). Everything goes through a regulator, only self-discharge does not. A model with constant powers: no
capacity is lost to peaks, cold or age.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..base.errors import UserError

DAYS_PER_MONTH = 365.25 / 12
PARTS = ["inference", "awake", "sleep", "base", "regulator", "self_discharge"]


def capacity_j(voltage_v: float, capacity_mah: float) -> float:
    """Energy in a full cell in J: V x mAh x 3.6.

    >>> round(capacity_j(3.7, 1000), 3)
    13320.0
    """
    return voltage_v * capacity_mah * 3.6


def inferences_on(energy_j: float, energy_mj: float) -> float:
    """How many inferences a store of energy feeds when it feeds nothing else.

    >>> round(inferences_on(capacity_j(3.7, 1000), 35.0), -3)
    381000.0
    """
    return energy_j * 1e3 / energy_mj


@dataclass(frozen=True)
class Load:
    """What an application draws behind the regulator: one inference, the time awake around it, and the rest.

    `sleep_power_w` flows while the device is not awake, `base_power_w` (a screen, a radio, a sensor that stays on) always.
    """

    latency_ms: float
    energy_mj: float
    awake_ms: float = 0.0
    awake_power_w: float = 0.0
    sleep_power_w: float = 0.0
    base_power_w: float = 0.0

    @property
    def max_per_s(self) -> float:
        """The most inferences a second that the device can do: one behind the other, without sleep."""
        return 1e3 / (self.latency_ms + self.awake_ms)

    def duty(self, per_s: float) -> float:
        """Share of the time that the device is awake; over 1 means that it cannot keep up."""
        return per_s / self.max_per_s


@dataclass(frozen=True)
class Supply:
    """A cell and its regulator. `usable_share` of the capacity is taken from the cell before it counts as empty."""

    voltage_v: float
    capacity_mah: float
    usable_share: float = 1.0
    efficiency: float = 1.0
    self_discharge_per_month: float = 0.0

    @property
    def usable_j(self) -> float:
        """Energy in J that the cell gives before it counts as empty."""
        return capacity_j(self.voltage_v, self.capacity_mah) * self.usable_share

    @property
    def self_discharge_w(self) -> float:
        """What the cell loses inside in W: a share of its full energy every month."""
        full = capacity_j(self.voltage_v, self.capacity_mah)
        return full * self.self_discharge_per_month / (DAYS_PER_MONTH * 86400)


def check_rate(load: Load, per_s: float) -> None:
    """UserError if the device cannot keep up with `per_s` inferences a second, or the rate is none."""
    if not (math.isfinite(per_s) and per_s > 0):
        raise UserError(f"{per_s!r} inferences a second is no rate: give a number above 0.")
    if load.duty(per_s) > 1:
        busy, period = load.latency_ms + load.awake_ms, 1e3 / per_s
        raise UserError(
            f"an inference keeps the device awake for {busy:.3g} ms, longer than the period of {period:.3g} ms (duty "
            f"{load.duty(per_s):.2f}): infer less often or choose a faster configuration."
        )


def power_parts_w(load: Load, per_s: float, efficiency: float = 1.0, self_discharge_w: float = 0.0) -> dict[str, float]:
    """Mean power drawn from the cell in W by part (`PARTS`). UserError if the device cannot keep up (duty over 1).

    >>> parts = power_parts_w(Load(100, 20, awake_ms=100, awake_power_w=0.1, sleep_power_w=0.01), per_s=1, efficiency=0.8)
    >>> {part: round(watts, 4) for part, watts in parts.items() if watts}  # regulator: (0.02 + 0.01 + 0.008) * (1 / 0.8 - 1)
    {'inference': 0.02, 'awake': 0.01, 'sleep': 0.008, 'regulator': 0.0095}
    """
    check_rate(load, per_s)
    parts = {
        "inference": per_s * load.energy_mj / 1e3,
        "awake": per_s * load.awake_ms / 1e3 * load.awake_power_w,
        "sleep": (1 - load.duty(per_s)) * load.sleep_power_w,
        "base": load.base_power_w,
    }
    return parts | {"regulator": sum(parts.values()) * (1 / efficiency - 1), "self_discharge": self_discharge_w}


def battery_life_s(load: Load, supply: Supply, per_s: float) -> float:
    """Seconds until the cell counts as empty. UserError if the device cannot keep up (duty over 1)."""
    return supply.usable_j / sum(power_parts_w(load, per_s, supply.efficiency, supply.self_discharge_w).values())


def crossover_per_s(load: Load, supply: Supply) -> float:
    """The rate at which inferring takes as much as everything that flows anyway; below it a smaller model hardly helps.

    r (E + t_awake P_awake) = (1 - r t) P_sleep + P_base + P_self_discharge x efficiency, solved for r. Over `max_per_s` when
    even a device that infers all the time spends most of its energy on the rest.

    >>> round(crossover_per_s(Load(100, 20, sleep_power_w=0.01), Supply(3.7, 100)), 3)  # 0.01 / (0.020 + 0.1 * 0.01)
    0.476
    """
    each_j = load.energy_mj / 1e3 + load.awake_ms / 1e3 * load.awake_power_w
    resting_w = load.sleep_power_w + load.base_power_w + supply.self_discharge_w * supply.efficiency
    return resting_w / (each_j + load.sleep_power_w / load.max_per_s)


def peak_current_ma(power_w: float, supply: Supply) -> float:
    """Current in mA that the cell gives at its nominal voltage while the device takes `power_w`."""
    return 1e3 * power_w / (supply.efficiency * supply.voltage_v)


def rates_per_s(load: Load, slowest_per_s: float = 1 / 86400, points: int = 60) -> np.ndarray:
    """Rates from once a day to as fast as the device can, evenly in log. The last is just below the fastest."""
    return np.geomspace(min(slowest_per_s, load.max_per_s), load.max_per_s * (1 - 1e-9), points)
