"""An early exit as a split between device and cloud: what stays, what is sent, and what the device computes."""

from pathlib import Path

import pandas as pd

from ..study.early_exit import exit_cut
from ..study.split import cut_points
from ..tflite_file import read_model


def split_at_exit(exits: pd.DataFrame, fp32: Path, block: int) -> pd.DataFrame:
    """`exits` (early_exit.csv, whose exit stands behind `block` of the network `fp32`) as traffic: a row a threshold.

    An image that does not exit is sent, either as the features at the exit, one byte a value, or as the picture, one byte a
    channel; packing is left out. Columns: threshold, chosen, exit_share, sent_share, accuracy with its interval,
    device_macs_share (of the whole network, with the exit; paid for every image), macs_share (if the device goes on
    itself), feature_bytes and picture_bytes (an image that is sent), sent_feature_bytes and sent_picture_bytes (mean over
    all images), evidence.
    """
    points = cut_points(fp32).set_index("index")
    graph = read_model(fp32).subgraphs[0]
    feature = int(points.loc[exit_cut(fp32, block), "bytes"]) // 4  # float32 in the file, one byte a value when sent
    picture = int(graph.tensors[graph.inputs[0]].shape.prod())
    sent = 1 - exits["exit_share"]
    known = ["accuracy", "accuracy_low", "accuracy_high", "macs_share", "evidence"]
    return exits[["threshold", "chosen", "exit_share", *known]].assign(
        sent_share=sent,
        device_macs_share=exits["macs_share"].min(),  # at threshold 0 everything exits
        feature_bytes=feature,
        picture_bytes=picture,
        sent_feature_bytes=sent * feature,
        sent_picture_bytes=sent * picture,
    )


def points_at_share(exits: pd.DataFrame, share: float) -> float:
    """Points of accuracy that it costs to let at least `share` of the images exit (the mildest such threshold); nan if none.

    >>> points_at_share(pd.DataFrame({"exit_share": [0.0, 0.5, 0.95], "accuracy": [0.9, 0.9, 0.88]}), 0.9).__round__(2)
    -2.0
    """
    enough = exits[exits["exit_share"] >= share]
    if enough.empty:
        return float("nan")
    reached = enough.loc[enough["exit_share"].idxmin(), "accuracy"]
    return float(100 * (reached - exits.loc[exits["exit_share"].idxmin(), "accuracy"]))
