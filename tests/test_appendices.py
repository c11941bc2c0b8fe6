"""The appendix: what it says follows from the tables, and what it offers can be used."""

import hashlib
import io
import json
import re
import zipfile

import pandas as pd
import pytest
import yaml
from conftest import ROOT
from openpyxl import load_workbook

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import EVIDENCE
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.report import appendices, guidelines, limits, model_zoo, origins
from hwaware_utils.report.dictionary import dictionary, look_up
from hwaware_utils.report.downloads import column_list, describe_table
from hwaware_utils.report.workbook import SHEETS, write_workbook

# Named after a recipe are the files of a store, which the manifest describes; the others are result tables.
TABLES = {path.stem: pd.read_csv(path) for path in REFERENCE.glob("*.csv") if not re.search(r"-[0-9a-f]{12}\.", path.name)}


def test_every_column_of_every_table_is_in_the_dictionary():
    unknown = {f"{name}.{column}" for name, frame in TABLES.items() for column in frame if look_up(name, column) is None}
    assert unknown == set(), "describe them in book/columns.yaml"


def test_the_dictionary_says_something_of_every_table():
    assert set(TABLES) - set(dictionary()["tables"]) == set(), "describe them in book/columns.yaml"


def test_every_entry_of_the_dictionary_has_a_unit_or_none_and_a_meaning():
    for name, entry in (dictionary()["columns"] | dictionary()["patterns"]).items():
        assert len(entry) == 2 and all(isinstance(text, str) for text in entry), name
        assert entry[1], name


def test_the_unit_that_ends_a_name_is_the_unit_in_the_dictionary():
    ends = {"_ms": "ms", "_mj": "mJ", "_kib": "KiB", "_mib": "MiB", "_bytes": "B", "_w": "W", "_mw": "mW", "_ma": "mA"}
    for name, (unit, _) in dictionary()["columns"].items():
        for end, expected in ends.items():
            assert not name.endswith(end) or unit == expected, name


def test_a_pattern_needs_a_column_and_a_table_may_say_it_otherwise():
    assert look_up("latency", "_low") is None
    assert look_up("power_cuts", "kind") != look_up("sizes_baseline", "kind")


def test_a_column_that_nobody_described_is_shown_by_its_name_alone(tmp_path):
    pd.DataFrame({"<strange>": [1], "latency_ms": [2.0], "evidence": ["measured"]}).to_csv(tmp_path / "new.csv", index=False)
    text = "\n".join(describe_table(tmp_path / "new.csv"))
    assert "<dt><code>&lt;strange&gt;</code></dt><dd></dd>" in text
    assert "<dt><code>latency_ms</code> (ms)</dt><dd>time of one inference" in text
    assert "\n\n" not in column_list("new", ["latency_ms"])  # a blank line would end the HTML block


# ---- guidelines


def tiny(**changes) -> dict[str, pd.DataFrame]:
    """Three variants on one device that refuses FP16."""
    variants = pd.DataFrame({
        "variant": ["baseline-fp32", "baseline-fp16", "small-fp32", "small-fp16"], "dataset": "toys",
        "architecture": ["baseline", "baseline", "small", "small"], "precision": ["fp32", "fp16", "fp32", "fp16"],
    })  # fmt: skip
    runs = pd.DataFrame({
        "variant": variants["variant"], "platform": "chip", "fits": [True, False, True, False],
        "why_not": [None, "no fp16 here", None, "no fp16 here"],
    })  # fmt: skip
    gains = {"variant": "small-fp32", "platform": "chip", "speedup": 2.0, "speedup_low": 1.5, "speedup_high": 2.5,
             "energy_saving": 3.0, "ram_saving": 1.25, "size_saving": 4.0, "accuracy_change_points": -1.5,
             "evidence": "modelled"}  # fmt: skip
    costs = pd.DataFrame({"variant": ["baseline-fp32", "small-fp32"], "platform": "chip", "latency_ms_evidence": "simulated"})
    told = pd.DataFrame({"platform": "chip", "objective": "latency", "variant": "small-fp32", "fits": True, "low": [1.0, None],
                         "quantity": ["latency_ms", "accuracy"], "value": [2.0, 0.75], "high": [3.0, None],
                         "evidence": "simulated"})  # fmt: skip
    return {"variants": variants, "fits": runs, "effectiveness": pd.DataFrame([gains | changes]), "configurations": costs,
            "recommendations": told}  # fmt: skip


