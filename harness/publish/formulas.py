"""Formulas in LaTeX, shown as MathML: browsers draw it themselves, without a script or a font, and screen readers read it.

docutils converts them; an unknown command of LaTeX is an error.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes

NAME = "mathml"


def setup(app: Any) -> None:
    """Register the renderer under `NAME`, the value of ``html_math_renderer``."""
    app.add_html_math_renderer(NAME, inline_renderers=(_inline, None), block_renderers=(_block, None))


def mathml(latex: str, block: bool = False) -> str:
    """Return a formula as a ``<math>`` element, on a line of its own if it is a `block`.

    >>> "".join(mathml("a_1").split())
    '<mathxmlns="http://www.w3.org/1998/Math/MathML"><msub><mi>a</mi><mn>1</mn></msub></math>'
    """
    from docutils.utils.math.latex2mathml import tex2mathml

    return str(tex2mathml(latex, as_block=block))


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    # Focusable, because a wide formula scrolls on a phone and the keyboard must reach it.
    translator.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode
