"""The live demo: the page classifies with the very bits of LiteRT, under a strict policy, and is absent unless asked for."""

import functools
import http.server
import os
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT
from PIL import Image

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.results import REFERENCE
from hwaware_utils.report import build, demo
from hwaware_utils.report.pages import with_policy
from hwaware_utils.simulate.browser.litertjs import find_litertjs
from hwaware_utils.study.benchmark import open_model, quantize_input
from hwaware_utils.study.preprocessing import to_input

# Stricter than the book's own
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:"
)
WIDGET = (ROOT / "book" / "demo" / "widget.html").read_text(encoding="utf-8")


def run_folder(tmp_path: Path) -> Path:
    """A run folder that holds the stored reference's tables."""
    shutil.copytree(REFERENCE, tmp_path / "reference" / "results", ignore=shutil.ignore_patterns("*.tflite", "*.npz"))
    return tmp_path / "reference"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The demo's files and a page around its widget, or a skip that says why."""
    try:
        modules = find_litertjs()
    except UserError as error:
        pytest.fail(str(error), pytrace=False) if os.environ.get("CI") else pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("demo")
    demo.write_demo(run_folder(folder), folder / "html", modules)
    head = '<meta charset="utf-8"><title>Live demo</title><link rel="icon" href="data:,">'
    page = f'<!doctype html><html lang="en"><head>{head}</head><body>{WIDGET}</body></html>'
    (folder / "html" / "page.html").write_text(with_policy(page, wasm=True), encoding="utf-8")
    return folder / "html"


@pytest.fixture(scope="module")
def address(written):
    class Pages(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=str(written))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        told = "Chromium is missing, the live demo was not tried: install the Debian packages that apt.txt lists."
        pytest.fail(told, pytrace=False) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def picture(path: Path, width: int, height: int, seed: int) -> Path:
    """Coloured waves and some noise, as a PNG."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    waves = np.stack([np.sin(7 * x + seed), np.cos(5 * y * x + seed), np.sin(9 * y - 3 * x)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 0.1, waves.shape)
    Image.fromarray(((waves + noise + 1.3) * 98).clip(0, 255).astype(np.uint8)).save(path)
    return path


def stored_logits(written: Path, pixels: np.ndarray) -> list[int]:
    interpreter = open_model(written / "model.tflite")
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(source["index"], quantize_input(to_input(pixels[None], source["shape"][1]), source))
    interpreter.invoke()
    return interpreter.get_tensor(target["index"])[0].tolist()


def classify(page, file: Path) -> dict | None:
    """What the page found, or None when it said that it could not. Polled: the policy forbids Playwright's own waiting."""
    page.evaluate("() => { window.hwDemo = undefined; }")
    page.set_input_files("#hw-demo-file", str(file))
    for _ in range(600):
        found = page.evaluate("() => window.hwDemo && {...window.hwDemo, pixels: [...window.hwDemo.pixels]}")
        if found or page.locator("#hw-demo-status").text_content().startswith("That did not work"):
            return found
        page.wait_for_timeout(200)
    raise AssertionError(f"no answer: {page.locator('#hw-demo-status').text_content()}")


def complains(message) -> bool:
    """Whether a message in the console tells of an error. LiteRT writes there what it is doing, too."""
    return message.type == "error" and not re.match(r"INFO: |WARNING: \[npu_registry", message.text)


