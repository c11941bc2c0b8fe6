"""The C of one model: `model.h` and `model.c`, a struct and a function a layer, in an arena planned ahead."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...platforms.memory import plan_arena
from .network import Layer, Network
from .packing import Kernel, choose_kernel

_C_TYPES = {"int8": "int8_t", "int32": "int32_t"}


@dataclass
class Sources:
    """Generated text, the `kernels` it calls, and what it takes: `arena_bytes` (with scratch), `constant_bytes` in flash."""

    kernels: str
    header: str
    source: str
    arena_bytes: int
    constant_bytes: int


def generate(network: Network, kernels: str = "simd") -> Sources:
    """C sources of `network` with the "simd" or the "portable" kernels."""
    chosen = [choose_kernel(layer, kernels) for layer in network.layers]
    offsets, arena_bytes = _plan(network, chosen)
    parts = [_layer(network, k, *pair, offsets) for k, pair in enumerate(zip(network.layers, chosen, strict=True))]
    constants = sum(a.nbytes for kernel in chosen for a in kernel.arrays.values())
    sizes = {"INPUT": network.size(network.input), "OUTPUT": network.size(network.output)}
    source = _SOURCE.format(
        name=network.path.name,
        kernels=kernels,
        arena=arena_bytes,
        layers="\n".join(parts),
        table=", ".join(f"layer_{k}" for k in range(len(parts))),
        input=offsets[network.input],
        output=offsets[network.output],
    )
    header = _HEADER.format(name=network.path.name, layers=len(parts), input=sizes["INPUT"], output=sizes["OUTPUT"])
    return Sources(kernels, header, source, arena_bytes, constants)


def _plan(network: Network, chosen: list[Kernel]) -> tuple[dict, int]:
    """Offset of every tensor, and of the scratch of layer k under ("scratch", k); bytes of the whole arena."""
    last = len(network.layers) - 1
    lives = {network.input: [0, 0]}
    for k, layer in enumerate(network.layers):
        for tensor in layer.inputs:
            lives[tensor][1] = k
        lives[layer.output] = [k, k]
    lives[network.output][1] = last
    rows = [(tensor, network.size(tensor), *life) for tensor, life in lives.items()]
    rows += [(("scratch", k), kernel.scratch_bytes, k, k) for k, kernel in enumerate(chosen) if kernel.scratch_bytes]
    plan = plan_arena(pd.DataFrame(rows, columns=["tensor", "bytes", "first", "last"]))
    offsets = dict(zip(plan["tensor"], plan["offset_bytes"].astype(int), strict=True))
    return offsets, int((plan["offset_bytes"] + plan["aligned_bytes"]).max())


def _layer(network: Network, k: int, layer: Layer, kernel: Kernel, offsets: dict) -> str:
    """Constants, struct and function of one layer."""
    text = [f"\n/* {k}: {layer.operator} {_shapes(network, layer)}{f', {layer.macs:,} MACs' if layer.macs else ''} */"]
    fields = [f".{name} = {name}_{k}" for name in kernel.arrays]
    for name, values in kernel.arrays.items():
        text.append(_array(f"{name}_{k}", values))
    fields += [f".{name} = {int(value)}" for name, value in kernel.fields.items()]
    text.append(f"static const {kernel.struct} layer_{k}_parameters = {{\n    {_wrapped(fields)}}};")
    arguments = [f"&layer_{k}_parameters"] + [f"arena + {offsets[t]}" for t in (*layer.inputs, layer.output)]
    if kernel.function.startswith("simd"):
        arguments.append(f"arena + {offsets.get(('scratch', k), 0)}")
    return "\n".join([*text, f"static void layer_{k}(void) {{ {kernel.function}({', '.join(arguments)}); }}"])


def _shapes(network: Network, layer: Layer) -> str:
    source, result = ("x".join(map(str, network.shapes[t][1:])) for t in (layer.inputs[0], layer.output))
    n = layer.numbers
    kernel = f"{n['kernel_y']}x{n['kernel_x']} " if n.get("kernel_y", 1) * n.get("kernel_x", 1) > 1 else ""
    stride = f"stride {n['stride_y']} " if n.get("stride_y", 1) > 1 else ""
    return f"{kernel}{stride}{source} -> {result}"


def _wrapped(items, width: int = 112) -> str:
    lines, length = [[]], 0
    for item in items:
        if length + len(item) > width:
            lines.append([])
            length = 0
        lines[-1].append(item)
        length += len(item) + 2
    return ",\n    ".join(", ".join(line) for line in lines)


def _array(name: str, values: np.ndarray) -> str:
    per_line = 24 if values.itemsize == 1 else 8
    texts = values.astype(str).tolist()
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    aligned = "__attribute__((aligned(4))) " if name.startswith("weights") else ""
    return f"static const {_C_TYPES[values.dtype.name]} {name}[{len(texts)}] {aligned}= {{\n    " + ",\n    ".join(lines) + "};"


def write_sources(sources: Sources, folder: Path) -> None:
    """Write `model.h` and `model.c` into `folder`."""
    (folder / "model.h").write_text(sources.header)
    (folder / "model.c").write_text(sources.source)


_HEADER = """/* {name} as C: fill model_input, call model_run(), read model_output (the logits, before any softmax). */
#ifndef MODEL_H
#define MODEL_H
#include <stdint.h>

#define MODEL_LAYERS {layers}
#define MODEL_INPUT_BYTES {input}
#define MODEL_OUTPUT_BYTES {output}

/* Inside the arena: the input is overwritten by later layers, the output by the next run. */
extern int8_t *const model_input;
extern const int8_t *const model_output;
extern void (*const model_layers[MODEL_LAYERS])(void);
extern const int32_t model_layer_count, model_output_bytes; /* for the simulator, which has no header */

static inline void model_run(void) {{
    for (int i = 0; i < MODEL_LAYERS; i++) model_layers[i]();
}}

#endif
"""

_SOURCE = """/* Generated from {name} with the {kernels} kernels: edit the generator, not this file. */
#include "kernels.h"
#include "model.h"

/* Activations and scratch, planned ahead; kernels may read, and not use, three bytes past a tensor. */
static int8_t arena[{arena} + 16] __attribute__((aligned(16)));
int8_t *const model_input = arena + {input};
const int8_t *const model_output = arena + {output};
{layers}

void (*const model_layers[MODEL_LAYERS])(void) = {{{table}}};
const int32_t model_layer_count = MODEL_LAYERS, model_output_bytes = MODEL_OUTPUT_BYTES;
"""
