"""Drift is found, clean data raises alarms no more often than promised, and corruptions do what they say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hwaware_utils.base.artifacts import sha256
from hwaware_utils.base.errors import UserError
from hwaware_utils.decide import drift, monitoring
from hwaware_utils.decide.monitoring import first_alarm, monitor_stream, signals_of
from hwaware_utils.study import data
from hwaware_utils.study.corruptions import CORRUPTIONS, corrupt

settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")


def frames(n: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Independent random images of varying brightness and logits of varying confidence; `shift` makes them less sure."""
    rng = np.random.default_rng(seed)
    level = rng.normal(120, 25, (n, 1, 1, 1))
    images = np.clip(level + rng.normal(0, 20, (n, 6, 6, 3)), 0, 255).astype(np.uint8)
    logits = rng.normal(0, 1, (n, 10))
    logits[:, 0] += rng.normal(4 - shift, 1, n)
    return images, logits


def test_signals_by_hand():
    images = np.zeros((2, 2, 2, 3), np.uint8)
    images[1, :, 1] = 255  # black left, white right
    found = signals_of(images, np.array([[0.0, 0.0], [np.log(3), 0.0]]))
    assert found["confidence"].tolist() == pytest.approx([0.5, 0.75])
    assert found["brightness"].tolist() == [0, 0.5]
    assert found["contrast"].tolist() == [0, 0.5]
    assert found["sharpness"].tolist() == [0, 0.5]  # 1 across, 0 down


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_kolmogorov_smirnov_is_scipys(reference, window):
    ours = monitoring.kolmogorov_smirnov(np.sort(np.array(reference, float)), np.array(window, float))
    assert ours == pytest.approx(stats.ks_2samp(reference, window, method="asymp").statistic)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8), st.data())
def test_psi_is_symmetric_and_zero_only_for_equal_shares(shares, drawn):
    other = drawn.draw(st.lists(st.floats(0.01, 1), min_size=len(shares), max_size=len(shares)))
    p, q = np.array(shares) / sum(shares), np.array(other) / sum(other)
    index = monitoring.population_stability_index(p, q)
    assert index == pytest.approx(monitoring.population_stability_index(q, p))
    assert index >= 0
    assert monitoring.population_stability_index(p, p) == 0


@pytest.mark.parametrize("method", monitoring.METHODS)
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_clean_streams_raise_alarms_no_more_often_than_asked(method, rate):
    clean, windows, window = frames(12_000, 1), 400, 50
    if method == "page_hinkley":  # it remembers, so many short streams are watched instead of one long one
        options = {"window": window, "false_alarm_rate": rate, "method": method}
        runs = [monitor_stream(*clean, *frames(4 * window, 100 + k), **options, seed=k) for k in range(60)]
        raised, expected = sum(run["alarm"].any() for run in runs), 60 * (1 - (1 - rate) ** 4)
    else:
        watched = monitor_stream(*clean, *frames(windows * window, 2), window=window, false_alarm_rate=rate, method=method)
        raised, expected = watched.groupby("window")["alarm"].any().sum(), windows * rate
    assert raised <= expected + 3.5 * np.sqrt(expected) + 1
    assert (method == "page_hinkley") or raised > 0, "a threshold that nothing ever exceeds finds nothing either"


@pytest.mark.parametrize("method", monitoring.METHODS)
def test_a_stream_that_grows_unsure_is_found_and_named(method):
    clean, before, after = frames(4000, 1), frames(1000, 2), frames(1000, 3, shift=1.5)
    stream = [np.concatenate(parts) for parts in zip(before, after, strict=True)]
    watched = monitor_stream(*clean, *stream, window=100, false_alarm_rate=0.001, method=method)
    seen, signal = first_alarm(watched)
    assert 1000 < seen <= 1400
    assert signal == "confidence"
    assert first_alarm(watched[watched["window"] < 10]) is None


def test_two_alarms_in_a_row_trigger_not_two_in_all():
    clean = frames(400, 1)
    watched = monitor_stream(*clean, *frames(600, 2), window=100, method="ks").assign(alarm=False)
    for raised, expected in (([0, 2, 4], None), ([0, 2, 3], 400)):
        table = watched.assign(alarm=watched["window"].isin(raised) & (watched["signal"] == "brightness"))
        assert (first_alarm(table) or (None,))[0] == expected


def test_the_same_seed_gives_the_same_table_and_the_rest_is_left_out():
    clean, stream = frames(1000, 1), frames(570, 2)
    first, second = (monitor_stream(*clean, *stream, seed=5) for _ in range(2))
    assert first.equals(second)
    assert first["window"].max() == 4
    assert set(first["signal"]) == set(monitoring.SIGNALS)
    assert (first["evidence"] == "measured").all()


def test_corruptions_by_hand():
    grey = np.full((1, 32, 32, 3), 100, np.uint8)
    half = grey.copy()
    half[:, :, 16:] = 200
    assert (corrupt(grey, "brightness", 5) == 176).all()  # 100 + 0.3 x 255 = 176.5, rounded to even
    assert (corrupt(grey, "contrast", 5) == 100).all()
    assert set(np.unique(corrupt(half, "contrast", 2))) == {125, 175}
    assert (corrupt(grey, "blur", 5) == 100).all()
    edge = corrupt(half, "blur", 5)[0, 0, :, 0].astype(int)
    assert (np.diff(edge) >= 0).all()
    assert edge[15] + edge[16] == 300  # as much from either side
    assert np.std(corrupt(grey, "noise", 3).astype(float) / 255) == pytest.approx(0.08, rel=0.05)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_higher_severity_changes_more(kind):
    images = np.kron(data.load("digits").x_test[:40], np.ones((1, 4, 4, 1), np.uint8))
    change = [np.abs(corrupt(images, kind, s).astype(int) - images).mean() for s in range(1, 6)]
    assert change == sorted(change)
    assert change[0] > 0
    assert corrupt(images, kind, 1).dtype == np.uint8


