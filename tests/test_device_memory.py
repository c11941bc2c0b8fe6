"""RAM and flash of a device against the vendor's published figures, and what must hold for any network and platform."""

import copy
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.platforms import memory_validation as validation_module
from hwaware_utils.platforms.memory import compare_in_place, estimate_device_memory, memory_summary, memory_validation
from hwaware_utils.platforms.memory_runtimes import PATH, find_memory_runtime, load_memory_runtimes, parse_runtimes
from hwaware_utils.platforms.mobilenet import mobilenet_tensors, mobilenet_workload
from hwaware_utils.platforms.specs import list_platforms, load_platform
from hwaware_utils.workload import load_tensors, load_workload, size_bytes

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")


def estimate(platform, *network, file_bytes=None, precision="int8") -> dict:
    made = (*network, precision)
    return estimate_device_memory(mobilenet_workload(*made), mobilenet_tensors(*made), platform, precision, file_bytes)


def test_every_platform_has_a_runtime_and_a_sensible_answer():
    for platform in list_platforms():
        answer = estimate(platform, "mobilenet_v2", 0.35, 96, 10)
        for what in ("ram_kib", "flash_kib"):
            assert 0 < answer[f"{what}_low"] <= answer[what] <= answer[f"{what}_high"]
        assert answer["evidence"] == "modelled" and answer["arena_kib"] >= 96 * 96 * 3 / 1024
        assert answer["flash_kib"] >= answer["weights_kib"]


def test_an_unknown_platform_is_named():
    with pytest.raises(UserError, match="arm_cortex_m99"):
        find_memory_runtime("arm_cortex_m99")


def test_a_platform_with_an_unknown_memory_runtime_is_told_the_nearest():
    with pytest.raises(UserError, match=r"arm_cortex_m7\.yaml: memory_runtime 'lite_rt' is none .* 'litert'"):
        estimate(replace(load_platform("arm_cortex_m7"), memory_runtime="lite_rt"), "mobilenet_v2", 0.35, 96, 10)


@pytest.mark.parametrize(("alpha", "classes", "published_kib"), [(0.35, 5, 406.86), (0.35, 1000, 1654.5), (1.4, 1000, 6015.34)])
def test_weights_are_the_vendors_to_ten_bytes(alpha, classes, published_kib):
    # "Weights Flash" of the STM32 AI model zoo's README for MobileNetV2
    assert estimate("arm_cortex_m7", "mobilenet_v2", alpha, 224, classes)["weights_kib"] == pytest.approx(
        published_kib, abs=0.01
    )


@pytest.mark.parametrize(("resolution", "published_kib"), [(96, 126.5), (128, 224.5), (224, 686.5)])
def test_arena_and_scratch_are_the_vendors_of_version_7(resolution, published_kib):
    # "Activation RAM" of the same README at version 7.3; 96 px: the report of a project generated with 8.1
    answer = estimate("stm32h743_xcubeai", "mobilenet_v2", 0.35, resolution, 5)
    assert answer["arena_kib"] + answer["scratch_kib"] == published_kib


def test_held_out_rows_are_within_the_promised_error():
    table = memory_validation()
    check_evidence(table, "validation")
    assert len(table) == 32 and set(table["split"]) == {"leave one geometry out"}
    assert ((table["predicted_kib"] / table["published_kib"] - 1) == table["relative_error"]).all()
    total = memory_summary(table).query("runtime == 'all'").set_index("what")
    assert total.loc["ram", "mean_abs_percent_error"] <= 5
    assert total.loc["flash", "mean_abs_percent_error"] <= 3
    assert total["coverage"].between(0.85, 0.97).all()


def test_a_left_out_geometry_is_in_no_fit(monkeypatch):
    seen = []

    def fit(rows):
        seen.append(set(map(tuple, rows[validation_module.GEOMETRY].to_numpy())))
        return [0.0, 0.0, 0.0]

    runtime = load_memory_runtimes()["cube_ai_7"]
    monkeypatch.setitem(validation_module.WHAT, "ram", (fit, validation_module._predict_ram))
    held = validation_module._hold_out(runtime)
    assert [len(groups) for groups in seen] == [held[validation_module.GEOMETRY].drop_duplicates().shape[0] - 1] * 5


def test_constants_are_the_fit_to_the_published_rows():
    for name in ("cube_ai_10", "cube_ai_7"):
        runtime = load_memory_runtimes()[name]
        rows = validation_module.published_parts(runtime)
        fitted = [*validation_module.fit_ram(rows), *validation_module.fit_code(rows)]
        names = ["ram_constant_kib", "ram_per_operator_kib", "second_pool_share", "code_constant_kib", "code_per_operator_kib"]
        assert fitted == pytest.approx([runtime.value(n) for n in names], rel=0.01, abs=1e-6)


