"""What the training took: lines of code, counted. The note estimated hours; hours cannot be counted afterwards, lines can."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable
from importlib.util import find_spec
from inspect import getsource
from pathlib import Path
from textwrap import dedent

# What the note says a custom training needs, and the modules in which this project has it.
NEEDS = {
    "the package, loaded beside the newer stack": ("stacks", "checkpoints", "torchaudio_cpu"),
    "its architecture, formats and names": ("formats", "lora"),
    "data: recordings, codes, delayed labels": ("samples", "codec", "delay", "batches"),
    "a loss over text and codebooks": ("labels",),
    "a training loop, saving, resuming": ("train_config", "trainer", "training"),
    "generation, to see what was learned": ("generate",),
    "conversion to the other format": ("convert",),
}


def code_lines(code: Path | Callable) -> int:
    """Lines of a file or a function that hold code: not blank, not only a comment, not part of a docstring."""
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


def effort() -> list[dict[str, object]]:
    """For each of `NEEDS` the modules and their lines of code."""
    return [
        {"need": need, "modules": list(modules), "lines": sum(code_lines(_path(name)) for name in modules)}
        for need, modules in NEEDS.items()
    ]


def _path(name: str) -> Path:
    spec = find_spec(f"harness.higgs.{name}")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin)
