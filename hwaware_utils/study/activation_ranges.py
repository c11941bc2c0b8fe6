"""The ranges of a model's activations, for the scales of static quantisation."""

from pathlib import Path

from ..tflite_file import ids, read_model


def measure_ranges(fp32: Path, content: bytes, samples: dict[str, list[dict]], recipe: list) -> dict[str, dict]:
    """Least and greatest value of every tensor that `recipe` quantises, by its name.

    `content` is the .tflite `fp32`, its biases perhaps corrected; `samples` maps the signature to its inputs. Inside the
    network a moving average of each image's extremes (ai-edge-quantizer's own way) cuts off the rare outliers, which buys
    all other values finer steps. For the outputs that is wrong: what it cuts off a logit is the answer itself. They get
    the extremes of all samples. On training images this diverged less from FP32 than either way alone.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    rules = recipe_manager.RecipeManager()
    rules.load_quantization_recipe(recipe)

    def ranges(update) -> dict[str, dict]:
        tool = calibrator.Calibrator(memoryview(content), qsv_update_func=update)
        tool.calibrate(samples, rules)
        return tool.get_model_qsvs()

    graph = read_model(fp32).subgraphs[0]
    outputs = {graph.tensors[tensor].name.decode() for tensor in ids(graph.outputs)}
    inside, whole = ranges(qsv_utils.moving_average_update), ranges(qsv_utils.min_max_update)
    return inside | {name: whole[name] for name in outputs & set(whole)}
