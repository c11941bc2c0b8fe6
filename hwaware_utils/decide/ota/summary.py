"""What thousands of simulated power cuts come to: a row for every kind of write and every way in which it can end."""

import pandas as pd


def power_cut_summary(cuts: pd.DataFrame) -> pd.DataFrame:
    """power_cuts.csv, from `power_cuts.cut_everywhere`.

    Columns: region (journal, slot 0, slot 1), kind (erase, program), outcome (of the interrupted write), cuts, boots_old,
    boots_new, bricked (how many devices), tried_again, installed_again (of those that took the package once more), evidence.
    """
    told = cuts.assign(
        boots_old=cuts["boots"] == "old", boots_new=cuts["boots"] == "new", bricked=cuts["boots"] == "nothing",
        tried_again=cuts["installs_again"].notna(), installed_again=cuts["installs_again"].eq(True),  # missing: not tried
    )  # fmt: skip
    counted = ["boots_old", "boots_new", "bricked", "tried_again", "installed_again"]
    groups = told.groupby(["region", "kind", "outcome"], as_index=False, sort=False)
    table = groups[counted].sum().astype(dict.fromkeys(counted, int))
    table.insert(3, "cuts", groups.size()["size"])
    return table.assign(evidence=cuts["evidence"].iloc[0])