def test_drift_is_measured_on_a_stored_model():
    digits = data.load("digits")
    model = min((ROOT / "results" / "reference").glob("*.int8_ptq.tflite"), key=lambda path: path.stat().st_size)
    images = digits.x_test[:240]
    summary, windows = drift.measure_drift(model, images, digits.y_test[:240], severities=(5,), window=20)
    assert len(summary) == 3 * (1 + len(CORRUPTIONS))
    assert set(windows["corruption"]) == {"none", *CORRUPTIONS}
    psi = summary[summary["method"] == "psi"].set_index("corruption")
    assert psi.loc["brightness", "trigger_signal"] in ("brightness", "contrast")  # white on black is cut off at white
    assert psi.loc["brightness", "trigger_frames"] == 40
    assert psi.loc["none", "accuracy_change_points"] == 0
    assert psi["accuracy"].between(psi["accuracy_low"], psi["accuracy_high"]).all()


def test_a_change_half_way_is_noticed_after_it_happens():
    digits = data.load("digits")
    model = min((ROOT / "results" / "reference").glob("*.int8_ptq.tflite"), key=lambda path: path.stat().st_size)
    watched = drift.watch_change(model, digits.x_test[:330], "contrast", 5, window=20)
    assert watched.groupby("changed")["window"].nunique().to_dict() == {False: 4, True: 4}
    assert watched.loc[~watched["changed"], "frames"].max() == 80
    seen, signal = first_alarm(watched)
    assert seen == 120  # two windows after the change
    assert signal != "brightness"  # the only one that less contrast leaves alone


def test_what_was_noticed_by_hand():
    summary = pd.DataFrame(
        [("none", 0.0, np.nan, 0.1), ("noise", -30.0, 200, 1.0), ("blur", -4.0, np.nan, 0.2), ("brightness", -0.5, 100, 0.9)],
        columns=["corruption", "accuracy_change_points", "trigger_frames", "alarm_share"],
    ).assign(method="psi", evidence="measured")
    found = drift.detection(summary).iloc[0]
    assert (found["harmful"], found["harmful_noticed"], found["worst_missed_points"]) == (2, 1, 4.0)
    assert (found["harmless"], found["harmless_noticed"]) == (1, 1)
    assert found["cheapest_noticed_points"] == 0.5
    assert (found["slowest_frames"], found["clean_alarm_share"]) == (200, 0.1)


def test_a_stream_without_data_needs_a_recording():
    model = min((ROOT / "results" / "reference").glob("*.mixed.tflite"), key=lambda path: path.stat().st_size)
    with pytest.raises(UserError, match="no drift is recorded"):
        drift.drift_tables(model, None, None)


def test_a_recording_of_other_settings_is_not_shown_as_these(tmp_path, monkeypatch):
    from hwaware_utils.base import reference

    monkeypatch.setattr(reference, "REFERENCE", tmp_path)
    model = tmp_path / "any.tflite"
    model.write_bytes(b"any")
    common = {"sha256": sha256(model), "evidence": "recorded"}
    summary = pd.DataFrame({"corruption": ["none", "noise"], "severity": [0, 3]}).assign(**common)
    summary.to_csv(tmp_path / "drift.csv")
    pd.DataFrame({"corruption": ["noise"], "severity": [3], "frames": [100]}).assign(**common).to_csv(
        tmp_path / "drift_stream.csv"
    )
    asked = {"drift_window": 100, "update_corruption": "noise", "update_severity": 3, "drift_severities": [3]}
    assert len(drift.drift_tables(model, None, SimpleNamespace(**asked))[0]) == 2
    for change in ({"drift_window": 50}, {"update_corruption": "blur"}, {"update_severity": 5}, {"drift_severities": [1, 3]}):
        with pytest.raises(UserError, match=f"recorded with {next(iter(change))}"):
            drift.drift_tables(model, None, SimpleNamespace(**asked | change))


def test_bad_input_gets_one_sentence():
    clean, stream = frames(400, 1), frames(200, 2)
    for options, words in (
        ({"window": 101}, "window 101: .* at most a quarter of the 400 clean"),
        ({"window": 1}, "window 1"),
        ({"false_alarm_rate": 0.0}, "false_alarm_rate 0.0"),
        ({"method": "pis"}, "did you mean 'psi'"),
    ):
        with pytest.raises(UserError, match=words):
            monitor_stream(*clean, *stream, **options)
    with pytest.raises(UserError, match=r"logits \(3, 10\)"):
        signals_of(stream[0], stream[1][:3])
    with pytest.raises(UserError, match="NaN"):
        signals_of(stream[0], stream[1] * np.nan)
    with pytest.raises(UserError, match="severity 6"):
        corrupt(stream[0], "noise", 6)
    with pytest.raises(UserError, match="did you mean 'blur'"):
        corrupt(stream[0], "blurr", 1)
    with pytest.raises(UserError, match="float64"):
        corrupt(stream[0] / 255, "blur", 1)
