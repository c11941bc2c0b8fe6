"""Formulas as MathML, set when the book is built: browsers draw it, screen readers speak it, and no page needs MathJax.

A Sphinx extension (extra_extensions in _config.yml) for the HTML book; the PDF has LaTeX's own formulas. The converter is
that of docutils, which keeps a word a word: latex2mathml 3.81 writes the letters of a \\mathrm one by one.
"""

from html import escape

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)


def mathml(tex: str, block: bool = False) -> str:
    r"""The formula `tex` as a <math> element. MathError for what the converter does not know.

    >>> mathml(r"\hat x \le \mathrm{MACs}").partition(">")[2]
    '<mover accent="true"><mi>x</mi><mo stretchy="false">ˆ</mo></mover><mo>≤</mo><mi>MACs</mi></math>'
    """
    # The converter's indentation would be text between the signs, for whoever copies a formula
    return "".join(line.strip() for line in tex2mathml(tex.strip(), block).splitlines())


def visit_inline(writer, node: nodes.math) -> None:
    writer.body.append(_set(node, block=False))
    raise nodes.SkipNode


def visit_block(writer, node: nodes.math_block) -> None:
    # tabindex: what scrolls sideways on a phone must be reached from the keyboard
    writer.body.append(writer.starttag(node, "div", "", CLASS="hw-formula", tabindex="0"))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})</span>')
    writer.body.append(f"{_set(node, block=True)}</div>\n")
    raise nodes.SkipNode


def _set(node: nodes.Element, block: bool) -> str:
    tex = node.astext()
    try:
        return mathml(tex, block)
    except (MathError, SyntaxError) as error:
        logger.warning("%r is no formula that docutils can set as MathML: %s", tex, error, location=node)  # -W stops here
        return f"<code>{escape(tex)}</code>"


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
