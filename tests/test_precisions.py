"""Which formats are made of which architecture."""

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from hwaware_utils.base.schema_study import Quantization
from hwaware_utils.study.precisions import asked


def test_only_the_asked_architectures_train_on_with_rounding():
    p = Quantization(qat_architectures=["baseline", "memory"])
    made = {
        name: asked(SimpleNamespace(facts={"recipe": {"architecture": name}}), p) for name in ("baseline", "latency", "memory")
    }
    assert made["baseline"] == made["memory"] == p.precisions
    assert made["latency"] == [precision for precision in p.precisions if precision != "int8_qat"]


@pytest.mark.parametrize("wrong", [["memory"], ["baseline", "baseline"], ["baseline", "tiny"], []])
def test_the_baseline_is_trained_on_and_nothing_twice(wrong):
    with pytest.raises(ValidationError):
        Quantization(qat_architectures=wrong)
