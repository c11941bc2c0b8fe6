"""Training memory is measured in processes of its own; the search is checked against a memory that is known."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.report.figures_training_memory import batch_search, training_memory
from hwaware_utils.study import training_memory as memory

BUILDERS = """
import numpy as np
from hwaware_utils.study.tf import keras

def build(width=32):
    x = inputs = keras.Input((32, 32, 3))
    for _ in range(6):
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(width, 3, padding="same")(x)))
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x)))
def greedy():
    return np.empty((8 << 30,), np.uint8)  # more than the limit lets this process have
"""


@pytest.fixture
def builders(tmp_path, monkeypatch):
    (tmp_path / "tiny_builders.py").write_text(BUILDERS)
    monkeypatch.syspath_prepend(tmp_path)
    return "tiny_builders"


def test_a_builder_is_measured_plain_and_checkpointed(builders):
    table = memory.compare_checkpointing(f"{builders}:build", batches=[32], repeats=1, steps=2, arguments={"width": 24})
    check_evidence(table, "training_memory")
    plain, small = table.set_index("method").loc[["plain", "checkpointed"]].itertuples()
    activations_mib = 32 * 32 * 32 * 24 * 4 * 6 * 2 / 2**20  # the outputs of six convolutions and of their six ReLUs
    assert plain.peak_mib > activations_mib
    assert small.peak_mib < plain.peak_mib
    assert small.saved_share == pytest.approx(1 - small.peak_mib / plain.peak_mib)
    assert (small.loss_first, small.loss_last) == pytest.approx((plain.loss_first, plain.loss_last), rel=1e-5)
    assert (table[["images_per_s", "rss_mib", "cpu_ms_per_image"]] > 0).all(axis=None)
    assert "saves" in training_memory(table).to_dict()["description"]


def test_a_model_object_is_measured_with_its_own_weights():
    from hwaware_utils.study.tf import keras

    inputs = keras.Input((8,))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    model.set_weights([np.zeros((8, 2)), np.zeros(2)])
    result = memory.measure_training_memory(model, batch=16, steps=1)
    assert result["losses"] == pytest.approx([np.log(2)], rel=1e-6)  # equal probabilities, whatever the input
    assert result["died"] == "" and result["peak_mib"] > 0


def test_a_process_that_asks_for_too_much_does_not_fit(builders):
    result = memory.measure_training_memory(f"{builders}:greedy", batch=8, limit_mib=10)
    assert result["died"] == "out of memory" and np.isnan(result["peak_mib"])


def test_a_killed_process_does_not_fit_and_one_that_errs_is_told(monkeypatch):
    def ends_with(code, words):
        done = subprocess.CompletedProcess([], code, "", words)
        monkeypatch.setattr(memory.subprocess, "run", lambda *arguments, **options: done)

    ends_with(-9, "")
    assert memory.measure_training_memory("any:model", batch=8)["died"] == "killed by signal 9"
    ends_with(1, "Traceback ...\nZeroDivisionError: one by nought\n")
    with pytest.raises(UserError, match="batch 8 failed in its own process: ZeroDivisionError: one by nought"):
        memory.measure_training_memory("any:model", batch=8)


def fake(mib_per_image, fixed_mib=20.0, deadly=10**6):
    def measure(model, batch, checkpointed, steps, limit_mib, **options):
        died = "killed by signal 9" if batch >= deadly else ""
        peak = np.nan if died else fixed_mib + mib_per_image * batch
        return {"batch": batch, "method": "plain", "peak_mib": peak, "images_per_s": 100.0, "died": died}

    return measure


@pytest.mark.parametrize("start", [1, 8, 40, 64])
@pytest.mark.parametrize("limit_mib", [110, 200, 1234, 5000])
@pytest.mark.parametrize("deadly", [10**6, 70])
def test_the_search_finds_the_largest_batch_that_fits(monkeypatch, start, limit_mib, deadly):
    monkeypatch.setattr(memory, "measure_training_memory", fake(10.0, deadly=deadly))
    told = []
    table = memory.search_batch_size("any:model", limit_mib, start=start, multiple=8, most=400, say=told.append)
    expected = min((limit_mib - 20) // 10, deadly - 1, 400) // 8 * 8
    assert table.loc[table["chosen"], "batch"].tolist() == [expected]
    assert (table["batch"] % 8 == 0).all() and table["batch"].is_unique and len(told) == len(table) <= 14
    assert (table["fits"] == (table["peak_mib"] <= limit_mib)).all()
    check_evidence(table, "batch_search")
    assert f"is {expected} plain" in batch_search(table).to_dict()["description"]


def test_a_limit_that_nothing_fits_is_told(monkeypatch):
    monkeypatch.setattr(memory, "measure_training_memory", fake(10.0))
    with pytest.raises(UserError, match="limit_mib = 50: even a step of batch 8 takes 100 MiB: raise the limit"):
        memory.search_batch_size("any:model", 50, start=32)
    monkeypatch.setattr(memory, "measure_training_memory", fake(10.0, deadly=1))
    with pytest.raises(UserError, match=r"even a step of batch 8 dies \(killed by signal 9\)"):
        memory.search_batch_size("any:model", 50)


def test_bad_input_gets_one_sentence():
    from hwaware_utils.study.tf import keras

    inputs = keras.Input((4,))
    own = keras.Model(inputs, keras.layers.Lambda(lambda x: x, name="mine")(inputs))
    refused = {"'mine' .Lambda. is not Keras' own": own, "tf_keras model": object(), "module:function": "no_colon"}
    for words, wrong in refused.items():
        with pytest.raises(UserError, match=words):
            memory.measure_training_memory(wrong, batch=4)
    with pytest.raises(UserError, match="batch = 0"):
        memory.measure_training_memory("a:b", batch=0)
    with pytest.raises(UserError, match=r"batches\[1\] = 1.5"):
        memory.compare_checkpointing("a:b", batches=[8, 1.5])
    with pytest.raises(UserError, match="limit_mib = 0"):
        memory.search_batch_size("a:b", 0)
    with pytest.raises(UserError, match="no_such_module:build cannot be called"):
        memory.measure_training_memory("no_such_module:build", batch=4)


def test_both_charts_are_drawn_from_two_methods():
    rows = [("plain", 8, 90.0, True, True), ("plain", 16, 150.0, False, False), ("checkpointed", 8, 50.0, True, False)]
    table = pd.DataFrame(rows, columns=["method", "batch", "peak_mib", "fits", "chosen"])
    table = table.assign(limit_mib=100.0, images_per_s=9.0, died="", evidence="measured")
    died = table.iloc[[1]].assign(method="checkpointed", batch=32, peak_mib=np.nan, died="out of memory")
    chart = batch_search(pd.concat([table, died], ignore_index=True))
    assert "1 trials died" in chart.to_dict()["description"]
