"""What the book looks like, without building it: charts, tables, the run card, the pages about evidence and data."""

import json
import re
import subprocess
import sys

import altair as alt
import numpy as np
import pandas as pd
import pytest

from hwaware_utils.base.evidence import EVIDENCE, SHAPES
from hwaware_utils.base.results import ROOT
from hwaware_utils.report import charts, figures, runcard
from hwaware_utils.report.downloads import describe_table
from hwaware_utils.report.tables import show_table

VARIANTS = pd.DataFrame(
    {
        "variant": ["a_fp32", "a_int8"], "architecture": ["a", "a"], "precision": ["fp32", "int8_ptq"],
        "accuracy": [0.9, 0.89], "accuracy_low": [0.89, None], "accuracy_high": [0.91, None], "accuracy_n": [100, 100],
        "parameters": [1000, 1000], "macs": [5000, 5000], "size_bytes": [4096, 1024], "evidence": ["recorded", "measured"],
    }
)  # fmt: skip
LATENCY = pd.DataFrame(
    {
        "variant": ["a_fp32", "a_int8"], "platform": ["phone", "mcu"], "runtime": "r", "threads": 1,
        "latency_ms": [2.0, 40.0], "latency_ms_low": [1.5, None], "latency_ms_high": [2.5, None],
        "evidence": ["simulated", "modelled"],
    }
)  # fmt: skip
WORKLOAD = pd.DataFrame(
    {
        "index": [0, 1], "operator": ["CONV_2D", "ADD"], "name": ["c", "s"], "macs": [500, 0], "weight_bytes": [32, 0],
        "activation_bytes": [64, 10], "output_shape": ["1x2x2x8", "1x10"], "evidence": "measured",
    }
)  # fmt: skip
LOG = pd.DataFrame(
    {
        "architecture": "a", "phase": ["head", "fine-tuning"], "epoch": [1, 1], "resolution": 96, "learning_rate": 0.001,
        "loss": [1.0, 0.5], "accuracy": [0.5, 0.7], "test_accuracy": [0.4, 0.6], "seconds": 3.0, "evidence": "recorded",
    }
)  # fmt: skip
POINTS = pd.DataFrame(
    {
        "variant": ["a"], "platform": ["mcu"], "intensity_macs_per_byte": [3.0], "throughput_gmacs_s": [0.2],
        "evidence": ["published"],
    }
)  # fmt: skip
ROOFS = pd.DataFrame({"platform": ["mcu"], "precision": ["int8"], "peak_gmacs_s": [0.8], "bandwidth_gb_s": [1.6]})
PARETO = LATENCY.assign(accuracy=[0.9, 0.89], size_bytes=[4096, 1024], on_front=[True, False])

CHARTS = {
    "training_curves": lambda: figures.training_curves(LOG),
    "size_vs_accuracy": lambda: figures.size_vs_accuracy(VARIANTS),
    "size_vs_accuracy without an interval": lambda: figures.size_vs_accuracy(
        VARIANTS.drop(columns=["accuracy_low", "accuracy_high"])
    ),
    "size_bars": lambda: figures.size_bars(VARIANTS),
    "workload_bars": lambda: figures.workload_bars(WORKLOAD),
    "latency_bars": lambda: figures.latency_bars(LATENCY),
    "latency_bars without an interval": lambda: figures.latency_bars(
        LATENCY.drop(columns=["latency_ms_low", "latency_ms_high"])
    ),
    "roofline": lambda: figures.roofline(POINTS, ROOFS),
    "pareto": lambda: figures.pareto(PARETO),
    "pareto with nothing dominated": lambda: figures.pareto(PARETO.assign(on_front=True)),
}


@pytest.fixture(autouse=True)
def our_renderer():
    """The renderer and the theme of a notebook, for one test."""
    charts.enable()
    yield
    alt.renderers.enable("default")
    alt.theme.enable("default")


@pytest.mark.parametrize("name", CHARTS)
def test_chart_draws_marks_and_tells_what_it_shows(name):
    output = CHARTS[name]()._repr_mimebundle_()
    output = output[0] if isinstance(output, tuple) else output
    spec, svg = output[charts.MIMETYPE], output["image/svg+xml"]
    assert len(spec["description"]) > 40
    assert "nan" not in spec["description"].lower()
    assert re.search(r'class="mark-(symbol|rect|line)[^>]*>\s*<path', svg), "the chart is blank"
    assert "text/html" not in output, "JupyterLab would show it instead of the live chart"


@pytest.mark.parametrize("name", ["size_vs_accuracy", "latency_bars", "roofline", "pareto", "training_curves"])
def test_chart_shows_all_six_kinds_of_evidence_in_its_legend(name):
    svg = charts.to_svg(CHARTS[name]().to_dict())
    assert [kind for kind in EVIDENCE if f">{kind}</text>" not in svg] == []


