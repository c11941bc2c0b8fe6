"""The graph of a model in the browser: `python -m hwaware_utils.report.graph_page MODEL.tflite` serves Netron on loopback.

Netron's own server asks ipinfo.io where the reader is, reports to Google and, half a year after its release, shows an
update notice and nothing else. Here its pages come with a rule for the browser that forbids every other host, without
the release date, and as an unpackaged version, which does not report.
"""

import http.server
import re
import signal
import sys
import urllib.parse
from http import HTTPStatus
from importlib import resources
from pathlib import Path

from ..base.errors import UserError
from ..base.results import REFERENCE, read_table

HOST = "127.0.0.1"
TYPES = (".tflite", ".onnx")
RULE = "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; frame-src 'none'"


def serve(model: Path, port: int = 8081) -> http.server.ThreadingHTTPServer:
    """A server on 127.0.0.1 that shows the .tflite or .onnx file `model`; 0 takes any free port. Call its serve_forever.

    UserError when the file is missing or of another type, or when the port is taken.
    """
    if model.suffix not in TYPES or not model.is_file():
        raise UserError(f"model {str(model)!r} is no file that ends in {' or '.join(TYPES)}: make graph MODEL=file.tflite.")
    content, page = model.read_bytes(), _page(model.name)

    class Pages(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(resources.files("netron")))

        def do_GET(self):
            path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
            own = {"/": (page, "text/html"), "/index.html": (page, "text/html")}
            own[f"/data/{model.name}"] = (content, "application/octet-stream")
            if path not in own:
                return super().do_GET()
            body, kind = own[path]
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Set-Cookie", "consent=0; SameSite=Strict")  # or a box asks for it
            self.end_headers()
            self.wfile.write(body)

        def end_headers(self):
            self.send_header("Content-Security-Policy", RULE)
            super().end_headers()

        def log_message(self, *_):
            pass

    try:
        return http.server.ThreadingHTTPServer((HOST, port), Pages)
    except OSError as error:
        raise UserError(f"port {port} of {HOST} cannot be used ({error.strerror}): make graph PORT=another one.") from error


def default_model() -> Path:
    """The stored baseline in INT8."""
    stored = read_table(REFERENCE / "variants.csv", ["variant", "model_file"], dtype=str)
    files = stored.loc[stored["variant"] == "baseline-int8_ptq", "model_file"].dropna()
    if files.empty or not (REFERENCE / files.iloc[0]).is_file():
        raise UserError(f"{REFERENCE} has no baseline-int8_ptq: make graph MODEL=a .tflite file.")
    return REFERENCE / files.iloc[0]


def _page(name: str) -> bytes:
    text = (resources.files("netron") / "index.html").read_text()
    text = re.sub(r'<meta name="date" content=".*">\n?', "", text)
    file = urllib.parse.quote(name)
    own = (
        f'<meta name="type" content="Python">\n<meta name="version" content="0.0.0">\n<meta name="file" content="/data/{file}">'
    )
    text, found = re.subn(r'<meta name="version" content=".*">', own, text)
    if found != 1:
        raise UserError("this version of Netron has another start page: install the one of requirements.txt.")
    return text.encode()


def main(arguments: list[str]) -> None:
    """Serve until Ctrl-C. Arguments: the model (none or empty: `default_model`) and the port."""
    model = Path(arguments[0]) if arguments and arguments[0] else default_model()
    port = arguments[1] if len(arguments) > 1 else "8081"
    if not port.isdigit() or int(port) > 65535:
        raise UserError(f"port {port!r}: expected a number from 0 to 65535.")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
    with serve(model, int(port)) as server:
        print(f"http://{HOST}:{server.server_port}/ shows {model.name} - stop with Ctrl-C", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
