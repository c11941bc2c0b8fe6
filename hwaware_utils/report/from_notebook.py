"""What a plain page takes from the notebooks: `{chart-of}` a chart of an executed one, `{table-of}` a table that one saved.

A Sphinx extension (extra_extensions in _config.yml). MyST-NB's own glue cannot carry a chart to another page.
"""

import hashlib
import json
import os
from pathlib import Path

import pandas as pd
import vl_convert as vlc
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from .book import chart_html
from .charts import MIMETYPE, VL
from .tables import show_table


class ChartOf(SphinxDirective):
    """`{chart-of} 08_aspects fig-08-deployments`, the caption as content: live in HTML, vector in PDF."""

    required_arguments = 2
    has_content = True
    option_spec = {"name": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        notebook, name = self.arguments
        path = Path(self.env.srcdir, "notebooks", f"{notebook}.ipynb")
        spec = find_chart(path, name) if path.is_file() else None
        if spec is None:
            raise self.error(f"{notebook} shows no chart named {name}: run it, or name another figure of it.")
        self.env.note_dependency(str(path))
        for key in ("vega-bundle", "charts"):
            NbMetadataCollector.add_js_file(self.env, self.env.docname, key.split("-")[0], f"{key}.js", {})
        html = nodes.raw("", chart_html(spec), format="html", classes=["output"])
        image = nodes.image(uri=self._pdf(spec), alt=spec.get("description", ""), scale=70)
        figure = nodes.figure("", html, addnodes.only("", image, expr="latex"), align="default")
        caption = nodes.caption()
        inline, messages = self.state.inline_text(" ".join(self.content), self.lineno)
        caption += inline
        figure += caption
        self.add_name(figure)
        return [figure, *messages]

    def _pdf(self, spec: dict) -> str:
        """The chart as a file for LaTeX, named by its content, beside those that MyST-NB writes; its place for Sphinx."""
        name = hashlib.sha256(json.dumps(spec).encode()).hexdigest() + ".pdf"
        path = Path(self.env.app.outdir).parent / "jupyter_execute" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(vlc.vegalite_to_pdf(spec, vl_version=VL))
        return "/" + Path(os.path.relpath(path, self.env.srcdir)).as_posix()


class TableOf(SphinxDirective):
    """`{table-of} deployments`: columns of results/deployments.csv, formatted as in the notebooks."""

    required_arguments = 1
    option_spec = {"columns": directives.unchanged_required, "caption": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir, "results", f"{self.arguments[0]}.csv")
        if not path.is_file():
            raise self.error(f"{path.name} is not among the results: name a table that a notebook of this profile saves.")
        self.env.note_dependency(str(path))
        frame = pd.read_csv(path).convert_dtypes()  # a count with gaps is no float
        columns = self.options.get("columns", " ".join(frame)).replace(",", " ").split()
        table = show_table(frame[columns], caption=self.options.get("caption"))
        printed = addnodes.only("", expr="latex")
        self.state.nested_parse(StringList(table.to_markdown().splitlines(), source=str(path)), self.content_offset, printed)
        return [nodes.raw("", table.to_html(), format="html", classes=["output"]), printed]


def find_chart(path: Path, name: str) -> dict | None:
    """The Vega-Lite specification that the cell with the figure name `name` of an executed notebook has shown, or None."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") == name:
            return next((o["data"][MIMETYPE] for o in cell.get("outputs", []) if MIMETYPE in o.get("data", {})), None)
    return None


def setup(app) -> dict:
    app.add_directive("chart-of", ChartOf)
    app.add_directive("table-of", TableOf)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
