"""The audit of another report: each check has a value, each verdict follows from it, and a data file is not a program."""

import pytest
import yaml

from hwaware_utils.base.errors import UserError
from hwaware_utils.decide import claims
from hwaware_utils.decide.arithmetic import calculate
from hwaware_utils.decide.claim_sources import look_up


@pytest.fixture(scope="module")
def audited():
    return claims.audit().set_index("id")


def test_sixty_claims_and_more_are_checked_and_each_says_why(audited):
    assert len(audited) >= 60
    assert (audited["note"].str.len() > 5).all()
    assert set(audited["verdict"]) == set(claims.VERDICTS)
    unchecked = audited["verdict"] == "cannot be checked"
    assert audited.loc[~unchecked, "expected"].notna().all()
    assert (audited.loc[~unchecked, "arithmetic"] != "").all()


@pytest.mark.parametrize(
    ("claim", "expected", "verdict"),
    [
        ("baseline-size", 9.083, "corrected"),  # 2,270,794 x 4 B
        ("battery-baseline", 380_571, "corrected"),  # 1 Ah x 3.7 V x 3600 s / 35 mJ
        ("power", 10, "corrected"),  # 35 mJ / 3.5 ms
        ("simd-306", 100, "refuted"),
        ("pareto-dominated", 6, "corrected"),
        ("m7-fits", 517.6, "corrected"),  # 0.53e6 B / 1024
        ("baseline-parameters", 2_270_794, "reproduced"),
    ],
)
def test_hand_worked_verdicts(audited, claim, expected, verdict):
    assert audited.loc[claim, "expected"] == pytest.approx(expected, rel=1e-3)
    assert audited.loc[claim, "verdict"] == verdict


def test_int8_does_not_fail(audited):
    assert audited.loc["ptq-fails", "verdict"] == "refuted"
    assert audited.loc["ptq-fails", "expected"] > 80


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", "given['x']", "(1).real", "x if x else 1", "9 ** 9 ** 9 ** 9", "1 / 0"]
)
def test_a_formula_is_arithmetic_and_nothing_else(text):
    with pytest.raises(UserError, match="has no value"):
        calculate(text, {"x": 1.0})


def test_a_place_that_names_several_numbers_is_refused():
    with pytest.raises(UserError, match="different numbers"):
        look_up("variants[precision=fp32].accuracy", {})
    with pytest.raises(UserError, match="no column 'varient'"):
        look_up("variants[varient=baseline-fp32].accuracy", {})


def test_a_wrong_key_is_named(tmp_path):
    path = tmp_path / "claims.yaml"
    entry = {"id": "a", "where": "x", "claim": "y", "value": 1, "unit": "", "basis": "arithmetic", "note": "n"}
    path.write_text(yaml.safe_dump({"claims": [entry | {"tolerence": 0.1}]}))
    with pytest.raises(UserError, match=r"claim 'a', tolerence"):
        claims.load_claims(path)
    path.write_text(yaml.safe_dump({"claims": [entry, entry]}))
    with pytest.raises(UserError, match="twice"):
        claims.load_claims(path)
