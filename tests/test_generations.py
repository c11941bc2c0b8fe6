"""Hardware generations: cited or said to be missing, relative to the first, the clock taken out by hand."""

import copy

import pandas as pd
import pytest
import yaml

from hwaware_utils.base.errors import UserError
from hwaware_utils.platforms import generations
from hwaware_utils.platforms.published import load_published
from hwaware_utils.platforms.specs import load_platform


@pytest.fixture(scope="module")
def table():
    return generations.load_generations()


@pytest.fixture
def content():
    return copy.deepcopy(yaml.safe_load(generations.PATH.read_text()))


class TestFigures:
    def test_a_figure_has_a_source_and_what_is_missing_has_none(self, table):
        found = table["value"].notna()
        assert (table["source"] != "").eq(found).all()
        assert table["found"].eq(generations.NONE_FOUND).eq(~found).all()
        assert table.loc[~found, "speed"].isna().all()
        assert (table.loc[found, "unit"] != "").all()

    def test_every_family_of_the_report_is_there(self, table):
        assert set(table["family"]) == {"Apple M", "Cortex-A", "Cortex-M", "Ethos-U"}

    def test_only_the_compilers_estimates_are_modelled(self, table):
        assert set(table.loc[table["evidence"] == "modelled", "series"]) == {"ethos_u_vela"}

    def test_figures_from_the_published_table_are_those_of_the_table(self, table):
        own = load_published().set_index(["device", "model", "runtime", "precision", "threads"])
        row = table[(table["series"] == "cortex_a_paddle") & (table["generation"] == "Cortex-A77")].iloc[0]
        key = ("Xiaomi MI10 (SD865)", "mobilenetv2", "Paddle-Lite v2.11 armv8", "fp32", "1")
        assert row["value"] == own.sort_index().loc[key, "latency_ms"].item()

    def test_estimates_stand_for_platforms_at_their_clocks(self, table):
        ids = {"U55-256": "ethos_u55_256", "U65-256": "ethos_u65_256", "U85-256": "ethos_u85_256"}
        for row in table[table["series"] == "ethos_u_vela"].itertuples():
            assert row.clock_mhz == load_platform(ids[row.generation]).value("clock_mhz")


class TestRatios:
    def test_cortex_m4_to_m7_by_hand(self, table):
        # MLPerf Tiny v1.2: 11.245 inferences a second at 120 MHz, 23.804 ms at 280 MHz
        row = table[(table["series"] == "cortex_m_vww") & (table["generation"] == "Cortex-M7")].iloc[0]
        assert row["speed"] == pytest.approx(1000 / 11.245 / 23.804, rel=1e-3)
        assert row["speed_per_clock"] == pytest.approx(1000 / 11.245 / 23.804 * 120 / 280, rel=1e-3)

    def test_the_first_figure_is_one(self, table):
        first = table[(table["order"] == 0) & table["value"].notna()]
        assert (first["speed"] == 1).all()

    def test_more_is_better_where_the_unit_is_a_rate(self, table):
        series = table[table["series"] == "apple_ane"].sort_values("value")
        assert series["speed"].is_monotonic_increasing

    def test_steps_multiply_to_the_whole(self, table):
        steps = generations.generation_steps(table)
        whole = steps.groupby("series")["gain"].prod()
        last = table.dropna(subset=["speed"]).sort_values("order").groupby("series")["speed"].last()
        for series, product in whole.items():
            assert product == pytest.approx(last[series])

    def test_a_missing_generation_is_passed_over_by_name(self, table):
        steps = generations.generation_steps(table).set_index("series")["step"]
        assert steps["cortex_a_ncnn"] == "Cortex-A76 to Cortex-A78"

    def test_int8_is_compared_on_one_board_and_runtime(self):
        gains = generations.quantisation_gains()
        assert (gains["gain"] == gains["from_ms"] / gains["to_ms"]).all()
        own = load_published()
        for row in gains.itertuples():
            assert ((own["device"] == row.device) & (own["runtime"] == row.runtime) & (own["precision"] == row.to)).any()


class TestRefusals:
    def refused(self, content, match):
        with pytest.raises(UserError, match=match) as refusal:
            series, _ = generations.parse_generations(content, "generations.yaml")
            pd.concat([pd.DataFrame(generations.tabulate_series(one)) for one in series])
        assert "\n" not in str(refusal.value)

    def test_a_figure_without_a_source(self, content):
        content["series"][1].pop("source")
        self.refused(content, "source and date")

    def test_an_unknown_key(self, content):
        content["series"][0]["entries"][1]["latency_ms"] = 3
        self.refused(content, "latency_ms")

    def test_a_negative_figure(self, content):
        content["series"][1]["entries"][1]["value"] = -1.0
        self.refused(content, "greater than 0")

    def test_rows_that_match_nothing_or_too_much(self, content):
        broken = copy.deepcopy(content)
        broken["series"][0]["entries"][0]["rows"]["device"] = "MacBook Pro M9"
        self.refused(broken, "0 published measurements match")
        content["series"][0]["entries"][0]["rows"].pop("model")
        self.refused(content, "published measurements match")
