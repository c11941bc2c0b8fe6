"""An ONNX graph brought into one form: the same model gives the same bytes, and nodes are called as in the .tflite.

tf2onnx numbers nodes and tensors in an order that differs from run to run. What depends on names (stored ranges,
checksums of files) would be lost with each conversion.
"""

import re
from collections import Counter

import onnx

from ..base.errors import UserError
from .partial_int8 import short_name
from .quantization import INPUT

OUTPUT = "logits"
LAYERS = ("Conv", "Gemm", "MatMul")
_COUNTER = re.compile(r"__\d+$")  # tf2onnx counts what it inserts, and not always in the same order


def canonical(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy with the nodes in the order in which the outputs need them and with names that follow from it.

    Input and output become `image` and `logits`, a layer has the name that it has in Keras, a constant its reader's.
    UserError for a graph with several inputs or outputs, or with graphs inside its nodes.
    """
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise UserError(
            f"the ONNX graph has {len(model.graph.input)} inputs and {len(model.graph.output)} outputs: expected 1."
        )
    if any(attribute.HasField("g") or attribute.graphs for node in model.graph.node for attribute in node.attribute):
        raise UserError("the ONNX graph holds control flow: expected a plain sequence of layers.")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph, nodes, seen = copy.graph, _in_order(model.graph), Counter()
    names = {"": "", graph.input[0].name: INPUT}
    for node in nodes:
        kind = short_name(_COUNTER.sub("", node.name)) if node.op_type in LAYERS else node.op_type
        node.name = f"{kind}_{seen[kind]}" if seen[kind] or node.op_type not in LAYERS else kind
        seen[kind] += 1
        for place, tensor in enumerate(node.input):
            names.setdefault(tensor, f"{node.name}/input{place}")
        for place, tensor in enumerate(node.output):
            names[tensor] = OUTPUT if tensor == graph.output[0].name else f"{node.name}/output{place}"
    for node in nodes:
        node.input[:], node.output[:] = ([names[tensor] for tensor in some] for some in (node.input, node.output))
    constants = {constant.name: constant for constant in graph.initializer}
    kept = [onnx.TensorProto.FromString(constants[name].SerializeToString()) for name in names if name in constants]
    for constant in kept:
        constant.name = names[constant.name]
    graph.input[0].name, graph.output[0].name, graph.name = INPUT, OUTPUT, "main"
    for field, content in (("node", nodes), ("initializer", kept), ("value_info", [])):
        graph.ClearField(field)
        getattr(graph, field).extend(content)
    graph.ClearField("doc_string")  # it names the file's path
    return copy


def channels_first(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The model of `canonical`, its input as ONNX's convolutions want it: (1, 3, H, W), the first Transpose gone.

    UserError when the first node is no Transpose of the input.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    first, shape = copy.graph.node[0], copy.graph.input[0].type.tensor_type.shape
    if first.op_type != "Transpose" or first.input[0] != INPUT:
        raise UserError(f"the ONNX graph starts with {first.op_type}: expected the Transpose of an NHWC input.")
    sizes = [d.dim_value for d in shape.dim]
    order = list(first.attribute[0].ints)
    for dimension, source in zip(shape.dim, order, strict=True):
        dimension.dim_value = sizes[source]
    for node in copy.graph.node:
        node.input[:] = [INPUT if tensor == first.output[0] else tensor for tensor in node.input]
    copy.graph.node.remove(first)
    onnx.checker.check_model(copy, full_check=True)
    return copy


def count_operators(model: "onnx.ModelProto") -> dict[str, int]:
    """Operator type -> how many nodes."""
    return dict(Counter(node.op_type for node in model.graph.node))


def per_channel_layers(model: "onnx.ModelProto") -> tuple[int, int]:
    """Of the layers with weights: how many read INT8 weights with a scale a channel, and how many there are."""
    maker = {tensor: node for node in model.graph.node for tensor in node.output}
    sizes = {constant.name: constant.dims for constant in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    scales = [maker[node.input[1]].input[1] for node in layers if node.input[1] in maker]
    return sum(bool(sizes.get(scale)) and sizes[scale][0] > 1 for scale in scales), len(layers)


def _in_order(graph) -> list:
    """Copies of the nodes, each after what it reads: a walk back from the output, a node's inputs from first to last."""
    maker = {tensor: node for node in graph.node for tensor in node.output}
    found, order, stack = set(), [], [(graph.output[0].name, False)]
    while stack:
        tensor, inputs_done = stack.pop()
        node = maker.get(tensor)
        if node is None:
            continue
        if inputs_done:
            order.append(_copy(node))
        elif id(node) not in found:
            found.add(id(node))
            stack += [(tensor, True), *((source, False) for source in reversed(node.input))]
    return order


def _copy(node):
    """Attributes in name order, and no empty domain: tf2onnx writes them in any order, and it or not."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    if not copy.domain:
        copy.ClearField("domain")
    copy.ClearField("doc_string")
    attributes = sorted(copy.attribute, key=lambda attribute: attribute.name)
    copy.ClearField("attribute")
    copy.attribute.extend(attributes)
    return copy
