"""What a picture of the PDF shows, in words: its alternative text, which goes with it into the file.

The PDF is not tagged - XeTeX of TeX Live 2022 has no reliable way to do that - but its pictures stand in marked content
that carries /Alt, as PDF 1.5 allows without tags (ISO 32000-1, 14.9.3). book/latex/hwreport.sty has the other half.
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class SpokenPictures(SphinxPostTransform):
    """Hands each picture's text to LaTeX, immediately before the picture; only for the LaTeX builder."""

    default_priority = 460  # after `only`, which the charts stand in
    formats = ("latex",)

    def run(self, **_) -> None:
        for image in list(self.document.findall(nodes.image)):
            if image.get("alt"):
                image.replace_self([nodes.raw("", rf"\hwalt{{{pdf_text(image['alt'])}}}", format="latex"), image])


def pdf_text(text: str) -> str:
    """`text` as the inside of a PDF string of hexadecimal digits: it holds nothing that LaTeX would take for its own.

    >>> pdf_text("8 µs")
    'FEFF0038002000B50073'
    """
    return "FEFF" + text.encode("utf-16-be").hex().upper()
