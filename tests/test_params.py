"""Parameters are checked at the door, in one sentence, before anything runs."""

import os

import papermill
import pytest
import yaml
from conftest import ROOT, command

from hwaware_utils import run as runner
from hwaware_utils.base.errors import UserError
from hwaware_utils.base.params import check, load_profile
from hwaware_utils.base.schema import NOTEBOOKS

PROFILES = [ROOT / "params" / f"{name}.yaml" for name in ("full224", "reference", "smoke")]
SMOKE = yaml.safe_load((ROOT / "params" / "smoke.yaml").read_text())


def profile_with(tmp_path, **changes):
    path = tmp_path / "smoke.yaml"
    path.write_text(yaml.safe_dump(SMOKE | changes))
    return path


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_shipped_profiles_are_valid_and_complete(path):
    values = yaml.safe_load(path.read_text())
    assert load_profile(path)["01_baseline"].profile == path.stem
    assert set(values) == {name for model in NOTEBOOKS.values() for name in model.model_fields}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_defaults_of_notebook_model_and_smoke_profile_are_the_same(name):
    cells = papermill.inspect_notebook(str(ROOT / "notebooks" / f"{name}.ipynb"))
    literals = {
        key: yaml.safe_load(cell["default"].replace("True", "true").replace("False", "false")) for key, cell in cells.items()
    }
    assert literals == NOTEBOOKS[name]().model_dump() == {key: SMOKE[key] for key in literals}
    assert all(cell["help"] for cell in cells.values()), "each parameter needs its help comment"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_run": 50}, "'n_run' is no parameter of any notebook (did you mean 'n_runs'?)"),
        ({"alpha": -1}, "alpha = -1"),
        ({"alpha": "wide"}, "alpha = 'wide'"),
        ({"resolution": 100}, "resolution = 100"),
        ({"epochs": True}, "epochs = True"),
        ({"seed": None}, "seed = None"),
        ({"precisions": ["fp32", "int9"]}, "precisions.1 = 'int9'"),
        ({"platforms": ["apple_m11"]}, "'apple_m11' is no platform (did you mean 'apple_m1'?)"),
        ({"data_dir": "no/such/folder"}, "no/such/folder' does not exist"),
        ({"weights": "no/such/file.h5"}, "no/such/file.h5' does not exist"),
        ({"dataset": "folder"}, "dataset 'folder' needs data_dir"),
        ({"data_dir": str(ROOT / "README.md")}, "is no data set"),
        ({"profile": "other"}, "must be the file's name"),
        ({"precisions": ["fp32"]}, "are needed, each precision once"),
        ({"precisions": ["fp32", "fp32", "dynamic", "int8_ptq", "int8_qat"]}, "each precision once"),
        ({"platforms": ["apple_m1", "apple_m1", "arm_cortex_m7"]}, "stands there twice"),
        ({"target_platform": "apple_m2"}, "is none of the platforms"),
        ({"latency_stream": 0.0}, "latency_stream = 0"),
        ({"exit_block": 17}, "exit_block = 17"),
        ({"weights": "imagenet", "alpha": 0.6}, "ImageNet weights for the widths"),
        ({"threads": 100_000}, "threads = 100000"),
        ({"max_latency_ms": float("inf")}, "max_latency_ms = inf"),
        ({"learning_rate": "3e-3"}, "write 0.003"),
        ({"profile": "../up"}, "profile = '../up'"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(tmp_path, changes, told):
    with pytest.raises(UserError) as refused:
        load_profile(profile_with(tmp_path, **changes))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_place_in_the_environment_that_does_not_exist_is_refused_at_the_door(monkeypatch):
    for variable in ("HWAWARE_DATA", "HWAWARE_WEIGHTS"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "no/such/place")
            with pytest.raises(UserError, match=f"{variable} .*no/such/place"):
                load_profile(ROOT / "params" / "smoke.yaml")


def test_relative_places_become_absolute(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HWAWARE_BUILD", "out")
    models = load_profile(profile_with(tmp_path, data_dir="pictures"))
    assert models["03_quantization"].data_dir == str(tmp_path / "pictures")
    assert os.environ["HWAWARE_BUILD"] == str(tmp_path / "out")


def test_a_misspelt_parameter_is_refused_by_the_notebook_too():
    injected = {"In": ["", "profile: str = 'smoke'", "# Parameters\nn_run = 50\n"], "n_run": 50}
    with pytest.raises(UserError, match="did you mean 'n_runs'"):
        check("03_quantization", injected)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [1", "\x00\x01", "1: 2"])
def test_a_file_that_is_no_profile_is_refused(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"odd\.yaml"):
        load_profile(path)


def test_a_build_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("HWAWARE_BUILD", str(blocked))
    with pytest.raises(UserError, match="cannot be written"):
        load_profile(ROOT / "params" / "smoke.yaml")


def test_the_command_ends_with_2_and_one_sentence_and_runs_nothing(tmp_path):
    done = command("run", profile_with(tmp_path, alpha=-1), build=tmp_path / "build")
    assert done.returncode == 2
    assert "alpha = -1" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "build").exists()


def test_only_names_a_notebook_or_is_refused(tmp_path):
    done = command("run", "params/smoke.yaml", "--only", "03_quantisation", build=tmp_path)
    assert done.returncode == 2
    assert "did you mean '03_quantization'" in done.stderr


def test_only_names_at_once_what_has_never_run_before_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HWAWARE_BUILD", str(tmp_path))
    monkeypatch.setattr(runner, "_execute", lambda *_: None)
    order, said = list(NOTEBOOKS), []
    models = load_profile(ROOT / "params" / "smoke.yaml")
    runner.run(models, "02b", say=said.append)
    assert said[0].startswith("01_baseline 02_optimizations: never run in profile 'smoke'") and len(said) == 2
    runner.run(models, say=said.append)
    (tmp_path / "smoke" / "stamps" / f"{order[-1]}.json").write_text('{"key": "old", "files": {}}')
    said.clear()
    runner.run(models, order[-2], force=True, say=said.append)
    assert len(said) == 1 and "done" in said[0]  # what comes after it in the order is not before it
