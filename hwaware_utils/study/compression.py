"""Structured compression: a trained MobileNetV2 rebuilt with fewer channels, every kept weight carried over.

Three kinds of channels are cut, each in the way that keeps most:
expansions (and stem and head), whose activation is clipped: the least important ones are dropped;
streams between the blocks, which are linear: they are first rotated to their principal axes, which changes nothing,
and then the axes of least variance are dropped (as Ashkboos et al. 2024, "SliceGPT", do for transformers).
"""

import hashlib

import numpy as np

from ..base.errors import UserError
from .channels import build, channels_of
from .preprocessing import to_input
from .tf import keras
from .widths import STREAMS, rounded

BN_EPSILON = 1e-3


def compress(model, images, expansion=1.0, stream=1.0, head=1.0, resolution=None, choice="importance", seed=0):
    """`model` (a MobileNetV2 of `channels.build`) with these shares of its channels kept, for inputs of `resolution` px.

    `images` (uint8, N x H x W x 3) give the principal axes and the batch-norm statistics of the smaller network.
    With `choice` = random the dropped channels are drawn: the control of the ablation. Nothing cut: the same function.
    """
    for name, share in (("expansion", expansion), ("stream", stream), ("head", head)):
        if not 0 < share <= 1:
            raise UserError(f"{name} {share} is no share of channels to keep: give a number over 0 and up to 1.")
    if choice not in ("importance", "random"):
        raise UserError(f"choice {choice!r}: expected importance or random.")
    if not len(images):
        raise UserError("no images to compress with: give some hundred training images.")
    resolution = resolution or model.input_shape[1]
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    inputs = to_input(images, model.input_shape[1])
    if stream < 1:
        _cut_streams(model, weights, inputs, stream)
    if min(expansion, head) < 1:
        _drop_channels(model, weights, inputs, expansion, head, np.random.default_rng(seed) if choice == "random" else None)
    layers = [weights[layer.name] for layer in model.layers if layer.weights]
    small = build(channels_of([w for layer in layers for w in layer]), resolution, model.output_shape[-1])
    for layer in small.layers:
        if layer.weights:
            layer.set_weights(weights[layer.name])
    if (expansion, stream, head, resolution) != (1, 1, 1, model.input_shape[1]):
        reestimate_batch_norm(small, to_input(images, resolution))
    return small


def reestimate_batch_norm(model, inputs: np.ndarray, batch: int = 50) -> None:
    """Set the moving statistics to the mean of the batch statistics over `inputs`: weights that changed need new ones."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for number, start in enumerate(range(0, len(inputs), batch)):
        for layer in norms:
            layer.momentum = number / (number + 1)
        model(inputs[start : start + batch], training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def importance(weights: dict, norm: str, reader: str) -> np.ndarray:
    """|batch-norm scale| x norm of the weights that read the channel (after Liu et al. 2017, "Network Slimming")."""
    kernel = weights[reader][0].reshape(-1, weights[reader][0].shape[-1])
    return np.abs(weights[norm][0]) * np.linalg.norm(kernel, axis=1)


def _drop_channels(model, weights: dict, inputs, expansion: float, head: float, rng) -> None:
    """Drop expansions of every block and channels of the head, in place. The stem is the expansion of block 0.

    The weights that read the kept channels take over, by least squares, what the dropped ones contributed
    (as He et al. 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", section 3.1).
    """
    moments = _moments(model, inputs, ("depthwise_relu", "out_relu"))
    blocks = [(f"block_{b}_expand", f"block_{b}_expand_BN", f"block_{b}") for b in range(1, 17)]
    for writer, norm, prefix in [("Conv1", "bn_Conv1", "expanded_conv"), *blocks]:
        dw = f"{prefix}_depthwise"
        kept = _keep(weights, f"{dw}_BN", f"{prefix}_project", moments[f"{dw}_relu"][1], expansion, rng)
        weights[writer] = [weights[writer][0][..., kept]]
        for name in (norm, f"{dw}_BN"):
            weights[name] = [w[kept] for w in weights[name]]
        weights[dw] = [weights[dw][0][:, :, kept]]
    kept = _keep(weights, "Conv_1_bn", "logits", moments["out_relu"][1], head, rng)
    weights["Conv_1"] = [weights["Conv_1"][0][..., kept]]
    weights["Conv_1_bn"] = [w[kept] for w in weights["Conv_1_bn"]]


def _keep(weights: dict, norm: str, reader: str, covariance, share: float, rng) -> np.ndarray:
    """The channels to keep, in order; the reader's weights are replaced."""
    score = importance(weights, norm, reader) if rng is None else rng.random(len(weights[norm][0]))
    kept = np.sort(np.argsort(-score, kind="stable")[: rounded(len(score), share)])
    kernel, *bias = weights[reader]
    flat = kernel.reshape(-1, kernel.shape[-1])
    ridge = 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(kept))
    flat = np.linalg.solve(covariance[np.ix_(kept, kept)] + ridge, (covariance[kept] @ flat) + ridge @ flat[kept])
    weights[reader] = [flat.reshape(*kernel.shape[:-2], len(kept), -1).astype(np.float32), *bias]
    return kept