@pytest.mark.parametrize(("name", "words"), [("size_vs_accuracy", ["fp32", "int8_ptq"]), ("pareto", ["phone", "mcu"])])
def test_chart_says_what_its_colours_mean(name, words):
    svg = charts.to_svg(CHARTS[name]().to_dict())
    assert [word for word in words if f">{word}</text>" not in svg] == []


def test_chart_is_the_same_on_every_run():
    assert json.dumps(CHARTS["pareto"]().to_dict()) == json.dumps(CHARTS["pareto"]().to_dict())


def test_book_page_keeps_charts_apart_and_survives_hostile_labels():
    from hwaware_utils.report.book import chart_html

    spec = CHARTS["size_bars"]().properties(description='a "quoted" </script><b>').to_dict()
    html = chart_html(spec)
    assert html.count("</script>") == 1
    assert 'aria-label="a &quot;quoted&quot; &lt;/script&gt;&lt;b&gt;"' in html
    other = chart_html(CHARTS["pareto"]().to_dict())
    assert not set(re.findall(r'\bid="([^"]+)"', html)) & set(re.findall(r'\bid="([^"]+)"', other))


def test_table_formats_by_unit_and_puts_evidence_last():
    frame = pd.DataFrame(
        {"evidence": ["measured"], "accuracy": [0.912345], "latency_ms": [12.3456], "size_bytes": [3400000], "fits": [True]}
    )
    table = show_table(frame)
    assert list(table.cells.iloc[0]) == ["0.9123", "12.3", "3,400,000", "yes", "measured"]
    assert list(table.cells) == ["accuracy", "latency_ms", "size_bytes", "fits", "evidence"]
    assert show_table(frame, digits={"latency_ms": 5}).cells["latency_ms"][0] == "12.346"


def test_table_keeps_its_columns_whatever_the_text():
    table = show_table(pd.DataFrame({"a": ["<b>|x_y"], "n": [None]}), caption="A & B")
    forms = table._repr_mimebundle_()
    assert "&lt;b&gt;|x_y" in forms["text/html"]
    assert "A &amp; B" in forms["text/html"]
    assert "<b>\\|x\\_y" in forms["text/markdown"]
    assert forms["text/markdown"].splitlines()[0] == "**A & B**"


def test_table_of_nothing_has_its_head():
    assert "latency_ms" in show_table(LATENCY.head(0)).to_markdown().replace("\\", "")


def test_run_card_names_what_ran_and_no_path():
    card = runcard.run_card("smoke", {"seed": 7}, "digits", started=0.0)
    facts = dict(zip(card.cells["item"], card.cells["value"], strict=True))
    assert facts["profile"] == "smoke"
    assert facts["parameter seed"] == "7"
    assert facts["data set"] == "digits"
    assert "altair" in facts["packages"]
    assert facts["duration"].endswith(" s")
    assert str(ROOT) not in " ".join(facts.values())


def test_run_card_works_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert runcard.git_commit() == "unknown (no git)"


def test_reading_page_explains_the_evidence_as_the_code_defines_it():
    page = (ROOT / "book" / "how_to_read.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \| (.+) \|$", page, re.MULTILINE)
    assert [(kind, shape, text) for kind, _, shape, text in rows] == [(k, SHAPES[k], text) for k, text in EVIDENCE.items()]
    style = (ROOT / "book" / "_static" / "report.css").read_text(encoding="utf-8")
    assert dict(re.findall(r'\.hw-(\w+)::before \{ content: "(.)"', style)) == {kind: mark for kind, mark, _, _ in rows}


def test_data_page_tells_what_a_table_holds(tmp_path):
    LATENCY.to_csv(tmp_path / "latency.csv", index=False)
    text = "\n".join(describe_table(tmp_path / "latency.csv"))
    assert "2 rows; evidence: modelled, simulated" in text
    assert "`latency_ms_low`" in text


def test_a_number_that_a_run_does_not_have_is_a_dash_in_its_sentence(monkeypatch):
    from docutils import nodes, utils

    from hwaware_utils.report import prose
    from hwaware_utils.report.book import MissingNumbers

    glued = {}
    monkeypatch.setattr(prose, "glue", lambda name, value, display: glued.update({name: value}))
    prose.glue_numbers({"share": np.float64("nan"), "gain": None, "n": np.int64(3), "text": "nan"})
    document = utils.new_document("page")
    for text in (f"{glued['share']:.0%}", f"{glued['gain']:+.1f}", f"{glued['n']:.0f}"):
        document += nodes.inline(text, text, classes=["pasted-text"])
    document += nodes.inline("nan", "nan")  # not glued
    MissingNumbers(document).run()
    assert [node.astext() for node in document] == ["–", "–", "3", "nan"]


def test_book_sources_ask_no_network():
    for path in (ROOT / "book" / "_static").iterdir():
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")  # a name, not an address
        assert not re.search(r"(https?:)?//[\w.-]+\.\w+/", text), path.name


def test_report_starts_without_tensorflow():
    code = "import sys; from hwaware_utils.report import book, figures, runcard, tables; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr
