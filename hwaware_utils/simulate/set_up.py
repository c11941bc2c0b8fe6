"""What each simulator needs beyond requirements.txt: fetched on request, each one optional."""

import pandas as pd

from ..base.errors import UserError


def set_up_simulators(say=print) -> pd.DataFrame:
    """Set up every simulator that can be; a row each: `simulator, ready, note`. A failure of one does not stop the others."""
    from .browser import set_up_browser
    from .cortex_a import set_up_guest
    from .ethos_u import set_up_ethos_u
    from .renode import why_not_run

    steps = {"cortex_a78": set_up_guest, "browser": set_up_browser, "ethos_u": set_up_ethos_u}
    rows = [(name, True, "needs nothing more") for name in ("cortex_m7", "x86_host")]
    for name, set_up in steps.items():
        say(f"{name} ...")
        try:
            set_up(say=say)
            rows.append((name, True, ""))
        except UserError as error:
            rows.append((name, False, str(error)))
    rows.append(("renode", not why_not_run(), why_not_run()))
    return pd.DataFrame(rows, columns=["simulator", "ready", "note"])
