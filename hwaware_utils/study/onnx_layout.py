"""What the layout of tensors costs in ONNX Runtime: TFLite keeps channels last (NHWC), ONNX wants them first (NCHW)."""

import onnx
import pandas as pd

from .model_files import ModelFile
from .onnx_graph import channels_first, count_operators
from .onnx_run import profile_onnx

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


def with_channels_first(fp32: ModelFile) -> ModelFile:
    """The FP32 .onnx with an NCHW input, without the Transpose at its start; for timing, as images are NHWC."""
    content = channels_first(onnx.load_from_string(fp32.content)).SerializeToString(deterministic=True)
    return ModelFile(f"{fp32.variant}-nchw", fp32.precision, fp32.file_type, fp32.made_by, content)


def describe_layout(files: list[ModelFile], timing: pd.DataFrame, n_runs: int) -> pd.DataFrame:
    """A row an .onnx file: what its graph holds, and where ONNX Runtime's time goes by its own profile.

    Columns: variant, transposes (in the file), int8_convolutions and convolutions (as executed), layout_share and
    conversion_share (of the time, in operators that only move values and in those that only convert between INT8 and
    float), latency_ms (with range, from `timing`), evidence.
    """
    times = timing.set_index("variant")[["latency_ms", "latency_ms_low", "latency_ms_high"]]
    rows = []
    for file in files:
        profile = profile_onnx(file.content, file.scale, n_runs)
        counts = profile.set_index("operator")["count"]
        int8 = int(counts.get("QLinearConv", 0))
        convolutions = int8 + int(counts.reindex(["Conv", "FusedConv"]).fillna(0).sum())
        rows.append(
            {
                "variant": file.variant,
                "transposes": count_operators(onnx.load_from_string(file.content)).get("Transpose", 0),
                "int8_convolutions": int8,
                "convolutions": convolutions,
                "layout_share": profile.loc[profile["moves_only"], "share"].sum(),
                "conversion_share": profile.loc[profile["operator"].isin(CONVERSIONS), "share"].sum(),
                **times.loc[file.variant].to_dict(),
                "evidence": "measured",
            }
        )
    return pd.DataFrame(rows)
