"""Utilisation: worked by hand, bounded by physics on any network, the same as the simulators' own, never above one."""

import math

import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide import bottleneck
from hwaware_utils.platforms import denominators, headroom, latency, roofline, specs, utilization, utilization_constants
from hwaware_utils.platforms.mobilenet import mobilenet_workload
from hwaware_utils.platforms.survey import survey_energy_parts
from hwaware_utils.report import figures
from hwaware_utils.simulate import utilization as simulated

STORED = ROOT / "results" / "reference"
SHARES = ["utilization", "utilization_low", "utilization_high"]
PRECISIONS = ["fp32", "fp16", "dynamic", "int8"]


def stored(name):
    return pd.read_csv(STORED / f"{name}.csv")


@pytest.fixture(scope="module")
def survey():
    """`utilization.csv` of the stored reference, from its other tables."""
    operators = {name: table.reset_index(drop=True) for name, table in stored("workloads").groupby("variant")}
    runs = {name: stored(name) for name in simulated.TABLES}
    return bottleneck.survey_utilization(
        stored("variants"), operators, stored("latency"), stored("memory"), stored("fits"), stored("energy_breakdown"), runs
    )


def one_row(latency_ms=2.0, low=1.0, high=4.0, evidence="modelled", platform="arm_cortex_a78", precision="fp32"):
    return {
        "variant": "v", "platform": platform, "precision": precision, "threads": 1, "basis": "by hand", "evidence": evidence,
        "latency_ms": latency_ms, "latency_ms_low": low, "latency_ms_high": high,
    }  # fmt: skip


def network(macs, weight_bytes=4000, activation_bytes=8000):
    row = {"index": 0, "operator": "CONV_2D", "macs": macs, "weight_bytes": weight_bytes, "activation_bytes": activation_bytes}
    return pd.DataFrame([row | {"dtype": "float32", "weight_dtype": "float32"}])


class TestByHand:
    def test_half_the_multipliers_of_a_cortex_a78(self):
        macs = 8 * 2.42e9 * 1e-3  # one millisecond of 8 MACs a cycle at 2.42 GHz
        table = utilization.estimate_utilization(network(macs), one_row()).set_index("resource")
        assert table.loc["compute", "utilization"] == pytest.approx(0.5)
        assert table.loc["compute", "limit"] == pytest.approx(8 * 2.42)
        assert table.loc["unexplained", "utilization"] == pytest.approx(0.5)

    def test_load_ports_and_cache_of_a_cortex_a78(self):
        table = utilization.estimate_utilization(network(1000), one_row()).set_index("resource")
        assert table.loc["load_ports", "utilization"] == pytest.approx(12_000 / (32 * 2.42e9 * 2e-3))
        assert table.loc["cache_space", "utilization"] == pytest.approx(12_000 / (4096 * 1024))
        assert table.loc["memory_bandwidth", "utilization_high"] == 0  # all of it fits the cache at its smallest
        assert table.loc["cache_hits", "utilization"] == 1

    def test_weights_beyond_the_cache_come_from_memory(self):
        mib = 1 << 20
        table = utilization.estimate_utilization(network(1000, 9 * mib, mib), one_row()).set_index("resource")
        assert table.loc["memory_bandwidth", "utilization"] == pytest.approx(6 * mib / 51.2e9 / 2e-3)
        assert table.loc["cache_space", SHARES].tolist() == [1, 1, 1]

    def test_a_modelled_time_below_its_bound_is_a_defect(self):
        macs = 8 * 2.42e9 * 3e-3
        with pytest.raises(utilization.OverLimit, match="compute: busy for 3 ms of 2 ms"):
            utilization.estimate_utilization(network(macs), one_row())

    def test_a_measured_time_below_its_bound_gets_no_number(self):
        macs = 8 * 2.42e9 * 3e-3
        table = utilization.estimate_utilization(network(macs), one_row(evidence="measured")).set_index("resource")
        assert table.loc["compute", SHARES].isna().all()
        assert table.loc["compute", "basis"].startswith("no number: busy for 3 ms of 2 ms")

    def test_heat_of_a_phone(self):
        found = headroom.heat(specs.load_platform("arm_cortex_a78"), 3)
        spec = specs.load_platform("arm_cortex_a78").value
        budget = (spec("throttle_c") - spec("ambient_c")) / spec("thermal_resistance_k_w")
        assert found["share"][0] == pytest.approx(spec("power_all_cores_w") / budget)
        assert found["degrees_left"] == pytest.approx(budget * (1 - found["share"][0]) * spec("thermal_resistance_k_w"))

    def test_ram_that_does_not_fit_has_no_share(self):
        row = {"variant": "v", "platform": "arm_cortex_m7", "ram_kib": 500.0, "ram_kib_low": 450.0, "ram_kib_high": 550.0}
        row |= {"flash_kib": 1024.0, "flash_kib_low": 1000.0, "flash_kib_high": 1100.0}
        table = headroom.memory_shares(row).set_index("resource")
        assert table.loc["flash", "utilization"] == 0.5
        assert table.loc["ram", "utilization_high"] == 1
        assert "might not fit" in table.loc["ram", "basis"]
        with pytest.raises(ValueError, match="does not run"):
            headroom.memory_shares(row | {"ram_kib": 513.0})

    def test_the_shares_of_an_energy(self):
        parts = pd.DataFrame({"part": ["compute", "memory", "static"], "energy_mj": [1.0, 1.0, 2.0], "evidence": "modelled"})
        parts = parts.assign(variant="v", platform="arm_cortex_m7", energy_mj_low=[0.5, 1, 1], energy_mj_high=[2.0, 1, 5])
        table = headroom.energy_shares(parts)
        assert table["utilization"].tolist() == [0.25, 0.25, 0.5]
        assert table.loc[0, "utilization_low"] == pytest.approx(0.5 / 6.5)
        assert table.loc[0, "utilization_high"] == pytest.approx(2 / 4)


