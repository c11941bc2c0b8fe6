"""The page on the published measurements against the table that it describes."""

import re

import yaml

from hwaware_utils.base.results import ROOT
from hwaware_utils.platforms.power import load_published_power
from hwaware_utils.platforms.published import load_published

PAGE = ROOT / "book" / "published_measurements.md"


def told_rows() -> dict[str, int]:
    cells = re.findall(r"^\| (.+?) \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {source: int(rows) for source, rows in cells}


def test_the_page_lists_every_source_with_its_number_of_rows():
    assert told_rows() == load_published()["source"].value_counts().to_dict()


def test_the_page_is_in_the_book():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    files = [chapter["file"] for part in parts for chapter in part["chapters"]]
    assert "book/published_measurements" in files


def test_what_the_page_says_about_energy_and_clocks_holds():
    published = load_published()
    assert {re.sub(r" v\d.*", "", s) for s in load_published_power()["source"]} == {"MLPerf Tiny", "MLPerf Inference"}
    assert set(published.loc[published["ram_kib"].notna(), "source"]) == {"STM32 AI model zoo", "TinyEngine README"}
    unclocked = published[published["freq_mhz"].isna() | (published["freq_mhz"] <= 0)]
    assert set(unclocked["source"]) <= {"ncnn benchmark"} and len(unclocked) == 4


def test_every_row_is_pinned_to_a_commit():
    assert load_published()["source_url"].str.contains(r"/blob/[0-9a-f]{40}/").all()