def test_spreads_are_those_of_the_held_out_rows():
    table = memory_validation()
    for what, name in (("ram", "ram_spread"), ("flash", "flash_spread")):
        distance = (table["predicted_kib"] / table["published_kib"])[table["what"] == what].map(lambda r: max(r, 1 / r) - 1)
        for runtime in (load_memory_runtimes()[key] for key in ("cube_ai_10", "cube_ai_7")):
            assert runtime.value(name) == pytest.approx(distance.max(), abs=0.001)


def test_what_is_done_in_place_explains_the_published_ram_best():
    table = compare_in_place()
    check_evidence(table, "assumptions")
    best = table.loc[table.groupby("runtime")["mean_abs_percent_error"].idxmin()]
    assert best["chosen"].all() and table["chosen"].sum() == 2


def networks():
    return st.tuples(
        st.sampled_from(["mobilenet_v1", "mobilenet_v2"]),
        st.sampled_from([0.25, 0.35, 0.5, 0.75, 1.0]),
        st.sampled_from([32, 64, 96, 128, 160, 224]),
        st.sampled_from([2, 10, 1000]),
    )


@settings(max_examples=25)
@given(networks(), st.sampled_from(["arm_cortex_m7", "stm32h743_tflm", "stm32h743_cmsisnn"]))
def test_parts_add_up_and_more_classes_or_pixels_take_more(network, platform):
    family, alpha, resolution, classes = network
    answer = estimate(platform, *network)
    parts = ("arena_kib", "scratch_kib", "second_pool_kib", "runtime_ram_kib")
    assert sum(answer[part] for part in parts) == pytest.approx(answer["ram_kib"])
    more = estimate(platform, family, alpha, resolution, classes + 100)
    assert more["flash_kib"] > answer["flash_kib"]
    larger = estimate(platform, family, alpha, resolution + 32, classes)
    assert larger["ram_kib"] > answer["ram_kib"]
    assert larger["flash_kib"] == pytest.approx(answer["flash_kib"])


def test_two_pools_only_beyond_the_internal_ram():
    inside, beyond = (estimate("arm_cortex_m7", "mobilenet_v2", 0.35, pixels, 5) for pixels in (128, 224))
    assert inside["second_pool_kib"] == 0 and inside["ram_kib"] < 512
    assert beyond["second_pool_kib"] > 0 and beyond["ram_kib"] > 512
    assert estimate("stm32h743_tflm", "mobilenet_v2", 0.35, 224, 5)["second_pool_kib"] == 0


def test_tflite_micro_plans_nothing_in_place():
    vendor, micro = (estimate(p, "mobilenet_v2", 0.35, 128, 5) for p in ("arm_cortex_m7", "stm32h743_tflm"))
    assert (vendor["arena_kib"], micro["arena_kib"]) == (224, 240)
    assert find_memory_runtime("stm32h743_tflm").in_place == {}


def test_application_cores_load_weights_in_the_precision_of_the_model():
    small, large = (estimate("apple_m1", "mobilenet_v2", 1.0, 224, 1000, precision=p) for p in ("int8", "fp32"))
    assert large["weights_kib"] > 3.5 * small["weights_kib"] and large["arena_kib"] == 4 * small["arena_kib"]
    assert large["ram_kib"] > large["weights_kib"] + large["arena_kib"]
    given_ = estimate("apple_m1", "mobilenet_v2", 1.0, 224, 1000, file_bytes=4_000_000)
    assert given_["flash_kib"] == given_["flash_kib_low"] == given_["flash_kib_high"] == 4_000_000 / 1024


@pytest.mark.parametrize("file", sorted(REFERENCE.glob("**/*.int8_ptq.tflite")) + sorted(REFERENCE.glob("**/*.fp32.tflite")))
def test_file_size_is_known_without_the_file(file):
    operators, tensors = load_workload(file), load_tensors(file)
    precision = "int8" if "int8" in file.name else "fp32"
    answer = estimate_device_memory(operators, tensors, "apple_m1", precision)
    assert answer["flash_kib"] == pytest.approx(size_bytes(file) / 1024, rel=0.02)


@pytest.mark.parametrize(
    ("change", "words"), [({"unit": "MB"}, "MB"), ({"value": 29_000}, "impossible"), ({"source": ""}, "no source")]
)
def test_a_faulty_constant_is_refused(change, words):
    content = copy.deepcopy(yaml.safe_load(PATH.read_text()))
    content["runtimes"]["cube_ai_10"]["constants"]["ram_constant_kib"] |= change
    with pytest.raises(UserError, match=words):
        parse_runtimes(content, "memory.yaml")
    del content["runtimes"]["cube_ai_10"]["constants"]["ram_constant_kib"]
    with pytest.raises(UserError, match="ram_constant_kib"):
        parse_runtimes(content, "memory.yaml")


def test_conformal_spread_is_wider_with_a_larger_error():
    narrow, wide = (validation_module.conformal_spread(pd.Series(d)) for d in ([0.01] * 20, [0.01] * 17 + [0.3] * 3))
    assert 1 < narrow < wide
