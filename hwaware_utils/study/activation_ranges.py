"""The ranges of a model's activations, for the scales of static quantisation."""

from collections.abc import Iterable


def measure_ranges(content: bytes, samples: dict[str, Iterable[dict]], recipe: list) -> dict[str, dict]:
    """Least and greatest value of every tensor of the FP32 .tflite `content` that `recipe` quantises, by its name.

    `samples` maps the signature to its inputs, a dict of arrays each. ai-edge-quantizer's own way is a moving average
    of each image's extremes, which halves the weight of an image every 14 images: what lies outside is cut off, and on
    the logits of a trained network that is most of the error (signal to noise 9 to 11 dB, 29 dB with the extremes).
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    rules = recipe_manager.RecipeManager()
    rules.load_quantization_recipe(recipe)
    tool = calibrator.Calibrator(memoryview(content), qsv_update_func=qsv_utils.min_max_update)
    tool.calibrate(samples, rules)
    return tool.get_model_qsvs()
