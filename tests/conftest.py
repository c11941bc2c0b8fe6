"""Shared fixtures. One smoke run (real training) serves every end-to-end test of a session.

The runs of the two profiles and the book are made in the background, while the tests that need none of them run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
os.environ["HWAWARE_HEADLESS"] = "1"
os.environ["HWAWARE_BUILD"] = tempfile.mkdtemp(prefix="hwaware-tests-")  # no test touches the developer's build


def environment(build: Path, **variables) -> dict[str, str]:
    """This environment with its own build folder and without any data set of the developer's."""
    kept = {k: v for k, v in os.environ.items() if k not in ("HWAWARE_DATA", "HWAWARE_WEIGHTS")}
    return kept | {"HWAWARE_BUILD": str(build), "KERAS_HOME": str(build / "keras"), **variables}


def command(*arguments, build: Path, timeout: int = 600, **variables) -> subprocess.CompletedProcess:
    """Run `python -m hwaware_utils ...` in its own build folder."""
    return subprocess.run(
        [sys.executable, "-m", "hwaware_utils", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, timeout=timeout, env=environment(build, **variables),
    )  # fmt: skip


def pytest_collection_modifyitems(items):
    """The tests that ask for a build come last: it is made while the others run."""
    items.sort(key=lambda item: "builds" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def background(request, tmp_path_factory):
    """The builds that tests of this session ask for, made one after the other meanwhile: fixture's name -> Future."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    smoke, reference = tmp_path_factory.mktemp("smoke"), tmp_path_factory.mktemp("reference")
    html, running = reference / "reference" / "html", []
    pdf = tmp_path_factory.mktemp("printed") / "report.pdf"
    for part in ("notebooks", "results", "models"):  # a test may copy the smoke build meanwhile: nothing may appear in it
        (pdf.parent / part).symlink_to(smoke / "smoke" / part)
    run, no_network = ("hwaware_utils", "run"), {"HTTPS_PROXY": "http://127.0.0.1:9"}
    jobs = {
        "reference_build": (reference, [*run, "params/reference.yaml"], environment(reference, **no_network)),
        "book_html": (html, ["hwaware_utils.report.build", str(html.parent)], environment(reference)),
        "smoke_build": (smoke, [*run, "params/smoke.yaml"], environment(smoke)),
        "report_pdf": (pdf, ["hwaware_utils.report.build", str(pdf.parent), "pdf"], environment(smoke)),
    }  # the environments are settled now: a test that changes its own meanwhile changes no build
    with ThreadPoolExecutor(1) as pool:
        yield {name: pool.submit(made, *job, running) for name, job in jobs.items() if name in asked}
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.kill()  # a session that ends early waits for nothing


def made(product: Path, module: list[str], variables: dict[str, str], running: list) -> Path:
    """`product`, once `python -m module` has ended well. Its process is appended to `running`."""
    line, pipes = [sys.executable, "-m", *module], {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(line, cwd=ROOT, env=variables, text=True, **pipes) as process:
        running.append(process)
        told = process.communicate()[0]
    assert process.returncode == 0, told
    return product


@pytest.fixture(scope="session")
def builds(background) -> dict:
    """What `background` makes; whoever asks for it comes last."""
    return background


@pytest.fixture(scope="session")
def smoke_build(builds) -> Path:
    """A build folder in which the smoke profile has been run, training included."""
    return builds["smoke_build"].result()


@pytest.fixture(scope="session")
def reference_build(builds) -> Path:
    """A build folder in which the reference profile has been run without CIFAR-10 and without a network."""
    return builds["reference_build"].result()


@pytest.fixture(scope="session")
def book_html(reference_build, builds) -> Path:
    """The HTML book of the reference profile."""
    return builds["book_html"].result()


@pytest.fixture(scope="session")
def report_pdf(smoke_build, builds):
    """The PDF of the smoke profile, as a Future: a test without TeX must not ask for its result."""
    return builds["report_pdf"]


@pytest.fixture
def copied_smoke(smoke_build, tmp_path) -> Path:
    """A copy of the smoke build that a test may damage."""
    return Path(shutil.copytree(smoke_build, tmp_path / "build", symlinks=True))