class TestPhysics:
    @settings(max_examples=12, deadline=None)
    @given(
        st.sampled_from(["mobilenet_v1", "mobilenet_v2"]), st.floats(0.1, 4), st.integers(32, 1024),
        st.sampled_from(PRECISIONS), st.booleans(), st.integers(0, 10**6),
    )  # fmt: skip
    def test_no_network_uses_more_than_a_machine_has(self, family, alpha, resolution, precision, every_core, pick):
        known = [s for s in map(specs.load_platform, specs.list_platforms()) if s.runs(precision)]
        work = mobilenet_workload(family, alpha, resolution, 10, precision)
        for k in range(4):  # four of them an example, all of them over the examples
            spec = known[(pick + k) % len(known)]
            threads = int(spec.value("cores")) if every_core else 1
            row = latency.estimate_latency(work, spec, precision, threads, "v")
            parts = survey_energy_parts(pd.DataFrame([row]), {"v": work})
            tables = [utilization.estimate_utilization(work, row), headroom.heat_share(row), headroom.energy_shares(parts)]
            table = pd.concat(tables)
            shares = table.set_index("resource")[SHARES]
            # Only the traffic from memory is an estimate that a latency may refute; it then has no number at all.
            assert shares.drop(index="memory_bandwidth").notna().all(axis=None)
            shares = shares.dropna()
            assert shares.ge(0).all(axis=None) and shares.le(1).all(axis=None)
            assert (shares["utilization_low"] <= shares["utilization"]).all()
            assert (shares["utilization"] <= shares["utilization_high"]).all()
            bound = roofline.bound_ms(work, spec, precision, threads)
            assert shares.loc["unexplained", "utilization"] == pytest.approx(1 - bound / row["latency_ms"], abs=1e-9)

    @given(st.lists(st.floats(0, 1e6), min_size=6, max_size=6))
    def test_an_interval_holds_its_value_and_ends_at_one(self, numbers):
        work, time = sorted(numbers[:3]), sorted(numbers[3:])
        busy, elapsed = (work[1], work[0], work[2]), (time[1], time[0], time[2])
        if busy[0] > elapsed[0]:
            with pytest.raises(utilization.OverLimit):
                utilization.busy_share(busy, (elapsed[0] / 2, elapsed[1] / 2, elapsed[2] / 2))
        else:
            value, low, high = utilization.busy_share(busy, elapsed)
            assert 0 <= low <= value <= high <= 1

    @pytest.mark.parametrize("platform", specs.list_platforms())
    def test_no_device_sheds_more_than_it_can(self, platform):
        spec = specs.load_platform(platform)
        for cores in {1, int(spec.value("cores"))}:
            found = headroom.heat(spec, cores)
            value, low, high = found["share"]
            assert 0 < low <= value <= high <= 1
            assert found["degrees_left"] >= -1e-9
            assert (found["sustained"][0] < 1) <= (value == pytest.approx(1))  # slowed down: the whole budget is in use