def _cut_streams(model, weights: dict, inputs: np.ndarray, share: float) -> None:
    """Rotate each stream to its principal axes and keep the first ones, in place.

    A block's output is z = R x instead of x. Its reader sees x back as m + R'(z - R m), the rest being replaced by
    the mean m, which only shifts what the reader's batch norm subtracts.
    """
    moments = _moments(model, inputs, ("_project_BN", "_add"))
    for stream in STREAMS:
        tensors = [_output(model, block) for block in stream]
        spread = sum(moments[tensor][1] for tensor in tensors)
        rotation = np.linalg.eigh(spread)[1][:, ::-1].T[: rounded(len(spread), share)]
        for block, tensor in zip(stream, tensors, strict=True):
            prefix = f"block_{block}" if block else "expanded_conv"
            _rotate_writer(weights, f"{prefix}_project", rotation, *moments[f"{prefix}_project_BN"])
            reader, norm = (
                (f"block_{block + 1}_expand", f"block_{block + 1}_expand_BN") if block < 16 else ("Conv_1", "Conv_1_bn")
            )
            kernel, mean = weights[reader][0][0, 0], moments[tensor][0]
            lost = mean - rotation.T @ (rotation @ mean)
            weights[reader] = [(rotation @ kernel)[None, None].astype(np.float32)]
            gamma, beta, moving_mean, variance = weights[norm]
            weights[norm] = [gamma, beta, (moving_mean - lost @ kernel).astype(np.float32), variance]


def _rotate_writer(weights: dict, name: str, rotation, mean, covariance) -> None:
    """Fold the batch norm into the kernel, rotate, and norm anew: the scale of each axis is its standard deviation."""
    gamma, beta, moving_mean, variance = weights[f"{name}_BN"]
    scale = gamma / np.sqrt(variance + BN_EPSILON)
    kernel = weights[name][0][0, 0] * scale @ rotation.T
    shift = rotation @ (beta - scale * moving_mean)
    centre, spread = rotation @ mean, np.einsum("ij,jk,ik->i", rotation, covariance, rotation)
    normed = [np.sqrt(spread + BN_EPSILON), centre, centre - shift, spread]
    weights[name] = [kernel[None, None].astype(np.float32)]
    weights[f"{name}_BN"] = [w.astype(np.float32) for w in normed]


def _output(model, block: int) -> str:
    """The layer whose output the next block reads: the sum, where there is one."""
    names = {layer.name for layer in model.layers}
    prefix = f"block_{block}" if block else "expanded_conv"
    return f"{prefix}_add" if f"{prefix}_add" in names else f"{prefix}_project_BN"


_KEPT: dict[bytes, dict] = {}  # the last two answers of `_moments`: the students of one teacher ask the same


def _moments(model, inputs: np.ndarray, endings: tuple[str, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean (C,) and covariance (C, C) over images and places of the outputs of the layers so named. Not to be changed."""
    digest = hashlib.sha256(repr((endings, inputs.shape)).encode())
    for array in (*model.get_weights(), inputs):
        digest.update(np.ascontiguousarray(array).data)
    if digest.digest() not in _KEPT:
        while len(_KEPT) > 1:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[digest.digest()] = _measured_moments(model, inputs, endings)
    return _KEPT[digest.digest()]


def _measured_moments(model, inputs: np.ndarray, endings: tuple[str, ...], batch: int = 50) -> dict:
    layers = [layer for layer in model.layers if layer.name.endswith(endings)]
    probe = keras.Model(model.input, [layer.output for layer in layers])
    sums = [[0.0, 0.0, 0] for _ in layers]
    for start in range(0, len(inputs), batch):
        for total, output in zip(sums, probe(inputs[start : start + batch], training=False), strict=True):
            flat = output.numpy().reshape(-1, output.shape[-1]).astype(np.float64)
            total[0], total[1], total[2] = total[0] + flat.sum(0), total[1] + flat.T @ flat, total[2] + len(flat)
    return {
        layer.name: (first / n, second / n - np.outer(first / n, first / n))
        for layer, (first, second, n) in zip(layers, sums, strict=True)
    }
