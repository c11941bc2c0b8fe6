"""What the report must withstand: damaged files, full disks, clocks that go backwards, kills, curious visitors.

A small share of each; `make hard` tries all of it and counts (book/reliability.md).
"""

import ast
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time

import hard_fuzz
import hard_kills
import pytest
from conftest import ROOT

from hwaware_utils.base import results
from hwaware_utils.base.errors import UserError, about_a_place
from hwaware_utils.base.params import load_profile
from hwaware_utils.base.reference import recorded_accuracy, recorded_table

FAILURES = ("traceback", "crashed", "hung", "left")


@pytest.mark.parametrize("kind, count", [("profile", 30), ("model", 12), ("stored", 20)])
def test_damaged_files_work_or_end_with_one_sentence(kind, count):
    line = [sys.executable, "tests/hard_fuzz.py", kind, str(count), "11"]  # its own process: it forks
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"HWAWARE_DATA": ""})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["works"] + answer["refused"] == count, answer["failures"]
    assert answer["refused"], "no damage was done"


@pytest.mark.parametrize("kind, content", [("profile", b"alpha: ["), ("model", hard_fuzz.MODEL.read_bytes()[:5000])])
def test_the_command_refuses_a_damaged_file_as_the_function_does(tmp_path, kind, content):
    (tmp_path / hard_fuzz.COMMANDS[kind][0]).write_bytes(content)
    assert hard_fuzz.ask_command(kind, tmp_path) == ""
    (tmp_path / hard_fuzz.COMMANDS[kind][0]).unlink()
    (tmp_path / hard_fuzz.COMMANDS[kind][0]).mkdir()
    assert "Traceback" not in hard_fuzz.ask_command(kind, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "seed: " + "[" * 3000,
        "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"{x}: &{x} [{','.join('*' + y for _ in range(9))}]\n" for y, x in
                                               zip("abcdefghi", "bcdefghij", strict=True)),
        "profile: smoke\nseed: &a [1,1]\nplatforms: [*a,*a]",
        f"profile: smoke\ndata_dir: {'x' * 5000}",
        "profile: smoke\ndata_dir: ~nobody-of-that-name/x",
        f"profile: smoke\n{'x' * 9000}: 1",
    ],
    ids=["nested", "billion", "alias", "long place", "unknown home", "long name"],
)  # fmt: skip
def test_strange_profiles_are_refused_in_one_short_sentence(tmp_path, text):
    path = tmp_path / "smoke.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        load_profile(path)
    assert len(str(refused.value)) < 600
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3,4\n", b"variant\nx\n", b'sha256,accuracy\n"x'])
def test_damaged_tables_of_the_store_are_named(tmp_path, monkeypatch, content):
    monkeypatch.setattr("hwaware_utils.base.reference.REFERENCE", tmp_path)
    (tmp_path / "variants.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"variants\.csv"):
        recorded_accuracy("x")
    if content[:7] not in (b"variant", b"sha256,"):
        with pytest.raises(UserError, match=r"variants\.csv"):
            recorded_table("variants", "x")


def test_no_pickle_no_eval_no_shell():
    """A file of a stranger is data, whatever it says."""
    found = []
    for path in sorted((ROOT / "hwaware_utils").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {a.name for a in node.names} | {getattr(node, "module", "") or ""}
                bad = names & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                bad = {called} & {
                    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"),
                    *("yaml.full_load", "pd.read_pickle", "subprocess.getoutput", "subprocess.getstatusoutput"),
                }
                loud = [k for k in node.keywords if k.arg in ("shell", "allow_pickle")]
                bad |= {f"{k.arg}={ast.unparse(k.value)}" for k in loud if ast.unparse(k.value) != "False"}
            else:
                continue
            found += [f"{path.name}:{node.lineno} {name}" for name in bad]
    assert not found


@pytest.mark.endtoend
def test_a_full_disk_is_told_in_one_sentence_and_leaves_the_old_table(tmp_path, monkeypatch):
    with _mounted(tmp_path / "small", "size=64k"):
        monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path / "small"))
        project = hard_kills.make_project(tmp_path / "project")
        (tmp_path / "small" / "smoke").mkdir()
        (tmp_path / "small" / "smoke" / "filler").write_bytes(bytes(50_000))
        said, error = hard_kills.run_to_the_end(project, tmp_path / "small")
        assert error and "\n" not in error.strip() and "No space left" in error
        assert not any("02_" in line and "done" in line for line in said)
        (tmp_path / "small" / "smoke" / "filler").unlink()
        whole = results.build_dir("smoke") / "results"
        assert not list(whole.glob("*.part"))


