"""Find the files that a notebook depends on: the package code that it imports, directly or indirectly."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

from harness.paths import BUILD, ROOT

_LOADED_BY_NAME = {"harness.taggers", "harness.taggers.base", "harness.engines", "harness.engines.base"}


def code_dependencies(notebook: Path) -> list[Path]:
    """Return the source files of the package that can change the results of a notebook.

    Imports inside functions are followed too, and names in strings: ``call("boson", "harness.chapters.ch04_training_higgs.traps:...")``
    runs that module in another process. Taggers and engines are loaded by name, so importing one of those packages counts as
    importing all of it.
    """
    return module_dependencies(*(name for name in _imports(notebook) if name.split(".")[0] == "harness"))


def module_dependencies(*names: str) -> list[Path]:
    """Return the source files of modules and of everything that they import; see `code_dependencies`."""
    graph = import_graph()
    pending = set(names)
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        while name not in graph.modules and "." in name:  # "harness.stats.ratio" is a function of harness.stats
            name = name.rpartition(".")[0]
        if name in reached:
            continue
        reached.add(name)
        pending |= graph.find_modules_directly_imported_by(name)
        if name in _LOADED_BY_NAME:
            pending |= graph.find_descendants(name.removesuffix(".base"))
    return sorted(path for name in reached if (path := _file(name)) is not None)


def _imports(notebook: Path) -> set[str]:
    names: set[str] = set()
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(line for line in cell["source"] if not line.lstrip().startswith(("%", "!")))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.update(re.findall(r"\bharness(?:\.\w+)+", node.value))
    return names


def _file(module: str) -> Path | None:
    stem = ROOT.joinpath(*module.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def import_graph():
    """Return the graph of the imports within the package."""
    import grimp

    return grimp.build_graph("harness", cache_dir=str(BUILD / ".grimp_cache"))
