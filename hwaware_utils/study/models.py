"""The architectures: MobileNetV2 of any width and input size, and how a narrow one starts from a wide one."""

import numpy as np

from ..base.errors import UserError
from .tf import keras

# Keras' 0.999 leaves stale statistics after a short fine-tuning: training accuracy rises, test accuracy does not.
BATCH_NORM_MOMENTUM = 0.9


def mobilenet_v2(alpha: float, resolution: int, classes: int, weights: str = "none", dropout: float = 0.2):
    """A flat functional MobileNetV2 with a logits head (tfmot refuses nested models).

    `weights` is `none` (random), `imagenet` (alpha 1.0: Keras' cache or download) or the path of a weights file
    without the top. Raises UserError when the file does not exist or does not fit.
    """
    source = None if weights == "none" else weights
    try:
        base = keras.applications.MobileNetV2(
            input_shape=(resolution, resolution, 3), alpha=alpha, include_top=False, weights=source, pooling="avg"
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise UserError(
            f"weights {weights!r} cannot be loaded for MobileNetV2 {alpha} ({str(error)[:120]}): set `weights` or "
            "HWAWARE_WEIGHTS to a file of matching no-top weights, or allow Keras' download."
        ) from error
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    features = keras.layers.Dropout(dropout, seed=0, rng_type="stateful", name="dropout")(base.output)
    return keras.Model(base.input, keras.layers.Dense(classes, name="logits")(features))


def copy_channels(wide, narrow) -> None:
    """Start `narrow` from the most used channels of `wide`, both MobileNetV2 of the same depth.

    A channel's use is the sum of the absolute weights that read it. Each tensor of the network gets one
    selection, so that what a layer writes is what the next one reads; residual sums share theirs.
    """
    kept = {"input": np.arange(3)}
    stream = "input"
    for layer in wide.layers:
        twin = narrow.get_layer(layer.name) if layer.weights else None
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            layer_weights = [layer.get_weights()[0][:, :, kept[stream]]]
        elif isinstance(layer, keras.layers.Conv2D):
            inputs = kept[stream]
            stream = _tensor_of(layer.name)
            if stream not in kept:
                use, width = _channel_use(wide, layer), twin.filters
                kept[stream] = np.sort(np.argsort(-use, kind="stable")[:width])
            layer_weights = [layer.get_weights()[0][:, :, inputs][..., kept[stream]]]
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer_weights = [w[kept[stream]] for w in layer.get_weights()]
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layer_weights = [kernel[kept[stream]], bias]
        else:
            continue
        twin.set_weights(layer_weights)


# The inverted residual blocks whose projections are summed, hence share a channel selection.
_STAGES = {2: (1, 2), 3: (3, 4, 5), 4: (6, 7, 8, 9), 5: (10, 11, 12), 6: (13, 14, 15)}
_STAGE_OF = {block: stage for stage, blocks in _STAGES.items() for block in blocks}


def _tensor_of(layer: str) -> str:
    """`block_4_project` -> `stage_3`: the name of the tensor that a convolution writes."""
    if layer.startswith("block_") and layer.endswith("_project"):
        block = int(layer.split("_")[1])
        return f"stage_{_STAGE_OF.get(block, f'after_{block}')}"
    return layer


def _channel_use(model, layer) -> np.ndarray:
    """Sum of absolute weights of everything that reads the channels that `layer` writes, scaled by its norm."""
    tensor = _tensor_of(layer.name)
    writers = [x for x in model.layers if isinstance(x, keras.layers.Conv2D) and _tensor_of(x.name) == tensor]
    use = np.zeros(layer.filters)
    for writer in writers:
        reader = _next_reader(model, writer)
        scale = np.abs(_next_of(model, writer, keras.layers.BatchNormalization).get_weights()[0])
        kernel = np.abs(reader.get_weights()[0])
        axis = (0, 1) if kernel.ndim == 2 else (0, 1, 3)
        use += scale * (kernel.sum(1) if kernel.ndim == 2 else kernel.sum(axis))
    return use


def _next_of(model, layer, kind):
    position = model.layers.index(layer)
    return next(x for x in model.layers[position + 1 :] if isinstance(x, kind))


def _next_reader(model, layer):
    """The first pointwise or dense layer behind `layer`; a depthwise one only scales its channels."""
    position = model.layers.index(layer)
    for candidate in model.layers[position + 1 :]:
        if isinstance(candidate, keras.layers.DepthwiseConv2D):
            continue
        if isinstance(candidate, keras.layers.Conv2D | keras.layers.Dense):
            return candidate
    raise ValueError(f"nothing reads {layer.name}")