def test_a_read_only_place_is_told_in_one_sentence(tmp_path):
    with _mounted(tmp_path / "still", "ro"):
        line = [sys.executable, "-m", "hwaware_utils", "run", "params/smoke.yaml"]
        place = {"HWAWARE_BUILD": str(tmp_path / "still" / "build"), "HWAWARE_DATA": "", "HWAWARE_WEIGHTS": ""}
        done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=os.environ | place)
        assert done.returncode == 2
        assert re.fullmatch(r".*cannot be written \(Read-only file system\).*\n", done.stderr)


@contextlib.contextmanager
def _mounted(place, options):
    """A small file system in memory at `place`; the test is skipped where none may be mounted."""
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_only_errors_about_a_place_are_told_as_such():
    assert "No space left" in about_a_place(OSError(28, "No space left on device"))
    assert about_a_place(BrokenPipeError(32, "Broken pipe")) is None


@pytest.mark.endtoend
def test_a_clock_that_was_set_back_hides_no_table(tmp_path, monkeypatch):
    """The tables of yesterday's run lie in the future now; what the new run writes is still known as its own."""
    project, build = hard_kills.make_project(tmp_path / "project"), tmp_path / "build"
    folder = build / "smoke"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "squares.csv").write_text("x,evidence\n1,modelled\n")
    for path in (folder / "results").iterdir():
        os.utime(path, (time.time() + 86400,) * 2)
    said, error = hard_kills.run_to_the_end(project, build)
    assert not error, error
    stamps = [json.loads((folder / "stamps" / f"{name}.json").read_text()) for name in hard_kills.NAMES]
    assert [sorted(stamp["files"]) for stamp in stamps] == [
        ["notebooks/01_baseline.ipynb", "results/squares.csv"],
        ["notebooks/02_optimizations.ipynb", "results/cubes.csv"],
    ]
    for path in folder.rglob("*.*"):
        os.utime(path, (0, 0))  # and now everything is older than the notebooks
    said, error = hard_kills.run_to_the_end(project, build)
    assert [line.split(": ")[1] for line in said] == ["up to date", "up to date"], error


@pytest.mark.endtoend
def test_killed_at_random_moments_the_next_run_makes_the_same_tables():
    answer = hard_kills.kill_at_random(5, seed=11)
    assert answer["well"] == 5, answer["failures"]


def test_serve_shows_the_book_on_loopback_and_nothing_else(tmp_path):
    """The command of `make serve`, on a book whose folder is the link that a build leaves."""
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "-m http.server" in line)
    arguments = re.search(r"-m http\.server (.*)", line)[1]
    assert "--bind 127.0.0.1" in arguments
    folder = tmp_path / "smoke"
    (folder / "_build" / "html").mkdir(parents=True)
    (folder / "html").symlink_to("_build/html")
    (folder / "_build" / "html" / "index.html").write_text("the book")
    (folder / "secret.txt").write_text("secret")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = arguments.replace("$(OUT)", str(folder)).replace("$(PORT)", str(port)).replace('"', "").split()
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", *words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        assert _answer(port, "/index.html") == (200, b"the book")
        up = ["/../secret.txt", "/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt"]
        up += ["/..\\secret.txt", "//../secret.txt", f"/{folder}/secret.txt", f"//{folder}/secret.txt", "/.%00./secret.txt"]
        up += ["/../../secret.txt?x=/index.html", "/x/../../secret.txt", "/..;/secret.txt", "/%c0%ae%c0%ae/secret.txt"]
        for path in up:
            status, content = _answer(port, path)
            assert status >= 400 and b"secret" not in content.replace(b"secret.txt", b""), path
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):
            pass
    finally:
        server.terminate()
        server.wait()


def _answer(port: int, path: str) -> tuple[int, bytes]:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.putrequest("GET", path, skip_host=True)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.RemoteDisconnected:  # what Python's server does with a NUL
            return 400, b""
        except ConnectionRefusedError:
            time.sleep(0.1)
    pytest.fail("no server")
