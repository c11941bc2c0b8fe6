"""The graph page: answers on loopback with the model, keeps the browser from every other host, and stops."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from http.client import HTTPConnection

import pytest
from conftest import ROOT
from playwright.sync_api import sync_playwright

from hwaware_utils.base.errors import UserError
from hwaware_utils.report import graph_page
from hwaware_utils.workload import load_workload


@pytest.fixture
def server():
    with graph_page.serve(graph_page.default_model(), 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)
        assert not thread.is_alive()


def get(server, path):
    return urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=10)


def test_it_serves_the_model_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"
    model = graph_page.default_model()
    assert f'<meta name="file" content="/data/{model.name}">' in get(server, "/").read().decode()
    assert get(server, f"/data/{model.name}").read() == model.read_bytes()
    assert len(get(server, "/view.js").read()) > 10_000


def test_the_page_may_not_reach_another_host_and_does_not_expire(server):
    for path in ("/", "/index.js"):
        rule = get(server, path).headers["Content-Security-Policy"]
        assert "default-src 'self'" in rule
        assert "http" not in rule.replace("https:", "http:")
    page = get(server, "/").read().decode()
    assert 'name="date"' not in page
    assert 'content="0.0.0"' in page


def test_a_browser_draws_every_operator_and_asks_no_other_host(server):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed (apt.txt)")
    asked = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector("#canvas .node", state="attached", timeout=60_000)
        drawn = page.locator("#canvas .node").count()
        browser.close()
    assert drawn >= len(load_workload(graph_page.default_model()))
    assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{server.server_port}"}


@pytest.mark.parametrize("path", ["/data/other.tflite", "/data/../__init__.py/x", "/../../requirements.txt"])
def test_it_serves_nothing_else(server, path):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


def test_the_command_answers_and_stops_on_ctrl_c():
    command = [sys.executable, "-m", "hwaware_utils.report.graph_page", "", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[0]
        port = int(url.rsplit(":", 1)[1].strip("/"))
        assert urllib.request.urlopen(url, timeout=10).status == 200
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_bad_input_is_told_in_one_sentence(server, tmp_path):
    other = tmp_path / "model.txt"
    other.write_text("x")
    for model in (tmp_path / "missing.tflite", other):
        with pytest.raises(UserError, match=r"ends in \.tflite or \.onnx"):
            graph_page.serve(model, 0)
    with pytest.raises(UserError, match=r"port \d+ of 127\.0\.0\.1 cannot be used"):
        graph_page.serve(graph_page.default_model(), server.server_port)
    with pytest.raises(UserError, match="port 'x'"):
        graph_page.main(["", "x"])