@pytest.mark.book
def test_page_gives_the_logits_of_litert_bit_for_bit(browser, address, written, tmp_path):
    said, asked = [], []
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.on("console", lambda message: said.append(message.text) if complains(message) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    before, logits = sum("wasm" in url for url in asked), set()
    for seed, (width, height) in enumerate([(32, 32), (32, 32), (320, 257), (20, 31)]):
        file = picture(tmp_path / f"{seed}.png", width, height, seed)
        found = classify(page, file)
        pixels = np.array(found["pixels"], np.uint8).reshape(32, 32, 3)
        if (width, height) == (32, 32):
            assert (pixels == np.asarray(Image.open(file))).all(), "the browser decodes other pixels"
        assert found["logits"] == stored_logits(written, pixels)
        logits.add(tuple(found["logits"]))
    assert len(logits) == 4, "equal logits for all pictures: nothing was compared"
    # A larger picture is averaged: Pillow's box filter is the same mean, but for its rounding
    file = picture(tmp_path / "large.png", 320, 256, 9)
    pixels = np.array(classify(page, file)["pixels"], float).reshape(32, 32, 3)
    boxed = np.asarray(Image.open(file).crop((32, 0, 288, 256)).resize((32, 32), Image.Resampling.BOX), float)
    assert np.abs(pixels - boxed).max() <= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if shots := os.environ.get("HWAWARE_SHOTS"):
        page.screenshot(path=f"{shots}/demo.png", full_page=True)
    assert said == []
    assert before == 0, "the runtime was loaded before anyone asked for it"
    assert {url.split("/")[2] for url in asked} == {address.split("/")[2]}
    page.close()


@pytest.mark.book
def test_page_tells_classes_and_a_measured_time(browser, address, tmp_path):
    page = browser.new_page()
    page.goto(address)
    status = page.get_by_role("status")
    assert "the first picture fetches the model" in status.text_content()
    found = classify(page, picture(tmp_path / "p.png", 40, 40, 1))
    shares = [one["share"] for one in found["top"]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1.000001
    assert found["top"][0]["name"] in status.text_content()
    assert page.locator("#hw-demo-top li").count() == 3
    assert page.locator("#hw-demo-top meter").first.evaluate("bar => bar.value") == pytest.approx(shares[0])
    time = found["time"]
    assert (time["runs"], time["warm_up"]) == (20, 5)
    assert 0 < time["low"] <= time["median"] <= time["high"]
    told = page.locator("#hw-demo-latency")
    assert re.search(r"baseline-int8_ptq: [\d.]+ ms an inference in this browser, measured", told.text_content())
    assert told.locator(".hw-measured").count() == 1
    # What is no picture is told, and the next picture works
    (tmp_path / "text.png").write_text("no picture")
    assert classify(page, tmp_path / "text.png") is None
    assert status.text_content() == "That did not work: text.png is no picture that this browser can read."
    assert classify(page, picture(tmp_path / "q.png", 40, 40, 2))
    page.close()


@pytest.mark.book
def test_page_opened_from_disk_says_what_to_do(browser, written):
    said = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.goto((written / "page.html").as_uri())
    assert "make serve DEMO=1" in page.get_by_role("status").text_content()
    assert page.get_by_label("Choose a picture, or drop one here").is_disabled()
    assert said == []
    page.close()


def test_job_matches_the_model_and_the_data_set():
    classes = [f"c{k}" for k in range(10)]
    model = demo.artifacts.locate(*stored("baseline-int8_ptq"), "reference")
    job = demo.describe(model, "baseline-int8_ptq", classes, "CIFAR-10 (JPEG copy)")
    assert (job["source_px"], job["input"]["dtype"], job["classes"]) == (32, "int8", classes)
    assert demo.describe(model, "x", classes, "scikit-learn digits")["source_px"] == 8
    assert demo.describe(model, "x", classes, "image folder 'mine'")["source_px"] == 96
    with pytest.raises(UserError, match=r"9 classes for .* 10 outputs"):
        demo.describe(model, "x", classes[:9], "CIFAR-10")


def stored(variant: str) -> tuple[str, str]:
    import pandas as pd

    row = pd.read_csv(REFERENCE / "variants.csv").set_index("variant").loc[variant]
    return row["model_file"], row["sha256"]


def test_the_book_holds_the_page_only_when_it_is_asked_for(written, tmp_path, monkeypatch):
    monkeypatch.delenv("HWAWARE_DEMO", raising=False)
    assert demo.table_of_contents(tmp_path) == ROOT / "_toc.yml"
    assert demo.PAGE not in (ROOT / "_toc.yml").read_text()
    left = tmp_path / "html" / "book" / "demo" / "model.tflite"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of an earlier build")
    demo.add_files(tmp_path, tmp_path / "html")
    assert not left.exists()
    key = build._key(tmp_path, "html")
    monkeypatch.setenv("HWAWARE_DEMO", "1")
    toc = yaml.safe_load(demo.table_of_contents(tmp_path).read_text())
    assert toc["parts"][-1]["chapters"][-1] == {"file": demo.PAGE}
    assert (ROOT / f"{demo.PAGE}.md").is_file()
    demo.add_files(run_folder(tmp_path), tmp_path / "html")
    added = {path.relative_to(left.parent) for path in left.parent.rglob("*")}
    assert added == {path.relative_to(written) for path in written.rglob("*")} - {Path("page.html")}
    assert build._key(tmp_path, "html") != key, "the book without the demo would pass as up to date"
    monkeypatch.setenv("HWAWARE_DEMO", "yes")
    with pytest.raises(UserError, match="DEMO='yes' is no choice"):
        demo.wanted()


def test_a_run_without_the_model_is_told_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"variants\.csv is missing"):
        demo.write_demo(tmp_path, tmp_path / "html", tmp_path)
    folder = run_folder(tmp_path)
    variants = folder / "results" / "variants.csv"
    variants.write_text(variants.read_text().replace("baseline-int8_ptq", "another"))
    with pytest.raises(UserError, match="holds no baseline-int8_ptq"):
        demo.write_demo(folder, tmp_path / "html", tmp_path)
    assert not (tmp_path / "html").exists()


def test_what_a_reader_fetches_is_about_twelve_megabytes(written):
    """Page, scripts, model and one of the two builds of the runtime; the sentence on the page says 12 MB."""
    sizes = {path.relative_to(written).as_posix(): path.stat().st_size for path in written.rglob("*") if path.is_file()}
    compat = sum(size for name, size in sizes.items() if "compat" in name)
    assert 0 < compat < sum(sizes.values()) / 2
    assert 11.5e6 < sum(sizes.values()) - compat < 12.7e6
    assert sum(size for name, size in sizes.items() if Path(name).parent == Path() and "tflite" not in name) < 20_000
