"""Every simulator reports under the same names."""

import pytest

from hwaware_utils.simulate.summary import COLUMNS, summary_row


def test_summary_row_has_the_columns_of_the_contract_and_no_invented_zeros():
    row = summary_row(evidence="simulated", variant="v", cycles_low=3, cycles_high=4)
    assert list(row.columns) == COLUMNS
    assert row["instructions"].isna().all()
    assert row.loc[0, "cycles_low"] == 3


def test_summary_row_refuses_a_row_that_does_not_say_how_it_is_known():
    with pytest.raises(ValueError, match="evidence"):
        summary_row(variant="v")
    with pytest.raises(ValueError, match="guessed"):
        summary_row(variant="v", evidence="guessed")


def test_summary_row_refuses_an_unknown_column():
    with pytest.raises(ValueError, match="cycle_low"):
        summary_row(evidence="simulated", cycle_low=3)
