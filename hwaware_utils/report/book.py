"""What the book needs beyond Jupyter Book: charts that are live in HTML without a network and vector in PDF, and CSV downloads.

A MyST-NB plugin (an entry point in pyproject.toml) and a Sphinx extension (extra_extensions in _config.yml).
"""

import hashlib
import json
import re
from html import escape
from pathlib import Path

import vl_convert as vlc
from docutils import nodes
from docutils.statemachine import StringList
from myst_nb.core.render import MimeRenderPlugin
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from . import pages
from .charts import MIMETYPE, VL, to_svg
from .downloads import describe_tables
from .latex_headlines import KeptHeadlines
from .latex_pictures import SpokenPictures
from .latex_tables import PrintTables
from .slim import slim_spec, slim_svg
from .tables import NOTHING

# The static SVG stays if JavaScript is off. --h reserves the height of the live chart, which replaces it (charts.js).
HTML = (
    '<div class="hw-chart" style="--h:{height}px"><div class="hw-still" role="img" aria-label="{label}">{svg}</div>'
    '<script type="application/json">{spec}</script></div>'
)
INPUT_PX = 36  # as .vega-bind in report.css
CACHED = ("book.py", "charts.py", "downloads.py", "formulas.py", "from_notebook.py", "slim.py")  # what draws a page


class VegaLite(MimeRenderPlugin):
    """Renders a chart's Vega-Lite output as inline SVG + JSON for HTML and as a PDF image for LaTeX."""

    mime_priority_overrides = [(builder, MIMETYPE, 1) for builder in ("html", "dirhtml", "singlehtml", "latex")]  # noqa: RUF012

    @staticmethod
    def handle_mime(renderer, data, inline):
        if data.mime_type != MIMETYPE or inline:
            return None
        renderer.add_js_file("vega", "vega-bundle.js", {})
        renderer.add_js_file("charts", "charts.js", {})
        # Both forms, whatever the builder: the parsed page is cached and used for HTML and LaTeX alike.
        pdf = vlc.vegalite_to_pdf(data.content, vl_version=VL)
        name = hashlib.sha256(json.dumps(data.content).encode()).hexdigest() + ".pdf"
        # Drawn with 12 px letters: 70 % of that is a little less than the text around it
        uri, alt = renderer.write_file([name], pdf, overwrite=True), data.content.get("description", "")
        image = nodes.image(uri=uri, alt=alt, scale=70)
        html = chart_html(data.content)
        return [nodes.raw(text=html, format="html", classes=["output"]), addnodes.only("", image, expr="latex")]


def chart_html(spec: dict) -> str:
    """The chart as an element that shows without JavaScript and comes alive with it."""
    spec = {name: value for name, value in spec.items() if name != "$schema"}  # Vega would warn about version 5, see charts
    text = slim_spec(spec).replace("</", "<\\/")  # "</script>" in a label would end the element
    # Each inline SVG numbers its clip paths from 0; without a prefix the first chart of the page would clip them all.
    prefix = "c" + hashlib.sha256(text.encode()).hexdigest()[:8] + "-"
    svg = re.sub(r'(\bid="|url\(#)', rf"\g<1>{prefix}", slim_svg(to_svg(spec)))
    height = round(float(re.search(r'<svg[^>]* height="([\d.]+)"', svg)[1])) + INPUT_PX * count_inputs(spec)
    return HTML.format(height=height, label=escape(spec.get("description", ""), quote=True), svg=svg, spec=text)


def count_inputs(spec: dict) -> int:
    """How many lists and sliders vega-embed sets below the chart, a line each."""
    return sum(isinstance(param.get("bind"), dict) and "input" in param["bind"] for param in spec.get("params", []))


class MissingNumbers(SphinxPostTransform):
    """A glued number that the run does not have (see `prose.glue_numbers`) is a dash in its sentence."""

    default_priority = 460  # after MyST-NB has put the numbers of other pages in place

    def run(self, **_) -> None:
        for told in self.document.findall(nodes.inline):
            if "pasted-text" in told["classes"] and re.fullmatch(r"[+ ]?nan%?", told.astext()):
                told.children = [nodes.Text(NOTHING)]


class NoSites(SphinxPostTransform):
    """STM32Cube.AI is no web site, though the Markdown of an output takes it for one (pages: _config.yml)."""

    default_priority = 300  # before Sphinx gives the PDF a footnote with the address

    def run(self, **_) -> None:
        for link in list(self.document.findall(nodes.reference)):
            if link.get("refuri") == f"http://{link.astext()}":
                link.replace_self(link.children)


class ResultTables(SphinxDirective):
    """`{result-tables}`: every results/*.csv beside the notebooks, with its columns and a download link."""

    def run(self) -> list[nodes.Node]:
        paths = sorted(Path(self.env.srcdir, "results").glob("*.csv"))
        for path in paths:
            self.env.note_dependency(str(path))
        self.env.note_reread()  # a new table must appear although the page itself has not changed
        lines = describe_tables(paths)
        if self.env.app.builder.format == "html" and Path(self.env.srcdir, "report.pdf").is_file():
            lines = ["{download}`The whole book as a PDF </report.pdf>`", "", *lines]
        box = nodes.container(classes=["hw-downloads"])
        self.state.nested_parse(StringList(lines, source=self.env.docname), self.content_offset, box)
        return [box]


def write_bundle(app) -> None:
    """Vega, Vega-Lite and vega-embed as vl-convert carries them, in a scope of their own: their globals would collide."""
    if app.builder.format == "html":
        path = Path(app.outdir, "_static", "vega-bundle.js")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"(() => {{{vlc.javascript_bundle(vl_version=VL)}}})();", encoding="utf-8")


def add_static_files(app, config) -> None:
    config.html_static_path.append(str(Path(app.srcdir, "book", "_static")))


def quiet_page(app, page, template, context, doctree) -> None:
    """Drop what asks the network or fills the console: Thebe runs code on a server and its script is added twice."""
    if "script_files" in context:
        context["script_files"] = [file for file in context["script_files"] if "thebe" not in _told(file).lower()]
    context.setdefault("default_mode", "auto")  # an empty mode is reported as an error on a reader's first visit


def _told(script) -> str:
    return f"{script.filename} {script.attributes.get('body', '')}" if hasattr(script, "filename") else str(script)


def finish_pages(app, exc) -> None:
    """The content-security policy, and nothing that no page shows."""
    if exc is None and app.builder.format == "html":
        pages.finish(Path(app.outdir))


def setup(app) -> dict:
    # Sphinx keeps the pages it has parsed, charts included, and would not notice that this code draws them differently.
    code = b"".join(Path(__file__).with_name(name).read_bytes() for name in CACHED)
    app.add_config_value("report_code", hashlib.sha256(code).hexdigest(), "env", types=str)
    app.connect("config-inited", add_static_files)
    app.connect("builder-inited", write_bundle)
    app.connect("html-page-context", quiet_page, priority=900)
    app.connect("build-finished", finish_pages)
    app.add_css_file("report.css")
    app.add_directive("result-tables", ResultTables)
    app.add_post_transform(NoSites)
    app.add_post_transform(MissingNumbers)
    app.add_post_transform(PrintTables)
    app.add_post_transform(SpokenPictures)
    app.add_post_transform(KeptHeadlines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
