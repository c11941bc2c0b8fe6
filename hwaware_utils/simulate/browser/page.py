"""One page in headless Chromium, served from this machine's own files on the loopback, that answers with JSON."""

import contextlib
import http.server
import json
import os
import queue
import tempfile
import threading
from pathlib import Path

from ...base.errors import UserError
from ...base.processes import started
from .litertjs import HERE, find_chromium, find_litertjs

FLAGS = [
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--disable-quic", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-breakpad",
]  # fmt: skip
# Without a graphics driver this gives Chromium's own software adapter.
WEBGPU_FLAGS = ["--enable-unsafe-webgpu"]
TYPES = {".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}
# Isolated from other origins a page gets the fine clock: 5 us instead of 100.
ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def run_page(contents: dict[str, bytes], timeout_s: float, flags=WEBGPU_FLAGS) -> dict:
    """The answer of runner.html, which finds `contents` (path -> bytes), our page and LiteRT.js on the server.

    UserError when the browser ends early, the page fails or no answer comes in time. Browser, server and profile
    folder are gone when this returns.
    """
    chromium, modules = find_chromium(), find_litertjs()
    with contextlib.ExitStack() as stack:
        address, answers = stack.enter_context(_serving(contents, modules))
        # Chromium leaves files in the temporary folder too: give it one that goes away with the profile
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hwaware-browser-", ignore_cleanup_errors=True))
        said = stack.enter_context((Path(folder) / "stderr.txt").open("w+"))
        command = [chromium, *FLAGS, *flags, f"--user-data-dir={folder}/profile", f"{address}/runner.html"]
        environment = {**os.environ, "TMPDIR": folder, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder}
        process = stack.enter_context(started(command, stdout=said, stderr=said, env=environment))
        answer = _wait(answers, process, timeout_s)
    if "error" in answer:
        raise UserError(f"LiteRT.js cannot run the model ({' '.join(answer['error'].split())[:200]}).")
    return answer


def _wait(answers: queue.Queue, process, timeout_s: float) -> dict:
    waited = 0.0
    while waited < timeout_s:
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.2)
        waited += 0.2
        if process.poll() is not None:
            raise UserError(f"Chromium ended with exit code {process.returncode} before the page answered: does it start?")
    raise UserError(f"the browser gave no answer in {timeout_s:g} s and was stopped: allow more time or fewer runs.")


@contextlib.contextmanager
def _serving(contents: dict[str, bytes], modules: Path):
    """Address of a server for `contents`, our own files and LiteRT.js, and the queue of what pages post to it."""
    answers: queue.Queue = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = contents.get(self.path)
            body = _read(self.path, modules) if body is None else body
            self.send_response(404 if body is None else 200)
            kind = TYPES.get(Path(self.path).suffix, "application/octet-stream")
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body or b"")), **ISOLATION}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body or b"")

        def do_POST(self):
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

        def handle(self):
            with contextlib.suppress(ConnectionError):  # the browser is stopped in mid-sentence
                super().handle()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read(path: str, modules: Path) -> bytes | None:
    root, name = (modules, path.removeprefix("/npm/")) if path.startswith("/npm/") else (HERE, path.removeprefix("/"))
    file = (root / name).resolve()
    return file.read_bytes() if file.is_relative_to(root.resolve()) and file.is_file() else None
