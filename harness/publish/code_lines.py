"""Count the lines of code of a file or a function."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable
from inspect import getsource
from pathlib import Path
from textwrap import dedent


def code_lines(code: Path | Callable) -> int:
    """Count the lines of a file or function that hold code: neither blank, nor only comment, nor docstring."""
    source = code.read_text(encoding="utf-8") if isinstance(code, Path) else dedent(getsource(code))
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            first = node.body[0]
            lines.difference_update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)
