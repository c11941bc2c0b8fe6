"""A cut model is the same function in several files, and a cut that cannot be made is refused."""

import numpy as np
import pytest

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.study import data, quantization
from hwaware_utils.study.benchmark import open_model
from hwaware_utils.study.sharding import run_chain
from hwaware_utils.study.split import cut_points, split
from hwaware_utils.tflite_file import read_model
from hwaware_utils.workload import load_workload

PRECISIONS = ("fp32", "fp16", "dynamic", "int8_ptq")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One tiny network in every number format."""
    from hwaware_utils.study.models import mobilenet_v2

    folder, images = tmp_path_factory.mktemp("models"), data.load("digits").x_train[:10]
    files = {precision: folder / f"tiny.{precision}.tflite" for precision in PRECISIONS}
    files["fp32"].write_bytes(quantization.convert_fp32(mobilenet_v2(0.35, 32, 10)))
    for precision in PRECISIONS[1:]:
        files[precision].write_bytes(quantization.quantize(files["fp32"], precision, images))
    return files


def random_input(interpreter, seed):
    detail, rng = interpreter.get_input_details()[0], np.random.default_rng(seed)
    if detail["dtype"] == np.int8:
        return rng.integers(-128, 128, detail["shape"]).astype(np.int8)
    return rng.uniform(-1, 1, detail["shape"]).astype(np.float32)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("places", [(10,), (3, 25), (0, 15, -1)])
def test_the_chain_gives_the_bits_of_the_whole(models, precision, places, tmp_path):
    cuts = cut_points(models[precision])["index"].iloc[list(places)].tolist()
    chain = []
    for number, content in enumerate(split(models[precision], cuts)):
        file = tmp_path / f"{number}.tflite"
        file.write_bytes(content)
        chain.append(open_model(file))
    whole = open_model(models[precision])
    assert len(chain) == len(cuts) + 1
    for seed in range(3):
        values = random_input(whole, seed)
        expected = run_chain([whole], values)
        assert expected.std() > 0
        assert run_chain(chain, values).tobytes() == expected.tobytes()


@pytest.mark.parametrize("precision", ["fp32", "int8_ptq"])
def test_segments_share_out_the_work_and_the_weights(models, precision, tmp_path):
    whole = load_workload(models[precision])
    parts = []
    for number, content in enumerate(split(models[precision], cut_points(models[precision])["index"].iloc[[5, 20]].tolist())):
        file = tmp_path / f"{number}.tflite"
        file.write_bytes(content)
        parts.append(load_workload(file))
        signature = open_model(file).get_signature_list()["serving_default"]
        assert signature["inputs"] == (["image"] if number == 0 else ["features"])
        assert signature["outputs"] == (["logits"] if number == 2 else ["features"])
    assert [name for part in parts for name in part["operator"]] == whole["operator"].tolist()
    for column in ("macs", "weights"):
        assert sum(part[column].sum() for part in parts) == whole[column].sum()
    total = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert total < 1.1 * models[precision].stat().st_size


@pytest.mark.parametrize("precision", ["fp32", "int8_ptq"])
def test_weights_start_on_sixteen_bytes(models, precision, tmp_path):
    cut = int(cut_points(models[precision])["index"].iloc[10])
    for content in split(models[precision], [cut]):
        file = tmp_path / "part.tflite"
        file.write_bytes(content)
        for buffer in read_model(file).buffers:
            stored = b"" if buffer.data is None else bytes(bytearray(buffer.data))
            if len(set(stored)) > 16:  # varied enough to stand in the file once
                assert content.find(stored) % 16 == 0


def test_a_cut_point_is_where_one_tensor_is_alive(models):
    table = cut_points(models["fp32"])
    check_evidence(table, "cuts")
    names = table["name"].tolist()
    assert any("block_2_add" in name for name in names)
    assert not any("block_2_expand" in name for name in names)  # the shortcut is alive beside it
    assert table["macs_before"].is_monotonic_increasing
    by_hand = 4 * np.array([np.prod(shape) for shape in table["shape"]])
    assert (table["bytes"] == by_hand).all()
    assert cut_points(models["int8_ptq"])["bytes"].tolist() == (by_hand // 4).tolist()


def test_no_cut_gives_the_whole_again(models, tmp_path):
    (content,) = split(models["fp32"], [])
    assert content == split(models["fp32"], [])[0]
    again = tmp_path / "again.tflite"
    again.write_bytes(content)
    assert split(again, []) == [content]


def test_impossible_cuts_are_refused(models):
    inside = int(load_workload(models["fp32"])["name"].str.contains("block_2_expand").idxmax())
    with pytest.raises(UserError, match=f"cut {inside}: more than one tensor"):
        split(models["fp32"], [inside])
    first, second = cut_points(models["fp32"])["index"].iloc[:2].tolist()
    for cuts in ([second, first], [first, first]):
        with pytest.raises(UserError, match="in rising order"):
            split(models["fp32"], cuts)