class TestReference:
    def test_every_running_pair_has_its_rows_and_none_is_above_one(self, survey):
        assert survey[SHARES].ge(0).all(axis=None) and survey[SHARES].le(1).all(axis=None)
        assert not survey.duplicated(["variant", "platform", "resource"]).any()
        fits = stored("fits").query("fits")
        assert set(map(tuple, survey[["variant", "platform"]].values)) == set(map(tuple, fits[["variant", "platform"]].values))
        common = {"compute", "load_ports", "memory_bandwidth", "cache_space", "cache_hits", "unexplained", "heat", "ram"}
        for pair, rows in survey.groupby(["variant", "platform"]):
            assert common | {"energy_compute", "energy_memory", "energy_static"} <= set(rows["resource"]), pair

    def test_a_simulation_goes_before_a_model(self, survey):
        ran = survey[(survey["variant"] == "memory-int8_ptq") & (survey["platform"] == "arm_cortex_m7")].set_index("resource")
        assert set(ran.index[ran["evidence"] == "simulated"]) >= {"compute", "issue", "load_ports", "memory_bandwidth"}
        run = stored("simulations").query("variant == 'memory-int8_ptq' and on == 'cortex_m7'").iloc[0]
        assert ran.loc["issue", "utilization_high"] == pytest.approx(run["instructions"] / run["cycles_low"] / 2)

    def test_simd_is_the_share_that_the_simulator_itself_gives(self, survey):
        own = stored("simulated_estimates").query("on == 'cortex_a78'")
        simd = survey[survey["resource"] == "simd"].set_index("variant")
        assert len(simd) == 12
        for variant, rows in own.groupby("variant"):
            ends = rows.set_index("estimate")["simd_utilization"]
            assert simd.loc[variant, "utilization_high"] == pytest.approx(ends["low"], rel=1e-5)
            assert simd.loc[variant, "utilization_low"] == pytest.approx(ends["high"], rel=1e-5)

    def test_the_traffic_that_is_modelled_agrees_with_the_simulated_caches(self):
        spec = specs.load_platform("arm_cortex_a78")
        caches = stored("simulated_caches").query("level == 'L3'").set_index("variant")["bytes_in"]
        operators = stored("workloads")
        outside = []
        for variant, moved in caches.items():
            _, low, high = utilization.far_bytes(operators[operators["variant"] == variant], spec)
            outside += [] if low <= moved <= high else [(variant, low, moved, high)]
        assert not outside

    def test_heat_is_that_of_the_thermal_model(self):
        last = stored("thermal").groupby("platform").last()
        every = headroom.thermal_headroom(list(last.index)).drop_duplicates("platform", keep="last").set_index("platform")
        for name in ("sustained_share", "sustained_share_low", "sustained_share_high"):
            assert every[name].tolist() == pytest.approx(last.loc[every.index, name].tolist())

    def test_what_limits(self, survey):
        limits = bottleneck.find_bottlenecks(survey).set_index(["variant", "platform"])
        near = utilization_constants.near_limit()
        assert ((limits["bottleneck"] != bottleneck.NONE) == (limits["utilization"] >= near)).all()
        assert limits.loc[("energy-int8_ptq", "arm_cortex_m7"), "bottleneck"] == "flash"
        assert limits.loc[("baseline-fp32", "arm_cortex_a78"), "bottleneck"] == "simd"
        assert limits["resource"].ne("cache_space").all()
        assert limits[limits["certain"] & (limits["bottleneck"] != bottleneck.NONE)]["utilization_low"].ge(near).all()

    def test_the_charts_tell_their_largest_share(self, survey):
        precisions = stored("variants")[["variant", "precision"]]
        chart = figures.utilization(survey.merge(precisions, on="variant")).to_dict()
        assert "arm_cortex_m7 int8_ptq: flash 93%" in chart["description"]
        told = figures.bottlenecks(bottleneck.find_bottlenecks(survey), utilization_constants.near_limit()).to_dict()
        assert "energy-int8_ptq on arm_cortex_m7: flash 93%" in told["description"]


class TestDenominators:
    def test_the_claim_comes_out_of_the_wrong_denominators_only(self):
        table = denominators.compare_denominators(stored("latency"))
        claim, rows = utilization_constants.load_claim()
        theirs = table[table["source"] == claim["source"]]
        assert theirs["flop_share"].tolist() == pytest.approx(
            [row.flops_m * 1e6 / (row.latency_ms * 1e-3) / 50e9 for row in rows.itertuples()]
        )
        own = table[table["source"] == "this study"]
        assert (own["flop_share"] > 1).sum() >= 5
        assert own["share"].between(0, 1).all()
        assert (table["share"] / table["cores"]).le(1).all()

    def test_a_flop_is_half_a_mac(self):
        shares = denominators.three_shares(51.2, "apple_m1", "fp32", claimed_gflops=51.2)
        assert shares == {"flop_share": 2.0, "float_share": 1.0, "share": 1.0}


class TestBadInput:
    def test_simulations_that_are_missing_are_named(self):
        with pytest.raises(UserError, match="run notebooks/04c_simulators"):
            simulated.load_simulated("no_such_profile")

    def test_a_share_outside_of_0_to_1_is_refused(self):
        row = one_row()
        for share in ((1.2, 1.0, 1.3), (0.5, 0.6, 0.7), (0.5, 0.4, math.nan)):
            with pytest.raises(ValueError, match="no share"):
                utilization.utilization_row(row, "compute", share, 1.0, "GMAC/s", "by hand")


def test_without_a_simulated_platform_every_modelled_row_stays():
    row = dict.fromkeys(utilization.COLUMNS, 0.5) | {"variant": "a", "platform": "apple_m1", "resource": "compute"}
    modelled = pd.DataFrame([row])
    pd.testing.assert_frame_equal(simulated.prefer_simulated(modelled, modelled.head(0)), modelled)
