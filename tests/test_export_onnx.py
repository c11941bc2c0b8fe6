"""From .tflite to .onnx: the same function, the same bytes each time, INT8 with a scale a channel, clear refusals."""

import numpy as np
import onnx
import pytest
from simulator_tools import stored_model

from hwaware_utils.base.errors import UserError
from hwaware_utils.study import benchmark, data, export_onnx, onnx_graph, onnx_int8, onnx_run
from hwaware_utils.study.preprocessing import to_input

FP32, INT8, MIXED = (stored_model(f"memory-{precision}") for precision in ("fp32", "int8_ptq", "mixed"))


@pytest.fixture(scope="module")
def images():
    return data.load("digits").x_test[:20]


@pytest.fixture(scope="module")
def converted():
    """FP32 twice and INT8, in one process: that one loads TensorFlow, which takes seconds."""
    return export_onnx.to_onnx([FP32, INT8, FP32])


@pytest.fixture(scope="module")
def quantized(converted, images):
    return onnx_int8.quantize_onnx(converted[0], onnx_int8.measure_ranges(converted[0], to_input(images, 96)))


def test_fp32_computes_what_litert_computes(converted, images):
    expected = benchmark.predict_tflite(FP32, images)
    assert np.abs(onnx_run.predict_onnx(converted[0], images) - expected).max() < 1e-4


def test_the_same_file_gives_the_same_bytes(converted):
    assert converted[0] == converted[2]
    model = onnx.load_from_string(converted[0])
    assert onnx_graph.canonical(model) == model
    assert str(FP32.parent).encode() not in converted[0], "the path of the source is in the file"


def test_names_are_those_of_the_layers(converted):
    model = onnx.load_from_string(converted[0])
    layers = [node.name for node in model.graph.node if node.op_type in onnx_graph.LAYERS]
    assert layers[:2] == ["Conv1", "expanded_conv_depthwise"]
    assert len(set(layers)) == len(layers) == 53
    assert model.graph.input[0].name == "image"


def test_shuffled_names_and_nodes_come_back_as_they_were(converted):
    model = onnx.load_from_string(converted[0])
    shuffled = onnx.ModelProto.FromString(converted[0])
    inner = {tensor for node in model.graph.node for tensor in node.output} - {"logits"}
    renamed = {name: f"t{number}" for number, name in enumerate(sorted(inner, reverse=True))}
    for node in shuffled.graph.node:
        node.input[:], node.output[:] = ([renamed.get(t, t) for t in some] for some in (node.input, node.output))
        node.name = "" if node.op_type not in onnx_graph.LAYERS else node.name
    nodes = list(shuffled.graph.node)[::-1]
    shuffled.graph.ClearField("node")
    shuffled.graph.node.extend(nodes)
    assert onnx_graph.canonical(shuffled) == model


def test_channels_first_is_the_same_network_without_the_first_transpose(converted, images):
    model = onnx.load_from_string(converted[0])
    first = onnx_graph.channels_first(model)
    count = onnx_graph.count_operators
    assert count(first)["Transpose"] == count(model)["Transpose"] - 1
    x = to_input(images[:1], 96)
    outputs = [
        onnx_run.open_onnx(m.SerializeToString()).run(None, {"image": given})[0]
        for m, given in ((model, x), (first, x.transpose(0, 3, 1, 2)))
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
    with pytest.raises(UserError, match="starts with Conv"):
        onnx_graph.channels_first(first)


def test_int8_by_onnx_runtime_has_a_scale_a_channel_in_every_layer(quantized, converted):
    model = onnx.load_from_string(quantized)
    assert onnx_graph.per_channel_layers(model) == (53, 53)
    assert onnx_graph.per_channel_layers(onnx.load_from_string(converted[0])) == (0, 53)
    assert onnx_graph.count_operators(model)["QuantizeLinear"] > 53
    assert len(quantized) < 0.5 * len(converted[0])


def test_int8_decides_like_fp32(quantized, converted, images):
    expected, found = (onnx_run.predict_onnx(content, images) for content in (converted[0], quantized))
    # scales set by the same images: what is left is rounding
    assert np.abs(found - expected).mean() < 0.1 * np.abs(expected).max()


def test_converted_int8_equals_litert_within_two_steps(converted, images):
    interpreter = benchmark.open_model(INT8)
    detail, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = onnx_run.predict_onnx(converted[1], images, detail)
    scale, zero_point = target["quantization"]
    expected = benchmark.predict_tflite(INT8, images) / scale + zero_point
    assert np.abs(found - expected).max() <= 2


def test_ranges_are_needed_once_and_belong_to_their_model(quantized, converted, images):
    ranges = onnx_int8.measure_ranges(converted[0], to_input(images, 96))
    assert all(low <= high for low, high in ranges.values())
    assert onnx_int8.quantize_onnx(converted[0], ranges) == quantized
    with pytest.raises(UserError, match="are the ranges its own"):
        onnx_int8.quantize_onnx(converted[0], {"image": ranges["image"]})


def test_profile_is_a_whole(quantized):
    profile = onnx_run.profile_onnx(quantized, n_runs=3, warm_up_runs=2)
    assert profile["share"].sum() == pytest.approx(1)
    assert profile.set_index("operator").loc["QLinearConv", "count"] == 52


def test_bad_input_is_told_in_one_sentence(converted, tmp_path):
    with pytest.raises(UserError, match=r"missing\.tflite.*does not exist"):
        export_onnx.to_onnx([tmp_path / "missing.tflite"])
    with pytest.raises(UserError, match="has int8 layers: give the FP32"):
        export_onnx.fp32_to_onnx([INT8])
    with pytest.raises(UserError, match="mixes float32 and int8 layers"):
        export_onnx.to_onnx([MIXED])
    with pytest.raises(UserError, match="are empty or hold NaN"):
        onnx_int8.measure_ranges(converted[0], np.zeros((0, 96, 96, 3), np.float32))
    with pytest.raises(UserError, match="are empty or hold NaN"):
        onnx_int8.measure_ranges(converted[0], np.full((1, 96, 96, 3), np.nan, np.float32))
    with pytest.raises(UserError, match=r"tf2onnx on .* took more than 0\.1 s"):
        export_onnx.to_onnx([FP32], timeout_s=0.1)
    with pytest.raises(UserError, match="cannot open my file"):
        onnx_run.open_onnx(b"no model", what="my file")
