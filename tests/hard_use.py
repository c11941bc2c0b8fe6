"""All the hard use, counted into results/reliability.csv: `make hard`. Half an hour on two cores."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

from hwaware_utils.base.provenance import provenance
from hwaware_utils.base.results import ROOT, written_whole

TRIES = {
    "damaged profile": ("hard_fuzz.py", "profile", "1000"),
    "damaged model": ("hard_fuzz.py", "model", "1000"),
    "damaged store": ("hard_fuzz.py", "stored", "500"),
    "killed run": ("hard_kills.py", "50"),
}


def row(what: str, answer: dict) -> dict:
    """A line of the table, from what one of the programs printed."""
    tried = answer.get("tried", sum(n for n in answer.values() if isinstance(n, int)))
    failed = len(answer["failures"])
    counts = {"tried": tried, "well": tried - failed, "refused": answer.get("refused"), "failed": failed}
    return {"what": what} | counts | {"evidence": "recorded"}


def write(answers: dict[str, dict]) -> Path:
    facts = {f"recorded_{name}": value for name, value in provenance().items() if name != "versions"}
    target = ROOT / "results" / "reliability.csv"
    with written_whole(target) as path:
        table = pd.DataFrame([row(what, answer) for what, answer in answers.items()])
        table.astype({"refused": "Int64"}).assign(**facts).to_csv(path, index=False)
    return target


if __name__ == "__main__":
    answers = {}
    for what, (program, *arguments) in TRIES.items():
        print(f"{what}: {arguments[-1]} ...", flush=True)
        line = [sys.executable, str(Path(__file__).with_name(program)), *arguments]
        answers[what] = json.loads(subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout)
    print(f"The counts are in {write(answers)}.")
    sys.exit(any(answer["failures"] for answer in answers.values()))
