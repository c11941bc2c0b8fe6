"""Every simulator gets the same inputs, and its outputs are counted bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from simulator_tools import stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.simulate.comparison import check_inputs, compare_outputs, host_outputs, image_inputs, random_inputs
from hwaware_utils.study.benchmark import open_model, predict_tflite

INT8, FP32 = stored_model("memory-int8_ptq"), stored_model("memory-fp32")
IMAGES = np.random.default_rng(5).integers(0, 256, (6, 32, 32, 3), np.uint8)


@pytest.mark.parametrize("model", [INT8, FP32], ids=["int8", "fp32"])
def test_images_reach_a_simulator_as_they_reach_the_accuracy_measurement(model):
    outputs = host_outputs(model, image_inputs(model, IMAGES)).astype(np.float32)
    detail = open_model(model).get_output_details()[0]
    if detail["dtype"] == np.int8:
        scale, zero_point = detail["quantization"]
        outputs = (outputs - zero_point) * scale
    assert np.allclose(outputs, predict_tflite(model, IMAGES), atol=1e-5)


@pytest.mark.parametrize("model", [INT8, FP32], ids=["int8", "fp32"])
def test_random_inputs_are_the_models_own_and_repeat(model):
    inputs = random_inputs(model, 3, seed=7)
    assert check_inputs(model, inputs) is inputs
    assert np.array_equal(inputs, random_inputs(model, 3, seed=7))
    assert not np.array_equal(inputs, random_inputs(model, 3, seed=8))
    assert inputs.std() > 0.4 * np.abs(inputs.astype(float)).max(), "a narrow range would exercise nothing"


@given(hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2)), st.data())
def test_one_changed_value_costs_exactly_one_output(outputs, data):
    assert compare_outputs(outputs, outputs) == {
        "outputs_compared": len(outputs), "outputs_bit_exact": len(outputs), "max_abs_diff": 0
    }  # fmt: skip
    row, column = (data.draw(st.integers(0, size - 1)) for size in outputs.shape)
    changed = outputs.copy()
    changed[row, column] ^= 1
    compared = compare_outputs(outputs, changed)
    assert compared["outputs_bit_exact"] == len(outputs) - 1
    assert compared["max_abs_diff"] == 1


def test_outputs_of_another_type_are_no_match():
    with pytest.raises(ValueError, match="float32"):
        compare_outputs(np.zeros((1, 2), np.int8), np.zeros((1, 2), np.float32))


@pytest.mark.parametrize("shape", [(0, 96, 96, 3), (2, 32, 32, 3)], ids=["none", "small"])
def test_unfit_inputs_are_told(shape):
    with pytest.raises(UserError, match=r"shape \(96, 96, 3\) and type int8"):
        check_inputs(INT8, np.zeros(shape, np.int8))
