"""Headlines of the PDF: none is left alone at the foot of a page."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_jupyterbook_latex.nodes import RootHeader

# LaTeX itself holds a headline and the next line of text together, but no picture, and no headline of the summary, which
# Jupyter Book turns into a line of bold letters. Sections before text: book/latex/hwreport.sty.
PICTURE, TEXT = r"\Needspace{0.45\textheight}", r"\Needspace{7\baselineskip}"


class KeptHeadlines(SphinxPostTransform):
    """Asks for room before a headline that LaTeX would leave alone; only for the LaTeX builder."""

    default_priority = 800  # after Jupyter Book has made the sections of the summary lines
    formats = ("latex",)

    def run(self, **_) -> None:
        for head in [*self.document.findall(nodes.section), *self.document.findall(RootHeader)]:
            following = head[1:2] if isinstance(head, nodes.section) else head.parent[head.parent.index(head) + 1 :][:1]
            picture = following and next(iter(following[0].findall(nodes.image)), None) is not None
            if picture or isinstance(head, RootHeader):
                room = nodes.raw("", PICTURE if picture else TEXT, format="latex")
                head.parent.insert(head.parent.index(head), room)
