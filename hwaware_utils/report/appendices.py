"""The directives of the appendix, and the files that the book offers: a workbook, the guidelines, the INT8 models.

A Sphinx extension (extra_extensions in _config.yml). What a page shows is computed in the modules beside this one.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from ..base.results import ROOT, read_table
from . import guidelines, limits, model_zoo, origins, workbook
from .tables import show_table

# Directive's argument -> what makes the table of it, from the folder of the book's sources and the profile's tables.
TABLES: dict[str, Callable[[Path, dict[str, pd.DataFrame]], pd.DataFrame]] = {
    "model-zoo": lambda folder, tables: model_zoo.zoo_table(tables),
    "model-files": lambda folder, tables: model_zoo.file_table(tables["variants"]),
    "model-errors": lambda folder, tables: limits.model_errors(tables),
    "reliability": lambda folder, tables: read_table(ROOT / "results" / "reliability.csv"),
    "reference-run": lambda folder, tables: origins.reference_run(),
    "run-times": lambda folder, tables: origins.run_times(folder / "notebooks"),
    "training-times": lambda folder, tables: origins.training_times(tables["training_log"]),
}
MISSING = "This profile has not written the table {name} that belongs here."


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """The result tables beside the book's sources: name -> table."""
    return {path.stem: pd.read_csv(path) for path in sorted((folder / "results").glob("*.csv"))}


class Appendix(SphinxDirective):
    """`{appendix} model-errors`: one of `TABLES`; a sentence instead where the profile has not written what it needs."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, folder = self.arguments[0], Path(self.env.srcdir)
        if name not in TABLES:
            raise self.error(f"{name} is no table of the appendix: name one of {', '.join(TABLES)}.")
        self.env.note_reread()
        try:
            frame = TABLES[name](folder, read_tables(folder))
        except KeyError as error:
            return [nodes.paragraph(text=MISSING.format(name=error.args[0]))]
        table = show_table(frame)
        html = table.to_html()
        if name == "model-files":
            html = model_zoo.link_files(html, [path.name for path in offered(folder)])
        return [nodes.raw("", html, format="html", classes=["output"]), self.printed(table.to_markdown())]

    def printed(self, markdown: str) -> nodes.Node:
        """`markdown` for LaTeX alone."""
        box = addnodes.only("", expr="latex")
        self.state.nested_parse(StringList(markdown.splitlines(), source=self.env.docname), self.content_offset, box)
        return box


class Guidelines(SphinxDirective):
    """`{guidelines}`: the sections of optimization_guidelines.md; the page brings its own title."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        path = Path(self.env.srcdir, "downloads", "optimization_guidelines.md")
        # MyST would hang the sections of a nested text into the page before the paragraphs that stand above them
        begin, *parts = re.split(r"^## ", path.read_text(encoding="utf-8").partition("\n")[2], flags=re.MULTILINE)
        shown = self.parsed(begin, path, nodes.container()).children
        for part in parts:
            title, _, text = part.partition("\n")
            section = nodes.section("", nodes.title(text=title), names=[nodes.fully_normalize_name(title)])
            self.state.document.note_implicit_target(section, section)
            shown.append(self.parsed(text, path, section))
        return shown

    def parsed(self, text: str, path: Path, parent: nodes.Element) -> nodes.Element:
        """`parent` with what the Markdown `text` amounts to."""
        self.state.nested_parse(StringList(text.splitlines(), source=str(path)), self.content_offset, parent)
        return parent


class Citation(SphinxDirective):
    """`{citation}`: the BibTeX entry of CITATION.cff."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        return [nodes.literal_block(text=origins.citation(), language="none")]


class NotebookList(SphinxDirective):
    """`{notebook-list}`: a link to each executed notebook that is a page of this book."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        names = sorted(Path(name).name for name in self.env.found_docs if name.startswith("notebooks/"))
        # Sphinx keeps a page's source in the HTML book anyway; a {download} would copy each notebook once more
        links = (f'<li><a href="../_sources/notebooks/{name}.ipynb" download>{name}.ipynb</a></li>' for name in names)
        printed = nodes.paragraph("", "", nodes.Text(", ".join(names)))
        return [nodes.raw("", f"<ul>{''.join(links)}</ul>", format="html"), addnodes.only("", printed, expr="latex")]


def offered(folder: Path) -> list[Path]:
    """The model files that the HTML book carries along."""
    variants = read_tables(folder).get("variants")
    return [] if variants is None else model_zoo.offered_files(variants, folder / "models")


def write_downloads(app) -> None:
    """The workbook and the guidelines beside the sources, where a {download} finds them; the models into the HTML book."""
    folder = Path(app.srcdir)
    tables = read_tables(folder)
    workbook.write_workbook(tables, folder / "downloads" / "benchmarks.xlsx")
    known = all(name in tables for name in guidelines.NEEDS)
    text = (
        guidelines.guidelines(tables) if known else "# Optimisation guidelines\n\nThis profile has not been run to its end.\n"
    )
    (folder / "downloads" / "optimization_guidelines.md").write_text(text, encoding="utf-8")
    if app.builder.format == "html":
        target = Path(app.outdir, "models")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in offered(folder):
            shutil.copy2(path, target / path.name)


def leave_downloads_alone(app, config) -> None:
    config.exclude_patterns.append("downloads/**")  # the guidelines there are a file to take away, no page


def setup(app) -> dict:
    app.connect("config-inited", leave_downloads_alone)
    app.connect("builder-inited", write_downloads)
    app.add_directive("appendix", Appendix)
    app.add_directive("guidelines", Guidelines)
    app.add_directive("citation", Citation)
    app.add_directive("notebook-list", NotebookList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