def test_guidelines_say_what_pays_what_it_costs_and_what_is_refused():
    text = guidelines.guidelines(tiny())
    row = next(line for line in text.splitlines() if line.startswith("| the small network"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["the small network", "faster", "2.00 (1.50–2.50)", "3.00", "1.25", "4.00", "-1.50", "1 of 2", "simulated"]
    assert "- FP16 weights alone does not do: no fp16 here." in text
    assert "| latency | small-fp32 | 0.7500 | 2.00 (1.00–3.00) |" in text


def test_guidelines_follow_the_numbers():
    slower = guidelines.guidelines(tiny(speedup=0.5, speedup_low=0.4, speedup_high=0.6))
    assert "- **the small network**: slower on chip (x 0.50); -1.50 points" in slower
    unsure = guidelines.guidelines(tiny(speedup=1.0, speedup_low=0.2, speedup_high=5.0))
    assert "not known on chip" in unsure


def test_a_variant_with_two_changes_is_compared_with_nothing():
    changes = guidelines.single_changes(tiny())
    assert set(changes["variant"]) == {"baseline-fp16", "small-fp32"}


def test_guidelines_of_the_reference_name_every_platform_and_change():
    text = guidelines.guidelines(TABLES)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[1:] == list(dict.fromkeys(TABLES["fits"]["platform"]))
    for architecture in set(TABLES["variants"]["architecture"]) - {"baseline"}:
        assert text.count(f"| the {architecture} network |") == TABLES["fits"]["platform"].nunique()
    assert "nan" not in text.lower().split()


# ---- model zoo and limits


def test_the_zoo_gives_a_latency_only_where_the_variant_runs():
    zoo = model_zoo.zoo_table(TABLES)
    assert list(zoo["variant"]) == list(TABLES["variants"]["variant"])
    for platform, fits in TABLES["fits"].groupby("platform"):
        column = next(name for name in zoo if name.startswith(f"{platform}, ms"))
        shown = set(zoo.loc[zoo[column] != "–", "variant"])
        assert shown == set(fits.loc[fits["fits"].astype(bool), "variant"]), platform


def test_a_model_is_offered_only_if_it_is_the_one_of_the_table(tmp_path):
    content = b"a model"
    row = {"variant": "v", "precision": "int8_ptq", "model_file": "v.tflite", "sha256": hashlib.sha256(content).hexdigest()}
    variants = pd.DataFrame([row, row | {"precision": "fp16"}])
    (tmp_path / "v.tflite").write_bytes(content)
    assert model_zoo.offered_files(variants, tmp_path) == [tmp_path / "v.tflite"]
    (tmp_path / "v.tflite").write_bytes(content + b"!")
    assert model_zoo.offered_files(variants, tmp_path) == []


def test_a_link_needs_its_cell():
    html = "<tr><td>a</td><td style='x'>a.tflite</td></tr>"
    assert '<a href="../models/a.tflite" download>a.tflite</a>' in model_zoo.link_files(html, ["a.tflite"])
    with pytest.raises(UserError, match=r"b\.tflite is no cell"):
        model_zoo.link_files(html, ["b.tflite"])


def test_the_offered_models_stay_a_small_part_of_all():
    sizes = TABLES["variants"].set_index("model_file")["size_bytes"]
    offered = model_zoo.offered_files(TABLES["variants"], ROOT / "nowhere")
    assert offered and sum(sizes[path.name] for path in offered) <= 15e6


def test_errors_are_those_of_the_checks():
    checks = pd.DataFrame({"platform": ["NUCLEO-A_1", "NUCLEO_B", "Jetson"], "split": "leave one alpha out",
                           "relative_error": [0.1, -0.3, 0.02], "covered": [True, False, True],
                           "evidence": "modelled"})  # fmt: skip
    table = limits.model_errors({"energy_validation": checks}).set_index("model")
    assert list(table.index) == ["energy, NUCLEO", "energy, Jetson"]
    told = table.loc[
        "energy, NUCLEO", ["checks", "mean_error_percent", "worst_error_percent", "within_10_percent", "in_interval"]
    ]
    assert told.tolist() == pytest.approx([2, 20, 30, 0.5, 0.5])


def test_every_check_of_the_reference_is_counted_once():
    names = ["memory_validation", "energy_validation", "cortex_a78_validation"]
    expected = sum(len(TABLES[name]) for name in names) + TABLES["platform_errors"]["rows"].sum()
    assert limits.model_errors(TABLES)["checks"].sum() == expected


def test_no_table_no_error():
    assert limits.model_errors({}).empty


# ---- workbook


def test_the_workbook_holds_the_tables_and_explains_them(tmp_path):
    strange = pd.DataFrame({"variant": ["=1+1", "b"], "latency_ms": [float("nan"), float("inf")], "fits": [True, False],
                            "evidence": "measured"})  # fmt: skip
    book = load_workbook(write_workbook({"latency": strange, "workloads": strange}, tmp_path / "b.xlsx"))
    assert book.sheetnames == ["read me", "columns", "latency"]  # a row an operator is left out
    sheet = book["latency"]
    assert [[cell.value for cell in row] for row in sheet] == [
        ["variant", "latency_ms", "fits", "evidence"], ["=1+1", None, True, "measured"], ["b", "inf", False, "measured"]
    ]  # fmt: skip
    assert sheet["A2"].data_type in ("s", "inlineStr")
    assert sheet.freeze_panes == "A2" and sheet["A1"].font.bold
    assert {row[1].value for row in book["read me"]} >= set(EVIDENCE)
    assert ["latency", "latency_ms", "ms"] in [[cell.value for cell in row][:3] for row in book["columns"]]


def test_the_same_tables_make_the_same_workbook(tmp_path):
    content = write_workbook({"latency": TABLES["latency"]}, tmp_path / "a.xlsx").read_bytes()
    parts = zipfile.ZipFile(io.BytesIO(content))
    assert {info.date_time for info in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    times = set(re.findall(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"".join(parts.read(name) for name in parts.namelist())))
    assert times == {b"1980-01-01T00:00:00Z"}


def test_the_sheets_are_tables_that_are_described():
    assert set(SHEETS) <= set(dictionary()["tables"])


# ---- pages


def test_origins_name_every_recipe_and_the_citation_is_the_file(tmp_path):
    manifest = json.loads((REFERENCE / "manifest.json").read_text())
    table = origins.reference_run()
    assert set(table["recipe"]) == set(manifest)
    assert not table[["host", "commit", "date"]].eq("").to_numpy().any()
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert facts["title"] in origins.citation() and f"version = {{{facts['version']}}}" in origins.citation()


def test_run_times_are_papermills(tmp_path):
    for name, ran in (("01_a", {"duration": 2.5, "end_time": "2026-01-02T03:04:05"}), ("02_b", {"duration": None})):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": [], "metadata": {"papermill": ran}}))
    assert origins.run_times(tmp_path).to_numpy().tolist() == [["01_a", 2.5, "2026-01-02", "measured"]]


def test_every_table_of_the_appendix_can_be_made_of_the_reference():
    for name, make in appendices.TABLES.items():
        table = make(ROOT, TABLES)
        assert "evidence" in table or name == "model-files", name
        assert len(table) or name == "run-times", name


def test_the_pages_ask_for_tables_that_exist():
    asked = {name for page in (ROOT / "book").glob("*.md") for name in re.findall(r"\{appendix\} (\S+)", page.read_text())}
    assert asked == set(appendices.TABLES)


def test_every_page_is_in_the_book():
    files = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text())
    for name in ("guidelines", "model_zoo", "limits", "data", "reproduce", "glossary"):
        assert f"book/{name}" in files


def test_reading_times_follow_from_the_length_of_the_pages():
    """About 180 words a minute, three quarters of a minute for a table or a chart."""
    page = (ROOT / "book" / "how_to_read.md").read_text(encoding="utf-8")
    routes = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \| (\d+) \|$", page, re.MULTILINE)
    assert len(routes) == 3
    for route, read, minutes in routes:
        estimate = sum(map(reading_minutes, re.findall(r"\{doc\}`(?:[^`<]*<)?/([\w/]+)>?`", read)))
        assert 0.7 <= int(minutes) / estimate <= 1.4, f"{route}: {estimate:.0f} minutes"


def reading_minutes(name: str) -> float:
    path = ROOT / f"{name}.ipynb"
    if not path.is_file():
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
        return len(text.split()) / 180 + 0.75 * len(re.findall(r"^```\{(appendix|chart-of|table-of|guidelines)", text, re.M))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    words = sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    shown = sum("show_table" in "".join(cell["source"]) or "mystnb" in cell["metadata"] for cell in code)
    return words / 180 + 0.75 * shown
