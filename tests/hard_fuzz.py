"""Damaged files, each tried in a process of its own: `python tests/hard_fuzz.py profile|model|stored COUNT [SEED]`.

A case works, is refused (a UserError of one sentence, nothing left behind), or fails: `traceback`, `crashed` (native
code), `hung` (30 s of CPU, 300 s in all), `left` (a file that is half there). One refused profile or model in twenty is put
to the command as well: exit code 2 and one line. Prints JSON: what was counted, and each failure.
"""

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from hard_mutate import mutated_bytes, mutated_manifest, mutated_profile, mutated_table, structural

from hwaware_utils.base import artifacts, reference, results
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.params import load_profile
from hwaware_utils.decide import claim_sources
from hwaware_utils.decide.methodology import HardwareAwareDesignMethodology
from hwaware_utils.platforms.predict import predict_file
from hwaware_utils.report import graph_page, origins
from hwaware_utils.simulate.comparison import host_outputs, random_inputs
from hwaware_utils.simulate.cortex_a import validation as cortex_a
from hwaware_utils.simulate.cortex_m import export_firmware
from hwaware_utils.simulate.cortex_m.generate import generate
from hwaware_utils.simulate.cortex_m.network import read_network

STORE, CPU_S, LIMIT_S = results.REFERENCE, 30, 300  # a busy host slows the clock's seconds, not the CPU's
FAILURES = ("traceback", "crashed", "hung", "left")
MODEL = next(STORE.glob("memory-*.int8_ptq.tflite"))


def try_profile(folder: Path, chance: random.Random) -> list:
    path = folder / "smoke.yaml"
    path.write_bytes(mutated_profile((results.ROOT / "params" / "smoke.yaml").read_text(), chance))
    return [lambda: load_profile(path)]


def try_model(folder: Path, chance: random.Random) -> list:
    path, content = folder / "model.tflite", MODEL.read_bytes()
    path.write_bytes(mutated_bytes(content, chance, PLACES if chance.random() < 0.8 else None))
    run = [lambda: export_firmware(path, folder / "out" / "firmware"), lambda: host_outputs(path, random_inputs(path, 1))]
    return [
        lambda: predict_file("arm_cortex_m7", path),
        lambda: generate(read_network(path), "simd"),
        lambda: random_inputs(path, 1),
        *(run if chance.random() < 0.25 else []),  # executed: seconds each
    ]


def try_stored(folder: Path, chance: random.Random) -> list:
    """The store in `folder`, one of its files damaged: half of the cases those that every question reads."""
    store, kept = folder / "store", sorted(p for p in STORE.iterdir() if p.suffix in (".csv", ".json"))
    store.mkdir()
    for path in STORE.iterdir():
        (store / path.name).symlink_to(path)
    chosen = chance.choice([STORE / "manifest.json", STORE / "configurations.csv", STORE / "variants.csv", *[None] * 3])
    chosen = chosen or chance.choice(kept)
    mutate = mutated_manifest if chosen.suffix == ".json" else mutated_table
    (store / chosen.name).unlink()
    if chance.random() > 0.03:  # else it is missing
        (store / chosen.name).write_bytes(mutate(chosen.read_bytes(), chance))
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("hwaware_utils") and hasattr(module, "REFERENCE"):
            module.REFERENCE = store
    cortex_a.RECORD = store / "cortex_a78_validation.csv"
    whole, name = artifacts.sha256(MODEL), chosen.stem
    readers = {
        "configurations": [lambda: HardwareAwareDesignMethodology().recommend_configuration("arm_cortex_m7")],
        "manifest": [
            lambda: [artifacts.find(entry, "smoke") for entry in list(artifacts.read_manifest(store))[:4]],
            lambda: artifacts.find_source(whole, "smoke", needs="01_baseline"),
            lambda: origins.reference_run(store),
        ],
        "variants": [lambda: reference.recorded_accuracy(whole), graph_page.default_model],
        "cortex_a78_validation": [cortex_a.recorded_validation],
    }
    any_table = [
        lambda: reference.recorded_table(name, whole),
        lambda: reference.recorded_recipes(name, ["x"]),
        lambda: claim_sources.look_up(f"{name}.count", {}),
        lambda: claim_sources.look_up(f"{name}[evidence=recorded].count", {}),
        lambda: claim_sources.look_up("variants[variant=memory-int8_ptq].accuracy", {}),
    ]
    return readers.get(name, []) + (any_table if chosen.suffix == ".csv" else [])


TRIES = {"profile": try_profile, "model": try_model, "stored": try_stored}
COMMANDS = {
    "profile": ("smoke.yaml", ["run"]),
    "model": ("model.tflite", ["predict", "--platform", "arm_cortex_m7", "--model"]),
}


def ask_command(kind: str, folder: Path) -> str:
    """What is wrong with how the command ends on the damaged file in `folder`; empty when nothing is."""
    name, words = COMMANDS[kind]
    line = [sys.executable, "-m", "hwaware_utils", *words, str(folder / name)]
    before = set(folder.rglob("*"))
    try:
        done = subprocess.run(line, capture_output=True, text=True, cwd=results.ROOT, timeout=LIMIT_S / 2)
    except subprocess.TimeoutExpired:
        return f"the command hung for {LIMIT_S / 2:.0f} s"
    if set(folder.rglob("*")) != before:
        return f"the command left {sorted(path.name for path in set(folder.rglob('*')) - before)}"
    refused = done.returncode == 2 and not done.stdout and len(done.stderr.strip().splitlines()) == 1
    works = kind == "model" and done.returncode == 0  # prediction may be content with what code generation refuses
    return "" if refused or works else f"the command ended with {done.returncode}: {done.stdout[-300:]} {done.stderr[-900:]}"


def _case(kind: str, seed: str, folder: Path, answer) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what native code prints
    os.environ["HWAWARE_BUILD"] = str(folder / "build")
    outcome, said = "works", ""
    for question in TRIES[kind](folder, random.Random(seed)):
        before = {path for path in folder.rglob("*") if path.is_file()}
        try:
            question()
        except UserError as error:
            outcome, said = "refused", str(error)
            left = {path.name for path in folder.rglob("*") if path.is_file()} - {path.name for path in before}
            if left or "\n" in said.strip() or not 20 < len(said) < 600:
                outcome = "left"
                said = f"{sorted(left)} {said[:1000]}"
                break
        except BaseException:
            outcome, said = "traceback", traceback.format_exc()[-1500:]
            break
    if outcome == "refused" and kind in COMMANDS and random.Random(f"{seed} command").random() < 0.05:
        wrong = ask_command(kind, folder)
        outcome, said = ("traceback", wrong) if wrong else (outcome, said)
    answer.send((outcome, said))


def run_case(kind: str, seed: str) -> tuple[str, str]:
    """Outcome of the case with this seed, and what was said."""
    context = multiprocessing.get_context("fork")  # each case has a process: native code may end it
    folder = Path(tempfile.mkdtemp(prefix="hwaware-hard-"))
    hears, tells = context.Pipe(duplex=False)
    process = context.Process(target=_case, args=(kind, seed, folder, tells))
    try:
        process.start()
        tells.close()
        if not hears.poll(LIMIT_S):
            process.kill()
            return "hung", f"no answer after {LIMIT_S} s"
        try:
            return hears.recv()
        except EOFError:
            process.join()
            late = process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL)  # the limit's signal
            return "hung" if late else "crashed", f"exit code {process.exitcode}"
    finally:
        process.join()
        shutil.rmtree(folder, ignore_errors=True)


def fuzz(kind: str, count: int, seed: int = 7) -> dict:
    """`count` cases: {"works": .., "refused": .., each of FAILURES: .., "failures": [[seed, outcome, said], ..]}."""
    counted = dict.fromkeys(("works", "refused", *FAILURES), 0)
    failures, refused = [], []
    for number in range(count):
        name = f"{kind}-{seed}-{number}"
        outcome, said = run_case(kind, name)
        counted[outcome] += 1
        if outcome in FAILURES:
            print(f"{name}: {outcome}: {said.strip()[-900:]}", file=sys.stderr, flush=True)
        failures += [[name, outcome, said]] if outcome in FAILURES else []
        refused += [name] if outcome == "refused" else []
        if not (number + 1) % 50:
            print(f"{kind}: {number + 1} of {count}: {counted}", file=sys.stderr, flush=True)
    return counted | {"failures": failures, "refused_seeds": refused}


PLACES = structural(MODEL.read_bytes()) if "model" in sys.argv else []

if __name__ == "__main__":
    print(json.dumps(fuzz(sys.argv[1], int(sys.argv[2]), *map(int, sys.argv[3:])), indent=1))
