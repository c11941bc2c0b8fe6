"""Figures about the decision. Table in, chart out."""

import altair as alt
import pandas as pd

from ..base.errors import UserError
from .charts import INK, PALETTE
from .encodings import evidence_shape, points, tooltip


def limit_staircase(steps: pd.DataFrame, limit: float | None = None) -> alt.LayerChart:
    """What each limit buys: the best objective as the limit loosens, a step where the choice changes.

    `steps` from `sensitivity.staircase`; `limit`: the application's, a dashed line. UserError without a step.
    """
    if steps.empty:
        raise UserError("no limit lets any configuration in, so there is nothing to draw: relax the other limits first.")
    name, unit, goal = steps["constraint"].iloc[0], steps["limit_unit"].iloc[0], steps["goal"].iloc[0]
    what = f"{name.split('_')[0]} limit" + (f" ({unit})" if unit else "")
    most = max(steps["limit"].max(), limit or 0.0) * 1.15
    # The last step lasts to the edge; the point that draws it there is no configuration
    ends = pd.concat([steps[["limit", "value"]], pd.DataFrame({"limit": [most], "value": [steps["value"].iloc[-1]]})])
    x = alt.X("limit:Q", title=what, scale=alt.Scale(domain=[0, most], nice=False))
    y = alt.Y("value:Q", title=f"best {goal} ({steps['unit'].iloc[0]})", scale=alt.Scale(zero=False, padding=18))
    line = alt.Chart(ends).mark_line(interpolate="step-after", stroke=INK, strokeWidth=1.5, opacity=0.5).encode(x=x, y=y)
    tips = tooltip(steps, "variant", "limit", "value")
    blue = {"fill": alt.value(PALETTE[0]), "stroke": alt.value(PALETTE[0])}
    dots = points(alt.Chart(steps)).encode(x=x, y=y, shape=evidence_shape(), tooltip=tips, **blue)
    names = alt.Chart(steps).mark_text(align="right", dx=-8, dy=-8, color=INK).encode(x=x, y=y, text="variant:N")
    layers = [line, dots, names]
    if limit is not None:
        mark = alt.Chart(pd.DataFrame({"limit": [limit]})).mark_rule(strokeDash=[4, 3], color=INK).encode(x="limit:Q")
        layers.insert(0, mark)
    told = "; ".join(f"from {r.limit:.4g} {r.limit_unit} {r.variant}, {r.value:.4g} {r.unit}" for r in steps.itertuples())
    ruled = f" The application's limit, {limit:g}, is dashed." if limit is not None else ""
    return alt.layer(*layers).properties(description=f"Step line of the best {goal} against the {what}: {told}.{ruled}")
