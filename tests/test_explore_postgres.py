"""The study on a real PostgreSQL: workers that share it, one that is killed, a database that dies and comes back."""

import json
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, command
from explore_fixture import brief_table, make_search

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.explore import scaling, storage, study, workers
from hwaware_utils.decide.explore.local_postgres import find_postgres, local_postgres
from hwaware_utils.decide.explore.search import Search

pytestmark = pytest.mark.skipif(
    find_postgres() is None and "CI" not in os.environ, reason="PostgreSQL is not installed: apt-get install postgresql"
)


@dataclass(frozen=True)
class Marked(Search):
    """A search whose trials take `pause_s` longer and say, by a file, which process is inside one."""

    marks: str = ""
    pause_s: float = 0.2

    def evaluate(self, point, precision):
        mark = Path(self.marks) / str(os.getpid())
        mark.touch()
        time.sleep(self.pause_s)
        found = super().evaluate(point, precision)
        mark.unlink()
        return found


@pytest.fixture(scope="module")
def server():
    with local_postgres() as running:
        yield running


def states(search, place) -> dict:
    return study.counts(study.open_study(search, storage.open_storage(place)))


def test_a_killed_worker_loses_only_its_own_trial(server, tmp_path):
    search, total = make_search(Marked, name="killed", marks=str(tmp_path), pause_s=0.4), 24
    killed = []

    def kill_one_inside_a_trial(team):
        def watch():
            while not killed:
                time.sleep(0.02)
                inside = [worker for worker in team if (tmp_path / str(worker.pid)).exists()]
                if len(inside) > 1:
                    os.kill(inside[0].pid, signal.SIGKILL)
                    killed.append(inside[0].pid)

        threading.Thread(target=watch, daemon=True).start()

    table = workers.explore(search, total, server.url, workers=4, heartbeat_s=1, watched=kill_one_inside_a_trial)
    assert killed and total <= len(table) <= total + 3
    counted = states(search, server.url)
    assert counted["complete"] == len(table)
    assert counted["running"] + counted["fail"] == 1, "more than the killed worker's trial was lost"
    again = workers.explore(search, total + 5, server.url, heartbeat_s=1)  # the study goes on, with one worker
    assert len(again) == total + 5 if len(table) <= total + 5 else len(again) == len(table)


def test_a_database_that_dies_is_told_and_the_study_resumes(server, tmp_path):
    search = make_search(Marked, name="dies", marks=str(tmp_path), pause_s=0.1)
    stopped = threading.Event()

    def stop_when_it_runs():
        while not any(tmp_path.iterdir()) or states(search, server.url)["complete"] < 2:
            time.sleep(0.1)
        server.stop()
        stopped.set()

    threading.Thread(target=stop_when_it_runs, daemon=True).start()
    with pytest.raises(UserError, match=r"does not answer.*run the same command again") as told:
        workers.explore(search, 10_000, server.url, heartbeat_s=1)
    assert stopped.wait(30) and server.password not in str(told.value) and "\n" not in str(told.value)
    with pytest.raises(UserError, match="does not answer"):
        workers.explore(search, 5, server.url)
    server.start()
    before = states(search, server.url)["complete"]
    assert before > 0
    assert len(workers.explore(search, before + 3, server.url, heartbeat_s=1)) == before + 3


def test_scaling_is_measured(server, capsys):
    table = scaling.measure_scaling(make_search(), server.url, trials=24, team=(1, 2))
    assert table["workers"].tolist() == [1, 2] and (table["trials_per_minute"] > 0).all()
    with capsys.disabled():  # never an assertion: it depends on what else runs here
        print(f"\n2 workers: {table['ratio'][1]:.2f} times the trials a minute of one, load {table['load'][1]:.1f}")


def test_the_command_answers_and_exits_with_2(tmp_path):
    results = tmp_path / "other" / "results"
    results.mkdir(parents=True)
    points = brief_table().drop(columns=["macs", "parameters"]).assign(evidence="recorded")
    points.to_csv(results / "exploration_points.csv", index=False)
    pd.read_csv(ROOT / "results" / "reference" / "variants.csv").to_csv(results / "variants.csv", index=False)
    asked = ["explore", "--platform", "arm_cortex_m7", "--trials", "6", "--profile", "other", "--storage"]
    done = command(*asked, tmp_path / "study.db", "--json", build=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trials"] == 6 and found["front"] and {row["evidence"] for row in found["front"]} == {"modelled"}
    down = command(*asked, "postgresql+psycopg://me:secret@127.0.0.1:9/study", build=tmp_path)
    assert down.returncode == 2 and "does not answer" in down.stderr and "secret" not in down.stdout + down.stderr
    assert len(down.stderr.strip().splitlines()) == 1
